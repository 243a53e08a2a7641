"""How a ledger is exported, copied, or merged into another one."""
