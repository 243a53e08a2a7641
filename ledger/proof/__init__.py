"""Proofs of a ledger for people who did not write it: verification, checkpoints, signatures."""
