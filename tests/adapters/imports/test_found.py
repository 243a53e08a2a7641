"""Names, numbers and times, as other programs write them."""

from __future__ import annotations

import random

import pytest

from benchmarks.adapters.imports.found import direction_of, identifier, moment, number, unit_of
from benchmarks.adapters.manifest import is_id

NAMES = [
    "数学推理",
    "历史知识",
    "C",
    "c",
    "C++",
    "C#",
    "c_",
    "C ",
    "",
    " ",
    "a b",
    "a_b",
    "a.b",
    "a-b",
    "A_B",
    "é",
    "é",
]


def test_two_names_are_never_one_id():
    names = [*NAMES, "x" * 80, "x" * 81, "x" * 300, "x" * 299 + "y", "\ud800", "\udfff", "𝟙", "1", "İ", "i̇", "ß", "ss"]
    ids = [identifier(name) for name in names]
    assert len(set(ids)) == len(set(names)) and all(is_id(one) for one in ids)
    ids += [identifier(one) for one in ids if one not in names]
    assert len(set(ids)) > len(set(names)), (
        "the id of one name may be the name of another benchmark, and has its own id"
    )


def test_names_by_the_thousand_have_an_id_each(seed=7):
    draw = random.Random(seed)
    letters = "abC0_- .+#/é数学\U0001f600"
    names = {"".join(draw.choices(letters, k=draw.randint(0, 6))) for _ in range(20_000)}
    assert len({identifier(name) for name in names}) == len(names)


@pytest.mark.parametrize("name", ["gsm8k", "terminal-bench", "mmlu_pro", "a", "0", "local_caps", "x" * 80])
def test_a_name_that_is_an_id_stays_as_it_is(name):
    assert identifier(name) == name


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(text, None) for text in ("1_000", "0x10", "1,5", "nan", "inf", "1e999", "１２", "٣", "", True, 10**400)],
        *[("1e3", 1000), (" 5 ", 5), ("007", 7), ("-.5", -0.5)],
    ],
)
def test_a_number_is_written_in_plain_digits(text, value):
    assert number(text) == value


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (20261123, "2026-11-23T00:00:00"),
        ("20261123", "2026-11-23T00:00:00"),
        ("20261123101500", "2026-11-23T10:15:00"),
        ("1795466188", "2026-11-23T20:36:28"),
        (1795466188.5, "2026-11-23T20:36:28.5"),
        (1735689600000, "2025-01-01T00:00:00"),
        (1735689600000000, "2025-01-01T00:00:00"),
        ("2026-11-23T10:00:00+02:00", "2026-11-23T08:00:00"),
        ("2026-11-23", "2026-11-23T00:00:00"),
    ],
)
def test_a_time_is_read_as_it_is_written(text, at):
    assert (moment(text) or "").startswith(at)


@pytest.mark.parametrize("text", ["1_000", "2026", 0, 12345, True, None, "soon", 1e300, "1e9", "20261399"])
def test_what_is_not_a_time_is_none(text):
    assert moment(text) is None


LESS = "word_perplexity bits_per_byte eval_loss error_rate wer latency_ms mean_latency brier_score inference_runtime"
MORE = "acc_norm exact_match win_rate error_detection_accuracy pass@1 mcc f1 rouge1 chrf++"


@pytest.mark.parametrize(
    ("metric", "more_is_better"),
    [*[(name, False) for name in LESS.split()], *[(name, True) for name in MORE.split()], ("helpfulness", None)],
)
def test_some_metrics_say_by_their_name_what_is_better(metric, more_is_better):
    assert direction_of(metric) is more_is_better


def test_a_correlation_is_not_a_share():
    assert unit_of("mcc") == "mcc" and unit_of("acc_norm") == unit_of("f1") == "ratio"
