"""JSON values in which equal parts are kept once: a page holds many states of a history that differ in a few rows."""

from __future__ import annotations

from typing import Any

import msgspec

_LONG = 12
"""Characters from which a text is worth a place of its own."""


class Shared:
    """A pool of JSON values. `inside.js` reads what `content` gives.

    An object is `[shape, values…]`, where a shape is a list of names; a list is `[-1, items…]`. In them, a number, a
    short text, true, false and null stand for themselves, and `[n]` for the n-th value of the pool.
    """

    def __init__(self) -> None:
        self._shapes: dict[tuple[str, ...], int] = {}
        self._places: dict[bytes, int] = {}
        self._values: list[Any] = []
        self.bytes = 0
        """Bytes of the values, before they are compressed."""

    def add(self, value: Any) -> Any:
        """Take a value in. Returns what stands for it: another value may hold that in its place."""
        if isinstance(value, tuple):
            return value  # The place of a value that is inside already.
        if isinstance(value, dict):
            shape = self._shapes.setdefault(tuple(value), len(self._shapes))
            return self._place([shape, *map(self.add, value.values())])
        if isinstance(value, list):
            return self._place([-1, *map(self.add, value)])
        return self._place(value) if isinstance(value, str) and len(value) >= _LONG else value

    def _place(self, made: Any) -> tuple[int]:
        text = msgspec.json.encode(made)  # As JSON, 1 and true differ.
        place = self._places.setdefault(text, len(self._values))
        if place == len(self._values):
            self._values.append(made)
            self.bytes += len(text)
        return (place,)

    def content(self, root: Any) -> bytes:
        """The pool as JSON, with the value to begin with."""
        begin = self.add(root)
        return msgspec.json.encode({"shapes": list(self._shapes), "values": self._values, "root": begin})
