"""`status`: the runs in progress, with the age of their last sign of life."""

from __future__ import annotations

import click

from ...ledger.events import Progress
from ...ledger.fold import Group, Run
from ...ledger.identity import liveness, parse_utc
from ...ledger.staleness import is_stale, silence
from ...orchestrator.running.control import words_of
from ...projections.sqlite.rows import Row, run_row
from ..context import Place, in_place, json_option, print_json
from ..printing import print_table

RIGHT = ("running", "silent")


@click.command()
@json_option
@in_place
def command(place: Place, as_json: bool) -> None:
    """Show the runs in progress, on every machine that shares the ledger, and how long each has been silent.

    A run is alive or dead if its process can be looked up from here, and unknown if not, such as on another machine.
    It is stale if it has been silent for longer than it announced. Groups that are paused or cancelled come after the
    table.
    """
    ledger, _ = place.ledger()
    running, groups = ledger.look(
        lambda history: (list(history.open_runs()), {one.run_group_id: one for one in history.open_groups()}),
        details=True,
    )
    now = ledger.store.now() if running else 0.0
    if as_json:
        print_json([_row(run, groups.get(run.run_group_id), now) for run in running])
        return
    if running:
        columns = ["run_id", "model", "process", "state", "progress", "running", "silent"]
        print_table(columns, [_cells(run, groups.get(run.run_group_id), now) for run in running], right=RIGHT)
    else:
        print("no runs in progress")
    for group in groups.values():
        for request in (group.cancel_requested, group.paused):
            if request:
                print(f"{group.run_group_id}: {words_of(request)}")


def _row(run: Run, group: Group | None, now: float) -> Row:
    seconds = round(silence(run, now), 1)
    return {
        **run_row(run),
        "group_paused": group.paused if group else None,
        "group_cancel_requested": group.cancel_requested if group else None,
        "liveness": liveness(run.owner, run.last_seen_at, now),
        "stale": is_stale(run, now=now),
        "silent_seconds": seconds,
    }


def _state(run: Run, group: Group | None, now: float) -> str:
    """Whether the run was asked to end, else whether its process is alive."""
    if run.cancel_requested or (group and group.cancel_requested):
        return "cancelling"
    return "stale" if is_stale(run, now=now) else liveness(run.owner, run.last_seen_at, now)


def _cells(run: Run, group: Group | None, now: float) -> list[str]:
    owner = run.owner
    age = now - parse_utc(run.started_at).timestamp()
    return [
        run.run_id,
        run.model,
        f"{owner.host}, process {owner.pid}" if owner else "",
        _state(run, group, now),
        _progress(run.progress),
        _duration(age),
        _duration(silence(run, now)),
    ]


def _progress(progress: Progress | None) -> str:
    if progress is None:
        return ""
    done = f"{progress.done:g}" + (f" of {progress.total:g}" if progress.total else "")
    return f"{done} {progress.note}".strip()[:60]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(max(0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
