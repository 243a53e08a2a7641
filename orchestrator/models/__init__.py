"""Where models answer, and what they cost: providers, endpoints, the local model, prices."""
