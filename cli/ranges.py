"""Options that are numbers in a range, which help and errors describe in words."""

from __future__ import annotations

import math
from typing import Any

import click

_MAX_SHOWN = 10**9
"""A maximum beyond this only prevents an overflow, so help leaves it out."""


class Whole(click.IntRange):
    """A whole number in a range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number. Raises click.BadParameter."""
        number: int = click.INT.convert(value, param, ctx)
        return number if _is_inside(self, number) else self.fail(f"must be {_words(self)}, got {number}", param, ctx)

    def _describe_range(self) -> str:
        return _words(self)


class Number(click.FloatRange):
    """A finite number in a range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number. Raises click.BadParameter."""
        number: float = click.FLOAT.convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"must be a finite number, got {value}", param, ctx)
        return number if _is_inside(self, number) else self.fail(f"must be {_words(self)}, got {number:g}", param, ctx)

    def _describe_range(self) -> str:
        return _words(self)


def _is_inside(range_: click.IntRange | click.FloatRange, number: float) -> bool:
    above = range_.min is None or number > range_.min or (number == range_.min and not range_.min_open)
    below = range_.max is None or number < range_.max or (number == range_.max and not range_.max_open)
    return above and below


def _words(range_: click.IntRange | click.FloatRange) -> str:
    """Such as `1 to 64`, `more than 0`, `more than 0, at most 300`."""
    lowest, highest = range_.min, range_.max
    if highest is not None and highest > _MAX_SHOWN:
        highest = None
    if lowest is not None and highest is not None and not (range_.min_open or range_.max_open):
        return f"{_shown(lowest)} to {_shown(highest)}"
    parts = []
    if lowest is not None:
        parts.append(f"{'more than' if range_.min_open else 'at least'} {_shown(lowest)}")
    if highest is not None:
        parts.append(f"{'less than' if range_.max_open else 'at most'} {_shown(highest)}")
    return ", ".join(parts)


def _shown(number: float) -> str:
    return f"{int(number):,}" if number == int(number) else f"{number:g}"
