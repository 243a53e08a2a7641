"""A power cut at every moment: in whatever state it may leave the disk, the ledger goes on with all that it has told.

What the store does to the disk is recorded at its one seam. After each call, every state is built that the rules
allow: of a file, what was synced is there, and of what came after any part, torn at any byte, perhaps with zeros for
the rest; of a folder, each name that came after its last sync is there, or is not. (That a disk may also keep later
blocks of what was not synced and lose earlier ones is described in docs/ledger.md, and not tested here.)
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import tempfile
from pathlib import Path

import pytest

from benchmarks.ledger.errors import LedgerUnwritable, OtherHistory
from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage import disk
from benchmarks.ledger.storage.jsonl import JsonlStore

pytestmark = pytest.mark.slow

SEGMENT_BYTES = 600
"""Two events, and a segment is full."""

ZEROS_EVERY = 4
"""At every such byte, what follows may be zeros: a file that got its new size before its new bytes."""

CALLS = ("open_file", "write", "truncate", "sync", "rename", "sync_folder")


class Killed(BaseException):
    """The end of a writer, at a system call."""


class File:
    """What of a file is on disk for sure, and the changes since, in order: bytes at its end, or a size to cut it to."""

    def __init__(self, *, is_lock):
        self.is_lock = is_lock
        self.synced = b""
        self.pending = []

    def now(self):
        content = self.synced
        for change in self.pending:
            content = changed(content, change)
        return content

    def extremes(self):
        # What a lock's size tells, it tells writers that live.
        return {self.now()} if self.is_lock else {self.synced, self.now()}

    def contents(self):
        """Everything that may be found after a power cut: changes in order, the last one of them in any part."""
        content = self.synced
        yield content
        for change in self.pending:
            whole = changed(content, change)
            for size in range(len(content) + 1, len(whole)):
                yield whole[:size]
            for size in range(len(content), len(whole), ZEROS_EVERY):
                yield whole[:size] + bytes(len(whole) - size)
            yield whole
            content = whole


def changed(content, change):
    return content[:change] if isinstance(change, int) else content + change


class RecordedDisk:
    """The disk below `root`, as it is, and as a power cut might leave it."""

    def __init__(self, root, monkeypatch):
        self.root = root
        self.told = []
        self.states = {}
        """Each state (paths with contents, None for a folder): what was acknowledged when it was possible, and when."""
        self._monkeypatch = monkeypatch
        self._calls = {}
        self._log = []
        self._files = {}
        self._fds = {}
        self._names = {}
        self._synced_names = {}
        self._pending_names = []

    def __enter__(self):
        for name in CALLS:
            self._record(disk, name)
        self._record(os, "mkdir")
        return self

    def __exit__(self, *_):
        self._monkeypatch.undo()

    def had_folder(self, path):
        """Make a folder that has been there for long."""
        path.mkdir()
        self._synced_names[path] = None

    def tell(self, *events):
        """These were acknowledged."""
        self.told += events
        self._look()

    @contextlib.contextmanager
    def underneath(self, name, call):
        """Another function in place of a system call."""
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setitem(self._calls, name, call)
            yield

    def after_a_power_cut(self):
        """Build each state below `root`; yields what was acknowledged, and a description."""
        for state, (told, when) in self.states.items():
            lay(self.root, state)
            sizes = {Path(path).name: None if content is None else len(content) for path, content in state}
            yield self.told[:told], f"after {self._log[when - 1]} (call {when}), files and sizes {sizes}"

    def _record(self, module, name):
        self._calls[name] = getattr(module, name)
        record = getattr(self, f"_{name}")

        def recorded(*arguments):
            is_new = name == "open_file" and not arguments[0].exists()
            result = self._calls[name](*arguments)
            self._log.append(f"{name} {arguments}"[:200])
            record(result, is_new, *arguments)
            self._look()
            return result

        self._monkeypatch.setattr(module, name, recorded)

    def _open_file(self, fd, is_new, path, flags):
        if is_new:
            number = len(self._files)
            self._files[number] = File(is_lock=path.name == ".lock")
            self._give_name(path, number)
        elif flags & os.O_TRUNC:
            self._files[self._names[path]].pending.append(0)
        self._fds[fd] = self._names[path]

    def _mkdir(self, _, __, path, *mode):
        self._give_name(Path(path), None)

    def _write(self, count, _, fd, data):
        file = self._files[self._fds[fd]]
        file.pending.append(bytes(data[:count]))
        assert os.fstat(fd).st_size == len(file.now()), "every write of the store is at the end of its file"

    def _truncate(self, _, __, fd, size):
        # It may also make a file longer, with zeros: so the lock counts.
        file = self._files[self._fds[fd]]
        missing = size - len(file.now())
        file.pending.append(bytes(missing) if missing > 0 else size)

    def _sync(self, _, __, fd):
        file = self._files[self._fds[fd]]
        file.synced, file.pending = file.now(), []

    def _rename(self, _, __, source, target):
        self._give_name(target, self._names.pop(source), source)

    def _sync_folder(self, _, __, folder):
        for change in [change for change in self._pending_names if change[0].parent == folder]:
            self._pending_names.remove(change)
            rename(self._synced_names, *change)

    def _give_name(self, path, number, source=None):
        self._names[path] = number
        self._pending_names.append((path, number, source))

    def _look(self):
        """Remember every state that the disk may be in after a power cut now."""
        for chosen in itertools.product((False, True), repeat=len(self._pending_names)):
            names = dict(self._synced_names)
            for change in itertools.compress(self._pending_names, chosen):
                rename(names, *change)
            reachable = {path: number for path, number in names.items() if self._is_reachable(path, names)}
            for contents in self._contents({number for number in reachable.values() if number is not None}):
                state = tuple(sorted((str(path), contents.get(number)) for path, number in reachable.items()))
                self.states[state] = (len(self.told), len(self._log))

    def _is_reachable(self, path, names):
        return path.parent == self.root or (path.parent in names and self._is_reachable(path.parent, names))

    def _contents(self, numbers):
        """Contents of the files: each one in turn with all that it may be, the others as synced or as written."""
        changing = [number for number in numbers if self._files[number].pending]
        synced = {number: self._files[number].synced for number in numbers}
        if not changing:
            yield synced
        for torn in changing:
            others = [number for number in changing if number != torn]
            for chosen in itertools.product(*(self._files[number].extremes() for number in others)):
                for content in self._files[torn].contents():
                    yield {**synced, **dict(zip(others, chosen, strict=True)), torn: content}


def rename(names, path, number, source):
    names.pop(source, None)
    names[path] = number


def lay(root, state):
    contents = dict(state)
    # From the end: what is in a folder comes before it.
    for path in sorted(root.rglob("*"), reverse=True):
        if str(path) not in contents:
            path.rmdir() if path.is_dir() else path.unlink()
    for name, content in state:
        if content is None:
            Path(name).mkdir(exist_ok=True)
        else:
            Path(name).write_bytes(content)


def note(text, id=None):
    return NewEvent("run_1", Annotated(author="a", note=text), id)


def append(store, *texts):
    store.append(lambda _: [note(text) for text in texts], lambda _: None)


def open_store(folder, notice=lambda _: None):
    return JsonlStore(folder, notice=notice, segment_bytes=SEGMENT_BYTES)


def go_on(folder):
    """What the ledger holds once somebody has opened it and appended to it."""
    store = open_store(folder)
    append(store, "after")
    store.close()
    assert verify(store).damage == []
    return [record.data.note for record in store.read()]


def assert_told_is_kept(recorded, folder, *, at_least=1):
    count = 0
    for told, when in recorded.after_a_power_cut():
        kept = go_on(folder)
        assert kept[: len(told)] == told, f"told {told}, kept {kept}, power cut {when}"
        assert kept[-1] == "after" and len(kept) == len(set(kept)), f"kept {kept}, power cut {when}"
        count += 1
    print(f"{count} states")
    assert count >= at_least


@pytest.fixture
def tmp_path():
    """In memory, where there is such a folder: thousands of states are built here, and no power is cut in earnest."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def recorded(root, monkeypatch):
    # No power is cut here in earnest.
    monkeypatch.setattr(disk, "sync", lambda fd: None)
    monkeypatch.setattr(disk, "sync_folder", lambda folder: None)
    with pytest.MonkeyPatch.context() as recording:
        yield RecordedDisk(root, recording)


@pytest.fixture
def folder(root, recorded):
    """A ledger's folder that was there before."""
    folder = root / "ledger"
    recorded.had_folder(folder)
    return folder


def tear(segment, text):
    """Leave what a writer leaves that is killed in the middle of a write."""
    fd = disk.open_file(segment, os.O_RDWR | os.O_APPEND)
    disk.write(fd, text)
    os.close(fd)


def test_acknowledged_events_outlive_every_power_cut(recorded, folder):
    one, other = open_store(folder), open_store(folder)
    with recorded:
        append(one, "a1")
        one.sync()
        recorded.tell("a1")
        append(other, "b1")  # The first segment is full with it, and it is not synced.
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


def test_acknowledged_events_outlive_a_power_cut_while_a_torn_line_is_moved(recorded, folder):
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


def test_acknowledged_events_outlive_a_power_cut_on_a_full_disk(recorded, folder):
    store = open_store(folder)
    write = disk.write

    def write_some(fd, data):
        if len(data) < 200:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(fd, data[:-100])

    with recorded:
        append(store, "a1")
        store.sync()
        recorded.tell("a1")
        with recorded.underneath("write", write_some), pytest.raises(LedgerUnwritable):
            append(store, "never")
        append(store, "a2")
        store.sync()
        recorded.tell("a2")
    assert_told_is_kept(recorded, folder, at_least=500)


def test_a_new_ledger_outlives_every_power_cut(recorded, root):
    folder = root / "workspace" / "ledger"
    store = open_store(folder)
    with recorded:
        append(store, "a1")
        store.sync()
        recorded.tell("a1")
    assert_told_is_kept(recorded, folder, at_least=300)


def test_what_a_crash_tore_is_kept_over_every_power_cut(recorded, folder):
    torn = b'{"seq":2,"id":"torn'
    store = open_store(folder)
    with recorded:
        append(store, "a1")
        tear(store.files()[0], torn)
        store.sync()
        recorded.tell("torn")
        append(store, "a2")
    places = set()
    for told, when in recorded.after_a_power_cut():
        if told:
            kept = any(path.read_bytes() == torn for path in folder.glob("quarantine/*.part"))
            assert kept or store.files()[0].read_bytes().endswith(torn), when
            places.add(kept)
    assert places == {False, True}


@pytest.mark.parametrize("synced", [0, 1], ids=["folder", "segment"])
def test_a_ledger_whose_maker_was_killed_outlives_every_power_cut(recorded, root, synced):
    folder = root / "ledger"
    sync_folder = disk.sync_folder
    left = iter(range(synced))

    def die(path):
        if next(left, None) is None:
            raise Killed
        sync_folder(path)

    with recorded:
        with recorded.underneath("sync_folder", die), contextlib.suppress(Killed):
            append(open_store(folder), "a1")
        other = open_store(folder)
        append(other, "b1")
        other.sync()
        recorded.tell("b1")
    assert_told_is_kept(recorded, folder)


@pytest.mark.parametrize("before", [0, 2], ids=["nothing open", "older segment open"])
def test_an_event_that_was_sent_again_outlives_every_power_cut(recorded, folder, before):
    killed, again = open_store(folder), open_store(folder)
    with recorded:
        for number in range(before):
            append(again, f"b{number}")
            again.sync()
            recorded.tell(f"b{number}")
        killed.append(lambda _: [note("a1", id="x")], lambda _: None)  # And dies, before it has synced.
        assert len(again.append(lambda _: [note("a1", id="x")], lambda _: None)) == 1
        again.sync()
        recorded.tell("a1")
    assert_told_is_kept(recorded, folder)


def test_lines_of_a_copy_before_one_that_is_refused_outlive_every_power_cut(recorded, root, folder):
    source = open_store(root / "source")
    append(source, "a1", "a2")
    lines = list(source.read_lines())
    with recorded:
        with pytest.raises(OtherHistory):
            open_store(folder).append_lines([*lines, b"another history"])
        recorded.tell("a1", "a2")
    assert_told_is_kept(recorded, folder)
