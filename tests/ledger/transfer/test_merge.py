"""Ledgers of several machines in one: nothing twice, nothing lost, and each chain can still be proven."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.ledger.errors import LedgerDamaged
from benchmarks.ledger.events import HighScorePublished, Merged, NewEvent, Unknown
from benchmarks.ledger.proof.checkpoint import take_checkpoint
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.segments import list_segments
from benchmarks.ledger.storage.sqlite import SqliteStore
from benchmarks.ledger.transfer import merge as merging
from benchmarks.ledger.transfer.admission import RefusedLedger
from benchmarks.ledger.transfer.exchange import LinesFile, export_lines
from benchmarks.ledger.transfer.merge import take_in


def note(text: str, stream: str, id: str | None = None) -> NewEvent:
    """An event that makes sense in any ledger, at any place."""
    return NewEvent(stream, HighScorePublished(label=text, value=0.5, source="s"), id)


def fill(store, *notes: str, stream: str = "run_1"):
    store.append(lambda _: [note(text, stream) for text in notes], lambda _: None)
    store.sync()
    return store


def taken(target, source) -> tuple[int, int, bool]:
    done = take_in(target, source, name="other")
    assert verify(target).damage == []
    return done.added, done.known, done.is_same_chain


def origins(store) -> dict[str, str]:
    """When each event says that it was written, by its id."""
    return {record.id: record.at for record in store.read() if record.type != "merged"}


@pytest.fixture
def make(tmp_path):
    def make(name: str, kind: type = JsonlStore):
        return kind(tmp_path / name, notice=pytest.fail)

    return make


@pytest.mark.parametrize("kinds", [(JsonlStore, JsonlStore), (JsonlStore, SqliteStore), (SqliteStore, JsonlStore)])
def test_another_history_is_merged_once_and_keeps_what_it_says(make, kinds):
    ours = fill(make("ours", kinds[0]), "a", "b")
    theirs = fill(make("theirs", kinds[1]), "x", "y", "z", stream="run_2")
    fill(theirs, "more", stream="run_1")
    before = origins(theirs)
    assert taken(ours, theirs) == (4, 0, False)
    assert taken(ours, theirs) == (0, 4, False)
    assert [(record.seq, record.stream, record.version) for record in ours.read()] == [
        (1, "run_1", 1),
        (2, "run_1", 2),
        (3, take_checkpoint(theirs).origin, 1),
        (4, "run_2", 1),
        (5, "run_2", 2),
        (6, "run_2", 3),
        (7, "run_1", 3),
        (8, take_checkpoint(theirs).origin, 2),
    ]
    assert before.items() <= origins(ours).items()
    announced, merged = [record.data for record in ours.read(types=["merged"])]
    assert (announced.position, announced.stretches, announced.coming) == (0, [], 4)
    assert (merged.position, merged.head_hash) == (4, list(theirs.read())[-1].hash)
    assert (merged.stretches, merged.added) == ([(4, 4)], 4)


def test_a_history_that_has_grown_adds_what_is_new(make):
    ours, theirs = fill(make("ours"), "a"), fill(make("theirs"), "x", "y", stream="run_2")
    taken(ours, theirs)
    fill(ours, "b")
    fill(theirs, "z", stream="run_2")
    assert taken(ours, theirs) == (1, 2, False)
    merged = [record.data for record in ours.read(types=["merged"])]
    assert [event.stretches for event in merged] == [[], [(3, 2)], [(3, 2)], [(3, 2), (8, 1)]]
    assert [(event.added, event.coming) for event in merged] == [(0, 2), (2, 0), (0, 1), (1, 0)]


def test_an_empty_ledger_and_a_longer_one_go_on_with_the_same_chain(make):
    theirs = fill(make("theirs"), "x", "y")
    ours = make("ours")
    assert taken(ours, theirs) == (2, 0, True)
    fill(theirs, "z")
    assert taken(ours, theirs) == (1, 2, True)
    assert list(ours.read_lines()) == list(theirs.read_lines())
    fill(ours, "here")
    assert taken(ours, theirs) == (0, 3, True), "theirs is where ours began"
    assert taken(ours, make("empty")) == (0, 0, True)


def test_copies_that_went_their_own_ways_come_together(make):
    one, two = fill(make("one"), "a", "b"), make("two")
    taken(two, one)
    fill(one, "c")
    fill(two, "d", "e")
    assert taken(one, two) == (2, 2, False)
    assert [record.data.label for record in one.read(types=["high_score_published"])] == ["a", "b", "c", "d", "e"]
    fill(two, "f")
    assert taken(one, two) == (1, 4, False)
    assert taken(one, two) == (0, 5, False)


def test_an_event_that_came_by_two_ways_is_there_once(make):
    """A goes to B, and both go to C, in either order."""
    for order in ("ab", "ba"):
        a, b, c = (fill(make(f"{order}{name}"), name, stream=f"run_{name}") for name in "abc")
        taken(b, a)
        sources = {"a": a, "b": b}
        assert [taken(c, sources[name])[0] for name in order] == ([1, 3] if order == "ab" else [4, 0])
        assert sorted(record.data.label for record in c.read(types=["high_score_published"])) == ["a", "b", "c"]
        fill(a, "more", stream="run_a")
        taken(b, a)
        assert taken(c, b)[2] is False and taken(c, a) == (0, 2, False)


def test_types_and_bytes_that_are_not_known_here_come_along(make):
    ours, theirs = fill(make("ours"), "a"), make("theirs")
    raw = b'{"a" : [1, 2.50], "b":null}'
    theirs.append(lambda _: [NewEvent("run_9", Unknown(named="from_the_future", raw=msgspec.Raw(raw)))], lambda _: None)
    taken(ours, theirs)
    assert raw in next(ours.read_lines(after=2))


def test_streams_that_both_have_go_on(make):
    ours, theirs = make("ours"), make("theirs")
    for store in (ours, theirs):
        new = NewEvent("osworld", HighScorePublished(label=store.url, value=0.5, source="s"))
        store.append(lambda _, new=new: [new], lambda _: None)
    taken(ours, theirs)
    assert [record.version for record in ours.read(stream="osworld")] == [1, 2]


def test_a_change_of_what_was_merged_is_damage_though_the_chain_is_made_to_fit(make, tmp_path):
    from benchmarks.ledger.storage import codec
    from benchmarks.ledger.storage.chain import GENESIS

    ours, theirs = fill(make("ours"), "a"), fill(make("theirs"), "x", "y", stream="run_2")
    taken(ours, theirs)
    forged, previous = [], GENESIS
    for line in ours.read_lines():
        record, data = codec.decode(line), codec.raw_data(line)
        if record.seq == 3:
            data = Unknown(named=data.named, raw=msgspec.Raw(bytes(data.raw).replace(b'"x"', b'"better"')))
        new = NewEvent(record.stream, data)
        line, record = codec.encode(
            new, seq=record.seq, id=record.id, at=record.at, version=record.version, prev=previous
        )
        previous = record.hash
        forged.append(line)
    ours.close()
    [segment] = list_segments(ours.folder)
    segment.write_bytes(b"".join(forged))
    [finding] = verify(ours).damage
    assert finding.seq == 5 and "are not what they were there" in finding.text


def test_a_damaged_ledger_is_not_taken_in(make):
    ours, theirs = fill(make("ours"), "a"), fill(make("theirs"), "x", "y")
    [segment] = list_segments(theirs.folder)
    segment.write_bytes(segment.read_bytes().replace(b'"x"', b'"z"'))
    with pytest.raises(LedgerDamaged):
        take_in(ours, theirs, name="other")
    assert len(list(ours.read())) == 1


def test_an_id_that_means_two_things_is_a_conflict(make):
    ours, theirs = make("ours"), make("theirs")
    for store, text in ((ours, "one"), (theirs, "another")):
        store.append(lambda _, text=text: [note(text, "run_1", id="same")], lambda _: None)
    with pytest.raises(RefusedLedger, match="its id is that of event 1 here"):
        take_in(ours, theirs, name="other")
    assert len(list(ours.read())) == 1


@given(kept=st.integers(0, 7), at_once=st.integers(1, 4))
def test_a_merge_that_a_crash_cut_short_is_completed(tmp_path_factory, kept, at_once):
    """Of the lines of one append, a crash may leave the first ones: then they are found by their ids."""
    folder = tmp_path_factory.mktemp("merge")
    ours = fill(JsonlStore(folder / "ours", notice=print), "a")
    theirs = fill(JsonlStore(folder / "theirs", notice=print), *"uvwxyz", stream="run_2")
    monkey = pytest.MonkeyPatch()
    monkey.setattr(merging, "_BYTES_AT_ONCE", at_once * 400)
    with monkey.context():
        take_in(ours, theirs, name="other")
        ours.close()
        [segment] = list_segments(ours.folder)
        lines = segment.read_bytes().splitlines(keepends=True)
        segment.write_bytes(b"".join(lines[: 1 + kept]))
        again = JsonlStore(ours.folder, notice=print)
        fill(again, "between")
        take_in(again, theirs, name="other")
    monkey.undo()
    assert verify(again).damage == []
    assert sorted(r.data.label for r in again.read(types=["high_score_published"]) if r.stream == "run_2") == list(
        "uvwxyz"
    )
    last = [record.data for record in again.read(types=["merged"])][-1]
    assert isinstance(last, Merged) and last.position == 6
    assert taken(again, theirs) == (0, 6, False)


def test_an_exported_file_is_as_good_as_the_ledger(make, tmp_path):
    ours, theirs = fill(make("ours"), "a"), fill(make("theirs"), "x", "y", stream="run_2")
    for name in ("x.jsonl", "x.jsonl.gz"):
        export_lines(theirs, tmp_path / name)
    assert taken(ours, LinesFile(tmp_path / "x.jsonl")) == (2, 0, False)
    assert taken(ours, LinesFile(tmp_path / "x.jsonl.gz")) == (0, 2, False)
