"""Plans, claims, executes and records runs: a request becomes events in the ledger."""
