"""Values that are made once: who asks for another one does not wait."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from benchmarks.ledger.events import Artifact
from benchmarks.viewer.index.kept import Kept, Locks
from benchmarks.viewer.index.sample_table import SampleTables

WAIT = 30  # Seconds: a limit for a test that hangs, never waited for.


class SlowStore:
    """A store from which one file comes only when it is allowed to."""

    stores = ("store",)

    def __init__(self, file):
        self.file, self.begun, self.may_end, self.opened = file, threading.Event(), threading.Event(), []

    def open(self, folder, artifact):
        self.opened.append(folder.name)
        if folder.name == "slow":
            self.begun.set()
            assert self.may_end.wait(WAIT)
        return self.file.open("rb")


CONTENT = b"".join(msgspec.json.encode({"id": str(number), "score": 1}) + b"\n" for number in range(3))
ARTIFACT = Artifact(path="output/samples.jsonl", bytes=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())


def test_a_reader_of_a_slow_file_stops_nobody_but_readers_of_that_file(tmp_path):
    (tmp_path / "kept").write_bytes(CONTENT)
    tables, store = SampleTables(), SlowStore(tmp_path / "kept")
    with ThreadPoolExecutor(3) as readers:
        slow = [readers.submit(tables.table, tmp_path / "slow", [ARTIFACT], store) for _ in range(2)]
        assert store.begun.wait(WAIT)
        quick = readers.submit(tables.table, tmp_path / "quick", [ARTIFACT], store).result(WAIT)
        assert quick.ids == ["0", "1", "2"] and not any(one.done() for one in slow)
        store.may_end.set()
        first, second = (one.result(WAIT) for one in slow)
    assert first is second and sorted(store.opened) == ["quick", "slow"], "the slow file was read once"


def test_what_cannot_be_made_is_tried_again():
    kept = Kept(lambda values: len(values) > 2)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 // 0)
    assert kept.get("a", lambda: 1) == kept.get("a", lambda: 2) == 1
    assert kept.get("a", lambda: 3, lambda value: value == 3) == 3, "what is not current is made anew"
    assert [kept.get(name, lambda: 4) for name in "bc"] == [4, 4]
    assert kept.get("a", lambda: 5) == 5, "what was asked for longest ago is dropped"


def test_a_lock_lasts_as_long_as_somebody_needs_it():
    locks = Locks()
    with locks.holding("a"), locks.holding("b"):
        assert len(locks._of) == 2
    with pytest.raises(KeyError), locks.holding("a"):
        raise KeyError
    assert not locks._of
