"""Bad usage: what the person at the command line has to change. Exit code 2."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class UsageError(Exception):
    """One line that says what is wrong and what to do instead. Nothing was written."""


def nearest(name: str, known: Iterable[str]) -> str:
    """What to add to an error about a name that is not known: the one that was probably meant, if any."""
    found = get_close_matches(name, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""
