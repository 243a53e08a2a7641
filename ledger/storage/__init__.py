"""How events are kept: their lines, the hash chain, and the stores."""
