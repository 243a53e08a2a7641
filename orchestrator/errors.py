"""Errors of usage: what the user has to change. Exit code 2."""

from __future__ import annotations

from ..ledger.errors import ExpectedError


class UsageError(ExpectedError):
    """A message that says what is wrong, and a hint that says what to do instead. Nothing was written."""
