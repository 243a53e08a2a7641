"""Usage errors, which the user can correct. Exit code 2."""

from __future__ import annotations

from ..ledger.errors import ExpectedError


class UsageError(ExpectedError):
    """An error with a message that says what is wrong and a hint that says what to do. Nothing was written."""
