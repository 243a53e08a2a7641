"""Storage of events: their lines, the hash chain, and the stores."""
