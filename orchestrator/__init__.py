"""Plan, claim, execute, record: from a request to events in the ledger."""
