"""What a program reports of its own run: samples, and the score with what is said of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from ..adapters.manifest import ResultSpec
from ..ledger.events import Json
from ..projections.scores.means import mean, standard_error
from .errors import UsageError
from .own_work import RESULT


class Reported:
    """The reports so far. The caller guards it against other threads."""

    def __init__(self, unit: str, *, higher_is_better: bool) -> None:
        self._unit = unit
        self._higher_is_better = higher_is_better
        self._scores: list[float] = []
        self._samples = 0
        self._score: Json = {}

    def add_sample(self, score: float | None) -> None:
        """Count a sample, and its score if it has one."""
        self._samples += 1
        if score is not None:
            self._scores.append(score)

    def set_score(
        self,
        value: float | None,
        *,
        unit: str | None,
        higher_is_better: bool | None,
        samples: int | None,
        stderr: float | None,
        metrics: Mapping[str, Any] | None,
    ) -> None:
        """Set the score; without a `value` it is the mean of the samples' scores. Raises UsageError."""
        if value is None:
            if not self._scores:
                raise UsageError("score() without a value needs samples with scores", "call sample() first")
            value = mean(self._scores)
        score = finite("value", value)
        self._score = {
            "score": score,
            "samples": samples,
            "standard_error": None if stderr is None else finite("standard_error", stderr),
            "metrics": dict(metrics or {}),
        }
        self._unit = unit or self._unit
        self._higher_is_better = self._higher_is_better if higher_is_better is None else higher_is_better

    def document(self) -> Json:
        """The result of the run. The samples tell what the program did not: their number, and the standard error."""
        document = dict(self._score)
        if self._samples and document.get("samples") is None:
            document["samples"] = self._samples
        if document and document.get("standard_error") is None and len(self._scores) > 1:
            document["standard_error"] = standard_error(self._scores)
        return {name: value for name, value in document.items() if value is not None}

    def spec(self) -> ResultSpec:
        """How the result is read: its fields depend on what was reported."""
        document = self.document()
        metrics = document.get("metrics") or {}
        return ResultSpec(
            files=[RESULT],
            score="score",
            unit=self._unit,
            higher_is_better=self._higher_is_better,
            samples="samples" if "samples" in document else None,
            stderr="standard_error" if "standard_error" in document else None,
            metrics={name: f"metrics.{msgspec.json.encode(name).decode()}" for name in metrics},
        )


def finite(name: str, value: float) -> float:
    """The value as a float. Raises UsageError, which names it, if it is not a finite number."""
    try:
        number = float(value)
    except (TypeError, ValueError) as problem:
        raise UsageError(f"{name} must be a number, got {value!r}") from problem
    if not math.isfinite(number):
        raise UsageError(f"{name} must be a finite number, got {value!r}")
    return number
