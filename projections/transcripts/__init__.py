"""Transcripts: what a model and its tools said, turn by turn, from the formats in which other programs write them."""
