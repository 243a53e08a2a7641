"""Calibration: whether a benchmark tells right answers from wrong ones, by players whose quality is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

PLAYERS = ("perfect", "half", "random", "wrong")
"""Who gives every right answer, half of them, one by chance, and none."""

Judgement = Literal["sound", "measures_nothing", "unclear"]


class Verdict(msgspec.Struct, frozen=True):
    """Whether a benchmark's score can be believed, and a sentence for each thing that speaks against it."""

    judgement: Judgement
    findings: list[str]


def judge(
    scores: Mapping[str, float], *, higher_is_better: bool, unit: str | None, tolerance: float, missing: list[str]
) -> Verdict:
    """The verdict on the players' scores; `missing` are those that had none although they should have.

    Two scores are equal if they differ by no more than `tolerance` of the distance between the best and the worst.
    """
    good = {name: score if higher_is_better else -score for name, score in scores.items()}
    findings = [f"{name} has no valid score" for name in missing]
    if len(good) < 2:
        return Verdict("unclear", [*findings, "two players at least are needed"])
    span = max(good.values()) - min(good.values())
    near = tolerance * span

    def equal(one: str, other: str) -> bool:
        return one in good and other in good and abs(good[one] - good[other]) <= near

    def above(one: str, other: str) -> bool:
        return one in good and other in good and good[one] - good[other] > near

    faults = []
    if span == 0:
        faults.append(f"{' equals '.join(name for name in PLAYERS if name in good)}")
    else:
        faults += [f"perfect equals {other}" for other in ("half", "random", "wrong") if equal("perfect", other)]
        faults += [f"{other} beats perfect" for other in ("half", "random", "wrong") if above(other, "perfect")]
        faults += [f"{other} beats half" for other in ("wrong",) if above(other, "half")]
        faults += ["half equals wrong"] if equal("half", "wrong") else []
    if faults:
        return Verdict(
            "measures_nothing", [*findings, *(f"{fault}: this benchmark measures nothing" for fault in faults)]
        )
    if unit == "ratio" and higher_is_better:
        if scores.get("perfect", 1.0) < 1.0 - tolerance:
            findings.append(f"perfect has {scores['perfect']:.3g}: right answers do not reach the top")
        if scores.get("wrong", 0.0) > tolerance:
            findings.append(f"wrong has {scores['wrong']:.3g}: wrong answers count for something")
        if "half" in scores and abs(scores["half"] - (scores.get("perfect", 1.0) + scores.get("wrong", 0.0)) / 2) > 0.1:
            findings.append(f"half has {scores['half']:.3g}: the score is not the share of right answers")
    return Verdict("unclear" if missing else "sound", findings)
