"""Read models of the ledger: delete one, rebuild it, and get the same bytes back."""
