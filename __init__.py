"""Run any LLM or agent benchmark, record every transition in an append-only ledger, and trust the table it gives."""
