"""Models: providers, endpoints, the local model and prices."""
