"""Numbers as people read them."""

from __future__ import annotations

import pytest

from benchmarks.projections.render.text import format_estimate, format_score


@pytest.mark.parametrize(
    ("score", "stderr", "text"),
    [
        (None, None, ""),
        (0.0, None, "0.000"),
        (0.5, 0.04, "0.500 ± 0.040"),
        (0.5, 0.0, "0.500"),
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
def test_an_error_is_never_written_as_zero(score, stderr, text):
    assert format_score(score, stderr) == text


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        ((None, None, None, None), ""),
        ((0.0, None, 0.0, 0.2775), "0.000 [0, 0.28]"),
        ((1.0, None, 0.7225, 1.0), "1.000 [0.72, 1]"),
        ((5 / 6, 1 / 6, 0.4365, 0.9699), "0.833 [0.44, 0.97]"),
        ((0.5, 0.05, 0.4038, 0.5962), "0.500 ± 0.050"),
        ((0.5, 0.05, None, None), "0.500 ± 0.050"),
        ((0.5, 0.0, None, None), "0.500"),
        ((100.0, None, 72.25, 100.0), "100.0 [72, 100]"),
        ((0.999, 0.0005, 0.9964, 0.99972), "0.999 [0.9964, 0.9997]"),
        ((12.0, 0.5, 10.9, 13.1), "12.0 ± 0.5"),
        ((0.00004, None, 0.0, 0.0003), "4e-05 [0, 0.0003]"),
    ],
)
def test_an_interval_stands_where_plus_minus_would_mislead(estimate, text):
    assert format_estimate(*estimate) == text
