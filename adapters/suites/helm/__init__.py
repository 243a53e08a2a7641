"""Any run of HELM, on any provider that speaks OpenAI's API."""
