"""Plan, claim, execute, record: from a request to events in the ledger, and the command line that asks for it."""
