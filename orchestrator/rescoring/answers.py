"""What a scorer answers: a score for each sample, or one for the whole run."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeGuard

import msgspec

from ...ledger.events import Json
from .asking import ScorerFailed

_MAX_COUNT = 2**53
_MAX_SHOWN = 60


class OneScore(msgspec.Struct, frozen=True):
    """One score for a run, with its number of samples and its standard error if the scorer knows them."""

    score: float
    samples: int | None = None
    stderr: float | None = None


def read_answer(answer: bytes, rows: Sequence[Json]) -> OneScore | list[float]:
    """One score, or the new score of each of the samples in `rows`, in their order.

    Each sample needs as many scores as it has lines. Raises ScorerFailed.
    """
    lines = [(number, _decode(number, line)) for number, line in enumerate(answer.split(b"\n"), 1) if line.strip()]
    if not lines:
        raise ScorerFailed("it answered nothing")
    if len(lines) == 1 and "id" not in lines[0][1]:
        return _one(lines[0][1])
    if not rows:
        raise ScorerFailed("it gave scores of samples, but the run has none")
    given: dict[str, list[float]] = defaultdict(list)
    for number, line in lines:
        if "id" not in line:
            raise ScorerFailed(f"line {number} has no id")
        given[str(line["id"])].append(_score(line, f"line {number}"))
    wanted: dict[str, int] = defaultdict(int)
    for row in rows:
        wanted[str(row["id"])] += 1
    if unknown := next((name for name in given if name not in wanted), None):
        raise ScorerFailed(f"it scored the sample '{unknown[:_MAX_SHOWN]}', which the run does not have")
    if missing := [name for name in wanted if name not in given]:
        raise ScorerFailed(f"it gave no score for {len(missing)} of {len(wanted)} samples, such as {missing[0]}")
    if uneven := next((name for name, count in wanted.items() if len(given[name]) != count), None):
        raise ScorerFailed(f"it gave {len(given[uneven])} scores for {uneven}, which has {wanted[uneven]} lines")
    turns = {name: iter(scores) for name, scores in given.items()}
    return [next(turns[str(row["id"])]) for row in rows]


def _decode(number: int, line: bytes) -> Json:
    try:
        decoded: Json = msgspec.json.decode(line, type=Json)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        shown = line[:_MAX_SHOWN].decode(errors="replace")
        raise ScorerFailed(f"line {number} is not a JSON object: {shown}") from None
    return decoded


def _one(answer: Json) -> OneScore:
    samples, stderr = answer.get("samples"), answer.get("stderr")
    if samples is not None and not (type(samples) is int and 0 <= samples < _MAX_COUNT):
        raise ScorerFailed("its `samples` is not a number of samples")
    if stderr is not None and not (_is_number(stderr) and stderr >= 0):
        raise ScorerFailed("its `stderr` is not a standard error")
    return OneScore(_score(answer, "its answer"), samples, None if stderr is None else float(stderr))


def _score(answer: Json, where: str) -> float:
    score = answer.get("score", answer.get("correct"))
    if isinstance(score, bool):
        return float(score)
    if not _is_number(score):
        raise ScorerFailed(f"{where} has no `score` that is a finite number")
    return float(score)


def _is_number(value: object) -> TypeGuard[int | float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False
