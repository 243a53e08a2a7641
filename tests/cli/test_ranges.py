"""Numbers in a range: what is accepted, and how help and errors describe it."""

from __future__ import annotations

import click
import pytest

from benchmarks.cli.ranges import Number, Whole


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (Whole(1, 64), "64", 64),
        (Whole(1, 64), "0", "must be 1 to 64, got 0"),
        (Whole(1, 10_000), "10001", "must be 1 to 10,000, got 10001"),
        (Whole(1, 10**15), str(10**15), 10**15),
        (Whole(1, 10**15), str(10**16), "must be at least 1"),
        (Whole(0), "-1", "must be at least 0, got -1"),
        (Number(min=0, min_open=True), "0", "must be more than 0, got 0"),
        (Number(min=0, min_open=True), "1e-9", 1e-9),
        (Number(min=0, min_open=True, max=300), "300.5", "must be more than 0, at most 300, got 300.5"),
        (Number(0, 0.5), "0.5", 0.5),
        (Number(0, 0.5), "0.6", "must be 0 to 0.5, got 0.6"),
        (Number(max=1, max_open=True), "1", "must be less than 1, got 1"),
        (Number(0), "nan", "must be a finite number, got nan"),
        (Number(0), "inf", "must be a finite number, got inf"),
    ],
)
def test_a_number_is_accepted_or_the_error_says_the_range(
    kind: Whole | Number, text: str, expected: float | str
) -> None:
    if isinstance(expected, str):
        with pytest.raises(click.BadParameter, match=expected):
            kind.convert(text, None, None)
    else:
        assert kind.convert(text, None, None) == expected
