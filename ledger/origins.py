"""Finds the ledger that each event comes from, and proves that the event is unchanged.

A `merged` event claims that some events of this ledger came from another one. Such a claim is accepted only if the
events, with their original positions, make the chain that it names. A `merged` event that was itself merged is about
the ledger that it came from, so its positions are translated.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import msgspec

from .aside import set_aside_in
from .events import Event, HighScorePublished, Imported, Merged, Record, Repaired, SetAside
from .storage import codec
from .storage.chain import GENESIS, BadLine, origin_of
from .store import EventReader, Finding

Range = tuple[int, int]
"""A first position and a count."""


class Claim(msgspec.Struct, frozen=True):
    """A `merged` event at position `seq`, with its ranges as positions in this ledger.

    `within` are the claims of ledgers that had been merged into the other one. `fault` says why the claim is
    impossible; it then has no effect.
    """

    seq: int
    event: Merged
    places: list[Range]
    within: list[Claim]
    fault: str | None = None

    def holds(self, seq: int) -> bool:
        """Whether the event at that position came from the other ledger."""
        return any(first <= seq < first + count for first, count in self.places)


class Origins:
    """Finds the ledger that an event comes from. `merges` are a ledger's `merged` events, `first_hash` its first hash.

    `arriving` is a claim that is about to be made. Leave out events that are set aside: they make no claims.
    """

    def __init__(self, merges: Sequence[Record], first_hash: str, arriving: Claim | None = None) -> None:
        self.own = origin_of(first_hash)
        self.claims = _claims([(r.seq, r.data) for r in merges if isinstance(r.data, Merged)])
        believed = [claim for claim in [*self.claims, *([arriving] if arriving else [])] if claim.fault is None]
        self._brought = [(span, claim) for claim in believed for span in _brought_by(claim)]
        for number, claim in enumerate(believed):
            self._brought += _cut_short(claim, believed[number + 1 :])

    def way_of(self, seq: int) -> list[str]:
        """The origins of the ledgers that an event came through; the ledger that was merged into this one is first.

        Empty for an event that was written here.
        """
        for (first, count), claim in self._brought:
            if first <= seq < first + count:
                return _way(claim, seq)
        return []

    def brought(self) -> list[Range]:
        """The ranges of all events that were not written here."""
        return [span for span, _ in self._brought]

    def brought_by(self, claim: Claim) -> list[Range]:
        """The ranges of the events that came with one of the claims."""
        return [span for span, other in self._brought if other.seq == claim.seq]

    def faults(self, reader: EventReader) -> Iterator[Finding]:
        """Every false claim. The last claim about a merged ledger proves its whole chain."""
        yield from _faults(self.claims, reader)


_OF_ANY_LEDGER = (HighScorePublished, Imported, Merged, Repaired, SetAside)
"""Events that are not about a run or group, or that the fold takes only once."""


def may_speak(event: Event, way: Sequence[str], begun: Sequence[str]) -> bool:
    """Whether an event that came through the ledgers `way` may be about a run that began in one of those in `begun`."""
    return isinstance(event, _OF_ANY_LEDGER) or not set(way).isdisjoint(begun)


def origins_of(reader: EventReader, arriving: Claim | None = None) -> Origins:
    """The origins of the events of a ledger."""
    first = next(reader.read(), None)
    aside = set_aside_in(reader)
    merges = [record for record in reader.read(types=[Merged.type]) if record.seq not in aside]
    return Origins(merges, first.hash if first else GENESIS, arriving)


def brought_by(record: Record) -> list[Range]:
    """The ranges of the events that came with a `merged` event, as it says; empty if that is impossible."""
    event = record.data
    if not isinstance(event, Merged) or _impossible(event, record.seq):
        return []
    return _brought_by(Claim(record.seq, event, event.stretches, []))


def _claims(merges: list[tuple[int, Merged]]) -> list[Claim]:
    """The claims of one ledger, in order. A claim that was itself merged is `within` the claim that holds it."""
    top: list[Claim] = []
    within: dict[int, list[tuple[int, Merged]]] = {}
    # The last one first: a claim comes after the events that it claims, so also after the claims among them.
    for seq, event in reversed(merges):
        fault = _impossible(event, seq)
        holder = next((claim for claim in top if claim.fault is None and claim.holds(seq)), None)
        if holder is not None:
            within.setdefault(holder.seq, []).insert(0, (seq, event))
        else:
            top.append(Claim(seq, event, [] if fault else event.stretches, [], fault))
    return [
        msgspec.structs.replace(claim, within=_translated(within.get(claim.seq, []), claim)) for claim in reversed(top)
    ]


def _impossible(event: Merged, seq: int) -> str | None:
    """Why the ranges of a `merged` event at a position are impossible; None if they are possible."""
    end = total = 0
    for first, count in sorted(event.stretches):
        if first <= end or count < 1:
            return f"it claims an invalid range, or one position twice: {first}, {count}"
        end, total = first + count - 1, total + count
    if end >= seq:
        return f"it claims event {end}, but is event {seq} itself"
    if total != event.position:
        return f"it claims {total} places for {event.position} events"
    if event.coming < 0 or (event.added is not None and event.added != _held(event.stretches, seq - event.added, seq)):
        return f"its counts are impossible: {event.added} events came with it, {event.coming} follow"
    return None


def _held(ranges: list[Range], begin: int, end: int) -> int:
    """The number of positions from `begin` to before `end` that are in the ranges."""
    return sum(max(0, min(end, first + count) - max(begin, first)) for first, count in ranges)


def _translated(merges: list[tuple[int, Merged]], outer: Claim) -> list[Claim]:
    """Claims of a merged ledger, with the positions that its events have here."""
    theirs = [(_position_in(outer.places, seq), event) for seq, event in merges]
    positions = {old: seq for (old, _), (seq, _) in zip(theirs, merges, strict=True)}
    return [_moved(claim, positions[claim.seq], outer.places) for claim in _claims(theirs)]


def _moved(claim: Claim, seq: int, outer: list[Range]) -> Claim:
    within = [_moved(inner, _place_of(outer, inner.seq), outer) for inner in claim.within]
    return msgspec.structs.replace(claim, seq=seq, places=_places(claim.places, outer), within=within)


def _position_in(ranges: list[Range], seq: int) -> int:
    """The position that an event had in the other ledger."""
    before = 0
    for first, count in ranges:
        if first <= seq < first + count:
            return before + seq - first + 1
        before += count
    raise AssertionError("called only for positions in the ranges")


def _place_of(ranges: list[Range], position: int) -> int:
    """The position here of an event that had `position` in the other ledger."""
    for first, count in ranges:
        if position <= count:
            return first + position - 1
        position -= count
    raise AssertionError("called only for positions of the other ledger")


def _places(inner: list[Range], outer: list[Range]) -> list[Range]:
    """Ranges of a merged ledger, as ranges of this one."""
    ranges: list[Range] = []
    for first, count in inner:
        before = 0
        for begin, length in outer:
            low, high = max(first, before + 1), min(first + count, before + length + 1)
            if low < high:
                ranges.append((begin + low - before - 1, high - low))
            before += length
    return ranges


def _brought_by(claim: Claim) -> list[Range]:
    """The ranges of the events that came with a claim."""
    if claim.event.added is not None:
        spans = [(claim.seq - claim.event.added, claim.event.added)] if claim.event.added else []
    else:
        # An older version wrote it: the events are right before it, and a common beginning was already here.
        alike = 0
        if claim.places and claim.places[0][0] == 1:
            alike = claim.places[0][1]
        first = claim.seq
        while first - 1 > alike and claim.holds(first - 1):
            first -= 1
        spans = [(first, claim.seq - first)] if first < claim.seq else []
    return spans


def _cut_short(announced: Claim, later: list[Claim]) -> Iterator[tuple[Range, Claim]]:
    """The events that were announced, but whose claim is missing because of a crash. A later claim covers them."""
    begin = announced.seq + 1
    for claim in later:
        if claim.event.origin == announced.event.origin:
            ends = [first + count for first, count in claim.places if first <= begin < first + count]
            if count := min(announced.event.coming, ends[0] - begin) if ends else 0:
                yield (begin, count), claim
                return


def _way(claim: Claim, seq: int) -> list[str]:
    inner = next((one for one in claim.within if one.fault is None and one.holds(seq)), None)
    return [claim.event.origin, *(_way(inner, seq) if inner else [])]


def _faults(claims: list[Claim], reader: EventReader) -> Iterator[Finding]:
    for number, claim in enumerate(claims):
        if claim.fault is not None:
            yield Finding(claim.seq, f"the merge of {claim.event.origin[:80]} is impossible: {claim.fault}")
        elif not any(_continues(later, claim) for later in claims[number + 1 :]):
            yield from _unlike(claim, reader)
        yield from _faults(claim.within, reader)


def _continues(later: Claim, earlier: Claim) -> bool:
    """Whether the ranges of a claim begin with those of an earlier one about the same ledger."""
    if later.fault is not None or later.event.origin != earlier.event.origin:
        return False
    before, after = earlier.event.stretches, later.event.stretches
    length = len(before)
    if length == 0:
        return True
    if len(after) < length or before[:-1] != after[: length - 1]:
        return False
    (begin, count), (other, longer) = before[-1], after[length - 1]
    return begin == other and count <= longer


def _unlike(claim: Claim, reader: EventReader) -> Iterator[Finding]:
    """Give the events their original positions, and check that their chain begins and ends as it did."""
    event = claim.event
    versions: dict[str, int] = {}
    seq, digest, origin = 0, GENESIS, event.origin
    try:
        for first, count in claim.places:
            for line in itertools.islice(reader.read_lines(after=first - 1), count):
                envelope = codec.read_envelope(line)
                seq += 1
                version = versions[envelope.stream] = versions.get(envelope.stream, 0) + 1
                digest = codec.renumber(line, seq=seq, version=version, prev=digest)
                if seq == 1:
                    origin = origin_of(digest)
    except BadLine as problem:
        yield Finding(claim.seq, f"the events that were merged from {event.origin[:80]} cannot be read: {problem}")
        return
    if (seq, digest) != (event.position, event.head_hash):
        changed = f"the events that were merged from {event.origin[:80]} are not what they were there: their chain ends"
        yield Finding(claim.seq, f"{changed} with {digest}, but ended with {event.head_hash[:64]}")
    elif origin != event.origin:
        yield Finding(claim.seq, f"the events that were merged from {event.origin[:80]} began as {origin}")
