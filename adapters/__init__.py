"""What a benchmark is: its manifest, where it is found, its options, its environment, and how its result is read."""
