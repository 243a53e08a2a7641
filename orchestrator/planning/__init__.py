"""Planning: cells, signatures, claims, and the decision whether a run is needed."""
