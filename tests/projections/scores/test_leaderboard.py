"""The leaderboard: what counts, what stands apart, and who is ahead."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.projections.scores.high_scores import HighScore
from benchmarks.projections.scores.leaderboard import DOUBTFUL, Standing, leaderboard


def reference(**changes):
    fields = {"benchmark_id": "b", "label": "x", "value": 0.9, "unit": "ratio", "higher_is_better": True}
    return HighScore(**{**fields, "source": "s", "date": None, "author": None, "published_at": "", **changes})


def test_a_standing_has_the_latest_the_best_and_the_mean_of_the_newest_of_each_repeat(make_run):
    runs = [
        make_run(0.9),
        make_run(0.2, extra_config={"repeat": 2}),
        make_run(0.5),
        make_run(0.4, extra_config={"repeat": 2}),
        make_run(0.3, extra_config={"repeat": 3}),
    ]
    [standing] = leaderboard(runs)
    assert (standing.latest_score, standing.latest_run_id) == (0.3, "run_5")
    assert (standing.best_score, standing.best_run_id) == (0.9, "run_1")
    assert standing.score.run_ids == ["run_3", "run_4", "run_5"]
    assert standing.score.mean == pytest.approx(0.4)
    # s = 0.1, n = 3
    assert standing.score.stderr == pytest.approx(0.1 / 3**0.5)
    assert (standing.score.stderr_of, standing.score.repeats, standing.runs) == ("repeats", 3, 5)


def test_one_run_has_the_standard_error_that_it_reported(make_run):
    [standing] = leaderboard([make_run(0.5, stderr=0.05, samples=100)])
    assert (standing.score.stderr, standing.score.stderr_of, standing.score.samples) == (0.05, "samples", 100)
    [unknown] = leaderboard([make_run(0.5)])
    assert (unknown.score.stderr, unknown.score.stderr_of) == (None, None)


@pytest.mark.parametrize("doubt", DOUBTFUL)
def test_what_is_doubtful_counts_only_where_it_is_asked_for(make_run, doubt):
    runs = [make_run(0.5), make_run(0.9, doubt=doubt), make_run(1.0, status="failed"), make_run(None)]
    assert leaderboard(runs)[0].best_score == 0.5
    assert leaderboard(runs, include=[doubt])[0].best_score == 0.9
    others = [kind for kind in DOUBTFUL if kind != doubt]
    assert leaderboard(runs, include=others)[0].best_score == 0.5


def test_other_options_units_and_directions_stand_apart(make_run):
    runs = [
        make_run(0.5, extra_config={"n": 10, "seed": 1}),
        make_run(50.0, unit="percent", extra_config={"n": 10, "seed": 1}),
        make_run(0.4, higher_is_better=False, extra_config={"n": 10, "seed": 1}),
        make_run(0.9, comparison_key="k2", extra_config={"n": 164, "seed": 1}),
    ]
    standings = leaderboard(runs)
    assert [standing.score.mean for standing in standings] == [0.9, 0.4, 50.0, 0.5], "the newest task first"
    assert [standing.rank for standing in standings] == [1, 1, 1, 1]
    assert [standing.task_options for standing in standings] == [{"n": 164}, {"n": 10}, {"n": 10}, {"n": 10}]


@pytest.mark.parametrize(("higher_is_better", "order"), [(True, "cab"), (False, "bac")])
def test_the_rank_goes_by_the_direction_and_equals_share_one(make_run, higher_is_better, order):
    scores = {"a": 2.0, "b": 1.0, "c": 3.0}
    runs = [make_run(score, model=model, higher_is_better=higher_is_better) for model, score in scores.items()]
    runs.append(make_run(2.0, model="a2", higher_is_better=higher_is_better))
    standings = leaderboard(runs)
    assert "".join(standing.model for standing in standings).replace("2", "").replace("aa", "a") == order
    assert [standing.rank for standing in standings] == [1, 2, 2, 4]


def test_means_that_differ_by_rounding_only_share_a_rank(make_run):
    runs = [make_run(0.3, model="once"), make_run(0.1, model="behind")]
    runs += [make_run(score, model="twice", extra_config={"repeat": n}) for n, score in ((1, 0.4), (2, 0.2))]
    assert {standing.model: standing.rank for standing in leaderboard(runs)} == {"once": 1, "twice": 1, "behind": 3}


def test_lower_is_better_has_the_lowest_as_its_best(make_run):
    [standing] = leaderboard([make_run(score, higher_is_better=False) for score in (3.0, 1.0, 2.0)])
    assert standing.best_score == 1.0


def test_the_reference_is_that_of_the_unit_and_direction(make_run):
    run = make_run(0.5)
    [standing] = leaderboard([run], {"b": reference()})
    assert standing.delta_to_high_score == pytest.approx(-0.4)
    for other in (reference(unit="percent"), reference(higher_is_better=False), reference(benchmark_id="c")):
        [standing] = leaderboard([run], {other.benchmark_id: other})
        assert (standing.high_score, standing.delta_to_high_score) == (None, None)


def test_a_standing_is_json_as_it_is_and_back(make_run):
    [standing] = leaderboard([make_run(0.5, extra_config={"n": 1})], {"b": reference()})
    assert msgspec.json.decode(msgspec.json.encode(standing), type=Standing) == standing


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "score": st.none() | st.sampled_from([0.1, 0.2, 0.3]),
                "model": st.sampled_from("ab"),
                "benchmark_id": st.sampled_from("xy"),
                "unit": st.sampled_from(["ratio", "s", None]),
                "higher_is_better": st.sampled_from([True, False, None]),
                "status": st.sampled_from(["succeeded", "succeeded", "failed"]),
                "synthetic": st.booleans(),
                "extra_config": st.sampled_from([{}, {"repeat": 2}]),
            }
        ),
        max_size=20,
    )
)
def test_every_standing_is_what_counting_by_hand_gives(make_run, table):
    runs = [make_run(row.pop("score"), **row) for row in (dict(row) for row in table)]
    counting = [run for run in runs if run.status == "succeeded" and run.score is not None and not run.synthetic]

    def place(run):
        return run.benchmark_id, run.unit or "", run.higher_is_better is not False, run.model

    standings = {(s.task.benchmark_id, s.task.unit, s.task.higher_is_better, s.model): s for s in leaderboard(runs)}
    assert standings.keys() == {place(run) for run in counting}
    for key, standing in standings.items():
        own = [run for run in counting if place(run) == key]
        pick = max if key[2] else min
        assert (standing.runs, standing.latest_run_id) == (len(own), own[-1].run_id)
        assert standing.best_score == pick(run.score for run in own)
        by_repeat = {run.extra_config.get("repeat", 1): run.score for run in own}
        assert standing.score.mean == pytest.approx(sum(by_repeat.values()) / len(by_repeat))
    for a, b in itertools.combinations(standings.values(), 2):
        if a.task == b.task and a.score.mean != b.score.mean:
            ahead = a.score.mean > b.score.mean if a.task.higher_is_better else a.score.mean < b.score.mean
            assert (a.rank < b.rank) is ahead


def test_the_score_of_guessing_is_told_by_a_run_or_shown_by_random_answers(make_run):
    random = [
        make_run(score, agent="random", synthetic=True, extra_config={"repeat": n}) for n, score in ((1, 0.2), (2, 0.3))
    ]
    [standing] = leaderboard([*random, make_run(0.75)])
    assert (standing.chance, standing.above_chance) == (0.25, 0.5)
    [told] = leaderboard([make_run(0.75, metrics={"chance": 0.5}), *random])
    assert (told.chance, told.above_chance) == (0.5, 0.25), "what the benchmark itself says comes first"
    [unknown] = leaderboard([make_run(0.75), make_run(0.1, agent="random", comparison_key="other", synthetic=True)])
    assert (unknown.chance, unknown.above_chance) == (None, None)


def test_above_chance_is_turned_where_lower_is_better(make_run):
    [standing] = leaderboard([make_run(2.0, higher_is_better=False, metrics={"chance": 5})])
    assert (standing.chance, standing.above_chance) == (5.0, 3.0)


def test_three_identical_repeats_are_not_sure_of_themselves(make_run):
    """Six questions, the same answers at temperature 0: it was 0.833 ± 0.000."""
    runs = [make_run(5 / 6, samples=6, stderr=0.1666667, extra_config={"repeat": n}) for n in (1, 2, 3)]
    [standing] = leaderboard(runs)
    [once] = leaderboard(runs[:1])
    assert standing.score.stderr == pytest.approx(1 / 6, abs=1e-6)
    assert (standing.score.low, standing.score.high) == pytest.approx((once.score.low, once.score.high))


def test_ten_wrong_samples_have_an_interval(make_run):
    """It was 0.000 ± 0.000."""
    [standing] = leaderboard([make_run(0.0, samples=10, stderr=0.0)])
    assert standing.score.stderr is None
    assert (standing.score.low, round(standing.score.high, 2), standing.score.interval_method) == (0.0, 0.28, "wilson")


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_ranks_that_cannot_be_told_apart_share_an_interval(make_run, higher_is_better):
    scores = {"a": 0.9, "b": 0.88, "c": 0.2}
    standings = leaderboard(
        [
            make_run(
                score if higher_is_better else 1 - score, model=model, samples=100, higher_is_better=higher_is_better
            )
            for model, score in scores.items()
        ]
    )
    assert [(s.model, s.rank, s.rank_low, s.rank_high) for s in standings] == [
        ("a", 1, 1, 2),
        ("b", 2, 1, 2),
        ("c", 3, 3, 3),
    ]
