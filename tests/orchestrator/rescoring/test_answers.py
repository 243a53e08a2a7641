"""Answers of scorers: whatever is in them, they are a score for each sample, one for the run, or a reason."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.orchestrator.rescoring.answers import OneScore, read_answer
from benchmarks.orchestrator.rescoring.asking import ScorerFailed

ROWS = [{"id": "q1"}, {"id": 2}, {"id": "q1"}]


def lines(*answers: object) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in answers)


def test_scores_go_to_their_samples_in_any_order():
    answer = lines({"id": "2", "score": 1}, {"id": "q1", "score": 0.25}, {"id": "q1", "correct": True})
    assert read_answer(answer, ROWS) == [0.25, 1.0, 1.0]


def test_one_score_is_that_of_the_run():
    answer = lines({"score": 0.5, "samples": 3, "stderr": 0.1})
    assert read_answer(answer, []) == read_answer(b"\n" + answer, ROWS) == OneScore(0.5, 3, 0.1)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "it answered nothing"),
        (b" \n\n", "it answered nothing"),
        (b"score: 1", "line 1 is not a JSON object: score: 1"),
        (b"[1, 2]", "line 1 is not a JSON object"),
        (b"\xff\xfe", "line 1 is not a JSON object"),
        (b'{"score": NaN}', "line 1 is not a JSON object"),
        (b'{"score": 1e999}', "line 1 is not a JSON object"),
        (b'{"score": -Infinity}', "line 1 is not a JSON object"),
        (b'{"score": 1%b}' % (b"0" * 400), "that is a finite number"),
        (b'{"score": "1"}', "its answer has no `score` that is a finite number"),
        (b'{"score": null}', "its answer has no `score` that is a finite number"),
        (b'{"score":' + b"[" * 100_000, "line 1 is not a JSON object"),
        (b'{"score": 1, "stderr": -1}', "its `stderr` is not a standard error"),
        (b'{"score": 1, "stderr": true}', "its `stderr` is not a standard error"),
        (b'{"score": 1, "samples": 0.5}', "its `samples` is not a number of samples"),
        (b'{"score": 1, "samples": true}', "its `samples` is not a number of samples"),
        (b'{"score": 1, "samples": 99999999999999999999}', "its `samples` is not a number of samples"),
        (lines({"id": "q1", "score": 1}), "it gave no score for 1 of 2 samples, such as 2"),
        (lines({"id": "q1", "score": 1}, {"id": 2, "score": 1}), "it gave 1 scores for q1, which has 2 lines"),
        (lines({"id": "x" * 999, "score": 1}), f"it scored the sample '{'x' * 60}', which the run does not have"),
        (lines({"id": "q1", "score": 1}, {"score": 1}), "line 2 has no id"),
        (lines({"id": "q1", "score": []}), "line 1 has no `score` that is a finite number"),
    ],
)
def test_a_wrong_answer_has_a_reason(answer, reason):
    with pytest.raises(ScorerFailed) as problem:
        read_answer(answer, ROWS)
    assert reason in str(problem.value)


def test_scores_of_samples_need_samples():
    with pytest.raises(ScorerFailed, match="the run has none"):
        read_answer(lines({"id": "q1", "score": 1}), [])


@given(st.binary(max_size=60) | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(lines))
def test_any_bytes_are_an_answer_or_a_reason(answer):
    try:
        found = read_answer(answer, ROWS)
    except ScorerFailed as problem:
        assert str(problem)
    else:
        assert msgspec.json.encode(found)
