"""Hints for unknown names: the known name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_MAX_LISTED = 12
"""Maximum number of known names that a hint lists."""


def nearest(name: str, known: Iterable[str], *, limit: int = 1, similarity: float = 0.6) -> list[str]:
    """The known names that are most similar, the best first; letter case and `-` for `_` do not matter.

    `similarity` is the minimum ratio of `difflib`.
    """
    folded = {_folded(candidate): candidate for candidate in known}
    return [folded[match] for match in get_close_matches(_folded(name), folded, n=limit, cutoff=similarity)]


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """The hint for an unknown name: the nearest known name, else `otherwise`, else a short list of known names."""
    names = list(known)
    if near := nearest(name, names):
        return f"did you mean {near[0]}?"
    if otherwise or not names or len(names) > _MAX_LISTED:
        return otherwise
    return f"known: {', '.join(names)}"


def _folded(name: str) -> str:
    return name.lower().replace("-", "_")
