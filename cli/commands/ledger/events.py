"""`ledger log` and `ledger replay`: the events in order, and what each one changed in a run."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Any

import click
import msgspec

from ....ledger.errors import ImpossibleTransition
from ....ledger.events import EVENT_TYPES, HighScorePublished, Imported, Incompatible, Record, Skipped, Started
from ....ledger.fold import Group, Run, evolve, evolve_group
from ....ledger.follow import follow_lines
from ....ledger.identity import parse_utc
from ....ledger.judgement import is_moment
from ....ledger.storage import codec
from ....ledger.storage.codec import Envelope
from ....ledger.suggestions import did_you_mean
from ....orchestrator.errors import UsageError
from ...context import Place, in_place, json_option, moment_of, note, print_json
from ...ranges import Whole
from ...streams import emit


@click.command()
@click.option("--limit", type=Whole(1, 10**12), metavar="N", help="Show only the last N events.")
@click.option("--type", "types", multiple=True, help="Show only events of this type (repeatable).")
@click.option("--run", "stream", metavar="ID", help="Show only events of this run.")
@click.option("--stream", "stream_too", metavar="ID", help="Show only events of this run, run group or benchmark.")
@click.option("--benchmark", metavar="ID", help="Show only events about this benchmark.")
@click.option("--since", metavar="TIME", help="Show only events from this time on.")
@click.option("--until", metavar="TIME", help="Show only events up to this time.")
@click.option("--follow", is_flag=True, help="Keep printing new events until interrupted.")
@json_option
@in_place
def log(
    place: Place,
    limit: int | None,
    types: tuple[str, ...],
    stream: str | None,
    stream_too: str | None,
    benchmark: str | None,
    since: str | None,
    until: str | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Show the events in order; with --json, one on each line, as they are in the ledger."""
    for kind in types:
        if kind not in EVENT_TYPES:
            hint = did_you_mean(kind, EVENT_TYPES)
            note(f"this version has no event type '{kind}'" + (f"\nhint: {hint}" if hint else ""))
    store = place.store()
    filter = Filter(
        streams=[name for name in (stream, stream_too) if name is not None],
        types=types,
        benchmark=benchmark,
        since=moment_of(since) if since else None,
        until=moment_of(until) if until else None,
    )
    show = _show_line if as_json else _show
    chosen: Iterator[bytes] | deque[bytes] = (line for line in store.read_lines() if filter.wants(line))
    for line in chosen if limit is None else deque(chosen, maxlen=limit):
        show(line)
    for fresh in follow_lines(store, after=filter.seq) if follow else ():
        if fresh is None:
            sys.stdout.flush()
        elif filter.wants(fresh):
            show(fresh)


class Filter:
    """Selects events. It must see every event, in order, to know which runs belong to a benchmark."""

    def __init__(
        self,
        *,
        streams: Collection[str],
        types: Collection[str],
        benchmark: str | None,
        since: datetime | None,
        until: datetime | None,
    ) -> None:
        self._streams = streams
        self._types = types
        self._benchmark = benchmark
        self._since = since
        self._until = until
        self._runs: set[str] = set()
        self.seq = 0
        """The position of the last event seen."""

    def wants(self, line: bytes) -> bool:
        """Whether this event matches."""
        envelope = codec.read_envelope(line)
        self.seq = envelope.seq
        is_about = self._benchmark is None or self._is_about_benchmark(envelope, line)
        if self._since or self._until:
            if not is_moment(envelope.at):
                return False  # Its time is not a valid one.
            at = parse_utc(envelope.at)
            if (self._since and at < self._since) or (self._until and at > self._until):
                return False
        return (
            is_about
            and all(envelope.stream == stream for stream in self._streams)
            and (not self._types or envelope.type in self._types)
        )

    def _is_about_benchmark(self, envelope: Envelope, line: bytes) -> bool:
        if envelope.type in (Started.type, Imported.type, Skipped.type, Incompatible.type):
            event: Any = codec.read(line).data
            name = event.run.get("benchmark_id") if isinstance(event, Imported) else _benchmark_id(event)
            if name == self._benchmark and envelope.type in (Started.type, Imported.type):
                self._runs.add(envelope.stream)
            return bool(name == self._benchmark)
        if envelope.type == HighScorePublished.type:
            return envelope.stream == self._benchmark
        return envelope.stream in self._runs


def _benchmark_id(event: Any) -> str | None:
    """The benchmark that an event names; None if its data cannot be read."""
    return getattr(event, "benchmark_id", None)


def _show(line: bytes) -> None:
    record = codec.read_envelope(line)
    print(f"{record.seq:>8}  {record.at}  {record.type:<20}  {record.stream}  {line[-66:-54].decode()}")


def _show_line(line: bytes) -> None:
    emit(line.decode() + "\n")


@click.command()
@click.argument("stream", metavar="RUN")
@json_option
@in_place
def replay(place: Place, stream: str, as_json: bool) -> None:
    """Show the events of RUN (or of a run group), and what each one changed."""
    records = list(place.store().read(stream=stream))
    if not records:
        raise UsageError(f"the ledger has no events of '{stream}'", "benchmarks show-runs lists the runs")
    steps = list(_steps(records))
    if as_json:
        print_json([{"seq": step.seq, "at": step.at, "type": step.type, "changes": step.changes} for step in steps])
        return
    for step in steps:
        print(f"{step.seq:>8}  {step.at}  {step.type}")
        for name, (before, after) in step.changes.items():
            change = _text(after) if before is None else f"{_text(before)} -> {_text(after)}"
            print(f"{'':>10}{name}: {change}")
        if step.problem:
            print(f"{'':>10}ignored, since it is impossible here: {step.problem}")


class Step(msgspec.Struct, frozen=True):
    """One event, and the fields that it changed, each with its value before and after."""

    seq: int
    at: str
    type: str
    changes: dict[str, tuple[Any, Any]]
    problem: str | None = None


def _steps(records: list[Record]) -> Iterator[Step]:
    state: Run | Group | None = None
    for record in records:
        before = msgspec.to_builtins(state) if state else {}
        problem = None
        try:
            state = _evolve(state, record)
        except ImpossibleTransition as reason:
            problem = str(reason)
        after = msgspec.to_builtins(state) if state else {}
        changes = {
            name: (before.get(name), value)
            for name, value in after.items()
            if value != before.get(name) and not _is_empty(value) and name not in _BOOKKEEPING
        }
        yield Step(record.seq, record.at, record.type, changes, problem)


def _is_empty(value: Any) -> bool:
    return value is None or value is False or value in ("", [], {})


_BOOKKEEPING = {"first_seq", "last_seq", "ended_seq", "last_seen_at", "created_at"}


def _evolve(state: Run | Group | None, record: Record) -> Run | Group:
    evolver: Callable[..., Run | Group] = evolve_group if record.type.startswith("group_") else evolve
    if isinstance(state, Group):
        evolver = evolve_group
    return evolver(state, record)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 160 else f"{text[:157]}..."
