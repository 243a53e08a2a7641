"""A store against the simplest model there is, a list: appends, crashes, torn tails, other handles, repairs, copies."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from benchmarks.ledger.errors import EventConflict, WrongExpectedVersion
from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.segments import list_segments
from benchmarks.ledger.storage.sqlite import SqliteStore
from benchmarks.ledger.transfer.exchange import copy

STREAMS = st.sampled_from(["run_1", "run_2", "run_3"])
TEXTS = st.text(max_size=12)


class StoreMachine(RuleBasedStateMachine):
    """`model` holds (stream, text, id) of each event that was acknowledged, in order."""

    handles = Bundle("handles")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.model: list[tuple[str, str, str | None]] = []
        self.copies = 0

    def open_store(self):
        raise NotImplementedError

    def teardown(self) -> None:
        self.folder.cleanup()

    @initialize(target=handles)
    def first(self):
        return self.open_store()

    @rule(target=handles)
    def open_another(self):
        return self.open_store()

    @rule(handle=consumes(handles))
    def close(self, handle) -> None:
        handle.close()

    @rule(target=handles, handle=consumes(handles), tail=st.binary(min_size=1, max_size=30))
    def crash(self, handle, tail):
        """Its process is gone, in the middle of an event perhaps; another one comes."""
        self.tear(tail.replace(b"\n", b""))
        return multiple(self.open_store())

    def tear(self, tail: bytes) -> None:
        """Leave the beginning of an event, where a store can have one."""

    @rule(handle=handles, events=st.lists(st.tuples(STREAMS, TEXTS), max_size=4))
    def append(self, handle, events) -> None:
        new = [NewEvent(stream, Annotated(author="a", note=text)) for stream, text in events]
        records = handle.append(lambda _: new, lambda _: None)
        handle.sync()
        assert [record.seq for record in records] == list(range(len(self.model) + 1, len(self.model) + len(events) + 1))
        self.model += [(stream, text, None) for stream, text in events]

    @rule(handle=handles, stream=STREAMS, text=TEXTS, id=st.sampled_from(["x", "y"]))
    def append_with_an_id(self, handle, stream, text, id) -> None:
        new = NewEvent(stream, Annotated(author="a", note=text), id)
        known = next((index for index, event in enumerate(self.model) if event[2] == id), None)
        if known is not None and self.model[known][:2] != (stream, text):
            with pytest.raises(EventConflict):
                handle.append(lambda _: [new], lambda _: None)
            return
        [record] = handle.append(lambda _: [new], lambda _: None)
        handle.sync()
        if known is None:
            self.model.append((stream, text, id))
        assert record.seq == (len(self.model) if known is None else known + 1)

    @rule(handle=handles, stream=STREAMS, expected=st.integers(0, 4))
    def append_with_an_expectation(self, handle, stream, expected) -> None:
        new = NewEvent(stream, Annotated(author="a", note="e"), None, expected)
        if expected != sum(event[0] == stream for event in self.model):
            with pytest.raises(WrongExpectedVersion):
                handle.append(lambda _: [new], lambda _: None)
            return
        handle.append(lambda _: [new], lambda _: None)
        self.model.append((stream, "e", None))

    @rule(handle=handles)
    def decide_on_what_is_there(self, handle) -> None:
        """What a handle has not seen yet ends with the last event."""
        seen: list[int] = []
        handle.append(lambda fresh: seen.extend(record.seq for record in fresh) or [], lambda _: None)
        assert seen == list(range(len(self.model) - len(seen) + 1, len(self.model) + 1))

    @rule(handle=handles)
    def repair(self, handle) -> None:
        """Nothing is damaged, so at most a torn tail goes."""
        handle.cut()
        assert handle.torn_bytes() == 0

    @rule(handle=handles)
    def copy_to_the_other_kind(self, handle) -> None:
        self.copies += 1
        there = self.other_kind(Path(self.folder.name) / f"copy-{self.copies}")
        assert copy(handle, there) == len(self.model)
        assert list(there.read_lines()) == list(handle.read_lines())
        assert verify(there).damage == []
        there.close()

    @rule(handle=handles, stream=STREAMS, after=st.integers(0, 12))
    def read_a_stream(self, handle, stream, after) -> None:
        told = [(record.seq, record.version) for record in handle.read(after, stream=stream)]
        all_of_it = [(seq, event) for seq, event in enumerate(self.model, 1) if event[0] == stream]
        assert told == [(seq, version) for version, (seq, _) in enumerate(all_of_it, 1) if seq > after]

    @invariant()
    def says_what_was_acknowledged(self) -> None:
        store = self.open_store()
        assert [(record.stream, record.data.note) for record in store.read()] == [event[:2] for event in self.model]
        assert verify(store).damage == []
        store.close()


class JsonlMachine(StoreMachine):
    other_kind = staticmethod(lambda path: SqliteStore(path, notice=print))

    def open_store(self):
        return JsonlStore(Path(self.folder.name) / "ledger", notice=lambda _: None, segment_bytes=1500)

    def tear(self, tail: bytes) -> None:
        if segments := list_segments(Path(self.folder.name) / "ledger"):
            with segments[-1].open("ab") as file:
                file.write(tail)


class SqliteMachine(StoreMachine):
    other_kind = staticmethod(lambda path: JsonlStore(path, notice=print))

    def open_store(self):
        return SqliteStore(Path(self.folder.name) / "ledger.sqlite", notice=print)


TestJsonl = JsonlMachine.TestCase
TestSqlite = SqliteMachine.TestCase
TestJsonl.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
TestSqlite.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
