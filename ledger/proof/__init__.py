"""What proves a ledger to somebody who did not write it: verification, checkpoints, signatures."""
