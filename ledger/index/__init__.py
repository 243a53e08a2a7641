"""The index beside a ledger: what decisions ask of its history, answered from files instead of a replay."""
