"""What a suite reports: a line for each sample as it comes, progress, and at the end one result."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from .answer import Answer
from .usage import sum_of
from .written import write_json

_RESULT = "result.json"


@dataclass(frozen=True)
class Sample:
    """One question with its answer: `score` from 0 to 1, `groups` what it counts for in the metrics."""

    id: str
    input: str
    expected: Any
    output: str
    score: float
    answer: Answer
    groups: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


class Report:
    """Writes `samples.jsonl` and, at the end, `result.json` into the output folder; and progress where it is asked for.

    The result is written only when the suite came to its end: a suite that fails leaves none.
    """

    def __init__(self, suite: str, version: str, output_dir: Path, *, total: int, options: Mapping[str, Any]) -> None:
        self._head = {"suite": suite, "suite_version": version}
        self._options = dict(options)
        self._output_dir = output_dir
        self._total = total
        self._samples: list[Sample] = []
        self._began = time.monotonic()
        self._progress = os.environ.get("BENCHMARK_PROGRESS_FILE")
        output_dir.mkdir(parents=True, exist_ok=True)
        # A result of an earlier run must not pass for that of this one, should it fail.
        (output_dir / _RESULT).unlink(missing_ok=True)
        self._lines = (output_dir / "samples.jsonl").open("w", encoding="utf-8")
        self._tell("")

    def __enter__(self) -> Report:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lines.close()

    def add(self, sample: Sample) -> None:
        """Record a sample, on disk too."""
        self._samples.append(sample)
        row = {
            "id": sample.id,
            "input": sample.input,
            "expected": sample.expected,
            "output": sample.output,
            "score": sample.score,
            "correct": sample.score == 1,
            **sample.groups,
            **sample.details,
            "finish_reason": sample.answer.finish_reason,
            **({"refusal": sample.answer.refusal} if sample.answer.refusal else {}),
            **({"instead_of_text": sample.answer.only} if sample.answer.only else {}),
            "input_tokens": sample.answer.usage.input_tokens,
            "output_tokens": sample.answer.usage.output_tokens,
            "latency_ms": sample.answer.latency_ms,
        }
        # Plain ASCII: a model may say half a surrogate pair, which UTF-8 cannot hold.
        self._lines.write(json.dumps(row) + "\n")
        self._lines.flush()
        self._tell(f"{'right' if sample.score == 1 else 'wrong'}: {sample.id}")

    def finish(
        self,
        *,
        model: str,
        seed: int,
        metrics: Mapping[str, float] | None = None,
        facts: Mapping[str, Any] | None = None,
        notes: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Write the result of all samples, and return it.

        `metrics` come on top of the mean of each group; `facts` are what else the reader of a score has to know, and
        `notes` the same as sentences.
        """
        scores = [sample.score for sample in self._samples]
        answers = [sample.answer for sample in self._samples]
        result = {
            **self._head,
            "model": model,
            "provider": os.environ.get("BENCHMARK_MODEL_PROVIDER", ""),
            "reported_model": next((s.answer.model for s in self._samples if s.answer.model), ""),
            "seed": seed,
            "temperature": 0,
            "options": self._options,
            **(facts or {}),
            "finish_reasons": finish_reasons(answers),
            "cut_off": sum(answer.is_cut_off for answer in answers),
            "notes": [*notes, *odd_answers(answers)],
            "n": len(scores),
            "score": mean(scores),
            "score_stderr": standard_error(scores),
            "metrics": {**group_means(self._samples), **(metrics or {})},
            "usage": usage(answers),
            "duration_seconds": round(time.monotonic() - self._began, 3),
        }
        write_json(self._output_dir / _RESULT, result)
        return result

    def _tell(self, note: str) -> None:
        if self._progress:
            line = {"done": len(self._samples), "total": self._total, "note": note}
            with open(self._progress, "a", encoding="utf-8") as file:  # noqa: PTH123 - a path as given
                file.write(json.dumps(line) + "\n")


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean; 0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def standard_error(values: Sequence[float]) -> float | None:
    """The standard error of the mean, s / sqrt(n) with the sample's standard deviation s; None below two values.

    Source: E. Miller, "Adding Error Bars to Evals" (2024), section 2.1, by the central limit theorem.
    """
    if len(values) < 2:
        return None
    middle = mean(values)
    variance = sum((value - middle) ** 2 for value in values) / (len(values) - 1)
    return math.sqrt(variance / len(values))


def group_means(samples: Sequence[Sample]) -> dict[str, float]:
    """The mean score of each value of each group, as `<group>_<value>`."""
    scores: dict[str, list[float]] = {}
    for sample in samples:
        for group, value in sample.groups.items():
            scores.setdefault(f"{group}_{value}", []).append(sample.score)
    return {name: mean(values) for name, values in scores.items()}


def usage(answers: Sequence[Answer]) -> dict[str, Any]:
    """Tokens and calls of the answers, and percentiles of their latency (ms, nearest rank).

    A number of tokens that one of the answers does not tell is null: it is unknown for all of them.
    """
    tokens = sum_of(answer.usage for answer in answers)
    latencies = sorted(answer.latency_ms for answer in answers)
    return {
        "input_tokens": tokens.input_tokens,
        "output_tokens": tokens.output_tokens,
        "cached_tokens": tokens.cached_tokens,
        "reasoning_tokens": tokens.reasoning_tokens,
        "total_tokens": tokens.total_tokens,
        "calls": len(answers),
        "latency_p50_ms": percentile(latencies, 0.50),
        "latency_p95_ms": percentile(latencies, 0.95),
    }


def finish_reasons(answers: Sequence[Answer]) -> dict[str, int]:
    """How many answers ended for which reason, in the server's words."""
    words = [answer.finish_reason or "none" for answer in answers]
    return {word: words.count(word) for word in sorted(set(words))}


def odd_answers(answers: Sequence[Answer]) -> list[str]:
    """Sentences on answers that are not what a model wrote from beginning to end."""
    kinds: dict[str, Callable[[Answer], bool]] = {
        "cut off": lambda answer: answer.is_cut_off,
        "withheld by the provider": lambda answer: answer.is_filtered,
        "refused by the model": lambda answer: bool(answer.refusal) and not answer.is_filtered,
        "with calls of tools and no text": lambda answer: answer.only == "tool calls",
        "with reasoning and no text": lambda answer: answer.only == "reasoning",
        "ended for an unknown reason": lambda answer: answer.is_odd,
        "empty": lambda answer: answer.is_empty,
        "without a count of tokens: tokens and cost are unknown": lambda answer: not answer.usage.is_known,
    }
    notes = []
    for kind, is_so in kinds.items():
        words = [answer.finish_reason for answer in answers if is_so(answer)]
        odd = sorted(set(words) - {"", "stop"}) if kind != "empty" else []
        reasons = f" (finish_reason {', '.join(odd)})" if odd else ""
        if words:
            notes.append(f"{len(words)} of {len(answers)} answers {kind}{reasons}")
    return notes


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile of sorted values; None of nothing."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
