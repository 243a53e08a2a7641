"""Reasoning Gym: problems made by the package of that name, judged by its own scorers."""
