"""The promises of every store, as tests. They are shipped so that other people can run them on their own store.

Derive from `EventStoreContract` and `unittest.TestCase`, override `open_store`, and run the class with unittest or
pytest; `docs/ledger.md` shows how.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from typing import TypeVar

import msgspec

from ..errors import EventConflict, LedgerDamaged, OtherHistory, UnreadableEvent, WrongExpectedVersion
from ..events import Annotated, Head, HighScorePublished, Imported, ImportSource, NewEvent, Record, Unknown
from ..store import BEGINNING, EventStore
from . import codec
from .chain import GENESIS, TAIL

E = TypeVar("E", bound=Exception)

_WAIT_SECONDS = 30.0


class EventStoreContract:
    """A mixin for `unittest.TestCase`; each test begins with an empty store."""

    def open_store(self) -> EventStore:
        """A new handle on this test's store; each call within a test opens the same one."""
        raise NotImplementedError

    # -- order and chain

    def test_positions_and_versions_count_from_one(self) -> None:
        """Positions count over the whole ledger, versions in each stream, without a gap."""
        store = self.open_store()
        _append(store, _note("a"), _note("b", stream="run_2"))
        _append(store, _note("c"))
        seen = [(record.seq, record.stream, record.version) for record in store.read()]
        _same(seen, [(1, "run_1", 1), (2, "run_2", 1), (3, "run_1", 2)])

    def test_each_line_is_bound_to_the_one_before(self) -> None:
        """The hash is taken over the bytes of the line."""
        store = self.open_store()
        _append(store, *(_note(str(number)) for number in range(5)))
        previous = GENESIS
        for line, record in zip(store.read_lines(), store.read(), strict=True):
            _same(record.prev, previous)
            _same(record.hash, sha256(line[:-TAIL]).hexdigest())
            _same(codec.decode(line), record)
            previous = record.hash

    def test_what_is_proven_is_what_is_read(self) -> None:
        """This holds for lines and for records."""
        store = self.open_store()
        _append(store, *(_note(str(number)) for number in range(5)))
        lines = b"".join(line + b"\n" for line in store.read_lines())
        _same(b"".join(store.prove()), lines)
        _same([record for piece in store.prove_records() for record in piece], list(store.read()))
        _same(store.torn_bytes(), 0)
        _same([remark for remark in store.examine(None) if not isinstance(remark, str)], [])

    def test_a_batch_stands_together(self) -> None:
        """Events of one append have consecutive positions, even if other writers append at the same time."""
        store, other = self.open_store(), self.open_store()

        def append_pairs(handle: EventStore, name: str) -> None:
            for number in range(20):
                _append(handle, _note(f"{name}{number}", stream=name), _note(f"{name}{number}", stream=name))

        _side_by_side(lambda: append_pairs(store, "a"), lambda: append_pairs(other, "b"))
        notes = [_text(record) for record in store.read()]
        _same(len(notes), 80)
        _same(notes[0::2], notes[1::2])

    def test_a_proof_can_begin_after_any_event(self) -> None:
        """The ledger must hold that event with the same hash at the same position."""
        store = self.open_store()
        _append(store, *(_note(str(number)) for number in range(7)))
        heads = [BEGINNING, *(Head(record.seq, record.hash) for record in store.read())]
        lines = list(store.read_lines())
        for head in heads:
            _same(store.holds(head), True)
            _same(b"".join(store.prove(head)), b"".join(line + b"\n" for line in lines[head.seq :]))
        for head in (Head(3, heads[4].hash), Head(8, heads[7].hash), Head(8, "0" * 64)):
            _same(store.holds(head), False)
            with _refused(LedgerDamaged):
                list(store.prove(head))
        _same(store.head(), heads[7])

    def test_a_writer_can_begin_after_any_event(self) -> None:
        """It gets the records after that event, and takes the versions of streams from the caller."""
        _append(self.open_store(), *(_note(str(number), stream=f"run_{number % 2}") for number in range(6)))
        for after in range(4):
            store = self.open_store()
            records = list(store.read())
            versions = {record.stream: record.version for record in records[:after]}
            head = Head(records[after - 1].seq, records[after - 1].hash) if after else BEGINNING
            store.begin_after(head, defaultdict(int, versions).__getitem__)
            seen: list[Record] = []
            store.append(partial(_seen, seen, [_note("next", stream="run_1")]), lambda _: None)
            _same([record.seq for record in seen], [record.seq for record in records[after:]])
            last = list(store.read())[-1]
            _same((last.seq, last.version), (len(records) + 1, 4 + after))
            _same(store.known_head(), Head(last.seq, last.hash))
            _same(len(b"".join(store.prove()).splitlines()), last.seq)

    def test_a_writer_reads_everything_if_its_beginning_is_not_here(self) -> None:
        """One example is the index of another ledger."""
        store = self.open_store()
        _append(store, _note("a"), _note("b"))
        for head in (Head(1, "0" * 64), Head(9, "0" * 64)):
            other = self.open_store()
            other.begin_after(head, lambda _: 99)
            seen: list[Record] = []
            other.append(partial(_seen, seen, []), lambda _: None)
            _same([record.seq for record in seen], [1, 2])

    # -- reading

    def test_nothing_is_made_before_the_first_append(self) -> None:
        """A reader does not create files."""
        store = self.open_store()
        _same(list(store.read()), [])
        _same(list(store.read_lines()), [])
        _same(list(store.prove()), [])
        _same(store.files(), [])
        _same((store.head(), store.holds(BEGINNING)), (BEGINNING, True))

    def test_reading_begins_after_a_position(self) -> None:
        """This holds for records and for lines."""
        store = self.open_store()
        _append(store, *(_note(str(number)) for number in range(7)))
        for after in range(9):
            _same([record.seq for record in store.read(after)], list(range(after + 1, 8)))
            _same(len(list(store.read_lines(after))), max(0, 7 - after))

    def test_reading_can_be_narrowed_to_a_stream_and_to_types(self) -> None:
        """Names in the data of other events do not count."""
        store = self.open_store()
        published = HighScorePublished(label='"stream":"run_1","type":"annotated",', value=0.5, source="run_1")
        _append(store, _note("a"), NewEvent("b", published), _note("b", stream='run "2"'), _note("c"))
        _same([record.seq for record in store.read(stream="run_1")], [1, 4])
        _same([record.seq for record in store.read(stream='run "2"')], [3])
        _same([record.seq for record in store.read(types=["high_score_published"])], [2])
        _same([record.seq for record in store.read(types=["annotated", "high_score_published"])], [1, 2, 3, 4])
        _same([record.seq for record in store.read(2, stream="run_1", types=["annotated"])], [4])
        _same(list(store.read(stream="run")), [])
        _same(list(store.read(types=[])), [])

    def test_details_may_be_left_out_and_nothing_else(self) -> None:
        """An event type without details is read in the same way."""
        store = self.open_store()
        _append(store, _note("a"), _note("b"))
        _same(list(store.read(details=False)), list(store.read()))

    def test_a_reader_does_not_wait_for_a_writer(self) -> None:
        """While a decision is made under the lock, readers see what was recorded before."""
        store, reader = self.open_store(), self.open_store()
        _append(store, _note("a"))
        seen: list[int] = []

        def decide(_: Iterator[Record]) -> list[NewEvent]:
            _side_by_side(lambda: seen.extend(record.seq for record in reader.read()))
            return [_note("b")]

        store.append(decide, lambda _: None)
        _same(seen, [1])

    def test_the_revision_changes_with_every_append_and_only_then(self) -> None:
        """A follower can read it cheaply."""
        store, reader = self.open_store(), self.open_store()
        seen = [reader.revision()]
        for number in range(3):
            _append(store, _note(str(number)))
            seen.append(reader.revision())
            list(reader.read())
            _same(reader.revision(), seen[-1])
        _same(len(set(seen)), 4)

    def test_an_event_of_an_unknown_type_is_kept_byte_for_byte(self) -> None:
        """A newer version may have written it."""
        store = self.open_store()
        raw = b'{"a" : 1.50, "b":[null]}'
        _append(store, NewEvent("run_1", Unknown(named="from_the_future", raw=msgspec.Raw(raw))), _note("a"))
        _same([record.type for record in store.read()], ["from_the_future", "annotated"])
        _same(raw in next(store.read_lines()), True)

    # -- writing

    def test_two_handles_see_each_other(self) -> None:
        """Each decision sees everything that was appended before."""
        store, other = self.open_store(), self.open_store()
        _append(store, _note("a"))
        seen: list[str] = []
        other.append(lambda fresh: _also(seen, fresh, _note("b")), lambda _: None)
        store.append(lambda fresh: _also(seen, fresh, _note("c")), lambda _: None)
        _same(seen, ["a", "b"])
        other.append(lambda fresh: _also(seen, fresh), lambda _: None)
        _same(seen, ["a", "b", "c"])

    def test_an_id_is_recorded_once(self) -> None:
        """Every handle gets the first record as the answer, also within one append."""
        store = self.open_store()
        [first] = _append(store, _note("a", id="x"))
        _same(_append(store, _note("a", id="x")), [first])
        _same(_append(self.open_store(), _note("a", id="x"), _note("b"))[0], first)
        again = _append(store, _note("c", id="y"), _note("c", id="y"))
        _same([record.seq for record in again], [3, 3])
        _same(len(list(store.read())), 3)

    def test_an_id_with_other_content_is_a_conflict(self) -> None:
        """Nothing of that append is recorded."""
        store = self.open_store()
        _append(store, _note("a", id="x"))
        for other in (_note("b", id="x"), _note("a", id="x", stream="run_2")):
            with _refused(EventConflict):
                _append(store, _note("before"), other)
        with _refused(EventConflict):
            _append(store, _note("a", id="y"), _note("b", id="y"))
        _same(len(list(store.read())), 1)

    def test_an_expected_version_must_be_the_one_that_is_there(self) -> None:
        """0 is for the first event of a stream; the error gives the actual version."""
        store = self.open_store()
        _append(store, _note("a", expected=0))
        _append(self.open_store(), _note("b", expected=1))
        _append(store, _note("c", expected=2), _note("d", expected=3), _note("e", stream="run_2", expected=0))
        for expected in (0, 3, 4):
            with _refused(WrongExpectedVersion) as raised:
                _append(store, _note("before"), _note("x", expected=expected))
            # The earlier event in the same append counts, too.
            _same([(one.stream, one.expected, one.actual) for one in raised], [("run_1", expected, 5)])
        _same(len(list(store.read())), 5)

    def test_what_is_sent_again_is_found_whatever_version_was_expected(self) -> None:
        """A writer that did not get an answer sends the same event again."""
        store = self.open_store()
        [first] = _append(store, _note("a", id="x", expected=0))
        _same(_append(store, _note("a", id="x", expected=0)), [first])

    def test_what_decide_or_accept_raise_leaves_nothing(self) -> None:
        """The next decision gets the ledger from its first record on."""
        store = self.open_store()
        _append(store, _note("a"))

        def refuse(_: object) -> list[NewEvent]:
            raise RuntimeError("no")

        def reject(_: list[Record]) -> None:
            raise RuntimeError("no")

        for decide, accept in ((refuse, lambda _: None), (lambda _: [_note("b")], reject)):
            with _refused(RuntimeError):
                store.append(decide, accept)
            seen: list[str] = []
            store.append(lambda fresh, seen=seen: _also(seen, fresh), lambda _: None)  # type: ignore[misc]
            _same(seen, ["a"])
        _same(len(list(store.read())), 1)

    def test_accept_sees_what_will_be_written(self) -> None:
        """It sees only new records."""
        store = self.open_store()
        _append(store, _note("a", id="x"))
        seen: list[Record] = []
        records = store.append(lambda _: [_note("a", id="x"), _note("b")], seen.extend)
        _same(seen, records[1:])

    def test_an_event_that_could_not_be_read_back_is_refused(self) -> None:
        """One such line would stop the ledger for good."""
        store = self.open_store()
        for value in (float("nan"), float("inf")):
            with _refused(UnreadableEvent):
                _append(store, _note("a"), NewEvent("b", HighScorePublished(label="l", value=value, source="s")))
        deep: list[object] = []
        for _ in range(3000):
            deep = [deep]
        with _refused(UnreadableEvent):
            _append(store, NewEvent("run_1", Imported(source=ImportSource("k", "p", ""), run={"deep": deep})))
        _same(list(store.read()), [])
        _append(store, _note("a"))

    def test_a_handle_that_was_closed_goes_on(self) -> None:
        """It opens its files again by itself."""
        store = self.open_store()
        _append(store, _note("a"))
        store.close()
        _append(store, _note("b"))
        store.close()
        _same([_text(record) for record in store.read()], ["a", "b"])

    def test_a_copy_is_continued_line_by_line(self) -> None:
        """A line of another history is refused."""
        store = self.open_store()
        lines = _foreign_lines("a", "b", "c", "d")
        _same(store.append_lines(lines[:2]), 2)
        _same(store.append_lines(lines[2:3]), 1)
        _same(list(self.open_store().read_lines()), lines[:3])
        for wrong in (lines[:1], lines[2:3], [lines[3].replace(b'"d"', b'"x"')], [b"no line"]):
            with _refused(OtherHistory):
                store.append_lines(wrong)
        with _refused(OtherHistory):
            store.append_lines([lines[3], lines[0]])
        _same(list(store.read_lines()), lines)
        _same([record.seq for record in _append(store, _note("e"))], [5])

    # -- many at once

    def test_threads_share_a_handle(self) -> None:
        """No event is lost or recorded twice."""
        store = self.open_store()

        def append_some(name: str) -> None:
            for number in range(25):
                _append(store, _note(f"{name}{number}"))

        _side_by_side(*(lambda name=name: append_some(name) for name in "abcd"))
        records = list(store.read())
        _same([record.seq for record in records], list(range(1, 101)))
        _same(len({_text(record) for record in records}), 100)

    def test_processes_make_one_chain(self) -> None:
        """Each of them began before the others wrote; a forked one uses the handle of its parent."""
        store = self.open_store()
        _append(store, _note("first"))
        children = [_fork(lambda name=name: self._write(store, name)) for name in "abc"]  # type: ignore[misc]
        for number in range(20):
            _append(store, _note(f"parent{number}"))
        for child in children:
            _same(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        records = [record for piece in store.prove_records() for record in piece]
        _same([record.seq for record in records], list(range(1, 82)))
        _same(len({_text(record) for record in records}), 81)

    def _write(self, store: EventStore, name: str) -> None:
        for number in range(20):
            _append(store, _note(f"{name}{number}"))


def _note(text: str, *, stream: str = "run_1", id: str | None = None, expected: int | None = None) -> NewEvent:
    return NewEvent(stream, Annotated(author="a", note=text), id, expected)


def _text(record: Record) -> str:
    return record.data.note if isinstance(record.data, Annotated) else record.type


def _append(store: EventStore, *events: NewEvent) -> list[Record]:
    records = store.append(lambda _: events, lambda _: None)
    store.sync()
    return records


def _also(seen: list[str], fresh: Iterator[Record], *events: NewEvent) -> Sequence[NewEvent]:
    seen += map(_text, fresh)
    return events


def _seen(seen: list[Record], events: Sequence[NewEvent], unseen: Iterator[Record]) -> Sequence[NewEvent]:
    seen += unseen
    return events


def _foreign_lines(*notes: str) -> list[bytes]:
    """Lines as another store wrote them."""
    lines, previous = [], GENESIS
    for seq, text in enumerate(notes, 1):
        line, record = codec.encode(
            _note(text), seq=seq, id=f"foreign-{seq}", at="2026-11-23T10:00:00.000000Z", version=seq, prev=previous
        )
        previous = record.hash
        lines.append(line[:-1])
    return lines


def _same(actual: object, expected: object) -> None:
    if actual != expected:
        raise AssertionError(f"{actual!r} instead of {expected!r}")


@contextlib.contextmanager
def _refused(error: type[E]) -> Iterator[list[E]]:
    raised: list[E] = []
    try:
        yield raised
    except error as problem:
        raised.append(problem)
    else:
        raise AssertionError(f"no {error.__name__} was raised")


def _side_by_side(*works: Callable[[], None]) -> None:
    """Run all functions at once, each in a thread; an error of one of them is raised here."""
    problems: list[BaseException] = []

    def attempt(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as problem:  # noqa: BLE001 - it is raised again in the test's thread
            problems.append(problem)

    threads = [threading.Thread(target=attempt, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_WAIT_SECONDS)
        if thread.is_alive():
            raise AssertionError(f"still waiting after {_WAIT_SECONDS:g} s")
    if problems:
        raise problems[0]


def _fork(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        with contextlib.suppress(BaseException):
            work()
            code = 0
        os._exit(code)
    return pid
