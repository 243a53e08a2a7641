"""A column of names that many rows share: the rows with certain names, and the number of rows of each.

A set of rows is a `bytes` with a 1 or a 0 for each row: `&` of two takes microseconds, and so does counting.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import compress

Flags = bytes

_NOT = bytes([1, 0]) + bytes(254)
_ONE_BYTE = 256


class Names:
    """The names of all rows of a column, in the order of the rows. A missing name is the empty one."""

    def __init__(self, names: Iterable[str | None]) -> None:
        codes_of: defaultdict[str, int] = defaultdict(lambda: len(codes_of))
        codes = [codes_of[name or ""] for name in names]
        codes_of.default_factory = None
        self._codes_of: dict[str, int] = codes_of
        self._values = list(codes_of)
        self._counts = Counter(codes)
        self._codes: bytearray | array[int] = array("I", codes) if len(codes_of) > _ONE_BYTE else bytearray(codes)

    @classmethod
    def restored(cls, values: Sequence[str | None], codes: Sequence[int]) -> Names | None:
        """From the different names, and for each row the place of its own; None if two of them are one name."""
        names = cls(value or "" for value in values)
        if len(names._values) < len(values):
            return None
        if len(values) <= _ONE_BYTE:
            one_each = names._codes = bytearray(codes)
            names._counts = Counter({code: one_each.count(code) for code in range(len(values))})
        else:
            names._codes = array("I", codes)
            names._counts = Counter(codes)
        return names

    @property
    def codes(self) -> Sequence[int]:
        """A number for the name of each row; equal names have equal numbers."""
        return self._codes

    def code(self, name: str) -> int | None:
        """The number of a name; None if no row has had it."""
        return self._codes_of.get(name)

    def name(self, code: int) -> str:
        """The name with that number."""
        return self._values[code]

    def put(self, number: int, name: str | None) -> None:
        """Row `number` has that name now; the next number is a new row."""
        name = name or ""
        code = self._codes_of.get(name)
        if code is None:
            code = self._codes_of[name] = len(self._values)
            self._values.append(name)
            if code == _ONE_BYTE:
                self._codes = array("I", list(self._codes))
        if number < len(self._codes):
            self._counts[self._codes[number]] -= 1
            self._codes[number] = code
        else:
            self._codes.append(code)
        self._counts[code] += 1

    def flags(self, names: Collection[str]) -> Flags:
        """The rows that have one of those names."""
        codes = {self._codes_of[name] for name in names if name in self._codes_of}
        if isinstance(self._codes, bytearray):
            return bytes(self._codes.translate(bytes(code in codes for code in range(_ONE_BYTE))))
        return bytes(map(codes.__contains__, self._codes))

    def counts(self, within: Flags | None) -> dict[str, int]:
        """The number of rows of each name among some rows (None: all), without names that have none."""
        counts = self._counts if within is None else self._count(within)
        return {self._values[code]: number for code, number in counts.items() if number}

    def _count(self, within: Flags) -> Counter[int]:
        """Count the rows, or count those that are left out and subtract them, if they are fewer."""
        if within.count(1) * 2 <= len(within):
            return Counter(compress(self._codes, within))
        counts = self._counts.copy()
        counts.subtract(Counter(compress(self._codes, within.translate(_NOT))))
        return counts


class ManyNames:
    """A column in which a row can have several names, such as tags."""

    def __init__(self, names: Iterable[Collection[str]]) -> None:
        self._rows = 0
        self._flags: dict[str, bytearray] = {}
        for number, some in enumerate(names):
            self.put(number, some)

    def put(self, number: int, names: Collection[str]) -> None:
        """Row `number` has those names now; the next number is a new row."""
        self._rows = max(self._rows, number + 1)
        for name, flags in self._flags.items():
            if number < len(flags):
                flags[number] = name in names
        for name in names:
            flags = self._flags.setdefault(name, bytearray())
            flags.extend(bytes(max(0, number + 1 - len(flags))))
            flags[number] = 1

    def flags(self, names: Collection[str]) -> Flags:
        """The rows that have at least one of those names."""
        found = 0
        for name in names:
            found |= int.from_bytes(self._whole(name))
        return found.to_bytes(self._rows)

    def counts(self, within: Flags | None) -> dict[str, int]:
        """The number of rows of each name among some rows (None: all), without names that have none."""
        found = {name: (both(self._whole(name), within) or b"").count(1) for name in self._flags}
        return {name: count for name, count in found.items() if count}

    def _whole(self, name: str) -> Flags:
        flags = self._flags.get(name, b"")
        return bytes(flags) + bytes(self._rows - len(flags))


def both(some: Flags | None, others: Flags | None) -> Flags | None:
    """The rows that are in both sets; None stands for all rows."""
    if some is None or others is None:
        return others if some is None else some
    return (int.from_bytes(some) & int.from_bytes(others)).to_bytes(len(some))
