"""The history of a file: its state now, and at earlier moments, each as the server answers it with `as_of`."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec

from ...ledger.store import EventReader
from .asked import Asked, part, subject_of
from .moments import Moment, moments_of
from .shared import Shared

_STATE_BYTES = 12_000_000
"""Bytes of earlier states, before they are compressed; the newest come first."""

_REFERENCES = "/api/high-scores"
_SAME_FOR_ALL_MOMENTS = frozenset({"/api/ledger"})


class State(msgspec.Struct, frozen=True):
    """The rows of all runs, answers by address, and everything about some runs, as of a position."""

    position: float
    runs: list[Any]
    answers: dict[str, Any]
    about: dict[str, Any]


class States:
    """Asks for one state after the other, from the present back. What cannot have changed is not asked again."""

    def __init__(self, asked: Asked, store: EventReader, detailed: Sequence[str]) -> None:
        self._asked = asked
        self._store = store
        self._detailed = detailed
        self._closed = {record.stream: record.seq for record in store.read(types={"group_closed"}, details=False)}
        runs = list(asked.runs())
        benchmarks = sorted({run["benchmark_id"] for run in runs} - {""})
        about = {run_id: asked.get(f"/api/runs/{part(run_id)}") for run_id in detailed}
        self.now = State(math.inf, runs, dict(asked.answers(benchmarks)), about)

    def packed(self, pool: Shared, moments: int) -> dict[str, Any]:
        """The present, and the moments as far as there is room: each with its place in the pool."""
        now = pool.add(_without_heads(self.now))
        limit = pool.bytes + _STATE_BYTES
        found = []
        later = self.now
        for moment in reversed(moments_of(self._store, len(self.now.runs), moments)):
            later = self._at(moment, later)
            place = pool.add(_without_heads(later))
            if pool.bytes > limit:
                break
            head = later.answers["/api/integrity"]["head"]
            found.append({**msgspec.structs.asdict(moment), "head": head, "state": place})
        return {"now": now, "moments": found[::-1]}

    def _at(self, moment: Moment, later: State) -> State:
        runs = list(self._asked.runs(moment.position))
        answers: dict[str, Any] = {}
        references = self._asked.at(_REFERENCES, moment.position)
        is_same = _SameRows(runs, later.runs, references == {**later.answers[_REFERENCES], "head": references["head"]})
        for address, then in later.answers.items():
            if address not in _SAME_FOR_ALL_MOMENTS:
                found = then if is_same.behind(address) else self._asked.at(address, moment.position)
                if found is not None:
                    answers[address] = found
        return State(moment.position, runs, answers, self._about(moment, runs, later))

    def _about(self, moment: Moment, runs: Sequence[Any], later: State) -> dict[str, Any]:
        """What is known of each run: asked again if the run, another of its contender, or its group was different."""
        then = _Context(runs, self._closed, moment.position)
        after = _Context(later.runs, self._closed, later.position)
        before = {row["run_id"] for row in runs}
        found = {}
        for run_id in self._detailed:
            if run_id in before:
                is_same = run_id in later.about and then.of(run_id) == after.of(run_id)
                path = f"/api/runs/{part(run_id)}"
                known = later.about[run_id] if is_same else self._asked.at(path, moment.position)
                if known is not None:
                    found[run_id] = known
        return found


class _Context:
    """What the answer about a run depends on, at one moment."""

    def __init__(self, runs: Sequence[Any], closed: dict[str, int], position: float) -> None:
        self._rows = {row["run_id"]: row for row in runs}
        self._beside: dict[tuple[str, ...], list[Any]] = defaultdict(list)
        for row in runs:
            self._beside[_contender(row)].append(row)
        self._groups = Counter(row["run_group_id"] for row in runs)
        self._closed = {group for group, seq in closed.items() if seq <= position}

    def of(self, run_id: str) -> tuple[Any, ...]:
        """Equal at two moments only if the answers are."""
        row = self._rows[run_id]
        group = row["run_group_id"]
        return row, self._beside[_contender(row)], self._groups[group], group in self._closed


def _contender(row: Any) -> tuple[str, ...]:
    return row["benchmark_id"], row["agent"], row["provider"], row["model"]


class _SameRows:
    """Which answers two moments share, because the runs that they are about were the same."""

    def __init__(self, runs: Sequence[Any], later: Sequence[Any], has_same_references: bool) -> None:
        self._runs = runs
        self._later = later
        self._has_same_references = has_same_references

    def behind(self, address: str) -> bool:
        """Whether the answer is about models, agents or a benchmark with the same runs at both moments."""
        subject = subject_of(address)
        if subject is None or (subject[0] == "benchmark_id" and not self._has_same_references):
            return False
        field, names = subject
        return [row for row in self._runs if row[field] in names] == [row for row in self._later if row[field] in names]


def _without_heads(state: State) -> dict[str, Any]:
    """All answers of a moment have one head, which the page puts in again."""
    return {
        "runs": state.runs,
        "answers": {address: {**answer, "head": True} for address, answer in state.answers.items()},
        "about": {run_id: {**answer, "head": True} for run_id, answer in state.about.items()},
    }
