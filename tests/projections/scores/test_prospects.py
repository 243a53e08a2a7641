"""How much to measure, by the history of a benchmark."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.projections.scores.means import standard_error
from benchmarks.projections.scores.prospects import prospects
from benchmarks.projections.scores.samples import SampleScores


def without_samples(run):
    return SampleScores(problem="none")


def test_without_samples_the_standard_errors_say_it(make_run):
    [found] = prospects([make_run(0.5, samples=100), make_run(0.5, samples=100, model="n")], 0.1, without_samples)
    # Two proportions of 0.5: the variance of a difference is 0.5 for each question.
    assert found.questions_needed == pytest.approx(393, abs=5)
    assert (found.within, found.repeats_needed) == (None, None)
    assert found.detectable == pytest.approx(2.8 * (0.5 / 100) ** 0.5, rel=0.02)


def test_paired_samples_need_fewer_questions_and_repeats_say_what_they_do(make_run):
    draw = np.random.default_rng(6)
    hardness = draw.beta(0.4, 0.4, 200)
    table, runs = {}, []
    for model, gain in (("a", 0.0), ("b", 0.03)):
        for repeat in (1, 2, 3):
            answers = draw.binomial(1, np.clip(hardness + gain, 0, 1)).astype(float)
            run = make_run(
                float(answers.mean()),
                model=model,
                samples=200,
                stderr=standard_error(list(answers)),
                extra_config={"repeat": repeat},
            )
            table[run.run_id] = SampleScores({str(place): score for place, score in enumerate(answers.tolist())})
            runs.append(run)
    [paired] = prospects(runs, 0.05, lambda run: table[run.run_id])
    [unpaired] = prospects(runs, 0.05, without_samples)
    assert paired.questions_needed < unpaired.questions_needed
    assert paired.within > 0 and paired.basis.startswith("1 comparison of samples")
    [easy] = prospects(runs, 0.5, lambda run: table[run.run_id])
    assert easy.repeats_needed == 1


def test_a_score_of_0_has_noise_and_one_of_unknown_noise_is_left_out(make_run):
    [found] = prospects([make_run(0.0, samples=10, stderr=0.0)], 0.1, without_samples)
    assert found.questions_needed > 2
    assert prospects([make_run(0.5)], 0.1, without_samples) == []
    with pytest.raises(ValueError, match="above 0"):
        prospects([make_run(0.5, samples=10)], 0.0, without_samples)


def test_an_absurd_standard_error_breaks_nothing(make_run):
    for stderr in (1e200, 1e308, 5e-324):
        for unit in ("ratio", "s"):
            runs = [make_run(0.5, model=model, stderr=stderr, samples=10, unit=unit) for model in "ab"]
            prospects(runs, 0.1, without_samples)
