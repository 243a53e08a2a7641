"""What the driver makes of the files that BFCL wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.adapters.suites.bfcl_eval.results import read_lines, summarize
from benchmarks.adapters.suites.suitekit.command import SuiteError

SAMPLES = Path(__file__).parents[2] / "samples" / "bfcl"
ANSWERS = read_lines(SAMPLES / "BFCL_v4_simple_python_result.json")
SCORES = read_lines(SAMPLES / "BFCL_v4_simple_python_score.json")


def test_the_accuracy_with_its_tokens():
    found = summarize(SCORES, ANSWERS)
    assert (found["score"], found["n"], found["error_types"]) == (0.0, 3, {"ast_decoder:decoder_failed": 3})
    assert found["usage"] == {"input_tokens": 1292, "output_tokens": 437, "calls": 3}
    one = summarize([{"accuracy": 1 / 3, "correct_count": 1, "total_count": 3}, *SCORES[2:]], ANSWERS)
    assert (one["score_stderr"], one["error_types"]) == (pytest.approx(1 / 3), {"ast_decoder:decoder_failed": 2})


def test_tokens_of_several_turns_are_added_up():
    answers = [{**ANSWERS[0], "input_token_count": [[1, 2], [3]]}, *ANSWERS[1:]]
    assert summarize(SCORES, answers)["usage"]["input_tokens"] == 1292 - ANSWERS[0]["input_token_count"] + 6


def test_tokens_that_one_answer_does_not_tell_are_unknown():
    for odd in (None, [[1, None]], "many", -1):
        used = summarize(SCORES, [{**ANSWERS[0], "input_token_count": odd}, *ANSWERS[1:]])["usage"]
        assert (used["input_tokens"], used["output_tokens"]) == (None, 437)


def test_a_question_that_could_not_be_asked_is_not_a_wrong_answer():
    answers = [*ANSWERS[:2], {**ANSWERS[2], "result": "Error during inference: Connection refused"}]
    with pytest.raises(SuiteError, match=r"1 of 3 questions could not be asked: .*Connection refused"):
        summarize(SCORES, answers)
    with pytest.raises(SuiteError, match="3 cases were scored, and 2 were asked"):
        summarize(SCORES, ANSWERS[:2])
