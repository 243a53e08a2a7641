"""pass@k and pass^k: whether one of k tries at a question succeeds, and whether all of them do.

Sources: M. Chen et al., "Evaluating Large Language Models Trained on Code" (2021), section 2.1; S. Yao et al.,
"τ-bench: A Benchmark for Tool-Agent-User Interaction in Real-World Domains" (2024), section 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import msgspec

from .intervals import Interval, bootstrap_interval, wilson
from .means import is_binary, mean
from .samples import SampleScores

Kind = Literal["any", "all"]


class PassRate(msgspec.Struct, frozen=True, kw_only=True):
    """The share of questions that are solved in `k` tries: by any of them (pass@k), or by all of them (pass^k).

    `low` and `high` bound the 95% interval, over the choice of questions.
    """

    k: int
    kind: Kind
    value: float
    low: float
    high: float
    questions: int


PassRates = tuple[PassRate, PassRate]
"""pass@k and pass^k."""


def pass_at(tries: int, right: int, k: int) -> float:
    """The probability that at least one of k tries is right: 1 - C(n-c, k) / C(n, k). Chen et al. 2021.

    Unbiased for `right` of `tries` independent tries. Raises ValueError if there are fewer than k tries.
    """
    _check(tries, right, k)
    return 1 - math.comb(tries - right, k) / math.comb(tries, k)


def pass_all(tries: int, right: int, k: int) -> float:
    """The probability that all of k tries are right: C(c, k) / C(n, k). Yao et al. 2024.

    Raises ValueError if there are fewer than k tries.
    """
    _check(tries, right, k)
    return math.comb(right, k) / math.comb(tries, k)


def _check(tries: int, right: int, k: int) -> None:
    if not 1 <= k <= tries or not 0 <= right <= tries:
        raise ValueError(f"{right} of {tries} tries say nothing of {k}")


def pass_rates(repeats: Sequence[SampleScores], k: int) -> PassRates | None:
    """pass@k and pass^k of repetitions with samples; None if they have fewer than k tries at a question.

    Samples of the repetitions are put together by their ids. A score that is not 0 or 1 is not a pass or a failure.
    """
    tries: dict[str, list[float]] = {}
    for samples in repeats:
        for name, score in samples.scores.items():
            tries.setdefault(name, []).append(score)
    if any(not is_binary(scores) for scores in tries.values()):
        return None
    questions = [(len(scores), round(sum(scores))) for scores in tries.values()]
    any_of, all_of = (pass_rate(questions, k, kind) for kind in get_args(Kind))
    return (any_of, all_of) if any_of and all_of else None


def pass_rate(questions: Sequence[tuple[int, int]], k: int, kind: Kind) -> PassRate | None:
    """The mean over questions, each given as (tries, right ones); None if a question has fewer than k tries.

    The interval is by the kind of the values: Wilson's if each is 0 or 1, else the bootstrap of the questions.
    """
    if not questions or any(tries < k for tries, _ in questions):
        return None
    estimate = pass_at if kind == "any" else pass_all
    values = [estimate(tries, right, k) for tries, right in questions]
    middle = mean(values)
    interval = wilson(middle, len(values)) if is_binary(values) else bootstrap_interval([[value] for value in values])
    interval = interval or Interval(0.0, 1.0, "bootstrap")
    return PassRate(k=k, kind=kind, value=middle, low=interval.low, high=interval.high, questions=len(values))
