"""The ledger: what happened, in order, for ever.

Event types, their codec and hash chain, the stores that keep them, and the fold that turns them into runs.
"""
