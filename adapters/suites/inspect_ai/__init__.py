"""Any task of Inspect AI, on any provider that speaks OpenAI's API."""
