"""A workspace with its ledger. A Python program opens it to run benchmarks and to read their history."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..ledger.store import Notice
from ..projections.workspace import Workspace
from .errors import UsageError
from .location import Location

if TYPE_CHECKING:  # Methods import what they need when they are called, so that opening a place is fast.
    import sqlite3

    from ..ledger.events import Record
    from ..ledger.fold import Run
    from ..ledger.proof.checkpoint import Checkpoint
    from ..ledger.proof.verify import Report
    from ..projections.analytics.answer import Answer
    from ..projections.scores.check import Allowance, Check
    from ..projections.scores.comparison import Comparison
    from ..projections.scores.leaderboard import Doubtful, Standing
    from ..projections.scores.selection import Catalogue
    from ..projections.scores.standing_runs import Runs
    from .recorder import Recorder
    from .running.conducting import Result

AsOf = str | int | datetime
"""A moment of the past: a time (ISO 8601, UTC if it has no offset) or the position of an event."""

_log = logging.getLogger("benchmarks")


def open_place(
    workspace: str | os.PathLike[str] | None = None,
    ledger: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    notice: Notice = _log.warning,
) -> Place:
    """Open a workspace and its ledger. Nothing is created until something is recorded.

    `workspace` is a folder of benchmarks and results, and `ledger` the URL of a ledger. Their defaults are those of the
    command line: the variables `BENCHMARKS_WORKSPACE` and `BENCHMARKS_LEDGER`, then the current folder if it holds a
    `benchmarks.toml` or a `benchmark_results/` or is a checkout of a known kind, else `benchmarks/` in it. `notice` is
    called with one sentence if something had to be repaired or rebuilt; by default the sentence is logged as a warning
    by the logger `benchmarks`.

        >>> place = open_place("my-workspace")
        >>> place.runs(status="failed")
        []

    Raises UsageError if the workspace is not a folder, or its path is not UTF-8 text.
    """
    return Place.find(workspace, ledger, environ=environ, notice=notice)


class Place(Location):
    """A workspace and its ledger. Each method reads the present state of the ledger.

    Reading methods raise LedgerDamaged if the ledger is damaged, and SelectionError for an unknown name.
    """

    @contextlib.contextmanager
    def history(self, as_of: AsOf | None = None) -> Iterator[sqlite3.Connection]:
        """A read-only connection to the tables of `orchestrator.sqlite`, as they are now or as they were at `as_of`."""
        from ..ledger.past import Past
        from ..projections.sqlite.opening import open_apart, open_history

        store = self.store()
        opened = (
            open_history(self.workspace, store, notice=self.notice)
            if as_of is None
            else open_apart(Past(store, _limit(as_of)))
        )
        with opened as connection:
            yield connection

    @contextlib.contextmanager
    def catalogue(self, include: Collection[Doubtful] = ()) -> Iterator[Catalogue]:
        """The catalogue in which `compare` and `check` look up names; use it inside a `with` block."""
        from ..projections.sqlite.catalogue import StoredCatalogue
        from ..projections.sqlite.equivalence import read_classes

        with contextlib.ExitStack() as opened:

            def past(when: AsOf | None) -> Catalogue:
                return StoredCatalogue(opened.enter_context(self.history(when)), past, include, read_classes(present))

            present = opened.enter_context(self.history(None))
            yield StoredCatalogue(present, past, include)

    def run(
        self,
        benchmarks: str | Sequence[str],
        *,
        model: str | None = None,
        agent: str | None = None,
        options: Mapping[str, Any] | None = None,
        base_url: str | None = None,
        rerun_failed: bool = False,
        force: bool = False,
        jobs: int | None = None,
        executor: str = "local",
        ray_address: str | None = None,
        repeats: int = 1,
        retries: int = 0,
        timeout: float | None = None,
        max_cost: float | None = None,
        max_tokens: int | None = None,
        max_minutes: float | None = None,
        artifacts: str | None = None,
    ) -> Result:
        """Run benchmarks as the command `run` does: work that has succeeded before is skipped.

        `benchmarks` are ids, or "all". `model` is `provider:model`, or the name of a model of the default provider.
        `options` is what `--extra` takes, and `artifacts` is the address of a store to which files of runs are copied.
        Progress goes to the logger `benchmarks`. After KeyboardInterrupt, what was running is recorded as failed before
        the exception goes on.

            >>> place.run(["human_eval"], model="local:smollm2-135m").counts.succeeded
            1

        Raises UsageError for an unknown benchmark, option or provider; nothing is recorded then.
        """
        from .order import Order
        from .service import conduct_here

        provider, name = _provider_and_model(model)
        ids = [benchmarks] if isinstance(benchmarks, str) else list(benchmarks)
        order = Order(
            benchmarks=[] if ids == ["all"] else ids,
            everything=ids == ["all"],
            agent=agent,
            provider=provider,
            model=name,
            base_url=base_url,
            extra=_as_json(options or {}),
            rerun_failed=rerun_failed,
            force=force,
            jobs=jobs,
            executor=executor,
            ray_address=ray_address,
            repeats=repeats,
            retries=retries,
            timeout=timeout,
            max_cost=max_cost,
            max_tokens=max_tokens,
            max_minutes=max_minutes,
            artifacts=artifacts,
        )
        order.check()
        return conduct_here(self, order)

    def record(self, benchmark: str, **settings: Any) -> Recorder:
        """Record a run that this program performs itself, in a `with` block; see `benchmarks.record`."""
        from .recorder import record

        return record(benchmark, place=self, **settings)

    def runs(self, *, benchmark: str | None = None, status: str | None = None, as_of: AsOf | None = None) -> list[Run]:
        """The runs, ordered by their start.

        >>> [run.score for run in place.runs(benchmark="human_eval", status="succeeded")]
        [0.5]
        """
        from ..projections.sqlite.database import read_runs

        with self.history(as_of) as history:
            return [
                run
                for run in read_runs(history)
                if benchmark in (None, run.benchmark_id) and status in (None, run.status)
            ]

    def leaderboard(
        self,
        *,
        benchmark: str | None = None,
        include: Collection[Doubtful] = (),
        runs: Runs = "newest",
        as_of: AsOf | None = None,
    ) -> list[Standing]:
        """The mean, latest and best score of each agent and model on each task, with ranks.

        Imported, synthetic, late and retracted runs and reproductions count only if `include` names them. The mean is
        that of the newest run with the repeats of its campaign; with `runs="repeats"`, of the newest campaign that has
        several.
        """
        from ..projections.scores.high_scores import holding, read_history
        from ..projections.scores.leaderboard import leaderboard_of
        from ..projections.sqlite.tallies import read_board

        with self.history(as_of) as history:
            board, held = read_board(history, works=False), holding(read_history(history))
            found = leaderboard_of(board, held, include=include, which=runs)
        return [one for one in found if benchmark in (None, one.task.benchmark_id)]

    def compare(self, first: str, second: str, *more: str, include: Collection[Doubtful] = ()) -> Comparison:
        """Compare runs, groups, models, agents or moments with the first one, task by task.

        They are named as on the command line: an id or its beginning, `MODEL` or `PROVIDER:MODEL`, an agent,
        `as-of:TIME` or `now`.
        """
        from ..projections.scores.comparison import compare
        from ..projections.scores.samples import sample_reader
        from ..projections.scores.selection import select

        with self.catalogue(include) as catalogue:
            return compare([select(spec, catalogue) for spec in (first, second, *more)], sample_reader(self.workspace))

    def check(
        self,
        what: str | None = None,
        *,
        baseline: str = "best",
        max_drop: float | str | Mapping[str, float | str] = 0.0,
        significant: bool = False,
        across: bool = False,
        include: Collection[Doubtful] = (),
    ) -> Check:
        """Check the newest group, or `what`, against a baseline; `passed` says whether no score got worse.

        `baseline` is `best`, `last`, or what `compare` can name. `max_drop` is the allowed drop in the unit of the
        score or as text in percent of the baseline (`"5%"`), or such values by benchmark id (`""` for all others).
        """
        from ..projections.scores.check import Allowance

        drops = max_drop if isinstance(max_drop, Mapping) else {"": max_drop}
        with self.catalogue(include) as catalogue:
            return check_history(
                catalogue,
                self.workspace,
                what=what,
                baseline=baseline,
                allowances={benchmark: Allowance.parse(str(drop)) for benchmark, drop in drops.items()},
                significant=significant,
                across=across,
            )

    def query(self, sql: str, *, as_of: AsOf | None = None, rows: int = 10_000, seconds: float = 30.0) -> Answer:
        """Answer one SELECT over the history, in a sandbox; at most `rows` rows, within `seconds`.

            >>> place.query("SELECT count(*) AS runs FROM runs").dicts()
            [{'runs': 4}]

        Raises BadQuery and LimitExceeded.
        """
        from ..ledger.past import Past
        from ..projections.analytics.answer import Answer
        from ..projections.analytics.query import run_query
        from ..projections.analytics.sandbox import Limits

        present = self.store()
        store = present if as_of is None else Past(present, _limit(as_of))
        limits = Limits(rows=rows, seconds=seconds)
        return Answer(run_query(self.workspace, store, sql, limits, notice=self.notice))

    def events(
        self, after: int = 0, *, stream: str | None = None, types: Collection[str] | None = None
    ) -> Iterator[Record]:
        """The events after position `after`, in order: all, or those of one stream or of the given types."""
        return self.store().read(after, stream=stream, types=types)

    def verify(
        self, *, files: bool = True, checkpoint: Checkpoint | None = None, since: Checkpoint | None = None
    ) -> Report:
        """Verify that no event was changed, and that the files of runs match their recorded digests.

        With a `checkpoint`, also verify that the history up to it matches the checkpoint. With `since`, check only the
        events after that checkpoint. The result is `is_sound` of the report.
        """
        from ..ledger.proof.verify import verify

        folder_of = self._folder_of if files else None
        elsewhere = self.workspace.elsewhere
        return verify(self.store(), folder_of=folder_of, elsewhere=elsewhere, checkpoint=checkpoint, since=since)

    def export_viewer_data(self) -> Path:
        """Rebuild `orchestrator.sqlite` and `viewer_data.json` from the ledger. Returns the path of the latter."""
        from ..projections.sqlite.refresh import rebuild_all

        return rebuild_all(self.workspace.database, self.workspace.viewer_data, self.store(), notice=self.notice)

    def _folder_of(self, run: Run) -> Path:
        return self.workspace.run_folder(run.run_group_id, run.benchmark_directory, run.benchmark_id, run.run_id)


def check_history(
    catalogue: Catalogue,
    workspace: Workspace,
    *,
    what: str | None,
    baseline: str,
    allowances: Mapping[str, Allowance],
    significant: bool,
    across: bool,
    quarantined: Collection[str] = (),
) -> Check:
    """Check the runs that a name selects (by default the newest group) against a named baseline.

    Raises SelectionError for an unknown name, and UsageError if the baseline has nothing to compare.
    """
    from ..projections.scores.check import check
    from ..projections.scores.samples import sample_reader
    from ..projections.scores.selection import BY_HISTORY, find, named_baseline, newest_group

    selection = newest_group(catalogue) if what is None else find(what, catalogue)
    against, title = named_baseline(baseline, catalogue, across=across)
    result = check(
        selection.to_check(),
        against,
        sample_reader(workspace),
        checked=f"{selection.kind} {selection.name}",
        against=title,
        allowances=allowances,
        significant=significant,
        include=catalogue.include,
        history=catalogue.history,
        quarantined=quarantined,
        by_history=baseline == BY_HISTORY,
    )
    if not result.compared:
        hint = "" if across else "\nhint: --across also takes scores of other agents and models"
        raise UsageError(f"the baseline ({title}) has nothing to compare with {result.checked}{hint}")
    return result


def _provider_and_model(model: str | None) -> tuple[str | None, str | None]:
    """The provider and the model of `provider:model`. A model name may hold a colon, so the provider must be known."""
    from .models.providers import providers

    provider, separator, name = (model or "").partition(":")
    return (provider, name or None) if separator and provider in providers() else (None, model)


def _as_json(options: Mapping[str, Any]) -> str:
    import msgspec

    try:
        return msgspec.json.encode(dict(options)).decode()
    except (TypeError, ValueError) as problem:
        raise UsageError(f"the options are not JSON values: {problem}") from problem


def _limit(as_of: AsOf) -> int | datetime:
    from ..ledger.past import limit_of

    try:
        return limit_of(as_of) if isinstance(as_of, str) else as_of
    except ValueError as problem:
        raise UsageError(str(problem)) from problem
