"""Numbers as people read them."""

from __future__ import annotations

import pytest

from benchmarks.projections.render.text import format_score


@pytest.mark.parametrize(
    ("score", "stderr", "text"),
    [
        (None, None, ""),
        (0.0, None, "0.000"),
        (0.5, 0.04, "0.500 ± 0.040"),
        (0.5, 0.0, "0.500 ± 0.000"),
        (0.5, 0.0004, "0.5000 ± 0.0004"),
        (0.0017, 0.00079, "0.0017 ± 0.0008"),
        (0.00079, 0.0002, "0.00079 ± 0.0002"),
        (0.5, 1e-9, "0.500 ± 1e-09"),
        (2.6553e-7, None, "2.66e-07"),
        (67.7, 2.34, "67.7 ± 2.3"),
        (67.7, 0.04, "67.70 ± 0.04"),
        (1234.5, 17.0, "1,234 ± 17"),
    ],
)
def test_an_error_that_is_not_zero_is_never_written_as_none(score, stderr, text):
    assert format_score(score, stderr) == text
