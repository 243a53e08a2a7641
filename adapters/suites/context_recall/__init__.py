"""Context recall: one fact, hidden in a long text at a known depth, has to be found again."""
