"""BFCL, the Berkeley Function Calling Leaderboard, with any model under its own name."""
