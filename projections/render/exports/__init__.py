"""The history in the formats of others."""
