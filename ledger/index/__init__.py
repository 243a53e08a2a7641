"""The index beside a ledger: files that answer the questions of decisions without a replay."""
