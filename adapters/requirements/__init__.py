"""What a benchmark needs from this machine, and what of it is missing."""
