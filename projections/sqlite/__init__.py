"""`orchestrator.sqlite` and `viewer_data.json`: tables and a document that follow the ledger."""
