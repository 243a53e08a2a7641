"""Differences between runs, tested sample by sample if both sides have samples. What was tested is kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence

from ...ledger.fold import Run
from ...projections.scores.comparison import Contrast, contrast
from ...projections.scores.leaderboard import Task
from ...projections.scores.samples import SAMPLES, SampleScores, read_samples
from .archive import Archive
from .row import RunRow, as_run

_MAX_KEPT = 16_384
_MAX_READ = 64
_AT_ONCE = 500

_Side = tuple[tuple[str, int], ...]
NOT_READ = SampleScores(problem="no samples were recorded")


class Pairs:
    """Tests one side of runs against another. Safe for many threads."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[_Side, _Side, bool], Contrast] = OrderedDict()
        self._read: OrderedDict[tuple[str, int], SampleScores] = OrderedDict()

    def with_samples(self, rows: Iterable[RunRow]) -> set[str]:
        """The ids of those runs that recorded a file of samples."""
        run_ids = [row.run_id for row in rows]
        found: set[str] = set()
        with self._archive.database() as connection:
            for first in range(0, len(run_ids), _AT_ONCE):
                some = run_ids[first : first + _AT_ONCE]
                query = (
                    f"SELECT run_id FROM benchmark_runs WHERE run_id IN ({', '.join('?' * len(some))}) "  # noqa: S608
                    "AND instr(artifacts_json, ?)"
                )
                found.update(run_id for (run_id,) in connection.execute(query, (*some, SAMPLES)))
        return found

    def contrast(
        self, task: Task, first: Sequence[RunRow], second: Sequence[RunRow], *, paired: bool = True
    ) -> Contrast:
        """`second` against `first`, not corrected for many. If not `paired`, no samples are read."""
        key = _side(first), _side(second), paired
        with self._lock:
            if (known := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return known
        if paired:
            found = contrast(task, self._whole(first), self._whole(second), self.samples)
        else:
            found = contrast(task, list(map(as_run, first)), list(map(as_run, second)), lambda _: NOT_READ)
        with self._lock:
            self._kept[key] = found
            if len(self._kept) > _MAX_KEPT:
                self._kept.popitem(last=False)
        return found

    def _whole(self, rows: Sequence[RunRow]) -> list[Run]:
        return [self.at(row.run_id, row.last_seq) or as_run(row) for row in rows]

    def at(self, run_id: str, last_seq: int) -> Run | None:
        """The run as its event at `last_seq` left it: with the scorer and the excluded samples of that moment."""
        run = self._archive.find_run(run_id)
        return run if run is None or run.last_seq == last_seq else self._archive.find_run(run_id, str(last_seq))

    def samples(self, run: Run) -> SampleScores:
        """The samples of a run as it was at one moment: see `at`."""
        key = run.run_id, run.last_seq
        with self._lock:
            if (known := self._read.get(key)) is not None:
                self._read.move_to_end(key)
                return known
        found = read_samples(run, self._archive.workspace)
        with self._lock:
            self._read[key] = found
            if len(self._read) > _MAX_READ:
                self._read.popitem(last=False)
        return found


def _side(rows: Sequence[RunRow]) -> _Side:
    return tuple((row.run_id, row.last_seq) for row in rows)
