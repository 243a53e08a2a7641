"""Plain data as text: what may cross between the tests and the code that they judge.

None, bool, int, float, complex, str, bytes, list, tuple, dict, set and frozenset cross, and what derives from them
crosses as them. Nothing else does: no object brings its own `==`. Both sides bound size and depth.
"""

from __future__ import annotations

import json
from typing import Any

MAX_BYTES = 8 * 1024 * 1024
_MAX_ITEMS = 1_000_000
_MAX_DEPTH = 64
_SAFE_INTEGER = 2**53
_SEQUENCES = {"l": list, "t": tuple, "s": set, "z": frozenset}


class NotPlain(Exception):
    """A value that cannot cross, or text that is not a value."""


def pack(value: object) -> str:
    """A value as JSON text of at most MAX_BYTES. Raises NotPlain."""
    text = json.dumps(_packed(value, _MAX_DEPTH, [_MAX_ITEMS]))
    if len(text) > MAX_BYTES:
        raise NotPlain(f"a value of more than {MAX_BYTES} bytes")
    return text


def unpack(text: str | bytes) -> Any:
    """The value that `pack` made the text from. The text may be anything. Raises NotPlain."""
    try:
        document = json.loads(text, parse_float=_refuse, parse_constant=_refuse)
        return _unpacked(document, _MAX_DEPTH)
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError, MemoryError) as problem:
        raise NotPlain(f"text that is not a value: {type(problem).__name__}") from problem


def _packed(value: Any, depth: int, left: list[int]) -> Any:
    left[0] -= 1
    if depth < 0:
        raise NotPlain(f"a value that is nested more than {_MAX_DEPTH} deep")
    if left[0] < 0:
        raise NotPlain(f"a value of more than {_MAX_ITEMS} items")
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        number = int.__index__(value)
        # Hexadecimal digits: Python limits decimal ones, and JSON readers round large numbers.
        return number if abs(number) < _SAFE_INTEGER else ["i", hex(number)]
    if isinstance(value, float):
        return ["f", float.hex(value)]
    if isinstance(value, complex):
        return ["c", float.hex(value.real), float.hex(value.imag)]
    if isinstance(value, bytes):
        return ["b", bytes.hex(value)]
    if isinstance(value, dict):
        return ["d", *(_packed(part, depth - 1, left) for pair in dict.items(value) for part in pair)]
    for tag, kind in _SEQUENCES.items():
        if isinstance(value, kind):
            return [tag, *(_packed(item, depth - 1, left) for item in kind.__iter__(value))]
    raise NotPlain(f"a value of type {type(value).__name__}, which is not plain data")


def _unpacked(document: Any, depth: int) -> Any:
    if depth < 0:
        raise NotPlain(f"a value that is nested more than {_MAX_DEPTH} deep")
    if document is None or isinstance(document, bool | int | str):
        return document
    if not isinstance(document, list):
        raise NotPlain("text that is not a value")
    tag, *parts = document
    if tag in ("i", "f", "b"):
        [digits] = parts
        if tag == "i":
            return int(digits, 16)
        return float.fromhex(digits) if tag == "f" else bytes.fromhex(digits)
    if tag == "c":
        real, imaginary = map(float.fromhex, parts)
        return complex(real, imaginary)
    items = [_unpacked(part, depth - 1) for part in parts]
    if tag == "d":
        return dict(zip(items[::2], items[1::2], strict=True))
    return _SEQUENCES[tag](items)


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} does not stand alone")
