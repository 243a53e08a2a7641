"""The ledger is moved, replaced or removed under a running orchestrator: no acknowledged event is lost with exit 0."""

from __future__ import annotations

import collections
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks.ledger.storage.open import open_store
from tests.conftest import Bench

GATED = """
print("begun", flush=True)
with open(os.environ["GATE"]) as gate:
    gate.read()
output.joinpath("result.json").write_text(json.dumps({"score": 0.5, "n": 4}))
"""


def moved(ledger: Path) -> None:
    ledger.rename(ledger.with_name("elsewhere"))


def moved_and_begun_anew(ledger: Path) -> None:
    moved(ledger)
    ledger.mkdir()


def removed(ledger: Path) -> None:
    shutil.rmtree(ledger)


def removed_and_begun_anew(ledger: Path) -> None:
    removed(ledger)
    ledger.mkdir()


def workspace_moved(ledger: Path) -> None:
    results = ledger.parent
    results.rename(results.with_name("elsewhere"))


def replaced_by_an_older_copy(ledger: Path) -> None:
    copy = ledger.with_name("older")
    shutil.copytree(ledger, copy)
    segment = next(copy.glob("0*.jsonl"))
    segment.write_bytes(b"".join(segment.read_bytes().splitlines(keepends=True)[:-1]))
    ledger.rename(ledger.with_name("elsewhere"))
    copy.rename(ledger)


def segment_replaced_by_an_older_copy(ledger: Path) -> None:
    segment = next(ledger.glob("0*.jsonl"))
    copy = segment.with_suffix(".copy")
    copy.write_bytes(b"".join(segment.read_bytes().splitlines(keepends=True)[:-1]))
    copy.rename(segment)


def segment_cut(ledger: Path) -> None:
    segment = next(ledger.glob("0*.jsonl"))
    os.truncate(segment, segment.stat().st_size - len(segment.read_bytes().splitlines(keepends=True)[-1]))


def segment_removed(ledger: Path) -> None:
    next(ledger.glob("0*.jsonl")).unlink()


def segment_replaced_by_the_same(ledger: Path) -> None:
    segment = next(ledger.glob("0*.jsonl"))
    copy = segment.with_suffix(".copy")
    shutil.copyfile(segment, copy)
    copy.rename(segment)


def replaced_by_the_same(ledger: Path) -> None:
    copy = ledger.with_name("copy")
    shutil.copytree(ledger, copy)
    ledger.rename(ledger.with_name("elsewhere"))
    copy.rename(ledger)


def lock_removed(ledger: Path) -> None:
    (ledger / ".lock").unlink()


def lock_replaced(ledger: Path) -> None:
    (ledger / ".lock.new").touch()
    (ledger / ".lock.new").rename(ledger / ".lock")


STOPS = [
    moved,
    moved_and_begun_anew,
    removed,
    removed_and_begun_anew,
    workspace_moved,
    replaced_by_an_older_copy,
    segment_replaced_by_an_older_copy,
    segment_cut,
    segment_removed,
]
GOES_ON = [segment_replaced_by_the_same, replaced_by_the_same, lock_removed, lock_replaced]


def database_moved(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def database_removed(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def database_replaced(path: Path) -> None:
    database_moved(path)
    path.touch()


def database_folder_moved(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


DATABASE_STOPS = [database_moved, database_removed, database_replaced, database_folder_moved]
NEW_PLACE = {
    moved: "benchmark_results/elsewhere",
    moved_and_begun_anew: "benchmark_results/elsewhere",
    replaced_by_an_older_copy: "benchmark_results/elsewhere",
    workspace_moved: "elsewhere/ledger",
    database_moved: "elsewhere.db",
    database_replaced: "elsewhere.db",
    database_folder_moved: "elsewhere",
}


class UnderWay:
    """A run at work in a workspace of its own. It waits until its gate is opened."""

    def __init__(self, folder: Path, change: Callable[[Path], None]) -> None:
        folder.mkdir()
        self.change = change
        self._bench = Bench(folder / "workspace")
        self._bench.add("gated", GATED)
        self._gate = folder / "gate"
        os.mkfifo(self._gate)
        self.url = str(self._bench.results / "ledger")
        self._path = Path(self.url)
        if change in DATABASE_STOPS:
            self._path = folder / "here" / "ledger.db"
            self.url = f"sqlite://{self._path}"
        asked = ("run", "--benchmarks", "gated", "--provider", "ollama", "--json")
        self._process = self._bench.start("--ledger", self.url, *asked, GATE=str(self._gate))

    def end(self) -> tuple[int, str, set[str]]:
        """Change something, and open the gate: the exit code, the output, and the ids of the reported events."""
        assert self._process.stderr and "started" in self._process.stderr.readline()
        with self._gate.open("w"):
            self.change(self._path)
        output, message = self._process.communicate(timeout=60)
        assert "Traceback" not in message, message
        return self._process.returncode, message, {json.loads(line)["id"] for line in output.splitlines()}


def test_a_moved_replaced_or_removed_ledger_is_noticed(
    tmp_path: Path, rng: random.Random, is_full: bool, tally: collections.Counter[str]
) -> None:
    changes = [*STOPS, *GOES_ON, *DATABASE_STOPS]
    chosen = changes if is_full else [*rng.sample(STOPS, 3), rng.choice(GOES_ON), *rng.sample(DATABASE_STOPS, 2)]
    for under_way in [UnderWay(tmp_path / change.__name__, change) for change in chosen]:
        code, message, acknowledged = under_way.end()
        name = under_way.change.__name__
        if under_way.change in GOES_ON:
            there = {record.id for record in open_store(under_way.url, notice=print).read()}
            assert code == 0 and acknowledged <= there, (name, message)
        else:
            assert code == 3 and "\nhint: " in message, (name, message)
            assert NEW_PLACE.get(under_way.change, "") in message, (name, message)
        tally["noticed" if code else "with the same events, gone on with"] += 1
