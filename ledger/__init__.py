"""The ledger: a permanent, ordered record of what happened.

Event types, their codec and hash chain, the stores that keep them, and the fold that turns them into runs.
"""
