"""Bad usage: what the person at the command line has to change. Exit code 2."""

from __future__ import annotations


class UsageError(Exception):
    """One line that says what is wrong and what to do instead. Nothing was written."""
