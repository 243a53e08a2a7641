"""`status`: the runs in progress, with the age of their last sign of life."""

from __future__ import annotations

import click

from ...ledger.events import Progress
from ...ledger.fold import Run
from ...ledger.identity import liveness, parse_utc
from ...ledger.staleness import is_stale, silence
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
    It is stale if it has been silent for longer than it announced.
    """
    ledger, _ = place.ledger()
    running = ledger.look(lambda history: list(history.open_runs()), details=True)
    now = ledger.store.now() if running else 0.0
    if as_json:
        print_json([_row(run, now) for run in running])
        return
    if not running:
        print("no runs in progress")
        return
    print_table(
        ["run_id", "model", "process", "state", "progress", "running", "silent"],
        [_cells(run, now) for run in running],
        right=RIGHT,
    )


def _row(run: Run, now: float) -> Row:
    seconds = round(silence(run, now), 1)
    return {
        **run_row(run),
        "liveness": liveness(run.owner, run.last_seen_at, now),
        "stale": is_stale(run, now=now),
        "silent_seconds": seconds,
    }


def _cells(run: Run, now: float) -> list[str]:
    owner = run.owner
    age = now - parse_utc(run.started_at).timestamp()
    return [
        run.run_id,
        run.model,
        f"{owner.host}, process {owner.pid}" if owner else "",
        "stale" if is_stale(run, now=now) else liveness(owner, run.last_seen_at, now),
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
