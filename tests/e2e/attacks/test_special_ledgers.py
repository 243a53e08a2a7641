"""Pipes, devices, folders and links in place of the files of a ledger: no command hangs, each names what is there."""

from __future__ import annotations

import os
import random
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.ledger.errors import LedgerDamaged, LedgerMoved, SpecialFile
from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.locking import LedgerLock
from benchmarks.ledger.storage.sqlite import SqliteStore
from benchmarks.ledger.waiting import LockWait
from benchmarks.viewer.index.proof import ChainProof

KINDS = {
    "pipe": "a named pipe",
    "socket": "a socket",
    "device": "a link",
    "folder": "a folder",
    "link": "a link",
    "nowhere": "a link",
    "circle": "a link",
}
FIRST = "00000000000000000001.jsonl"
PLACES = {
    "jsonl": ("manifest.json", FIRST, ".lock"),
    "sqlite": ("events.db", "events.db.lock", "events.db-wal", "events.db-journal"),
}


def put(path: Path, kind: str) -> Path | None:
    """Replace a file, and keep it beside its place; returns the path at which it is kept."""
    kept = path.with_name(f"kept.{path.name}")
    if path.exists():
        path.rename(kept)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        here = Path.cwd()
        os.chdir(path.parent)
        socket.socket(socket.AF_UNIX).bind(path.name)
        os.chdir(here)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to({"device": "/dev/zero", "link": kept.name, "nowhere": "nothing", "circle": path.name}[kind])
    return kept if kept.exists() else None


def take_away(path: Path, kept: Path | None) -> None:
    """Restore the file."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink()
    if kept is not None:
        kept.rename(path)


def pairs(store: str, rng: random.Random, is_full: bool) -> list[tuple[str, str]]:
    """Every place with every kind; in the short form, a pipe for the files with events and any kind for the others."""
    if is_full:
        return [(place, kind) for place in PLACES[store] for kind in KINDS]
    return [(place, "pipe" if place in (FIRST, "events.db") else rng.choice([*KINDS])) for place in PLACES[store]]


@pytest.mark.parametrize("store", PLACES)
def test_a_special_file_in_place_of_one_of_the_ledger_is_named(
    bench: Any, rng: random.Random, tally: Counter[str], is_full: bool, store: str
) -> None:
    folder = bench.results / "ledger"
    if store == "sqlite":
        folder = bench.root / "db"
        folder.mkdir()
        bench.environ["BENCHMARKS_LEDGER"] = f"sqlite://{folder}/events.db"
    bench.add("odd")
    bench.run("odd")
    for place, kind in pairs(store, rng, is_full):
        kept = put(folder / place, kind)
        said = bench.run("odd", more=("--force",), code=3)
        assert f"{KINDS[kind]}" in said and place in said, said
        assert "hint: " in said or place == FIRST, said
        # Readers need neither the lock nor the list of sealed segments.
        is_read = place not in (".lock", "manifest.json", "events.db.lock")
        shown = bench("show-runs", code=3 if is_read else 0)
        assert not is_read or KINDS[kind] in shown.stderr, shown.stderr
        found = bench("ledger", "verify", code=3 if is_read or place == "manifest.json" else 0)
        assert found.returncode == 0 or KINDS[kind] in found.stdout + found.stderr
        take_away(folder / place, kept)
        tally[f"{place} {kind}"] += 1
    bench.run("odd", more=("--force",))
    assert [run["status"] for run in bench.runs()] == ["succeeded"] * 2


def test_a_ledger_folder_that_is_a_link_goes_on(bench: Any) -> None:
    bench.add("odd")
    bench.run("odd")
    elsewhere = bench.root / "elsewhere"
    (bench.results / "ledger").rename(elsewhere)
    (bench.results / "ledger").symlink_to(elsewhere)
    bench.run("odd", more=("--force",))
    bench("ledger", "verify")
    assert len(bench.runs()) == 2 and not (elsewhere / "ledger").exists()


def ledger_of(folder: Path, count: int) -> JsonlStore:
    store = JsonlStore(folder, notice=print, segment_bytes=600)
    for number in range(count):
        store.append(lambda _, n=number: [NewEvent("run_1", Annotated(author="a", note=str(n)))], lambda _: None)
    store.close()
    return store


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [0, 1, -1])
def test_a_special_segment_is_damage_with_its_place_and_repair_puts_it_away(
    tmp_path: Path, kind: str, number: int
) -> None:
    store = ledger_of(tmp_path / "ledger", 8)
    segment = store.files()[number]
    begin = int(segment.stem)
    put(segment, kind)
    report = verify(store)
    assert report.position == begin - 1
    assert f"{segment.name}, line 1, byte 0: {KINDS[kind]} has the place of the file" in report.damage[0].text
    with pytest.raises(LedgerDamaged, match=KINDS[kind]):
        list(store.read())
    with pytest.raises(LedgerDamaged):
        ledger_of(store.folder, 1)
    store.cut()
    assert not verify(store).damage
    assert len(list(store.read())) == begin - 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_program_that_has_the_ledger_open_names_what_took_the_place_of_its_file(tmp_path: Path, kind: str) -> None:
    jsonl, sqlite = ledger_of(tmp_path / "ledger", 8), SqliteStore(tmp_path / "events.db", notice=print)
    proof = ChainProof(jsonl)
    for store in (jsonl, sqlite):
        store.append(lambda _: [NewEvent("run_1", Annotated(author="a", note="open"))], lambda _: None)
    segment = jsonl.files()[-1]
    put(segment, kind)
    put(sqlite.path, kind)
    jsonl.revision()
    proof.step()
    assert f"{KINDS[kind]} has the place of the file" in proof.damage
    for store in (jsonl, sqlite):
        # A writer of a database may see first that its own file has gone.
        with pytest.raises((LedgerDamaged, SpecialFile, LedgerMoved)):
            store.append(lambda _: [NewEvent("run_1", Annotated(author="a", note="late"))], lambda _: None)
        with pytest.raises((LedgerDamaged, SpecialFile), match=KINDS[kind]):
            list(store.read())


@pytest.mark.parametrize("kind", KINDS)
def test_a_special_manifest_stops_writers_and_is_named_by_verify(tmp_path: Path, kind: str) -> None:
    store = ledger_of(tmp_path / "ledger", 8)
    manifest = store.folder / "manifest.json"
    kept = put(manifest, kind)
    [finding] = verify(store).damage
    assert f"{manifest} is {KINDS[kind]}, but must be a regular file" in finding.text
    with pytest.raises(SpecialFile, match="hint: move it away"):
        ledger_of(store.folder, 1)
    assert len(list(store.read())) == 8
    take_away(manifest, None)
    ledger_of(store.folder, 4)
    assert kept is not None and not verify(store).damage and manifest.is_file()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "folder"])
def test_a_special_file_under_the_name_of_a_new_manifest_is_replaced(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "ledger"
    ledger_of(folder, 1)
    put(folder / ".manifest.json.new", kind)
    store = ledger_of(folder, 8)
    assert not verify(store).damage and (folder / "manifest.json").is_file()


def test_a_writer_that_waits_in_the_queue_sees_a_special_lock(tmp_path: Path) -> None:
    """The thread that waits in the kernel's queue for it reports the error, and does not hang."""
    path = tmp_path / ".lock"
    lock, other = LedgerLock(path), LedgerLock(path)
    lock.acquire()
    with pytest.MonkeyPatch.context() as patch:

        def replaced(self: LockWait) -> bool:
            path.rename(tmp_path / "moved")
            os.mkfifo(path)
            return True

        patch.setattr(LockWait, "is_long", property(replaced))
        with pytest.raises(SpecialFile, match="a named pipe"):
            other.acquire(60)
    lock.release()
