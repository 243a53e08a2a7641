"""Values that an event can hold: JSON of a sensible size, in text that UTF-8 can write and numbers of 64 bits."""

from __future__ import annotations

import math
from typing import Any

import msgspec

MAX_VALUE_BYTES = 64 * 1024
"""A metric is a number, a word, a small table; a larger one as JSON is left out, and a text says so in its place."""
MAX_DEPTH = 32
"""Levels of tables within tables that a metric may have."""

_WORD = 2**63


def storable(value: Any) -> Any:
    """A metric as an event can hold it: a large or deep one is replaced by a text that says so."""
    if not is_shallow(value, MAX_DEPTH):
        return f"[left out: more than {MAX_DEPTH} levels deep]"
    value = plain(value)
    size = len(msgspec.json.encode(value))
    return value if size <= MAX_VALUE_BYTES else f"[left out: {size} bytes]"


def is_shallow(value: Any, levels: int) -> bool:
    """Whether a value has no more levels of tables and lists within each other than that."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(is_shallow(part, levels - 1) for part in parts)


def plain(value: Any) -> Any:
    """A JSON value of any size as an event can hold it.

    NaN and the infinities become None. Half of a surrogate pair becomes U+FFFD.
    """
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, dict):
        return {well_formed(str(key)): plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, int) and not -_WORD <= value < _WORD:
        return _as_float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    return f"[left out: {type(value).__name__}]"  # An expression such as `&name` is a value of JMESPath's own.


def _as_float(number: int) -> float | str:
    try:
        return float(number)
    except OverflowError:
        return f"[left out: a whole number of {number.bit_length()} bits]"


def well_formed(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair, which JSON can name and UTF-8 cannot hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
