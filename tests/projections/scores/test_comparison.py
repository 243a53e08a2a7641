"""Comparisons: what is compared with what, and what is more than noise."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.projections.scores.comparison import Comparison, compare
from benchmarks.projections.scores.counting import DOUBTFUL
from benchmarks.projections.scores.samples import SampleScores
from benchmarks.projections.scores.selection import selection_of
from benchmarks.projections.scores.statistics import holm, mcnemar_exact

NO_SAMPLES = SampleScores(problem="no samples were recorded")


def side(name, runs, kind="model"):
    return selection_of(kind, name, runs, DOUBTFUL)


def without_samples(run):
    return NO_SAMPLES


def samples(table):
    """A reader of made-up samples, by run id."""
    return lambda run: SampleScores({str(i): score for i, score in enumerate(table[run.run_id])})


def test_zeros_and_ones_are_compared_sample_by_sample_with_mcnemar(make_run):
    before, after = [1.0] * 4 + [0.0] * 16, [0.0] + [1.0] * 13 + [0.0] * 6
    a, b = make_run(0.2, model="a"), make_run(0.65, model="b")
    [row] = compare([side("a", [a]), side("b", [b])], samples({a.run_id: before, b.run_id: after})).rows
    contrast = row.contrasts[1]
    assert row.contrasts[0] is None
    assert contrast.delta == pytest.approx(0.45)
    assert (contrast.method, contrast.pairs) == ("mcnemar", 20)
    assert (contrast.wins, contrast.ties, contrast.losses) == (10, 9, 1)
    assert contrast.p_value == mcnemar_exact(10, 1)
    assert contrast.verdict == "better" and contrast.low < 0.45 < contrast.high


def test_lower_is_better_turns_the_verdict_and_the_wins(make_run):
    a, b = (make_run(score, model=model, higher_is_better=False) for model, score in (("a", 1.0), ("b", 3.0)))
    table = {a.run_id: [1.0 + i % 3 / 10 for i in range(30)], b.run_id: [3.0 + i % 5 / 10 for i in range(30)]}
    [row] = compare([side("a", [a]), side("b", [b])], samples(table)).rows
    contrast = row.contrasts[1]
    assert (contrast.delta, contrast.improvement) == (2.0, -2.0)
    assert (contrast.wins, contrast.losses, contrast.verdict, contrast.method) == (0, 30, "worse", "bootstrap")


def test_without_samples_the_standard_errors_decide(make_run):
    def verdict(stderr, samples=200):
        scores = (("a", 0.5), ("b", 0.6))
        runs = [make_run(score, model=model, stderr=stderr, samples=samples) for model, score in scores]
        [row] = compare([side(run.model, [run]) for run in runs], without_samples).rows
        return row.contrasts[1].verdict, row.contrasts[1].method

    assert verdict(0.02) == ("better", "t-test")
    assert verdict(0.05) == ("no difference", "t-test")
    assert verdict(None) == ("better", "newcombe"), "the number of samples bounds the noise of a ratio"
    assert verdict(None, 20) == ("no difference", "newcombe")
    assert verdict(None, None) == ("unknown", None)


def test_samples_that_are_not_the_same_are_not_paired_and_it_says_so(make_run):
    a, b = make_run(0.5, model="a", stderr=0.1), make_run(0.5, model="b", stderr=0.1)
    table = {a.run_id: [0.0, 1.0], b.run_id: [0.0, 1.0, 1.0, 0.0]}
    [row] = compare([side("a", [a]), side("b", [b])], samples(table)).rows
    assert row.contrasts[1].pairs is None
    assert "the samples are not the same (2 in common)" in row.contrasts[1].note


def test_samples_are_paired_by_their_ids_in_whatever_order_they_were_asked(make_run):
    a, b = make_run(0.5, model="a"), make_run(0.5, model="b")
    forwards = {str(i): float(i < 10) for i in range(20)}
    read = {a.run_id: forwards, b.run_id: dict(reversed(forwards.items()))}
    [row] = compare([side("a", [a]), side("b", [b])], lambda run: SampleScores(read[run.run_id])).rows
    assert (row.contrasts[1].wins, row.contrasts[1].ties, row.contrasts[1].losses) == (0, 20, 0)


def test_repeats_are_averaged_question_by_question(make_run):
    a = make_run(0.5, model="a")
    b = [make_run(0.5, model="b"), make_run(1.0, model="b", extra_config={"repeat": 2})]
    table = {a.run_id: [0.0, 1.0] * 10, b[0].run_id: [0.0, 1.0] * 10, b[1].run_id: [1.0, 1.0] * 10}
    [row] = compare([side("a", [a]), side("b", b)], samples(table)).rows
    contrast = row.contrasts[1]
    # The even questions are right in every second repeat: 0.5 more.
    assert (contrast.delta, contrast.wins, contrast.ties, contrast.method) == (0.25, 10, 10, "bootstrap")


def test_many_benchmarks_are_corrected_for_being_many(make_run):
    def runs(model, gain):
        return [
            make_run(0.5 + gain * number, model=model, benchmark_id=f"b{number}", stderr=0.02, samples=1000)
            for number in range(5)
        ]

    comparison = compare([side("a", runs("a", 0)), side("b", runs("b", 0.02))], without_samples)
    contrasts = [row.contrasts[1] for row in comparison.rows]
    assert [c.adjusted_p for c in contrasts] == pytest.approx(holm([c.p_value for c in contrasts]))
    # 0.06 is 2.1 standard errors: more than noise for one benchmark, not for one of five.
    assert contrasts[3].p_value < 0.05 and contrasts[3].verdict == "no difference"
    tally = comparison.tallies[0]
    assert (tally.wins, tally.ties, tally.losses, tally.unknown) == (1, 4, 0, 0)


def test_what_is_unlike_is_named_and_not_compared(make_run):
    def runs(model, **changes):
        return [
            make_run(benchmark_id="options", model=model, **changes.get("options", {})),
            make_run(benchmark_id="units", model=model, **changes.get("units", {})),
            make_run(benchmark_id="directions", model=model, **changes.get("directions", {})),
            make_run(benchmark_id=f"only_{model}", model=model),
        ]

    comparison = compare(
        [
            side("a", runs("a", options={"extra_config": {"n": 1, "seed": 4}})),
            side(
                "b",
                runs(
                    "b",
                    options={"comparison_key": "k2", "extra_config": {"n": 2, "seed": 4}},
                    units={"unit": "percent"},
                    directions={"higher_is_better": False},
                ),
            ),
        ],
        without_samples,
    )
    assert comparison.rows == []
    assert {unlike.benchmark_id: unlike.reason for unlike in comparison.unlike} == {
        "options": "other options (n: 1 and 2)",
        "units": "other units (ratio and percent)",
        "directions": "for one of them lower is better",
        "only_a": "only a has a score",
        "only_b": "only b has a score",
    }


def test_a_part_of_a_benchmark_that_one_side_lacks_is_named(make_run):
    def run(model, context):
        config = {"context": context, "seed": 1}
        return make_run(benchmark_id="long", comparison_key=str(context), model=model, extra_config=config)

    found = compare([side("a", [run("a", 32)]), side("b", [run("b", 32), run("b", 128)])], without_samples)
    assert [row.config["context"] for row in found.rows] == [32]
    assert [(one.benchmark_id, one.side, one.reason) for one in found.unlike] == [
        ("long", "b", "only b has a score for context=128")
    ]


def test_what_a_side_has_several_of_is_compared_each_with_its_own(make_run):
    def runs(gain):
        return [make_run(score + gain, model=model) for model, score in (("x", 0.1), ("y", 0.7))]

    comparison = compare([side("1", runs(0), "group"), side("2", runs(0.2), "group")], without_samples)
    assert comparison.matched_by == ["model"]
    assert [row.contrasts[1].delta for row in comparison.rows] == pytest.approx([0.2, 0.2])
    assert [(row.agent, row.model) for row in comparison.rows] == [(None, "local:x"), (None, "local:y")]
    assert comparison.sides[0].contenders == ["bare-model with local:x", "bare-model with local:y"]


def test_the_past_and_the_present_are_never_compared_across_models(make_run):
    past, present = [make_run(0.1, model="x")], [make_run(0.7, model="y")]
    comparison = compare([side("5", past, "as-of"), side("now", present, "as-of")], without_samples)
    assert comparison.rows == []
    assert comparison.unlike[0].reason == "other agents or models (bare-model with local:x and bare-model with local:y)"


def test_the_same_runs_differ_in_nothing_and_take_no_part_in_the_correction(make_run):
    run = make_run(0.5, stderr=0.1)
    [row] = compare([side("a", [run], "run"), side("b", [run], "group")], without_samples).rows
    assert (row.contrasts[1].delta, row.contrasts[1].p_value, row.contrasts[1].verdict) == (0.0, None, "no difference")


def test_three_sides_are_compared_with_the_first_and_it_is_json_as_it_is(make_run):
    sides = [
        side(model, [make_run(score, model=model, stderr=0.01)])
        for model, score in zip("abc", (0.5, 0.6, 0.4), strict=True)
    ]
    sides.append(side("d", [make_run(benchmark_id="other", model="d")]))
    comparison = compare(sides, without_samples)
    [row] = comparison.rows
    assert [c and c.verdict for c in row.contrasts] == [None, "better", "worse", None]
    assert msgspec.json.decode(msgspec.json.encode(comparison), type=Comparison) == comparison


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(*[st.sampled_from([0.0, 0.25, 1.0])] * 2), min_size=2, max_size=25),
    st.booleans(),
    st.booleans(),
)
def test_a_comparison_the_other_way_round_says_the_opposite(make_run, pairs, higher_is_better, with_samples):
    table: dict[str, list[float]] = {}
    sides = []
    for place, model in enumerate("ab"):
        scores = [pair[place] for pair in pairs]
        run = make_run(sum(scores) / len(scores), model=model, higher_is_better=higher_is_better, stderr=0.1)
        table[run.run_id] = scores
        sides.append(side(model, [run]))
    read = samples(table) if with_samples else without_samples
    there, back = (compare(some, read).rows[0].contrasts[1] for some in (sides, sides[::-1]))
    assert there.delta == pytest.approx(-back.delta) and there.improvement == pytest.approx(-back.improvement)
    assert (there.wins, there.ties, there.losses) == (back.losses, back.ties, back.wins)
    assert there.p_value == pytest.approx(back.p_value) and there.method == back.method
    opposite = {"better": "worse", "worse": "better"}
    assert back.verdict == opposite.get(there.verdict, there.verdict)
    assert there.improvement == (there.delta if higher_is_better else -there.delta)


def test_proportions_of_0_and_1_are_compared_although_they_report_no_noise(make_run):
    runs = [make_run(score, model=model, stderr=0.0, samples=10) for model, score in (("a", 0.0), ("b", 1.0))]
    [row] = compare([side(run.model, [run]) for run in runs], without_samples).rows
    assert (row.contrasts[1].verdict, row.contrasts[1].method) == ("better", "newcombe")
    assert row.contrasts[1].low < 1.0 == row.contrasts[1].delta


def test_declared_clusters_are_not_independent(make_run):
    a, b = make_run(0.0, model="a"), make_run(0.5, model="b")
    table = {a.run_id: [0.0] * 20, b.run_id: [1.0] * 10 + [0.0] * 10}
    clusters = {str(place): "text 1" if place < 10 else "text 2" for place in range(20)}

    def contrast(clusters):
        def read(run):
            return SampleScores({str(i): score for i, score in enumerate(table[run.run_id])}, clusters=clusters)

        return compare([side("a", [a]), side("b", [b])], read).rows[0].contrasts[1]

    assert (contrast({}).verdict, contrast({}).method) == ("better", "mcnemar")
    assert (contrast(clusters).verdict, contrast(clusters).method) == ("no difference", "clustered t-test")


def test_equivalence_is_tested_beside_difference(make_run):
    a, b = (make_run(score, model=m, samples=20000) for m, score in (("a", 0.5), ("b", 0.5005)))
    sides = [side("a", [a]), side("b", [b])]

    def contrast(margin):
        return compare(sides, without_samples, margin=margin).rows[0].contrasts[1]

    assert contrast(0.02).is_equivalent is True and contrast(0.02).verdict == "no difference"
    assert contrast(0.001).is_equivalent is False
    assert (contrast(None).is_equivalent, contrast(None).equivalent_p) == (None, None)
    assert contrast(None).detectable == pytest.approx(0.014, abs=1e-4)
