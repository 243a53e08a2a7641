"""An event is a line, a line is an event, and no byte of it can change unnoticed."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.ledger.errors import UnreadableEvent
from benchmarks.ledger.events import Annotated, HighScorePublished, Imported, ImportSource, NewEvent, Unknown
from benchmarks.ledger.storage import codec
from benchmarks.ledger.storage.chain import GENESIS, BadLine, check

KEYS = ["seq", "id", "at", "type", "stream", "version", "data", "prev", "hash"]


def line_of(new: NewEvent, seq: int = 1, prev: str = GENESIS) -> bytes:
    return codec.encode(new, seq=seq, id="0192", at="2026-11-23T07:29:16.123456Z", version=1, prev=prev)[0]


@settings(max_examples=settings.default.max_examples // 2)  # Each takes long.
@given(data=st.data())
def test_every_event_comes_back_as_it_was(histories, data):
    for new in data.draw(histories.events()):
        line, record = codec.encode(new, seq=3, id="i", at="t", version=2, prev="ab" * 32)
        assert codec.decode(line) == record
        assert codec.decode_lines(line) == [record]
        assert record.data == new.data and record.stream == new.stream


@settings(max_examples=settings.default.max_examples // 2)  # Each takes long.
@given(data=st.data())
def test_keys_and_hash_are_those_of_the_contract(histories, data):
    for new in data.draw(histories.events()):
        line = line_of(new)
        assert list(json.loads(line)) == KEYS
        assert json.loads(line)["hash"] == sha256(line[: line.rindex(b',"hash":')]).hexdigest()
        assert check(line[:-1], seq=1, prev=GENESIS) == json.loads(line)["hash"]


@given(data=st.data(), byte=st.integers(0, 255))
def test_a_changed_byte_is_noticed_in_any_place(histories, data, byte):
    line = line_of(NewEvent("run_1", histories.started()))[:-1]
    place = data.draw(st.integers(0, len(line) - 1))
    changed = line[:place] + bytes([byte]) + line[place + 1 :]
    if changed != line:
        with pytest.raises(BadLine):
            check(changed, seq=1, prev=GENESIS)


def test_a_line_at_the_wrong_place_is_noticed(histories):
    line = line_of(NewEvent("run_1", histories.started()), seq=5, prev="a" * 64)[:-1]
    check(line, seq=5, prev="a" * 64)
    with pytest.raises(BadLine, match="does not begin with"):
        check(line, seq=6, prev="a" * 64)
    with pytest.raises(BadLine, match="prev is not the hash"):
        check(line, seq=5, prev="b" * 64)


def test_an_unknown_type_is_kept_and_an_unknown_field_is_passed_over(histories):
    unknown = b'{"seq":1,"id":"i","at":"t","type":"from_the_future","stream":"s","version":1,"data":{"x":1},'
    unknown += b'"prev":"p","hash":"h"}'
    record = codec.decode(unknown)
    assert isinstance(record.data, Unknown)
    assert (record.type, bytes(record.data.raw)) == ("from_the_future", b'{"x":1}')
    known = line_of(NewEvent("run_1", histories.started())).replace(b'"data":{', b'"data":{"new_field":[1,2],')
    assert codec.decode(known).data == histories.started()
    both = known + unknown + b"\n"
    assert [record.type for record in codec.decode_lines(both)] == ["started", "from_the_future"]


@pytest.mark.parametrize("line", [b"", b"{}", b"[1]", b"nonsense", b'{"seq":"x"}', b"\xff\xfe"])
def test_a_line_that_is_not_an_event_is_refused_with_a_reason(line):
    with pytest.raises(BadLine, match="not an event"):
        codec.decode(line)


def test_a_known_type_that_lacks_a_field_is_refused_by_name(histories):
    line = line_of(NewEvent("run_1", histories.started())).replace(b'"signature":"s",', b"")
    with pytest.raises(BadLine, match=r"no started event.*signature"):
        codec.decode(line)


@pytest.mark.parametrize(
    "event",
    [
        HighScorePublished(label="l", value=float("nan"), source="s"),
        HighScorePublished(label="l", value=float("-inf"), source="s"),
        Annotated(author="a", note="a name that is not UTF-8: \udcff"),
        Imported(source=ImportSource("json", "x.json", "0" * 64), run={"a": object()}),
    ],
)
def test_an_event_that_could_not_be_read_back_is_refused_before_it_stops_the_ledger(store, event):
    store.append(lambda _: [NewEvent("b", Annotated(author="a", note="first"))], lambda _: None)
    with pytest.raises(UnreadableEvent, match=f"the {event.type} event for 'b'.*Nothing was recorded"):
        store.append(lambda _: [NewEvent("b", event)], lambda _: None)
    [record] = store.append(lambda _: [NewEvent("b", Annotated(author="a", note="second"))], lambda _: None)
    assert record.seq == 2
    assert [record.data.note for record in store.read()] == ["first", "second"]


def test_a_writer_is_given_what_a_reader_will_see(histories):
    """JSON has no NaN and no tuple: the writer is given what replaces them."""
    new = NewEvent("run_1", histories.finished(metrics={"loss": float("nan"), "pair": (1, 2)}))
    line, record = codec.encode(new, seq=1, id="i", at="t", version=1, prev=GENESIS)
    assert record == codec.decode(line)
    assert record.data.metrics == {"loss": None, "pair": [1, 2]}
