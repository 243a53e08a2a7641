"""The keys and values in the tables of an index, and the index as the base of a history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import TypeVar

import msgspec

from ..aside import Positions, ranges_of
from ..base import Likeness, Published, Work, is_guide, likenesses, work_of
from ..events import Record
from ..fold import Group, Run, without_details
from ..history import History
from ..registrations import Registration
from ..storage.chain import Head
from ..storage.codec import split
from .layers import Layers
from .meta import Count, Meta
from .table import decode

T = TypeVar("T")

_RUN, _GROUP, _VERSION, _OPENED = b"r", b"g", b"v", b"o"
_OF_SIGNATURE, _OF_GROUP, _PUBLISHED, _LAST, _WORK = b"s", b"m", b"h", b"l", b"w"
_REGISTRATION, _REGISTERED = b"p", b"b"

_Ids = list[str]
_encode = msgspec.msgpack.Encoder().encode
_runs = msgspec.msgpack.Decoder(Run)
_groups = msgspec.msgpack.Decoder(Group)
_numbers = msgspec.msgpack.Decoder(int)
_ids = msgspec.msgpack.Decoder(_Ids)
_published = msgspec.msgpack.Decoder(list[Published])
_last = msgspec.msgpack.Decoder(tuple[int, str])
_works = msgspec.msgpack.Decoder(Work)
_registrations = msgspec.msgpack.Decoder(Registration)


def _key(kind: bytes, name: str) -> bytes:
    """Make a key of fixed length from a name of any length and content."""
    return kind + blake2b(name.encode(errors="surrogatepass"), digest_size=16).digest()


def _key_of_work(benchmark_id: str, signature: str) -> bytes:
    return _key(_key(_WORK, benchmark_id), signature)


def _key_of(likeness: Likeness) -> bytes:
    return _key(_LAST, repr(msgspec.structs.astuple(likeness)))


class Index:
    """The state of a ledger after the event `head`, as a `Base`. Every method that reads raises IndexDamaged."""

    def __init__(self, layers: Layers) -> None:
        meta = layers.meta
        self.layers = layers
        self.head = meta.head
        self.seq = meta.head.seq
        self.hash = meta.head.hash if meta.head.seq else ""
        self.at = meta.at
        self.aside: Positions = frozenset(
            position for first, count in meta.aside for position in range(first, first + count)
        )
        self.brought = meta.brought
        self.open_runs = meta.open_runs
        self.open_groups = meta.open_groups
        self.runs = sum(meta.runs.values())
        self.groups = meta.groups

    def _get(self, decoder: msgspec.msgpack.Decoder[T], key: bytes) -> T | None:
        entry = self.layers.get(key)
        return None if entry is None else decode(decoder, *entry)

    def all(self, decoder: msgspec.msgpack.Decoder[T], prefix: bytes) -> Iterator[T]:
        """The values of all keys that begin with `prefix`."""
        path = self.layers.layers[-1].table.path if self.layers.layers else None
        for _, value in self.layers.entries(prefix):
            assert path is not None  # noqa: S101 - for the type checker: entries come from layers
            yield decode(decoder, value, path)

    def run(self, run_id: str) -> Run | None:
        """A run by its id; an ended run is without details."""
        return self._get(_runs, _key(_RUN, run_id))

    def group(self, run_group_id: str) -> Group | None:
        """A group by its id."""
        return self._get(_groups, _key(_GROUP, run_group_id))

    def all_runs(self) -> list[str]:
        """The ids of all runs, in the order of their first events. This reads the whole index."""
        return [run_id for _, run_id in sorted((run.first_seq, run.run_id) for run in self.all(_runs, _RUN))]

    def all_groups(self) -> list[str]:
        """The ids of all groups, in the order of their first events. This reads the whole index."""
        names = [group.run_group_id for group in self.all(_groups, _GROUP)]
        return sorted(names, key=lambda name: self.opened_at(name) or 0)

    def opened_at(self, run_group_id: str) -> int | None:
        """The position of a group's first event."""
        return self._get(_numbers, _key(_OPENED, run_group_id))

    def runs_with(self, signature: str) -> list[str] | None:
        """The ids of the runs of a signature, in the order of their first events."""
        return self._get(_ids, _key(_OF_SIGNATURE, signature))

    def runs_in(self, run_group_id: str) -> list[str] | None:
        """The ids of the runs of a group, in the order of their first events."""
        return self._get(_ids, _key(_OF_GROUP, run_group_id))

    def published(self, benchmark_id: str) -> list[Published] | None:
        """The high scores that were published for a benchmark, in their order."""
        return self._get(_published, _key(_PUBLISHED, benchmark_id))

    def registration(self, registration_id: str) -> Registration | None:
        """A registered plan by its id."""
        return self._get(_registrations, _key(_REGISTRATION, registration_id))

    def registered_for(self, benchmark_id: str) -> list[str] | None:
        """The ids of the registered plans for a benchmark, in their order."""
        return self._get(_ids, _key(_REGISTERED, benchmark_id))

    def last_success(self, likeness: Likeness) -> tuple[int, str] | None:
        """The latest successful run that matches `likeness`: the position of its first event, and its id."""
        return self._get(_last, _key_of(likeness))

    def works(self, benchmark_id: str) -> Iterator[Work]:
        """The last run of each signature of a benchmark; imported runs are left out."""
        return self.all(_works, _key(_WORK, benchmark_id))

    def version(self, stream: str) -> int:
        """The number of events of a stream."""
        return self._get(_numbers, _key(_VERSION, stream)) or 0


NO_INDEX = Index(Layers())
"""The index before the first event."""


def says_the_same(index: Index, history: History) -> bool:
    """Whether an index and a history of all events agree about runs and signatures.

    What changed after the index was written is not compared. Raises IndexDamaged.
    """
    known = 0
    for run in index.all(_runs, _RUN):
        now = history.runs.get(run.run_id)
        if now is None or now.first_seq > index.seq:
            return False
        if now.last_seq <= index.seq and run != (now if now.status == "running" else without_details(now)):
            return False
        known += 1
    by_signature: dict[bytes, list[str]] = {}
    for run in history.runs.values():
        known -= run.first_seq <= index.seq
        if run.first_seq <= index.seq and run.imported is None:
            by_signature.setdefault(_key(_OF_SIGNATURE, run.signature), []).append(run.run_id)
    signatures = index.layers.entries(_OF_SIGNATURE)
    are_the_same = all(by_signature.pop(key, None) == _ids.decode(value) for key, value in signatures)
    return are_the_same and not by_signature and not known


class Tally:
    """Counts events and their sizes while an index is updated."""

    def __init__(self, before: Meta) -> None:
        self.numbers = Counter({kind: count.events for kind, count in before.events.items()})
        self.sizes = Counter({kind: count.bytes for kind, count in before.events.items()})
        self.first_at = before.first_at
        self.versions: dict[str, int] = {}

    def take(self, lines: bytes, records: list[Record]) -> None:
        """Count the events of whole lines."""
        self.first_at = self.first_at or records[0].at
        kinds = [record.type for record in records]
        self.numbers.update(kinds)
        sizes = self.sizes
        for kind, line in zip(kinds, split(lines), strict=True):
            sizes[kind] += len(line) + 1
        self.versions.update({record.stream: record.version for record in records})

    @property
    def events(self) -> dict[str, Count]:
        """The number and size of events by type."""
        return {kind: Count(number, self.sizes[kind]) for kind, number in sorted(self.numbers.items())}


def entries_of(history: History, index: Index, tally: Tally) -> dict[bytes, bytes]:
    """The entries that a history based on an index adds or changes."""
    changes = history.changes()
    entries = {_key(_VERSION, stream): _encode(version) for stream, version in tally.versions.items()}
    for run_id, run in changes.runs.items():
        entries[_key(_RUN, run_id)] = _encode(run if run.status == "running" else without_details(run))
    for name, group in changes.groups.items():
        entries[_key(_GROUP, name)] = _encode(group)
    entries |= {_key(_REGISTRATION, name): _encode(one) for name, one in changes.registrations.items()}
    for kind, lists in (
        (_OF_SIGNATURE, changes.by_signature),
        (_OF_GROUP, changes.by_group),
        (_REGISTERED, changes.registered_for),
    ):
        entries |= {_key(kind, name): _encode(ids) for name, ids in lists.items()}
    entries |= {_key(_OPENED, name): _encode(seq) for name, seq in changes.opened_at.items()}
    entries |= {_key(_PUBLISHED, name): _encode(scores) for name, scores in changes.published.items()}
    for likeness, found in _last_successes(changes.runs.values(), index).items():
        entries[_key_of(likeness)] = _encode(found)
    for run in changes.runs.values():
        # A run that the index knew may no longer be the last one of its work; a run that began later is.
        if run.imported is None and run.first_seq > index.seq:
            entries[_key_of_work(run.benchmark_id, run.signature)] = _encode(work_of(run))
    return entries


def _last_successes(runs: Iterable[Run], index: Index) -> dict[Likeness, tuple[int, str]]:
    last: dict[Likeness, tuple[int, str]] = {}
    for run in filter(is_guide, runs):
        for likeness in likenesses(run.benchmark_id, run.signature, run.options_key, run.model):
            known = last.get(likeness)
            if known is None:
                # A run that the index does not know began later than every run that it knows.
                known = index.last_success(likeness) if run.first_seq <= index.seq else None
            known = known or (0, "")
            last[likeness] = max(known, (run.first_seq, run.run_id))
    return last


def meta_of(history: History, index: Index, tally: Tally) -> Meta:
    """The metadata after the last event of a history that is based on an index."""
    runs = Counter(index.layers.meta.runs)
    for run in history.changes().runs.values():
        if run.first_seq <= index.seq and (before := index.run(run.run_id)):
            runs[before.status] -= 1
        runs[run.status] += 1
    return Meta(
        after=index.head,
        head=Head(history.seq, history.hash),
        first_at=tally.first_at,
        at=history.at,
        open_runs=[run.run_id for run in history.open_runs()],
        open_groups=[group.run_group_id for group in history.open_groups()],
        aside=ranges_of(history.aside),
        brought=history.brought,
        events=tally.events,
        runs={status: number for status, number in sorted(runs.items()) if number},
        groups=len(history.groups),
    )
