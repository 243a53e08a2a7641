"""Figures beside their baselines: measured in turns, because the machine is noisy, and compared by their medians."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """How much of the full measurement to do: 1 for figures, a small part to test that the measurement works."""

    part: float = 1.0

    def count(self, full: int, *, least: int = 1) -> int:
        """That part of a number of runs, events or clients."""
        return max(least, round(full * self.part))

    def rounds(self, full: int) -> int:
        """The number of repetitions: all, or one."""
        return full if self.part == 1 else 1


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def in_turns(rounds: int, *works: Callable[[], object]) -> list[float]:
    """The median seconds of each, measured in turns."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, times in zip(works, taken, strict=True):
            times.append(seconds(work))
    return [statistics.median(times) for times in taken]


def command(*argv: str) -> Callable[[], object]:
    """A process to start and wait for; it must succeed."""
    return lambda: subprocess.run(argv, check=True, capture_output=True)


class Table:
    """The figures: printed at once, and kept for bench.json."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []

    def add(self, what: str, value: float, unit: str, baseline: str, base: float, target: str) -> None:
        """A figure beside its baseline, in the same unit."""
        ratio = value / base if base else 0.0
        row = {"what": what, "value": value, "unit": unit, "baseline": baseline, "base": base, "ratio": ratio}
        self.rows.append({**row, "target": target})
        shown, beside = (f"{one:.1f}" if one >= 1 else f"{one:.3f}" for one in (value, base))
        print(f"{what:<58} {shown:>9} {unit:<8} {baseline:<26} {beside:>9} {ratio:>8.2f}x  {target}", flush=True)
