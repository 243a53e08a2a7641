"""The noise of a cell, its changes, and a check that knows both."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from benchmarks.ledger.events import TaskRevision
from benchmarks.projections.render.exports.junit import check_report
from benchmarks.projections.render.score_tables import GITHUB_MARK, changes_table, check_sentence, github_comment
from benchmarks.projections.scores.baselines import history_among
from benchmarks.projections.scores.check import Check, best_before, check, last_before
from benchmarks.projections.scores.noise import all_changes, changes_of, noise_of
from benchmarks.projections.scores.samples import SampleScores


def history(make_run, scores, **changes):
    return [make_run(float(score), run_group_id=f"rg_{place}", **changes) for place, score in enumerate(scores)]


def right_answers(rate, runs, samples, seed=3):
    return np.random.default_rng(seed).binomial(samples, rate, runs) / samples


def gate(runs, checked, baseline=None, **changes):
    def no_samples(run):
        return SampleScores(problem="none")

    return check(
        checked,
        baseline or last_before(runs),
        no_samples,
        checked="group rg",
        against="the history",
        history=history_among(runs),
        **{"by_history": baseline is None, **changes},
    )


@pytest.mark.parametrize(("samples", "rate"), [(10, 0.9), (20, 0.95), (10, 0.99), (100, 0.8), (200, 0.97)])
def test_answers_near_0_and_1_raise_no_more_alarms_than_others(make_run, samples, rate):
    alarms, histories = 0, 60
    draw = np.random.default_rng(5)
    for _ in range(histories):
        runs = history(make_run, draw.binomial(samples, rate, 30) / samples, samples=samples)
        alarms += any((noise := noise_of(runs[:count])) is not None and noise.is_shift for count in range(13, 31))
    assert alarms / histories <= 0.12


def test_a_single_unlucky_run_does_not_fail_the_gate_and_a_lasting_drop_does(make_run):
    runs = history(make_run, right_answers(0.8, 20, 200), samples=200)
    unlucky = make_run(0.75, run_group_id="rg_now", samples=200)
    result = gate([*runs, unlucky], [unlucky])
    assert result.passed and "within its own noise" in result.scores[0].reason
    assert result.scores[0].baseline.mean == pytest.approx(0.8, abs=0.02)
    lasting = [*runs, *history(make_run, [0.7, 0.71, 0.7], samples=200)]
    lasting[-1] = msgspec.structs.replace(lasting[-1], run_group_id="rg_now")
    lasting[-2] = msgspec.structs.replace(lasting[-2], run_group_id="rg_before")
    lasting[-3] = msgspec.structs.replace(lasting[-3], run_group_id="rg_long_before")
    result = gate(lasting, lasting[-1:])
    assert not result.passed and "than the noise of 20 runs before explains" in result.scores[0].reason
    assert msgspec.json.decode(msgspec.json.encode(result), type=Check) == result


def test_significant_asks_the_history_for_other_baselines_too(make_run):
    runs = history(make_run, right_answers(0.8, 20, 200), samples=200, stderr=0.028)
    now = make_run(0.77, run_group_id="rg_now", samples=200, stderr=0.028)
    best = best_before(runs)
    assert not gate([*runs, now], [now], best).passed, "the best of many was lucky"
    assert gate([*runs, now], [now], best, significant=True).passed


def test_a_short_history_is_compared_with_the_last_run_and_says_so(make_run):
    runs = history(make_run, [0.8, 0.81], samples=200)
    now = make_run(0.4, run_group_id="rg_now", samples=200)
    [score] = gate([*runs, now], [now]).scores
    assert score.result == "worse" and "fewer than 12 earlier runs: compared with the last one" in score.reason


def test_shaky_cells_are_shown_and_do_not_fail(make_run):
    wild = [0.9, 0.5, 0.85, 0.55] * 5
    runs = history(make_run, wild, samples=1000)
    now = make_run(0.0, run_group_id="rg_now", samples=1000)
    result = gate([*runs, now], [now])
    assert [score.result for score in result.scores] == ["shaky"] and result.passed
    assert "shaky: it scatters more" in result.scores[0].reason and "1 shaky" in check_sentence(result)
    assert b'skipped="1"' in check_report(result)


def test_a_benchmark_is_quarantined_by_name(make_run):
    runs = history(make_run, right_answers(0.8, 20, 200), samples=200)
    now = make_run(0.1, run_group_id="rg_now", samples=200)
    assert not gate([*runs, now], [now]).passed
    result = gate([*runs, now], [now], quarantined=["b"])
    assert result.passed and "quarantined by name" in result.scores[0].reason
    assert gate(runs[:2], runs[1:2], best_before(runs), quarantined=["b"]).passed, "also with a short history"


def test_a_stale_baseline_is_reported(make_run):
    old = make_run(0.8, run_group_id="rg_old", started_at="2026-09-01T10:00:00.000000Z", first_seq=1)
    now = make_run(0.8, run_group_id="rg_now")
    [score] = gate([old, now], [now], best_before([old])).scores
    assert (score.stale_days, score.result) == (83, "ok") and "stale baseline: 83 days older" in score.reason


def test_many_cells_are_corrected_for_their_number(make_run):
    runs, now = [], []
    for number in range(40):
        of = {"benchmark_id": f"b{number}", "samples": 200}
        runs += history(make_run, right_answers(0.8, 20, 200, seed=number), **of)
        # Alone it would be an alarm: a p-value of about 0.0006.
        now.append(make_run(0.72 if number == 0 else 0.8, run_group_id="rg_now", **of))
    assert gate([*runs, *now], now).passed
    now[0] = msgspec.structs.replace(now[0], score=0.5)
    assert not gate([*runs, *now], now).passed


def test_a_change_is_named_with_what_came_with_it(make_run):
    before = history(make_run, [0.8, 0.81, 0.79, 0.8], benchmarks_commit="aaa", provenance={"model_sha256": "one"})
    after = [
        make_run(score, run_group_id=f"rg_new_{score}", benchmarks_commit="bbb", provenance={"model_sha256": "one"})
        for score in (0.6, 0.61, 0.59)
    ]
    [change] = changes_of([*before, *after])
    assert (change.run_id, change.run_before) == (after[0].run_id, before[-1].run_id)
    assert (change.runs_before, change.runs_after) == (4, 3)
    assert (change.before, change.after) == pytest.approx((0.8, 0.6))
    assert change.improvement == pytest.approx(-0.2)
    assert change.with_it == {"benchmarks_commit": ("aaa", "bbb")}
    [cell] = all_changes([*before, *after, *history(make_run, [0.5] * 9, model="other")])
    table = changes_table([cell])
    assert table.rows[0][list(table.columns).index("came with")] == "benchmarks_commit: aaa to bbb"
    assert all_changes([]) == []


def test_repetitions_of_a_group_are_one_value(make_run):
    runs = [
        make_run(score + shift, run_group_id=f"rg_{place}", extra_config={"repeat": repeat})
        for place, score in enumerate([0.8, 0.81, 0.79, 0.8, 0.6, 0.61, 0.6])
        for repeat, shift in ((1, 0.1), (2, -0.1))
    ]
    [change] = changes_of(runs)
    assert (change.runs_before, change.runs_after) == (4, 3)


def test_a_comment_for_github_begins_with_its_mark_and_folds_what_is_well(make_run):
    runs = history(make_run, right_answers(0.8, 20, 200), samples=200)
    now = [make_run(0.1, run_group_id="rg_now", samples=200, model="<b>@all"), make_run(0.8, run_group_id="rg_now")]
    runs += [msgspec.structs.replace(run, model="<b>@all", run_id=f"{run.run_id}x") for run in runs]
    comment = github_comment(gate([*runs, *now], now))
    assert comment.startswith(f"{GITHUB_MARK}\n### Benchmarks: failed")
    assert "<details><summary>1 more</summary>" in comment and "<b>" not in comment


@pytest.mark.parametrize("size", [5e-324, 1e-200, 1e200, 1e307])
def test_very_small_and_very_large_scores_have_noise_too(make_run, size):
    scores = [size * factor for factor in (0.8, 0.81, 0.79) * 6]
    runs = history(make_run, [*scores, size * 0.1], unit="s", higher_is_better=True)
    assert noise_of(runs) is not None
    changes_of([*runs, *history(make_run, [size * 0.1] * 3, unit="s")])
    assert len(gate(runs, runs[-1:]).scores) == 1


def test_a_change_that_came_with_a_new_revision_names_its_part(make_run):
    def runs(scores, driver, key):
        revision = TaskRevision.of(version="1", driver=driver, data="", packages="")
        more = {"options_key": "o", "comparison_key": key, "task_revision": revision}
        return [make_run(score, run_group_id=f"rg_{key}_{place}", **more) for place, score in enumerate(scores)]

    before, after = runs([0.8, 0.81, 0.79, 0.8], "aaa", "first"), runs([0.6, 0.61, 0.59], "bbb", "second")
    [cell] = all_changes([*before, *after])
    assert cell.task.comparison_key == "second"
    assert cell.changes[0].with_it == {"task driver": ("aaa", "bbb")}
    served = [msgspec.structs.replace(run, served_model="m-2", task_revision=None) for run in after]
    [cell] = all_changes([*(msgspec.structs.replace(run, task_revision=None) for run in before), *served])
    assert cell.changes[0].with_it == {"served_model": ("none", "m-2")}
