"""The JSONL store: one chain, whole lines, nothing lost, and a clear word where something is wrong."""

from __future__ import annotations

import gc
import os
import resource
import threading
import traceback
from pathlib import Path

import pytest

from benchmarks.ledger.errors import EventConflict, LedgerDamaged, LedgerUnwritable
from benchmarks.ledger.events import Annotated, HighScorePublished, NewEvent, Unreadable
from benchmarks.ledger.storage import codec
from benchmarks.ledger.storage.chain import GENESIS
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.segments import list_segments


def note(text: str, id: str | None = None, stream: str = "run_1") -> NewEvent:
    return NewEvent(stream, Annotated(author="a", note=text), id)


def append(store: JsonlStore, *events: NewEvent):
    records = store.append(lambda _: events, lambda _: None)
    store.sync()
    return records


@pytest.fixture
def notices() -> list[str]:
    return []


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "ledger"


def open_again(folder, notices=None) -> JsonlStore:
    return JsonlStore(folder, notice=(notices if notices is not None else []).append)


def test_positions_and_versions_count_from_one_and_the_chain_holds(store):
    append(store, note("a"), note("b", stream="run_2"))
    append(store, note("c"))
    records = list(store.read())
    assert [(record.seq, record.stream, record.version) for record in records] == [
        (1, "run_1", 1),
        (2, "run_2", 1),
        (3, "run_1", 2),
    ]
    assert [record.prev for record in records] == [GENESIS, records[0].hash, records[1].hash]


def test_nothing_is_made_before_the_first_append(store):
    assert list(store.read()) == []
    assert not store.folder.exists()


def test_two_handles_see_each_other(store):
    other = open_again(store.folder)
    append(store, note("a"))
    seen = []
    other.append(lambda fresh: seen.extend(fresh) or [note("b")], lambda _: None)
    assert [record.data.note for record in seen] == ["a"]
    store.append(lambda fresh: seen.extend(fresh) or [], lambda _: None)
    assert [record.data.note for record in seen] == ["a", "b"]


def test_an_id_is_recorded_once(store):
    [first] = append(store, note("a", id="x"))
    assert append(store, note("a", id="x"), note("b")) == [first, list(store.read())[1]]
    assert append(open_again(store.folder), note("a", id="x")) == [first]
    assert [record.seq for record in append(store, note("c", id="y"), note("c", id="y"))] == [3, 3]
    with pytest.raises(EventConflict, match="position 1 already"):
        append(store, note("other", id="x"))
    assert len(list(store.read())) == 3


def test_what_decide_or_accept_raise_leaves_nothing(store):
    append(store, note("a"))

    def refuse(_):
        raise RuntimeError("no")

    for decide, accept in ((refuse, lambda _: None), (lambda _: [note("b")], refuse)):
        with pytest.raises(RuntimeError, match="no"):
            store.append(decide, accept)
    seen = []
    store.append(lambda fresh: seen.extend(fresh) or [note("c")], lambda _: None)
    assert [record.seq for record in seen] == [1], "after an error the story begins anew"
    assert [record.data.note for record in store.read()] == ["a", "c"]


@pytest.mark.parametrize("tail", [b"{", b'{"seq":3,"id":"torn', b"\x00" * 100])
def test_a_torn_last_line_is_moved_away_and_reported(store, notices, tail):
    append(store, note("a"), note("b"))
    store.close()
    [segment] = list_segments(store.folder)
    whole = segment.read_bytes()
    segment.write_bytes(whole + tail)
    assert len(list(store.read())) == 2, "to a reader it is not there"
    assert append(open_again(store.folder, notices), note("c"))[0].seq == 3
    [kept] = (store.folder / "quarantine").iterdir()
    assert kept.read_bytes() == tail
    assert str(kept) in notices[0] and f"{len(tail)} bytes" in notices[0]
    assert segment.read_bytes().startswith(whole)


def test_a_line_that_is_whole_but_for_its_newline_is_torn_too(store, notices):
    append(store, note("a"), note("b"))
    store.close()
    [segment] = list_segments(store.folder)
    segment.write_bytes(segment.read_bytes()[:-1])
    assert append(open_again(store.folder, notices), note("c"))[0].seq == 2
    assert len(notices) == 1


INTACT = {1: "No event is", 2: "Event 1 is", 3: "Events 1 to 2 are"}


def test_damage_anywhere_else_stops_every_append_and_names_the_place(store):
    append(store, *(note(str(number)) for number in range(5)))
    store.close()
    [segment] = list_segments(store.folder)
    lines = segment.read_bytes().splitlines(keepends=True)
    for damaged, line in (
        ([*lines[:2], lines[2].replace(b'"note":"2"', b'"note":"9"'), *lines[3:]], 3),
        (lines[:2] + lines[3:], 3),
        ([lines[1], lines[0], *lines[2:]], 1),
        ([*lines[:1], b"\n", *lines[1:]], 2),
        ([lines[0][:-1] + b"\r\n", *lines[1:]], 1),
    ):
        segment.write_bytes(b"".join(damaged))
        with pytest.raises(LedgerDamaged) as told:
            append(open_again(store.folder), note("x"))
        assert (told.value.file, told.value.line, told.value.trusted) == (segment, line, line - 1)
        assert segment.name in str(told.value) and f"{INTACT[line]} intact" in str(told.value)
        assert segment.read_bytes() == b"".join(damaged), "nothing is mended by itself"


def test_segments_follow_each_other(folder):
    store = JsonlStore(folder, notice=print, segment_bytes=1000)
    for number in range(20):
        append(store, note(str(number)))
    segments = list_segments(folder)
    assert len(segments) > 3
    assert int(segments[0].stem) == 1
    for after in range(21):
        assert [record.seq for record in store.read(after)] == list(range(after + 1, 21))
        assert [line.startswith(b'{"seq":%d,' % (after + 1)) for line in store.read_lines(after)][:1] == [True][
            : 20 - after
        ]
    assert append(open_again(folder), note("more"))[0].seq == 21


def test_a_segment_that_is_gone_is_noticed(folder):
    store = JsonlStore(folder, notice=print, segment_bytes=500)
    for number in range(12):
        append(store, note(str(number)))
    list_segments(folder)[1].unlink()
    with pytest.raises(LedgerDamaged, match="one is missing before it"):
        append(open_again(folder), note("x"))


def test_a_sealed_segment_that_ends_in_the_middle_of_a_line_is_damage(folder):
    store = JsonlStore(folder, notice=print, segment_bytes=500)
    for number in range(12):
        append(store, note(str(number)))
    first = list_segments(folder)[0]
    with first.open("ab") as file:
        file.write(b'{"torn')
    with pytest.raises(LedgerDamaged, match="bytes, and"):
        append(open_again(folder), note("x"))
    (folder / "manifest.json").unlink()
    with pytest.raises(LedgerDamaged, match="middle of a line"):
        append(open_again(folder), note("x"))


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerUnwritable, match="--workspace"):
        append(JsonlStore(tmp_path / "file" / "ledger", notice=print), note("x"))


def test_a_full_disk_leaves_the_ledger_whole(store):
    append(store, note("a"))
    [segment] = list_segments(store.folder)
    whole = segment.read_bytes()
    # A limit on the size of files: a write goes through in part, and then fails as on a full disk.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 100, hard))
    try:
        with pytest.raises(LedgerUnwritable, match="Nothing was recorded"):
            append(store, note("b" * 500))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert segment.read_bytes() == whole
    assert append(store, note("c"))[0].seq == 2


def test_a_failed_sync_means_that_the_outcome_is_unknown_for_good(store, monkeypatch):
    from benchmarks.ledger.errors import OutcomeUnknown
    from benchmarks.ledger.storage import disk

    append(store, note("a"))

    def fail(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(disk, "sync", fail)
    with pytest.raises(OutcomeUnknown, match="ledger verify"):
        append(store, note("b"))
    monkeypatch.undo()
    with pytest.raises(OutcomeUnknown):
        append(store, note("c"))
    store.close()
    assert append(store, note("c"))[0].seq == 3, "opened again, it says what is there"


def test_a_forked_child_does_not_share_its_parents_lock(store):
    append(store, note("a"))
    pid = os.fork()
    if pid == 0:
        try:
            append(store, note("child"))
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    append(store, note("parent"))
    assert [record.data.note for record in store.read()] == ["a", "child", "parent"]


def test_threads_share_a_handle(store):
    threads = [
        threading.Thread(target=lambda n=n: [append(store, note(f"{n}-{i}")) for i in range(50)]) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = list(store.read())
    assert [record.seq for record in records] == list(range(1, 201))
    assert len({record.data.note for record in records}) == 200


UNPRIVILEGED = 65534


def as_somebody_else(folder, work) -> str:
    """What `work` returns in a child process inside `folder`, as a user to whom permissions apply."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.chdir(folder)  # before the change of user: the folders above are private
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setresgid(UNPRIVILEGED, UNPRIVILEGED, UNPRIVILEGED)
                os.setresuid(UNPRIVILEGED, UNPRIVILEGED, UNPRIVILEGED)
            os.write(writing, work().encode())
        except BaseException:  # noqa: BLE001 - the parent's assertion shows it
            os.write(writing, traceback.format_exc().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        told = file.read()
    os.waitpid(pid, 0)
    return told


@pytest.mark.parametrize("what", ["lock", "segment", "quarantine"])
def test_a_ledger_that_may_only_be_read_is_read_and_named_and_stays_whole(folder, what):
    store = JsonlStore(folder, notice=print)
    append(store, note("a"))
    store.close()
    [segment] = list_segments(folder)
    if what == "quarantine":
        with segment.open("ab") as file:
            file.write(b'{"torn')
    whole = segment.read_bytes()
    (folder / ".lock").chmod(0o444 if what == "lock" else 0o666)
    segment.chmod(0o444)
    folder.chmod(0o555)
    folder.parent.chmod(0o755)

    def read_and_append() -> str:
        store = JsonlStore(Path("ledger"), notice=print)
        assert len(list(store.read())) == 1
        try:
            append(store, note("b"))
        except LedgerUnwritable as told:
            return str(told)
        return "appended"

    told = as_somebody_else(folder.parent, read_and_append)
    folder.chmod(0o755)
    segment.chmod(0o644)
    assert told.startswith("cannot ") and "Permission denied" in told, told
    assert {"lock": "the ledger in ledger", "segment": f"ledger/{segment.name}", "quarantine": "torn"}[what] in told
    assert segment.read_bytes() == whole
    assert append(open_again(folder), note("c"))[0].seq == 2


def test_a_torn_line_stays_if_the_quarantine_cannot_be_written(store):
    append(store, note("a"))
    store.close()
    [segment] = list_segments(store.folder)
    with segment.open("ab") as file:
        file.write(b'{"torn')
    whole = segment.read_bytes()
    (store.folder / "quarantine").write_text("a file where a folder should be")
    with pytest.raises(LedgerUnwritable, match="Nothing was recorded"):
        append(open_again(store.folder), note("b"))
    assert segment.read_bytes() == whole
    (store.folder / "quarantine").unlink()
    assert append(open_again(store.folder), note("b"))[0].seq == 2


def test_a_segment_of_any_writer_is_on_disk_before_the_next_begins(folder, monkeypatch):
    """A power cut may take unsynced heartbeats, but it must leave no gap in front of a later segment."""
    from benchmarks.ledger.storage import disk

    other = JsonlStore(folder, notice=print, segment_bytes=300)
    append(other, note("a"))
    other.append(lambda _: [note("x" * 300)], lambda _: None)
    first = list_segments(folder)[-1]
    synced = []

    def sync(fd):
        synced.append(str(Path(f"/proc/self/fd/{fd}").readlink()))
        os.fdatasync(fd)

    monkeypatch.setattr(disk, "sync", sync)
    JsonlStore(folder, notice=print, segment_bytes=300).append(lambda _: [note("b")], lambda _: None)
    assert len(list_segments(folder)) == len({*list_segments(folder), first}) >= 2
    assert synced[0] == str(first) and ".manifest.json" in synced[1] and len(synced) == 2


def test_a_handle_that_sat_out_whole_segments_goes_on_in_the_last_one(folder):
    idle = JsonlStore(folder, notice=print, segment_bytes=300)
    append(idle, note("a"))
    busy = JsonlStore(folder, notice=print, segment_bytes=300)
    for number in range(9):
        append(busy, note(str(number)))
    assert append(idle, note("b"))[0].seq == 11
    assert append(busy, note("c"))[0].seq == 12
    assert [record.seq for record in open_again(folder).read()] == list(range(1, 13))


def test_an_event_with_unreadable_data_stops_no_reader(store):
    """The chain is whole: only that event means nothing. A line that is not an event is damage."""
    from hashlib import sha256

    records = append(store, note("a"), note("b"))
    store.close()
    [segment] = list_segments(store.folder)
    body = b'{"seq":3,"id":"x","at":"t","type":"annotated","stream":"s","version":1,"data":{},"prev":"%b"'
    body %= records[-1].hash.encode()
    digest = sha256(body).hexdigest()
    with segment.open("ab") as file:
        file.write(body + b',"hash":"' + digest.encode() + b'"}\n')
    again = open_again(store.folder)
    assert append(again, note("c"))[0].seq == 4
    assert isinstance(list(again.read())[2].data, Unreadable)
    again.close()
    segment.write_bytes(b"".join(segment.read_bytes().splitlines(keepends=True)[:3]))
    offset = segment.stat().st_size
    body = b'{"seq":4,"id":7,"prev":"%b"' % digest.encode()
    with segment.open("ab") as file:
        file.write(body + b',"hash":"' + sha256(body).hexdigest().encode() + b'"}\n')
    with pytest.raises(LedgerDamaged, match="the hash chain is whole, but an event can't be read") as told:
        append(open_again(store.folder), note("c"))
    assert (told.value.line, told.value.offset, told.value.trusted) == (4, offset, 3)


def test_a_handle_that_was_dropped_holds_no_files(folder):
    def open_files() -> list[str]:
        links = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
        return [link for link in links if link.startswith(str(folder))]

    for number in range(5):
        append(JsonlStore(folder, notice=print, segment_bytes=300), note(str(number)), note("x" * 300))
    gc.collect()
    assert open_files() == []


def test_reading_a_rare_type_decodes_only_lines_that_may_match(store, histories, monkeypatch):
    histories.append_anyway(store, [NewEvent(f"run_{n}", histories.started()) for n in range(300)])
    histories.append_anyway(store, [NewEvent("b", HighScorePublished(label="l", value=0.5, source="s"))])
    split = []
    monkeypatch.setattr(codec, "split", lambda lines: split.append(len(lines)) or lines[:-1].split(b"\n"))
    assert [record.seq for record in store.read(types=["high_score_published"])] == [301]
    assert len(split) == 1 and list(store.read(types=["set_aside"])) == [] and len(split) == 1
