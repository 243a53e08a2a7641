"""The viewer: the ledger's history in a browser. It reads, and never writes to the ledger."""
