"""Checks whether an event can have happened, even if its hash is right.

The types check the shapes of fields; this module checks the rest: times, counts, and names
that are not paths. The fold says what an event means for its run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from .events import (
    LEDGER_STREAM,
    Artifact,
    Failed,
    Finished,
    GroupClosed,
    GroupOpened,
    Heartbeat,
    Imported,
    Incompatible,
    Merged,
    Outcome,
    Owner,
    Record,
    Recovered,
    Registered,
    Repaired,
    Reproduced,
    Rescored,
    SamplesExcluded,
    SamplesIncluded,
    ScoreAnew,
    SetAside,
    Skipped,
    Started,
    TablePublished,
    Unreadable,
)

MAX_NAME_BYTES = 200
"""Maximum size of an id in UTF-8 bytes: it names folders and files."""

MAX_LEASE_SECONDS = 7 * 86_400.0
"""Maximum lease: with a longer one a dead run would never be noticed."""

_MAX_PATH = 4096

MAX_INTEGER = 2**63 - 1
"""The largest whole number that the tables can hold."""

ORIGIN = re.compile(r"benchmark-orchestrator/ledger/([0-9a-f]{16}|empty)")

_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)
_FIRST_YEAR = 1900
"""Earlier times with an offset may be outside the range that a reader can represent."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_FIRST = f"{_FIRST_YEAR}"
_parse = datetime.fromisoformat


def is_moment(text: str) -> bool:
    """Like `is_time`, but faster for the form that this program writes: it is called for each event."""
    try:
        if text[4:20:3] == "--T::." and text[26:] == "Z" and text > _FIRST:
            _parse(text)
            return True
    except ValueError:
        return False
    return is_time(text)


def is_time(text: str) -> bool:
    """Whether a text is a time such as `2026-11-23T07:29:16.123456Z`, or a shorter one, that every reader can read."""
    if not _TIME.fullmatch(text):
        return False
    try:
        return datetime.fromisoformat(text).year >= _FIRST_YEAR
    except ValueError:
        return False


def is_name(text: str) -> bool:
    """Whether a text can be an id: it is short and printable, and as a name it does not lead to another folder."""
    return (
        0 < len(text) <= MAX_NAME_BYTES
        and text.isprintable()
        and not text.startswith(".")
        and not any(letter in "/\\" for letter in text)
        and len(text.encode(errors="replace")) <= MAX_NAME_BYTES
    )


def is_folder(text: str) -> bool:
    """Whether a text can be the path of a folder below another one; the empty text is that folder itself."""
    return text == "" or all(map(is_name, text.split("/")))


def void(record: Record) -> str | None:
    """Why an event cannot be valid at any position; None if it can.

    Such an event is refused when it is appended, and skipped when it is read.
    """
    event = record.data
    if type(event) is Heartbeat:  # Most events are.
        lease = event.lease_seconds
        if lease is not None and not 0 <= lease <= MAX_LEASE_SECONDS:
            return f"it promises the next sign of life in {lease:g} s"
    elif (check := _VOID.get(event.type)) is not None and (reason := check(event)):
        return reason
    at = record.at
    try:
        # The check of `is_moment` without a call: it runs a million times for a long ledger.
        if at[4:20:3] == "--T::." and at[26:] == "Z" and at > _FIRST:
            _parse(at)
            return None
    except ValueError:
        pass
    return None if is_moment(at) else f"it was written at {at[:40]!r}, which is not a time"


def is_path(text: str) -> bool:
    """Whether a text is the path of a file below a folder, with `/` between its parts; its name may be any text."""
    parts = text.split("/")
    return "\0" not in text and len(text) <= _MAX_PATH and not any(part in ("", ".", "..") for part in parts)


def faults_of(record: Record) -> Iterator[str]:
    """Every fault of an event by itself; the fold checks it against the history of its run."""
    event = record.data
    if isinstance(event, Unreadable):
        yield f"it can't be read: {event.problem}"
    if not 0 < record.seq <= MAX_INTEGER or not 0 < record.version <= MAX_INTEGER:
        yield f"its position {record.seq} or version {record.version} is out of range"
    if not is_moment(record.at):
        yield f"its time {record.at!r} is not a time"
    if not (record.id and len(record.id) <= MAX_NAME_BYTES and record.id.isprintable()):
        yield f"its id {record.id[:MAX_NAME_BYTES]!r} is not an id"
    yield from _faults_of_stream(record)
    judge = _JUDGES.get(event.type)
    if judge is not None:
        yield from judge(event)


def _faults_of_stream(record: Record) -> Iterator[str]:
    event, stream = record.data, record.stream
    if isinstance(event, Merged):
        fits = stream == event.origin
    elif isinstance(event, Repaired | SetAside):
        fits = stream == LEDGER_STREAM
    else:
        fits = is_name(stream)
    if not fits:
        yield f"its stream {stream[:MAX_NAME_BYTES]!r} cannot be that of a {record.type} event"


def _names(**names: str | None) -> Iterator[str]:
    for field, name in names.items():
        if name is not None and not is_name(name):
            yield f"{field} {name[:MAX_NAME_BYTES]!r} is not an id"


def _time(field: str, text: str | None) -> Iterator[str]:
    if text is not None and not is_time(text):
        yield f"{field} {text[:40]!r} is not a time"


def _within(field: str, value: float | None, minimum: float, maximum: float = MAX_INTEGER) -> Iterator[str]:
    if value is not None and not minimum <= value <= maximum:
        yield f"{field} {value} is out of range"


def _owner(owner: Owner | None) -> Iterator[str]:
    if owner is not None:
        yield from _within("owner's pid", owner.pid, 0, 2**31)
        yield from _within("owner's process_start", owner.process_start, 0)


def _group_opened(event: GroupOpened) -> Iterator[str]:
    yield from _owner(event.owner)


def _started(event: Started) -> Iterator[str]:
    yield from _names(run_group_id=event.run_group_id, benchmark_id=event.benchmark_id)
    if not is_folder(event.benchmark_directory):
        yield f"benchmark_directory {event.benchmark_directory[:MAX_NAME_BYTES]!r} leads out of the workspace"
    yield from _within("attempt", event.attempt, 1)
    yield from _owner(event.owner)
    yield from _names(registration=event.registration, reproduces=event.reproduces)


def _heartbeat(event: Heartbeat) -> Iterator[str]:
    yield from _within("lease_seconds", event.lease_seconds, 0, MAX_LEASE_SECONDS)


def _outcome(event: Outcome) -> Iterator[str]:
    yield from _time("ended_at", event.ended_at)
    yield from _within("duration_seconds", event.duration_seconds, 0)
    yield from _within("return_code", event.return_code, -MAX_INTEGER)
    yield from _within("samples", event.samples, 0)
    yield from _within("stderr", event.stderr, 0, float("inf"))
    for artifact in (*event.artifacts, *event.logs):
        yield from _artifact(artifact)


def _artifact(artifact: Artifact) -> Iterator[str]:
    if not is_path(artifact.path) or not _DIGEST.fullmatch(artifact.sha256):
        yield f"the artifact {artifact.path[:MAX_NAME_BYTES]!r} is not a path below the run's folder with a SHA-256"
    yield from _within(f"bytes of {artifact.path[:MAX_NAME_BYTES]!r}", artifact.bytes, 0)


def _anew(anew: ScoreAnew | Rescored) -> Iterator[str]:
    yield from _within("samples", anew.samples, 0)
    yield from _within("stderr", anew.stderr, 0, float("inf"))


def _excluded(event: SamplesExcluded | SamplesIncluded) -> Iterator[str]:
    if not event.samples:
        yield "it names no sample"
    yield from _anew(event.anew)


def _rescored(event: Rescored) -> Iterator[str]:
    yield from _anew(event)
    if not _DIGEST.fullmatch(event.scorer.sha256):
        yield f"the scorer's digest {event.scorer.sha256[:MAX_NAME_BYTES]!r} is not a SHA-256"
    if event.artifact is not None:
        yield from _artifact(event.artifact)


def _recovered(event: Recovered) -> Iterator[str]:
    yield from _time("last_seen_at", event.last_seen_at)
    yield from _time("ended_at", event.ended_at)
    yield from _within("duration_seconds", event.duration_seconds, 0)
    if event.adopted is not None:
        yield from _outcome(event.adopted)


def _of_a_group(event: Skipped | Incompatible) -> Iterator[str]:
    yield from _names(benchmark_id=event.benchmark_id)
    if isinstance(event, Skipped):
        yield from _names(existing_run_id=event.existing_run_id)


def _group_closed(event: GroupClosed) -> Iterator[str]:
    counts = event.counts
    for value in (counts.succeeded, counts.failed, counts.skipped, counts.incompatible):
        yield from _within("a count", value, 0)


def _imported(event: Imported) -> Iterator[str]:
    run = event.run
    for field in ("started_at", "ended_at"):
        if isinstance(text := run.get(field), str):
            yield from _time(field, text)
    for field in ("samples", "stderr", "duration_seconds"):
        if isinstance(value := run.get(field), int | float):
            yield from _within(field, value, 0, float("inf") if field == "stderr" else MAX_INTEGER)
    if isinstance(value := run.get("attempt"), int):
        yield from _within("attempt", value, 1)
    if isinstance(name := run.get("benchmark_id"), str):
        yield from _names(benchmark_id=name)
    if isinstance(name := run.get("run_group_id"), str) and name:
        yield from _names(run_group_id=name)
    if isinstance(name := run.get("benchmark_directory"), str) and not is_folder(name):
        yield f"benchmark_directory {name[:MAX_NAME_BYTES]!r} leads out of the workspace"


def _merged(event: Merged) -> Iterator[str]:
    if not ORIGIN.fullmatch(event.origin) and event.position:
        yield f"{event.origin[:MAX_NAME_BYTES]!r} is not a ledger's origin"
    yield from _within("position", event.position, 0)


def _set_aside(event: SetAside) -> Iterator[str]:
    if any(first < 1 or count < 1 or first + count > MAX_INTEGER for first, count in event.events):
        yield "its positions are not positions of a ledger"


def _registered(event: Registered) -> Iterator[str]:
    for task in event.benchmarks:
        yield from _names(benchmark_id=task.id)
    yield from _within("n", event.n, 1)
    yield from _within("repeats", event.repeats, 1)
    yield from _time("deadline", event.deadline)


def _published(event: TablePublished) -> Iterator[str]:
    yield from _names(name=event.name)
    yield from _within("version", event.version, 1)
    for row in event.rows:
        yield from _names(benchmark_id=row.benchmark_id)
        for run in row.runs:
            yield from _names(run_id=run.run_id)
            yield from _within("samples", run.samples, 0)
            if not _DIGEST.fullmatch(run.hash):
                yield f"the hash of {run.run_id[:MAX_NAME_BYTES]!r} is not a SHA-256"


def _reproduced(event: Reproduced) -> Iterator[str]:
    yield from _names(run=event.of.run)
    if not _DIGEST.fullmatch(event.of.hash):
        yield f"the hash {event.of.hash[:MAX_NAME_BYTES]!r} is not a SHA-256"


_JUDGES: dict[str, Callable[[Any], Iterator[str]]] = {
    GroupOpened.type: _group_opened,
    Started.type: _started,
    Heartbeat.type: _heartbeat,
    Finished.type: _outcome,
    Failed.type: _outcome,
    Recovered.type: _recovered,
    Skipped.type: _of_a_group,
    Incompatible.type: _of_a_group,
    GroupClosed.type: _group_closed,
    SamplesExcluded.type: _excluded,
    SamplesIncluded.type: _excluded,
    Rescored.type: _rescored,
    Imported.type: _imported,
    Merged.type: _merged,
    SetAside.type: _set_aside,
    Registered.type: _registered,
    TablePublished.type: _published,
    Reproduced.type: _reproduced,
}
"""Types without an entry (remarks, retractions, references, repairs) hold free texts."""


def _void_end(event: Outcome) -> str | None:
    return None if is_moment(event.ended_at) else f"it ended at {event.ended_at[:40]!r}, which is not a time"


def _void_recovery(event: Recovered) -> str | None:
    if event.ended_at is not None and not is_moment(event.ended_at):
        return f"it ended at {event.ended_at[:40]!r}, which is not a time"
    return None if event.adopted is None else _void_end(event.adopted)


def _void_import(event: Imported) -> str | None:
    for name in ("started_at", "ended_at"):
        text = event.run.get(name)
        if isinstance(text, str) and not is_time(text):
            return f"{name} is {text[:40]!r}, which is not a time"
    status = event.run.get("status")
    return (
        None
        if status in ("succeeded", "failed")
        else f"its status is {str(status)[:40]!r}, but only runs that ended are imported"
    )


_VOID: dict[str, Callable[[Any], str | None]] = {
    Finished.type: _void_end,
    Failed.type: _void_end,
    Recovered.type: _void_recovery,
    Imported.type: _void_import,
    Unreadable.type: lambda event: f"it can't be read: {event.problem}",
}
