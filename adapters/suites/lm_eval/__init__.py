"""Any task of lm-evaluation-harness, on any provider that speaks OpenAI's API."""
