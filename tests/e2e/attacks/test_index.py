"""The index beside the ledger is damaged, swapped or cut: work that is done is not done again, and none is lost."""

from __future__ import annotations

import collections
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.storage.jsonl import JsonlStore
from tests.conftest import Bench, Histories

EVENTS = 6_000
"""More than an index may be behind, so that one is written."""


def runs(first: int, number: int) -> list[NewEvent]:
    """Runs of other work, in a group of their own."""
    group = f"rg_{first}"
    events = [NewEvent(group, Histories.opened())]
    for n in range(first, first + number):
        events.append(NewEvent(f"run_{n}", Histories.started(f"s{n}", run_group_id=group)))
        events.append(NewEvent(f"run_{n}", Histories.finished(duration_seconds=1.0)))
    return events


@pytest.fixture
def indexed(bench: Bench) -> Bench:
    """A workspace with a long history in which the benchmark `good` has succeeded, and with an index."""
    bench.add("good")
    bench.run("good")
    store = JsonlStore(bench.results / "ledger", notice=print)
    store.append(lambda _: runs(0, EVENTS // 2), lambda _: None)
    store.close()
    assert bench("status").stdout == "no runs in progress\n"
    assert files(bench)
    return bench


def files(bench: Bench) -> list[Path]:
    return sorted((bench.results / "ledger" / "index").glob("*.table"))


def flip(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 1, 20])):
        content[rng.randrange(len(content))] ^= rng.randrange(1, 256)
    path.write_bytes(content)


def cut(path: Path, rng: random.Random) -> None:
    os.truncate(path, rng.randrange(path.stat().st_size))


def extended(path: Path, rng: random.Random) -> None:
    path.write_bytes(path.read_bytes() + rng.randbytes(rng.randrange(1, 99)))


def zeroed(path: Path, rng: random.Random) -> None:
    """As after a power cut: the size is there, and the content is not."""
    content = path.read_bytes()
    begin = rng.randrange(len(content))
    path.write_bytes(content[:begin] + bytes(len(content) - begin))


def a_pipe(path: Path, rng: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


def a_link(path: Path, rng: random.Random) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def renamed(path: Path, rng: random.Random) -> None:
    """As if it reached further than it does."""
    path.rename(path.with_name(f"{0:020d}-{int(path.stem[-20:]) + 7:020d}.table"))


def unreadable(path: Path, rng: random.Random) -> None:
    path.parent.chmod(0o500)


HARMS: list[Callable[[Path, random.Random], None]] = [flip, cut, extended, zeroed, a_pipe, a_link, renamed, unreadable]


def test_work_that_is_done_stays_done_whatever_happens_to_the_index(
    indexed: Bench, rng: random.Random, is_full: bool, tally: collections.Counter[str]
) -> None:
    folder = indexed.results / "ledger" / "index"
    for _ in range(8 if is_full else 1):
        for harm in HARMS:
            kept = folder.with_name("kept")
            shutil.copytree(folder, kept)
            harm(rng.choice(files(indexed)), rng)
            said = indexed.run("good")
            assert "skipped" in said, f"{harm.__name__}: {said}"
            folder.chmod(0o700)
            tally[harm.__name__] += 1
            shutil.rmtree(folder)
            kept.rename(folder)
    assert len(indexed.runs("--benchmark", "good")) == 1


def test_an_index_of_another_workspace_is_not_believed(indexed: Bench, tmp_path: Path) -> None:
    """In that one the work is done, and here it is not."""
    other = Bench(tmp_path / "other")
    other.root.mkdir()
    other.add("good")
    store = JsonlStore(other.results / "ledger", notice=print)
    store.append(lambda _: runs(0, EVENTS // 2), lambda _: None)
    store.close()
    shutil.copytree(indexed.results / "ledger" / "index", other.results / "ledger" / "index")
    assert "skipped" not in other.run("good")
    assert len(other.runs("--benchmark", "good")) == 1


def test_a_ledger_that_was_put_back_forgets_what_came_later(indexed: Bench) -> None:
    """A backup is restored below an index that knows more."""
    ledger = indexed.results / "ledger"
    backup = ledger.with_name("backup")
    shutil.copytree(ledger, backup)
    indexed.add("later")
    indexed.run("later")
    store = JsonlStore(ledger, notice=print)
    store.append(lambda _: runs(90_000, EVENTS // 2), lambda _: None)
    store.close()
    indexed("status")
    index = ledger / "index"
    shutil.rmtree(backup / "index")
    index.rename(backup / "index")
    shutil.rmtree(ledger)
    backup.rename(ledger)
    assert "skipped" in indexed.run("good")
    assert "skipped" not in indexed.run("later")


def test_a_killed_builder_leaves_nothing_that_is_believed(
    indexed: Bench, rng: random.Random, is_full: bool, tally: collections.Counter[str]
) -> None:
    folder = indexed.results / "ledger" / "index"
    begin = time.monotonic()
    indexed("status")
    usual = time.monotonic() - begin
    for _ in range(40 if is_full else 3):
        shutil.rmtree(folder, ignore_errors=True)
        with subprocess.Popen(indexed.command("status"), stdout=subprocess.DEVNULL, env=indexed.environ) as builder:
            time.sleep(rng.random() * 2 * usual)
            builder.send_signal(signal.SIGKILL)
        tally["with an index" if files(indexed) else "without an index"] += 1
        assert "skipped" in indexed.run("good")
    assert len(indexed.runs("--benchmark", "good")) == 1
