"""A power cut at every moment: in whatever state it may leave the disk, the ledger goes on with all that it has told.

What the store does to the disk is recorded at its one seam. Of each moment, every state is then built that the rules
allow: of a file, what was synced is there, and of what came after any part, torn at any byte, perhaps with zeros
for the rest; of a folder, each name that came after its last sync is there, or is not.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from pathlib import Path

import pytest

from benchmarks.ledger import disk
from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.jsonl import JsonlStore
from benchmarks.ledger.verify import verify

SEGMENT_BYTES = 600
"""Two events, and a segment is full."""


class Killed(BaseException):
    """The end of a writer, at a system call."""


class File:
    """What of a file is on disk for sure, and the changes since, in order."""

    def __init__(self):
        self.synced = b""
        self.pending = []

    def now(self):
        content = self.synced
        for change in self.pending:
            content = changed(content, change)
        return content

    def extremes(self):
        return {self.synced, self.now()}

    def contents(self):
        """Everything that may be found after a power cut: changes in order, the last one of them in any part."""
        content = self.synced
        yield content
        for change in self.pending:
            whole = changed(content, change)
            for size in range(len(content) + 1, len(whole)):
                yield whole[:size]
            for size in range(len(content), len(whole)):
                yield whole[:size] + bytes(len(whole) - size)
            yield whole
            content = whole


def changed(content, change):
    return content[:change] if isinstance(change, int) else content + change


class RecordedDisk:
    """The disk below `root`, as it is and as a power cut might leave it."""

    def __init__(self, root, monkeypatch):
        self.root = root
        self.files = {}
        self.synced_names = {}
        self.pending_names = []
        self.told = []
        self.states = {}
        """Each state, as sorted items of paths and contents (None for a folder), and what was told when it last was."""
        self._names = {}
        self._fds = {}
        self._monkeypatch = monkeypatch

    def __enter__(self):
        for name in ("open_file", "write", "truncate", "sync", "rename", "sync_folder"):
            self._monkeypatch.setattr(disk, name, self._recorded(getattr(self, f"_{name}"), getattr(disk, name)))
        self._monkeypatch.setattr(os, "mkdir", self._recorded(self._mkdir, os.mkdir))
        return self

    def __exit__(self, *_):
        self._monkeypatch.undo()

    def tell(self, *events):
        """Somebody was told that these are recorded."""
        self.told += events
        self._look()

    def _recorded(self, record, call):
        def recorded(*arguments):
            existed = Path(arguments[0]).exists() if record == self._open_file else None
            result = call(*arguments)
            record(result, *arguments) if existed is None else record(result, *arguments, existed)
            self._look()
            return result

        return recorded

    def _open_file(self, fd, path, flags, existed):
        if not existed:
            number = len(self.files)
            self.files[number] = File()
            self._name(path, number)
        elif flags & os.O_TRUNC:
            self.files[self._names[path]].pending.append(0)
        self._fds[fd] = self._names[path]

    def _mkdir(self, _, path, *mode):
        self._name(Path(path), None)

    def _name(self, path, number, was=None):
        self._names[path] = number
        self.pending_names.append((path, number, was))

    def _write(self, count, fd, data):
        file = self.files[self._fds[fd]]
        assert os.fstat(fd).st_size == len(file.now()) + count, "every write of the store is at the end of its file"
        file.pending.append(bytes(data[:count]))

    def _truncate(self, _, fd, size):
        # It may also make a file longer, with zeros: so the lock counts.
        file = self.files[self._fds[fd]]
        missing = size - len(file.now())
        file.pending.append(bytes(missing) if missing > 0 else size)

    def _sync(self, _, fd):
        file = self.files[self._fds[fd]]
        file.synced, file.pending = file.now(), []

    def _rename(self, _, source, target):
        self._name(target, self._names.pop(source), source)

    def _sync_folder(self, _, folder):
        for name in [name for name in self.pending_names if name[0].parent == folder]:
            self.pending_names.remove(name)
            apply_name(self.synced_names, name)

    def _look(self):
        """Remember every state that the disk may be in after a power cut now."""
        for chosen in itertools.product((False, True), repeat=len(self.pending_names)):
            names = dict(self.synced_names)
            for name in itertools.compress(self.pending_names, chosen):
                apply_name(names, name)
            reachable = {path: number for path, number in names.items() if self._is_reachable(path, names)}
            for contents in self._contents({number for number in reachable.values() if number is not None}):
                state = tuple(sorted((str(path), contents.get(number)) for path, number in reachable.items()))
                self.states[state] = len(self.told)

    def _is_reachable(self, path, names):
        return path.parent == self.root or (path.parent in names and self._is_reachable(path.parent, names))

    def _contents(self, numbers):
        """Contents of the files: each one in turn with all that it may be, the others as synced or as written."""
        open_ones = [number for number in numbers if self.files[number].pending]
        fixed = {number: self.files[number].synced for number in numbers}
        if not open_ones:
            yield fixed
        for torn in open_ones:
            others = [number for number in open_ones if number != torn]
            for chosen in itertools.product(*(self.files[number].extremes() for number in others)):
                for content in self.files[torn].contents():
                    yield {**fixed, **dict(zip(others, chosen, strict=True)), torn: content}

    def after_a_power_cut(self):
        """Builds each state below `root`, and yields what it must hold."""
        there = {}
        for state, told in self.states.items():
            lay(self.root, dict(state), there)
            yield self.told[:told]
            there = None  # Whoever opened the ledger has changed it.


def apply_name(names, change):
    path, number, was = change
    names.pop(was, None)
    names[path] = number


def lay(root, state, there):
    if there is None or there != state:
        for path in root.iterdir():
            shutil.rmtree(path)
        for name, content in state.items():
            if content is None:
                Path(name).mkdir()
            else:
                Path(name).write_bytes(content)


def note(text, id=None):
    return NewEvent("run_1", Annotated(author="a", note=text), id)


def append(store, *texts):
    store.append(lambda _: [note(text) for text in texts], lambda _: None)


def notes(folder):
    return [record.data.note for record in JsonlStore(folder, notice=print).read()]


def open_store(folder, notice=lambda _: None):
    return JsonlStore(folder, notice=notice, segment_bytes=SEGMENT_BYTES)


def go_on(folder):
    """What the ledger holds once somebody has opened it and appended to it."""
    store = open_store(folder)
    append(store, "after")
    store.close()
    assert verify(open_store(folder)).damage == []
    return notes(folder)


def assert_told_is_kept(recorded, folder, at_least):
    count = 0
    for told in recorded.after_a_power_cut():
        kept = go_on(folder)
        count += 1
        assert kept[: len(told)] == told and kept[-1] == "after" and len(kept) == len(set(kept)), (
            f"told: {told}, kept: {kept}"
        )
    print(f"{count} states")
    assert count >= at_least


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def folder(root, recorded):
    """A ledger's folder that was there before, so that its own name is on disk."""
    folder = root / "ledger"
    folder.mkdir()
    recorded.synced_names[folder] = None
    return folder


@pytest.fixture
def recorded(root):
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield RecordedDisk(root, monkeypatch)


@pytest.fixture(autouse=True)
def fast_syncs(monkeypatch):
    """No power is cut here in earnest."""
    monkeypatch.setattr(disk, "sync", lambda fd: None)
    monkeypatch.setattr(disk, "sync_folder", lambda folder: None)


def tear(segment, text):
    """What a writer leaves that is killed in the middle of a write."""
    fd = disk.open_file(segment, os.O_RDWR | os.O_APPEND)
    disk.write(fd, text)
    os.close(fd)


def test_what_was_told_outlives_every_power_cut(recorded, folder):
    one, other = open_store(folder), open_store(folder)
    with recorded:
        append(one, "a1")
        one.sync()
        recorded.tell("a1")
        append(other, "b1")  # The first segment is full with it, and nobody has synced it.
        append(one, "a2")
        other.sync()
        append(other, "b2", "b3")
        other.sync()
        recorded.tell("b1", "a2", "b2", "b3")
        one.sync()
        append(one, "a3")
        one.sync()
        recorded.tell("a3")
    assert len(one.files()) == 3
    assert_told_is_kept(recorded, folder, at_least=2000)


def test_what_was_told_outlives_every_power_cut_while_a_torn_line_is_moved_away(recorded, folder):
    one, other = open_store(folder), open_store(folder)
    with recorded:
        append(one, "a1")
        other.append(lambda _: [], lambda _: None)  # It has seen the first event, and will see the torn tail.
        one.sync()
        recorded.tell("a1")
        append(one, "a2")
        tear(one.files()[0], b'{"seq":3,"id":"torn')
        append(other, "b1")
        other.sync()
        recorded.tell("a2", "b1")
        tear(one.files()[-1], b'{"seq":4,"id":"torn')
        append(one, "a3")
        one.sync()
        recorded.tell("a3")
    assert len(list((folder / "quarantine").iterdir())) == 2
    assert_told_is_kept(recorded, folder, at_least=2000)
