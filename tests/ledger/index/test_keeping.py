"""An index is believed only if it is whole and about this ledger; else it is thrown away and built anew."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from benchmarks.ledger.events import LEDGER_STREAM, NewEvent, Repaired
from benchmarks.ledger.history import History
from benchmarks.ledger.index import index, keeping, layers, meta
from benchmarks.ledger.index.keeping import Keeper
from benchmarks.ledger.index.layers import open_layers
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.sqlite import SqliteStore
from benchmarks.ledger.transfer.merge import take_in


def runs(histories, first: int, number: int) -> list[NewEvent]:
    """Events of as many runs, every third of which has no end."""
    events = []
    for n in range(first, first + number):
        events.append(NewEvent(f"run_{n}", histories.started(f"s{n % 7}", attempt=n // 7 + 1)))
        if n % 3:
            events.append(NewEvent(f"run_{n}", histories.finished(n / 1000, duration_seconds=float(n))))
    return events


def answers(history: History):
    state = {name: (run.status, run.score, run.signature, run.last_seq) for name, run in history.runs.items()}
    attempts = [[run.run_id for run in history.attempts(f"s{n}")] for n in range(8)]
    return history.seq, history.hash, state, attempts, [run.run_id for run in history.open_runs()]


class AnyStore:
    """A JSONL or SQLite ledger with an index, and what to expect of it."""

    def __init__(self, folder: Path, kind: str, histories) -> None:
        self.folder = folder
        self.kind = kind
        self.histories = histories

    def open(self):
        if self.kind == "sqlite":
            return SqliteStore(self.folder / "ledger.sqlite", notice=lambda _: None)
        return JsonlStore(self.folder / "ledger", notice=lambda _: None, segment_bytes=20_000)

    def ledger(self, behind: int = 0) -> Ledger:
        return Ledger(self.open(), behind=behind)

    def append(self, first: int, number: int) -> None:
        events = runs(self.histories, first, number)
        store = self.open()
        store.append(lambda _: events, lambda _: None)
        store.close()

    @property
    def files(self) -> list[Path]:
        folder = self.open().index_folder
        return sorted(folder.glob("*.table")) if folder.exists() else []

    def check(self, behind: int = 0) -> None:
        """Readers and writers decide as a replay does."""
        expected = answers(History.of(self.open()))
        ledger = self.ledger(behind)
        assert ledger.look(answers) == expected
        decided = []
        ledger.decide(lambda history: decided.append(answers(history)) or [])
        assert decided == [expected]


@pytest.fixture(params=["jsonl", "sqlite"])
def place(request, tmp_path, histories):
    place = AnyStore(tmp_path, request.param, histories)
    place.append(0, 60)
    place.ledger().look(answers)
    assert place.files
    return place


def spans(place) -> list[tuple[int, int]]:
    return [tuple(map(int, path.stem.split("-"))) for path in place.files]


def test_a_reader_that_is_not_far_behind_writes_nothing(place):
    before = place.files
    place.append(60, 5)
    place.check(behind=100)
    assert place.files == before


def test_new_events_become_a_small_layer_and_layers_are_merged(place):
    sizes = []
    for n in range(60, 160, 2):
        place.append(n, 2)
        place.ledger().look(answers)
        sizes.append(len(place.files))
        stretches = spans(place)
        assert stretches[0][0] == 0 and [a for a, _ in stretches[1:]] == [b for _, b in stretches[:-1]]
    place.check()
    assert 1 < max(sizes) <= 5
    bytes = [path.stat().st_size for path in place.files]
    assert all(size >= 2 * sum(bytes[n + 1 :]) for n, size in enumerate(bytes)), bytes
    assert stretches[-1][1] == place.open().head().seq


def test_a_ledger_that_grew_is_read_only_from_where_the_index_ends(place, monkeypatch):
    read = []
    store = place.open()
    original = type(store).read
    monkeypatch.setattr(
        type(store), "read", lambda self, after=0, **more: read.append(after) or original(self, after, **more)
    )
    place.append(60, 1)
    read.clear()
    place.ledger(behind=100).look(lambda history: history.runs["run_60"])
    assert read == [spans(place)[-1][1]]


def damage_a_byte(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0x55
    path.write_bytes(content)


def test_every_flipped_byte_of_an_index_is_noticed_or_harmless(place):
    """Decisions stay those of a replay, whatever byte of whatever file was changed."""
    folder = place.open().index_folder
    place.append(60, 3)
    place.ledger().look(answers)
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    chance = random.Random(7)
    for name in [path.name for path in place.files]:
        size = (kept / name).stat().st_size
        for byte in sorted(
            {*range(0, size, 211), *range(min(16, size)), *range(size - 64, size, 5), chance.randrange(size)}
        ):
            shutil.rmtree(folder)
            shutil.copytree(kept, folder)
            damage_a_byte(folder / name, byte)
            place.check()


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        lambda path: path.write_bytes(b"\0" * path.stat().st_size),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), os.mkfifo(path)),
        lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
        lambda path: path.unlink(),
    ],
    ids=["emptied", "cut", "zeros", "a folder", "a pipe", "a device", "removed"],
)
def test_a_file_that_is_not_whole_is_replaced(place, harm):
    harm(place.files[0])
    place.check()


def test_an_index_of_another_version_is_built_anew(place, monkeypatch):
    monkeypatch.setattr(meta, "meaning", lambda: "another")
    built = []
    monkeypatch.setattr(keeping, "add_layer", lambda *a, **k: built.append(1) or layers.add_layer(*a, **k))
    place.check()
    assert built


def test_an_index_of_another_ledger_is_not_believed(place, tmp_path, histories):
    other = AnyStore(tmp_path / "other", place.kind, histories)
    other.folder.mkdir()
    other.append(1000, 80)
    other.ledger().look(answers)
    shutil.rmtree(place.open().index_folder)
    shutil.copytree(other.open().index_folder, place.open().index_folder)
    place.check()
    assert place.ledger().look(lambda history: history.runs.get("run_1001")) is None


def test_a_ledger_in_place_of_another_is_not_decided_on_with_its_index(place, tmp_path, histories):
    other = AnyStore(tmp_path / "other", place.kind, histories)
    other.folder.mkdir()
    other.append(1000, 80)
    for file in place.open().files():
        file.unlink()
    for file in other.open().files():
        shutil.copy(
            file,
            place.open().files()[0]
            if place.kind == "sqlite" and place.open().files()
            else (place.folder / ("ledger.sqlite" if place.kind == "sqlite" else f"ledger/{file.name}")),
        )
    place.check()


def test_a_merged_ledger_is_followed(place, tmp_path, histories):
    other = AnyStore(tmp_path / "other", "jsonl", histories)
    other.folder.mkdir()
    other.open().append(lambda _: [NewEvent("rg_1", histories.opened())], lambda _: None)
    other.append(1000, 80)
    take_in(place.open(), other.open(), name="other", by="a person")
    place.check()
    stranger = place.ledger().look(lambda history: history.is_ours(history.runs["run_1002"]))
    assert not stranger


def test_events_that_a_power_cut_took_are_not_remembered(tmp_path, histories):
    """An index may know events that were never on disk: others take their positions."""
    place = AnyStore(tmp_path, "jsonl", histories)
    store = JsonlStore(tmp_path / "ledger", notice=lambda _: None)
    place.open = lambda: JsonlStore(tmp_path / "ledger", notice=lambda _: None)
    for first in (0, 60, 63):
        place.append(first, 60 if not first else 3)
        place.ledger().look(answers)
    [segment] = store.files()
    lines = segment.read_bytes().splitlines(keepends=True)
    for left in (len(lines) - 1, len(lines) - 6, 40, 1, 0):
        segment.write_bytes(b"".join(lines[:left]))
        place.check()
        place.append(500, 2)
        place.check()
        assert place.ledger().look(lambda history: "run_500" in history.runs)


def test_a_repaired_ledger_is_decided_on_as_it_is_now(place):
    damaged = place.open()
    if place.kind == "sqlite":
        import sqlite3

        with sqlite3.connect(damaged.path) as connection:
            line = "CAST(replace(line, 'bare-model', 'bare-MODEL') AS BLOB)"
            connection.execute(f"UPDATE events SET line = {line} WHERE seq > 50")
        connection.close()
    else:
        segment = damaged.files()[-1]
        segment.write_bytes(segment.read_bytes().replace(b"bare-model", b"bare-MODEL"))
    damaged.cut()
    head = place.open().head()
    event = Repaired(author="a", reason="r", position=head.seq, head_hash=head.hash)
    place.ledger().append(LEDGER_STREAM, event)
    place.check()


def test_without_a_place_to_write_the_ledger_is_read(place, monkeypatch):
    shutil.rmtree(place.open().index_folder)
    place.open().index_folder.write_text("in the way")
    place.check()
    place.append(60, 3)
    place.check()


def test_files_of_others_in_the_folder_are_left_alone(place, tmp_path):
    folder = place.open().index_folder
    (folder / "notes.txt").write_text("mine")
    (folder / "00000000000000000000-00000000000000000001.table.4711.new").write_text("half")
    os.utime(folder / "00000000000000000000-00000000000000000001.table.4711.new", (0, 0))
    place.append(60, 60)
    place.check()
    assert (folder / "notes.txt").read_text() == "mine"
    assert not list(folder.glob("*.new"))


def test_a_folder_that_is_a_link_is_not_used(place, tmp_path):
    folder, elsewhere = place.open().index_folder, tmp_path / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    before = sorted(path.name for path in elsewhere.iterdir())
    place.append(60, 60)
    place.check()
    assert sorted(path.name for path in elsewhere.iterdir()) == before


def test_damage_that_a_decision_meets_is_mended_before_it_counts(place, monkeypatch):
    """The block that says what is done is read only when it is asked for."""
    ledger = place.ledger(behind=100)
    ledger.decide(lambda _: [])
    for layer in ledger._index.layers.layers:
        layer.table._blocks.clear()
        for byte in range(16, layer.table.size // 2):
            damage_a_byte(layer.table.path, byte)
    asked = []

    def decide(history):
        asked.append([len(history.attempts(f"s{n}")) for n in range(7)])
        return [NewEvent("run_900", place.histories.started("s900"))]

    ledger.decide(decide)
    expected = History.of(place.open())
    assert asked[-1] == [len(expected.attempts(f"s{n}")) for n in range(7)]
    assert sum(record.stream == "run_900" for record in place.open().read()) == 1
    place.check()


WRITER = """
import sys
from pathlib import Path
from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage.open import open_store
from tests.conftest import Histories

ledger = Ledger(open_store(sys.argv[1], notice=print), behind=3)
for number in range(40):
    def decide(history):
        signature = f"s{number}"
        if history.attempts(signature):
            return []
        return [NewEvent(f"run_{sys.argv[2]}_{number}", Histories.started(signature)),
                NewEvent(f"run_{sys.argv[2]}_{number}", Histories.finished())]
    ledger.decide(decide)
"""


@pytest.mark.parametrize("kind", ["jsonl", "sqlite"])
def test_processes_that_write_ledger_and_index_at_once_do_each_work_once(tmp_path, kind, histories):
    place = AnyStore(tmp_path, kind, histories)
    url = place.open().url
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, url, name], cwd=Path(__file__).parents[3]) for name in "abc"
    ]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    history = History.of(place.open())
    assert [len(history.attempts(f"s{n}")) for n in range(40)] == [1] * 40
    place.check()
    chain = open_layers(place.open().index_folder)
    assert chain.meta.head == place.open().head()


def test_threads_that_look_and_decide_see_one_history(place):
    ledger = place.ledger(behind=5)
    seen: list[int] = []

    def look() -> None:
        for _ in range(40):
            seen.append(ledger.look(lambda history: len(list(history.open_runs()))))

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(40):
        ledger.append(f"run_t{number}", place.histories.started(f"t{number}"))
    for thread in threads:
        thread.join()
    assert len(seen) == 120 and sorted(set(seen)) == sorted(set(seen))
    place.check()


def test_a_keeper_gives_up_after_an_index_was_damaged_twice(place, monkeypatch):
    keeper = Keeper(place.open(), behind=0)
    for _ in range(3):
        keeper.throw_away(keeper.open())
    assert keeper.open().seq == 0 and not place.files


def test_an_index_that_cannot_be_written_is_not_tried_at_every_decision(place, monkeypatch):
    folder = place.open().index_folder
    shutil.rmtree(folder)
    folder.write_text("in the way")
    ledger = place.ledger(behind=10)
    opened = []
    original = Keeper.open
    monkeypatch.setattr(Keeper, "open", lambda self: opened.append(1) or original(self))
    for number in range(30):
        ledger.append(f"run_n{number}", place.histories.started(f"n{number}"))
    assert len(opened) <= 5


def test_a_thread_that_must_not_wait_writes_no_index(place):
    ledger = place.ledger(behind=10)
    ledger.look(answers)
    before = place.files
    for number in range(30):
        ledger.append(f"run_n{number}", place.histories.started(f"n{number}"), patience=0)
    assert place.files == before
    ledger.append("run_m", place.histories.started("m"))
    assert place.files != before
    place.check()


def test_a_verification_finds_an_index_that_was_made_to_fit(place):
    """Every digest is right and the head is the ledger's, but a run counts as a success that is none."""
    keeper = Keeper(place.open(), behind=0)
    chain = keeper.open().layers
    assert not keeping.is_wrong(place.open(), History.of(place.open())) and place.files
    [layer] = chain.layers
    run = place.ledger().look(lambda history: history.runs["run_0"])
    forged = dict(layer.table.entries()) | {index._key(b"r", "run_0"): index._encode(replace(run, status="succeeded"))}
    layers.write_table(layer.table.path, sorted(forged.items()), layer.table.about)
    assert place.ledger().look(lambda history: history.runs["run_0"].status) == "succeeded"
    report = verify(place.open())
    assert report.damage == [] and any("the index did not say" in remark for remark in report.notes)
    assert not place.files
    place.check()


@pytest.mark.parametrize("lost", [b"r", b"s"])
def test_a_verification_finds_an_index_without_some_entries(place, lost):
    [layer] = Keeper(place.open(), behind=0).open().layers.layers
    kept = dict(layer.table.entries())
    del kept[next(key for key in kept if key.startswith(lost))]
    layers.write_table(layer.table.path, sorted(kept.items()), layer.table.about)
    assert keeping.is_wrong(place.open(), History.of(place.open())) and not place.files


def test_a_verification_leaves_a_right_index_alone_while_the_ledger_goes_on(place):
    before = place.files
    place.append(60, 9)
    store = place.open()
    events = [NewEvent("run_1", place.histories.finished()), NewEvent("run_0", place.histories.failed())]
    store.append(lambda _: events, lambda _: None)
    assert not keeping.is_wrong(place.open(), History.of(place.open()))
    assert place.files == before


def test_the_events_of_a_stream_are_read_whatever_the_age_of_the_index(place):
    for number in range(60, 64):
        store = place.open()
        for run in (0, 1, 5, 59, 60, 62, 99):
            expected = list(store.read(stream=f"run_{run}"))
            assert list(keeping.read_stream(store, f"run_{run}", after=0)) == expected
            for place_of, record in enumerate(expected, 1):
                assert list(keeping.read_stream(store, f"run_{run}", after=record.seq)) == expected[place_of:]
        store.close()
        place.append(number, 1)
        if number == 62:
            place.ledger().look(answers)


def test_the_reading_of_a_stream_ends_with_its_last_event(place, monkeypatch):
    store = place.open()
    seen = []
    read = type(store).read

    def watched(self, *arguments, **filters):
        for record in read(self, *arguments, **filters):
            seen.append(record.seq)
            yield record
        seen.append("end")

    monkeypatch.setattr(type(store), "read", watched)
    number = len(list(keeping.read_stream(store, "run_1", after=0)))
    assert number == 2 and len(seen) == 3 and seen[-1] == "end", "only what follows the index is read to its end"
