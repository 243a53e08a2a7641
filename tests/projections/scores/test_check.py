"""The gate: which baseline a score is measured against, and what counts as worse."""

from __future__ import annotations

import msgspec
import pytest

from benchmarks.projections.render.exports.junit import check_report
from benchmarks.projections.scores.check import Allowance, Check, among, best_before, check, last_before, last_run
from benchmarks.projections.scores.samples import SampleScores


def run_check(runs, baseline, **changes):
    def no_samples(run):
        return SampleScores(problem="none")

    return check(runs, baseline, no_samples, checked="x", against="y", **changes)


def test_best_and_last_are_of_the_same_agent_and_model_and_earlier(make_run):
    history = [
        make_run(0.9, run_group_id="rg_1"),
        make_run(0.6, run_group_id="rg_2"),
        make_run(0.99, run_group_id="rg_2", model="other"),
        make_run(0.7, run_group_id="rg_3"),
        make_run(1.0, run_group_id="rg_4"),
    ]
    now = history[3]
    assert run_check([now], best_before(history)).scores[0].baseline.mean == 0.9
    assert run_check([now], last_before(history)).scores[0].baseline.mean == 0.6
    assert run_check([now], best_before(history, across=True)).scores[0].baseline.mean == 0.99
    assert run_check([now], last_before(history, across=True)).scores[0].baseline.mean == 0.99
    assert run_check([now], best_before(history)).passed is False
    assert run_check([now], last_before(history)).passed is True


def test_last_are_all_repeats_of_the_last_group(make_run):
    history = [
        make_run(0.2, run_group_id="rg_1"),
        make_run(0.4, run_group_id="rg_2"),
        make_run(0.6, run_group_id="rg_2", extra_config={"repeat": 2}),
        make_run(0.5, run_group_id="rg_3"),
    ]
    [score] = run_check([history[-1]], last_before(history)).scores
    assert (score.baseline.mean, score.baseline.repeats, score.drop) == (0.5, 2, 0.0)


@pytest.mark.parametrize(
    ("higher_is_better", "before", "now", "allowances", "passed"),
    [
        (True, 0.82, 0.80, None, False),
        (True, 0.80, 0.82, None, True),
        (True, 0.82, 0.80, {"": Allowance(0.02)}, True),
        (True, 0.82, 0.79, {"": Allowance(0.02)}, False),
        (True, 0.82, 0.79, {"": Allowance(0.02), "b": Allowance(0.05)}, True),
        (True, 0.82, 0.79, {"": Allowance(0.05), "b": Allowance(0.02)}, False),
        (False, 2.0, 2.2, None, False),
        (False, 2.2, 2.0, None, True),
        (False, 2.0, 2.2, {"": Allowance(0.1, relative=True)}, True),
        (False, 2.0, 2.3, {"": Allowance(0.1, relative=True)}, False),
    ],
)
def test_worse_is_by_more_than_is_allowed_in_the_direction_of_the_task(
    make_run, higher_is_better, before, now, allowances, passed
):
    runs = [make_run(score, higher_is_better=higher_is_better) for score in (before, now)]
    result = run_check(runs[1:], best_before(runs), allowances=allowances)
    assert (result.passed, result.compared) == (passed, 1)
    assert result.scores[0].result == ("ok" if passed else "worse")


@pytest.mark.parametrize(("stderr", "passed"), [(0.01, False), (0.1, True), (None, False)])
def test_only_what_is_more_than_noise_where_that_is_asked_for(make_run, stderr, passed):
    runs = [make_run(score, stderr=stderr) for score in (0.8, 0.7)]
    assert run_check(runs[1:], best_before(runs)).passed is False
    result = run_check(runs[1:], best_before(runs), significant=True)
    assert result.passed is passed
    if stderr is None:
        assert "nothing is known of the noise" in result.scores[0].reason


def test_a_failure_is_worse_than_any_score_but_not_than_none(make_run):
    before = [make_run(0.1), make_run(0.1, benchmark_id="c")]
    failed = [
        make_run(None, status="failed", unit=None, higher_is_better=None, reason="timeout", error="e"),
        make_run(None, status="failed", benchmark_id="new", reason="timeout"),
        make_run(0.1, benchmark_id="c"),
    ]
    result = run_check(failed, best_before([*before, failed[2]]))
    assert [(score.task.benchmark_id, score.result) for score in result.scores] == [
        ("b", "failed"),
        ("new", "no baseline"),
        ("c", "ok"),
    ]
    assert result.scores[0].reason == "failed (timeout), where the baseline has a score"
    assert (result.passed, result.compared) == (False, 2)


def test_a_failure_that_was_tried_again_with_success_is_none(make_run):
    before = make_run(0.5)
    runs = [make_run(None, status="failed", reason="timeout"), make_run(0.5)]
    assert run_check(runs, best_before([before])).passed is True


def test_unlike_scores_have_no_baseline(make_run):
    before = [make_run(0.9), make_run(0.9, unit="percent")]
    other_options = make_run(0.1, comparison_key="k2")
    other_unit = make_run(0.1, unit="points")
    result = run_check([other_options, other_unit], best_before(before))
    assert [score.task_options for score in result.scores] == [{}, {}]
    assert [score.result for score in result.scores] == ["no baseline", "no baseline"]
    assert (result.passed, result.compared) == (True, 0)


def test_tasks_of_one_benchmark_are_told_apart_by_their_options(make_run):
    few, many = {"n": 1, "seed": 4, "repeat": 2}, {"n": 9, "seed": 4}
    runs = [make_run(0.9, comparison_key=str(config["n"]), extra_config=config) for config in (few, many)]
    assert [score.task_options for score in run_check(runs, among(runs)).scores] == [{"n": 1}, {"n": 9}]


def test_what_is_doubtful_is_not_checked_unless_it_is_asked_for(make_run):
    before = make_run(0.9)
    mock = make_run(0.1, doubt="synthetic")
    assert run_check([mock], best_before([before])).scores == []
    assert run_check([mock], best_before([before]), include=["synthetic"]).passed is False


def test_a_named_baseline_of_several_models_never_mixes_them(make_run):
    baseline = [make_run(0.2, model="a"), make_run(0.8, model="b")]
    now = make_run(0.5, model="c")
    assert run_check([now], among(baseline)).compared == 0
    assert run_check([now], among(baseline, across=True)).scores[0].baseline.mean == 0.8


def test_a_check_is_json_as_it_is_and_junit_xml(make_run):
    from xml.etree import ElementTree

    runs = [make_run(0.9), make_run(0.8), make_run(0.5, benchmark_id="new", model="\x00<m>")]
    result = run_check(runs[1:], best_before(runs[:1]))
    assert msgspec.json.decode(msgspec.json.encode(result), type=Check) == result
    suite = ElementTree.fromstring(check_report(result)).find("testsuite")
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped")} == {
        "tests": "2",
        "failures": "1",
        "skipped": "1",
    }
    worse, new = suite.findall("testcase")
    assert "worse by 0.1" in worse.find("failure").text and worse.get("classname") == "b"
    assert new.find("skipped") is not None and new.get("name") == "bare-model with local:\\u0000<m>"


def test_what_was_run_last_is_the_last_group_of_each_piece_of_work(make_run):
    runs = [
        make_run(0.9, run_group_id="rg_1"),
        make_run(0.7, run_group_id="rg_2"),
        make_run(0.8, run_group_id="rg_2", extra_config={"repeat": 2}),
        make_run(0.5, run_group_id="rg_1", model="other"),
        make_run(None, run_group_id="rg_3", status="running"),
    ]
    assert [run.run_id for run in last_run(runs)] == ["run_2", "run_3", "run_4"]
    result = run_check(last_run(runs), best_before(runs))
    assert [(score.model, score.result) for score in result.scores] == [("m", "worse"), ("other", "no baseline")]
