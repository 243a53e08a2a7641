"""Checks the events of another ledger before any of them is imported: all of them or none.

An event must pass the same checks as an append here: its line has our form, its fields are possible (`judgement`), and
the history of its run allows it (`fold`). Also, only the ledger in which a run began may end, retract or annotate it,
and everything that the other ledger says of ledgers that were merged into it is proven (`origins`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import msgspec

from ..aside import NOTHING, Positions, extend, set_aside_in
from ..errors import ImpossibleTransition, LedgerError
from ..events import Merged
from ..history import History
from ..judgement import faults_of
from ..origins import Claim, Range, may_speak, origins_of
from ..storage import codec
from ..storage.chain import BadLine
from ..storage.codec import Envelope
from ..store import EventReader, EventStore, Finding
from .packed import MAX_LINE_BYTES
from .places import Places

_MAX_SHOWN = 20
"""Maximum number of refusals that an error lists; the rest are counted."""


class Source(EventReader, Protocol):
    """Something to import from: a store, or a file of lines."""

    def prove(self) -> Iterator[bytes]:
        """As `EventStore.prove`."""
        ...


class RefusedLedger(LedgerError):
    """A ledger with events that cannot have happened. Nothing was imported; `findings` are the first of them."""

    def __init__(self, url: str, findings: Sequence[Finding], count: int) -> None:
        self.findings, self.count = list(findings), count
        shown_events = [f"  event {finding.seq}: {shown(finding.text)}" for finding in findings]
        if count > len(shown_events):
            shown_events.append(f"  and {count - len(shown_events)} more")
        what = "1 event" if count == 1 else f"{count} events"
        super().__init__(
            "\n".join(
                [
                    f"{shown(url)} was refused, and nothing was taken in: {what} cannot have happened",
                    *shown_events,
                    "hint: in the workspace that it comes from, `ledger verify` shows the same, and `ledger repair` "
                    "sets such events aside",
                ]
            )
        )


def shown(text: str) -> str:
    """A text of another origin for a terminal: one line, without control characters."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text[:300])


class Admitted(msgspec.Struct, frozen=True):
    """A ledger that may be imported; `aside` are the positions in it of events that it has set aside itself."""

    aside: Positions


def judge_continuation(store: EventStore, source: Source, *, shared: int) -> None:
    """Check the events of a copy of this ledger that follow the first `shared` events, which both have.

    Raises RefusedLedger, and LedgerDamaged if its chain is broken.
    """
    judging = _Judging(store, source)
    for seq, line in _numbered(source):
        judging.see_envelope(seq, line)
    judging.end()
    for finding in origins_of(source).faults(source):
        if finding.seq > shared:
            judging.refuse(finding.seq, finding.text)
    judging.aside = set_aside_in(source)
    for seq, line in _numbered(source):
        if seq > shared:
            judging.see(seq, line)
    judging.end()


def judge_other(store: EventStore, source: Source, *, origin: str, places: Places) -> Admitted:
    """Check the events of another ledger that are not in this one; `places` has the events of this one.

    Raises RefusedLedger, and LedgerDamaged if its chain is broken.
    """
    judging = _Judging(store, source)
    known: list[Range] = []
    for seq, line in _numbered(source):
        place = places.of_id.get(judging.see_envelope(seq, line).id)
        if place is not None:
            extend(known, place)
            if not places.says(place, line):
                judging.refuse(seq, f"its id is that of event {place} here, which has other content")
    judging.end()
    arriving = Claim(places.seq + 1, Merged(origin=origin, position=0, head_hash="", stretches=[], added=0), known, [])
    ours, theirs = origins_of(store, arriving), origins_of(source)

    def begun(stream: str) -> list[str]:
        first = places.first_of(stream)
        return [] if first is None else ours.way_of(first) or [ours.own]

    for finding in theirs.faults(source):
        judging.refuse(finding.seq, finding.text)
    judging.aside = set_aside_in(source)
    for seq, line in _numbered(source):
        if codec.read_envelope(line).id not in places.of_id:
            judging.see(seq, line, [origin, *theirs.way_of(seq)], begun)
    judging.end()
    return Admitted(judging.aside)


def _numbered(source: Source) -> Iterator[tuple[int, bytes]]:
    """The proven lines of a ledger, with their positions."""
    seq = 0
    for lines in source.prove():
        for line in codec.split(lines):
            seq += 1
            yield seq, line


class _Judging:
    """Continues the history as if the events were appended, and collects the events that do not fit."""

    def __init__(self, store: EventStore, source: Source) -> None:
        self.aside: Positions = NOTHING
        """The positions of events that the other ledger has set aside itself: they are not checked."""
        self._history = History.of(store, details=False)
        self._before = set(self._history.runs)
        self._ours = {*self._before, *self._history.groups, *self._history.registrations}
        self._source = source
        self._versions: dict[str, int] = {}
        self._ids: set[str] = set()
        self._refused: list[Finding] = []
        self._count = 0

    def refuse(self, seq: int, text: str) -> None:
        """Note that an event cannot be imported."""
        self._count += 1
        if len(self._refused) < _MAX_SHOWN:
            self._refused.append(Finding(seq, text))

    def see_envelope(self, seq: int, line: bytes) -> Envelope:
        """Check the position and version in a line: with wrong numbers the chain could not be proven here."""
        try:
            envelope = codec.read_envelope(line)
        except BadLine as problem:
            raise RefusedLedger(self._source.url, [Finding(seq, str(problem))], 1) from problem
        expected = self._versions.get(envelope.stream, 0) + 1
        if envelope.version != expected:
            self.refuse(seq, f"{envelope.stream}: version {envelope.version} instead of {expected}")
        if envelope.seq != seq:
            self.refuse(seq, f"it also says that it is event {envelope.seq}")
        if envelope.id in self._ids:
            self.refuse(seq, f"the id {envelope.id} occurs twice")
        self._ids.add(envelope.id)
        self._versions[envelope.stream] = envelope.version
        return envelope

    def see(
        self, seq: int, line: bytes, way: Sequence[str] = (), begun: Callable[[str], list[str]] | None = None
    ) -> None:
        """Check an event that is new here, and came through the ledgers `way`.

        `begun` returns the ledgers in which a run or group began; without it, all events are of one ledger.
        """
        if seq in self.aside:
            return
        try:
            record, is_plain = codec.read(line), len(line) <= MAX_LINE_BYTES and codec.is_plain(line)
        except BadLine as problem:
            self.refuse(seq, str(problem))
            return
        if not is_plain:
            self.refuse(seq, "its line does not have the form of an event, or is too long")
        if faults := list(faults_of(record)):
            self.refuse(seq, "; ".join(faults[:3]))
            return
        if begun and record.stream in self._ours and not may_speak(record.data, way, begun(record.stream)):
            self.refuse(seq, f"{record.type} of {record.stream}, which is not a run, group or plan of that ledger")
            return
        try:
            self._history.apply(record)
        except ImpossibleTransition as problem:
            self.refuse(seq, str(problem))

    def end(self) -> None:
        """Raises RefusedLedger if anything was refused."""
        groups = self._history.groups
        for run in self._history.runs.values():
            is_new = run.run_id not in self._before and run.imported is None
            if is_new and run.run_group_id not in groups:
                self.refuse(run.first_seq, f"{run.run_id}: its group {run.run_group_id!r} was never opened")
        if self._count:
            refused = sorted(self._refused, key=lambda finding: finding.seq)
            raise RefusedLedger(self._source.url, refused, self._count)
