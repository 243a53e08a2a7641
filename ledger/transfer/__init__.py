"""Export, copy and merge of ledgers."""
