"""The suites that ship with the orchestrator. Each runs as `python -m suites.<name>`, with no other part of this
project in reach: what a suite needs besides the standard library, its manifest names.
"""
