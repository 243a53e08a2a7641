"""What is to be done: cells, signatures, claims, and whether a run is needed at all."""
