"""What the driver makes of a results file that lm-evaluation-harness wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.adapters.suites.lm_eval.scores import summarize
from benchmarks.adapters.suites.suitekit.command import SuiteError

SAMPLE = json.loads((Path(__file__).parents[2] / "samples" / "lm-eval-results.json").read_text())
GROUP = {
    "results": {
        "g": {"alias": "g", "sample_len": 7, "acc,none": 0.5, "acc_stderr,none": 0.1},
        "a": {"alias": " - a", "acc,none": 0.25, "acc_stderr,none": "N/A", "acc,strict": 0.2},
        "b": {"alias": " - b", "acc,none": 0.75, "ppl,none": 3.0},
    },
    "group_subtasks": {"g": ["h", "b"], "h": ["a"]},
    "higher_is_better": {"g": {"acc": True}, "b": {"acc": True, "ppl": False}},
    "n-samples": {"a": {"original": 9, "effective": 4}, "b": {"original": 9, "effective": 3}},
}


def test_a_task():
    found = summarize(SAMPLE, "local_caps", None)
    assert (found["metric"], found["score"], found["score_stderr"], found["n"]) == ("exact_match,none", 0.0, 0.0, 3)
    assert found["reported_model"] == "smollm2-135m" and len(found["task_hash"]) == 64
    assert found["duration_seconds"] > 1


def test_a_group_counts_the_samples_of_its_tasks_and_not_its_number_of_samples_as_a_metric():
    found = summarize(GROUP, "g", "acc")
    assert (found["metric"], found["score"], found["score_stderr"], found["n"]) == ("acc,none", 0.5, 0.1, 7)
    assert found["tasks"]["a"] == {"acc,none": 0.25, "acc,strict": 0.2}


def test_a_metric_is_chosen_with_or_without_its_filter():
    assert summarize(GROUP, "a", "acc,strict")["score"] == 0.2
    assert summarize(GROUP, "a", "acc")["score_stderr"] is None, "N/A is not a number"


@pytest.mark.parametrize(
    ("task", "metric", "reported"),
    [
        ("a", "f1", "no metric f1; known: acc,none, acc,strict"),
        ("b", "ppl", "less is better of ppl,none"),
        ("c", None, "the results are of g, a, b, and not of c"),
    ],
)
def test_what_is_not_a_score_is_reported(task, metric, reported):
    with pytest.raises(SuiteError, match=reported):
        summarize(GROUP, task, metric)
