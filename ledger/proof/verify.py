"""Verification of every byte of a ledger, of the transitions of runs, and of the files that runs recorded."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator

import msgspec

from ..aside import Positions, ranges_of, set_aside_by
from ..errors import LedgerDamaged
from ..events import Merged, Record, SetAside
from ..files.elsewhere import Elsewhere
from ..history import History
from ..index.keeping import is_wrong
from ..judgement import faults_of
from ..origins import Origins, may_speak
from ..storage import codec
from ..storage.chain import GENESIS, BadLine, Head, origin_of
from ..store import EventStore, Finding
from .checkpoint import Checkpoint, held_head
from .files import FileCheck, Files, FolderOf
from .kept import forget_wrong, kept_state
from .lines import Envelopes, Lines, Marks, pieces_until
from .second import SecondProcess, has_second_core
from .start import Start, start_after


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a verification.

    `damage`: the bytes were changed, or the history is not that of the checkpoint; events up to `position`
    are proven. `torn_bytes`: an unfinished last line, which the next append moves away. `story`: events that make no
    sense at their position. `artifacts`: files that are missing or changed. `notes`: remarks that are not faults.
    `doubtful`: the events, as pairs of a first position and a count, that `ledger repair` would set aside.
    `since` is the position after which events were checked; runs, groups and findings are about these events.
    """

    origin: str
    position: int
    head_hash: str
    torn_bytes: int
    files: int
    runs: int
    groups: int
    unknown: int
    damage: list[Finding]
    story: list[Finding]
    artifacts: list[Finding]
    notes: list[str]
    doubtful: list[tuple[int, int]] = []
    since: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether the verification found no faults; an unfinished last line is not a fault."""
        return not (self.damage or self.story or self.artifacts)


def verify(
    store: EventStore,
    *,
    folder_of: FolderOf | None = None,
    elsewhere: Elsewhere | None = None,
    checkpoint: Checkpoint | None = None,
    since: Checkpoint | None = None,
    aside_too: Positions = frozenset(),
) -> Report:
    """Check every byte of a ledger, without a lock and without changing anything.

    The chain and the transitions are checked up to the first break. The rest is checked separately, so that the report
    names every file to restore from a copy. With `folder_of`, the files that runs recorded are compared too, those that
    are not here in the stores of `elsewhere`; with a `checkpoint`, the history up to it must be unchanged. The events
    at `aside_too` are skipped, as are those that the ledger has set aside. Events are read in pieces; only the state of
    each run and the id of each event stay in memory. A second process proves the lines of a large ledger meanwhile.

    With `since`, only the events after that checkpoint are checked, and that the ledger holds the checkpoint's event.
    """
    files = Files(folder_of, elsewhere) if folder_of else None
    if since is not None:
        return _verify_since(store, since, files, aside_too)
    if _is_large(store) and (found := _verify_in_two(store, checkpoint, aside_too)) is not None:
        return found.report(None, files)
    verification = Verification(store, checkpoint, aside_too)
    broken: LedgerDamaged | None = None
    try:
        for records in store.prove_records():
            verification.see(records)
    except LedgerDamaged as problem:
        broken = problem
    return verification.report(broken, files)


def _verify_since(store: EventStore, since: Checkpoint, files: Files | None, aside_too: Positions) -> Report:
    broken: LedgerDamaged | None = None
    try:
        head = held_head(store, since)
    except LedgerDamaged as problem:
        return _without_checkpoint(store, since, problem)
    if head is None:
        return _without_checkpoint(store, since)
    verification = Verification(store, since, aside_too, start_after(store, head))
    try:
        for records in store.prove_records(head):
            verification.see(records)
    except LedgerDamaged as problem:
        broken = problem
    return verification.report(broken, files)


def _without_checkpoint(store: EventStore, since: Checkpoint, broken: LedgerDamaged | None = None) -> Report:
    """The report on a ledger that does not hold the history of a checkpoint, or is `broken` after it."""
    try:
        position = store.head().seq
        damage = list(against(since, since.origin, position, ()))
    except LedgerDamaged as problem:
        broken = problem
    if broken is not None:
        damage = [Finding(broken.trusted + 1, str(broken))]
    return Report(
        origin=since.origin,
        position=0,
        head_hash=GENESIS,
        torn_bytes=0,
        files=len(store.files()),
        runs=0,
        groups=0,
        unknown=0,
        damage=damage,
        story=[],
        artifacts=[],
        notes=[],
    )


_LARGE_BYTES = 16 * 1024 * 1024
"""For less, a second process takes too long to start: a fifth of a second."""


def _is_large(store: EventStore) -> bool:
    return has_second_core() and sum(file.lstat().st_size for file in store.files()) > _LARGE_BYTES


def _verify_in_two(store: EventStore, checkpoint: Checkpoint | None, aside_too: Positions) -> Verification | None:
    """The verification of a ledger by two processes; None if something is wrong with its lines."""
    try:
        second = SecondProcess(Lines, store.url, *_positions(store, checkpoint))
    except OSError:
        return None
    try:
        verification = Verification(store, checkpoint, aside_too)
        for records in pieces_until(store, store.head().seq):
            verification.read(records)
    except LedgerDamaged:
        second.end()
        return None
    except BaseException:
        second.end()
        raise
    lines = second.result()
    if lines is None or lines.head.seq < verification.head.seq:
        return None
    # The ledger may have grown: later events that only the second process read are left to the next verification.
    return verification if verification.take(lines) else None


def _positions(store: EventStore, checkpoint: Checkpoint | None) -> list[int]:
    """The positions at which the hash of the event and the root of the tree are wanted."""
    kept = kept_state(store)
    return [*([checkpoint.position] if checkpoint else []), *([kept.size] if kept else [])]


class Verification:
    """The state of a verification: it takes events in order, each proven to continue the chain.

    With a `start`, it begins after earlier events, which are not checked.
    """

    def __init__(
        self, store: EventStore, checkpoint: Checkpoint | None, aside_too: Positions, start: Start | None = None
    ) -> None:
        self._store = store
        self._checkpoint = checkpoint
        self._start = start
        self._declared = start.aside if start else _set_aside(store)
        self._aside = self._declared | aside_too
        self._history = start.history if start else History(aside=self._aside)
        self.head = start.head if start else Head()
        self._first_hash = start.first_hash if start else GENESIS
        self._marks = Marks([] if start else _positions(store, checkpoint))
        self._firsts = dict(start.firsts) if start else {}
        self._envelopes = Envelopes(start.versions, is_late=True) if start else Envelopes()
        self._merges: list[Record] = []

    def see(self, records: list[Record]) -> None:
        """Check the next events."""
        if records[0].seq == 1:
            self._first_hash = records[0].hash
        if not self._marks.is_done:
            self._marks.see([record.hash for record in records])
        self._envelopes.see(records)
        self.read(records)

    def read(self, records: list[Record]) -> None:
        """Check the meaning of the next events. Another process proves their lines."""
        self._history.read(records)
        for record in records:
            self._firsts.setdefault(record.stream, record.seq)
            if type(record.data) is Merged and record.seq not in self._aside:
                self._merges.append(record)
        self.head = Head(records[-1].seq, records[-1].hash)

    def take(self, lines: Lines) -> bool:
        """Take the result of the other process. Returns whether its lines are those of the events that were read."""
        self._first_hash = lines.first_hash
        self._marks.hashes, self._marks.roots = lines.hashes, lines.roots
        self._envelopes.findings = [finding for finding in lines.findings if finding.seq <= self.head.seq]
        return lines.head.seq > self.head.seq or lines.head == self.head

    def report(self, broken: LedgerDamaged | None, where: Files | None) -> Report:
        """The report after the last event, or after the first break."""
        history, since = self._history, self._start.head.seq if self._start else 0
        damage, notes = self._damage(broken)
        if not (damage or since or self._aside - self._declared) and is_wrong(self._store, history):
            notes.append("the index did not say what the ledger says: it was removed, and will be built anew")
        if not damage and not since and forget_wrong(self._store, self._marks.hashes, self._marks.roots):
            notes.append("the tiles beside the ledger were not those of its tree: they were removed")
        origins = Origins(self._all_merges(), self._first_hash)
        false_claims = _after(since, origins.faults(self._store))
        problems = _after(since, self._problems(origins))
        strays = _after(since, _strays(history, self._start.groups if self._start else ()))
        files = FileCheck(where, origins, since)
        return Report(
            origin=origin_of(self._first_hash),
            since=since,
            position=self.head.seq,
            head_hash=self.head.hash,
            torn_bytes=0 if broken else self._store.torn_bytes(),
            files=len(self._store.files()),
            runs=len(history.runs),
            groups=len(history.groups),
            unknown=history.unknown,
            damage=damage + false_claims,
            story=sorted({*problems, *strays}, key=lambda finding: (finding.seq, finding.text)),
            artifacts=list(files.compare(history)),
            notes=[*notes, *_notes(history, len(self._declared)), *files.notes()],
            doubtful=ranges_of(_doubtful(problems, strays, false_claims, origins)),
        )

    def _all_merges(self) -> list[Record]:
        """The `merged` events; earlier ones are included only if there is a new one."""
        if self._start is None or not self._merges:
            return self._merges
        return [*_merges_until(self._store, self._start.head.seq, self._aside), *self._merges]

    def _problems(self, origins: Origins) -> Iterator[Finding]:
        for problem in self._history.problems:
            yield Finding(problem.seq, problem.text)
        for finding in self._envelopes.findings:
            if finding.seq not in self._aside:
                yield finding
        yield from _of_others(self._store, origins, self._history, self._firsts, self._aside)

    def _known_hashes(self, position: int) -> set[str]:
        """What a checkpoint of that position may say: the root of the tree, or the hash of the event."""
        if self._start is not None:  # `held_head` has compared it.
            return {self._checkpoint.hash} if self._checkpoint else set()
        return {known[position] for known in (self._marks.hashes, self._marks.roots) if position in known}

    def _damage(self, broken: LedgerDamaged | None) -> tuple[list[Finding], list[str]]:
        """Damage of the bytes, or differences from the checkpoint; and remarks."""
        damage = [Finding(broken.trusted + 1, str(broken))] if broken else []
        notes: list[str] = []
        # An examination reads every byte, but the bytes before the start are not checked.
        for remark in self._store.examine(broken) if broken or not self._start else ():
            damage.append(remark) if isinstance(remark, Finding) else notes.append(remark)
        if self._checkpoint:
            known = self._known_hashes(self._checkpoint.position)
            damage += against(self._checkpoint, origin_of(self._first_hash), self.head.seq, known)
        return damage, notes


def _after(since: int, findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.seq > since or not since]


def _merges_until(store: EventStore, end: int, aside: Positions) -> Iterator[Record]:
    for record in store.read(types=[Merged.type]):
        if record.seq <= end and record.seq not in aside:
            yield record


def _doubtful(
    problems: list[Finding], strays: list[Finding], false_claims: list[Finding], origins: Origins
) -> set[int]:
    """The events that `ledger repair` would set aside."""
    doubtful = {finding.seq for finding in [*problems, *false_claims]}
    doubtful |= {finding.seq for finding in strays if origins.way_of(finding.seq)}
    refuted = {finding.seq for finding in false_claims}
    for claim in origins.claims:
        if claim.seq in refuted:
            # Events whose origin cannot be proven would not be imported.
            for first, count in origins.brought_by(claim):
                doubtful.update(range(first, first + count))
    return doubtful - {0}


def _set_aside(store: EventStore) -> Positions:
    """The events that are set aside, as far as the ledger can be read. The rest is reported as damage."""
    positions: set[int] = set()
    try:
        for record in store.read(types=[SetAside.type]):
            positions.update(set_aside_by(record))
    except LedgerDamaged:
        pass
    return frozenset(positions)


def _of_others(
    store: EventStore, origins: Origins, history: History, firsts: dict[str, int], aside: Positions
) -> Iterator[Finding]:
    """Merged events that an import would refuse today: impossible events, and events about runs of another ledger."""
    for first, count in origins.brought():
        for line in itertools.islice(store.read_lines(after=first - 1), count):
            try:
                record = codec.read(line)
            except BadLine:
                return  # The chain reports it.
            if record.seq in aside:
                continue
            if faults := list(faults_of(record)):
                yield Finding(record.seq, f"{record.stream[:200]}: {'; '.join(faults[:3])}")
            elif (record.stream in history.runs or record.stream in history.groups) and not may_speak(
                record.data, origins.way_of(record.seq), origins.way_of(firsts[record.stream]) or [origins.own]
            ):
                yield Finding(record.seq, f"{record.stream}: {record.type} by a ledger in which it did not begin")


def against(checkpoint: Checkpoint, origin: str, position: int, known: Collection[str]) -> Iterator[Finding]:
    """How the history differs from a checkpoint; `known` is what it may say of its position."""
    if checkpoint.position > position:
        fault = (
            f"the checkpoint has {checkpoint.position} events, but the ledger has {position}: the others were cut off"
        )
        yield Finding(position + 1, fault)
    elif checkpoint.hash not in known:
        yield Finding(checkpoint.position, "the checkpoint has another event here: the history was rewritten")
    elif checkpoint.position and not checkpoint.has_public_name and checkpoint.origin != origin:
        yield Finding(1, f"the checkpoint is of {checkpoint.origin}, but this ledger is {origin}")


def _strays(history: History, groups: Collection[str]) -> Iterator[Finding]:
    """The runs whose group is neither in the history nor in `groups`."""
    for run in history.runs.values():
        if run.imported is None and run.run_group_id not in history.groups and run.run_group_id not in groups:
            yield Finding(run.first_seq, f"{run.run_id}: its group {run.run_group_id!r} was never opened")


def _notes(history: History, aside: int) -> Iterator[str]:
    if running := sum(1 for _ in history.open_runs()):
        yield f"{running} runs have no end yet"
    if history.unknown:
        yield f"{history.unknown} events have types that this version does not know"
    if aside:
        yield f"{aside} events are set aside and do not count; `ledger log --type set_aside` shows by whom"
