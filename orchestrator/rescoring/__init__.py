"""New scores for past runs: a later scorer judges the outputs that they stored."""
