"""A ledger with its files: what was recorded travels, and nothing else gets out of an archive."""

from __future__ import annotations

import io
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest

from benchmarks.ledger.events import Artifact, NewEvent
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.run_files import NotReadable
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.transfer.archive import export_archive, open_archive, put_file
from benchmarks.ledger.transfer.merge import take_in
from benchmarks.ledger.transfer.packed import UnreadableFile

FILES = {"output/result.json": b'{"score": 0.5}', "output/deep/samples.jsonl": b"{}\n" * 5000, "output/empty": b""}


class Workspace:
    def __init__(self, root: Path, histories, name: str, files: dict[str, bytes]) -> None:
        self.root = root
        self.store = JsonlStore(root / "benchmark_results" / "ledger", notice=print)
        artifacts = [Artifact(path, len(content), sha256(content).hexdigest()) for path, content in files.items()]
        histories.append_anyway(
            self.store,
            [
                NewEvent(f"rg_{name}", histories.opened()),
                NewEvent(f"run_{name}", histories.started(run_group_id=f"rg_{name}", signature=name)),
                NewEvent(f"run_{name}", histories.finished(artifacts=artifacts)),
            ],
        )
        for path, content in files.items():
            file = self.folder(f"run_{name}") / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    def folder(self, run_id: str) -> Path:
        return self.root / "benchmark_results" / "all" / run_id

    def folder_of(self, run) -> Path:
        return self.folder(run.run_id)

    def export(self, path: Path):
        return export_archive(self.store, path, root=self.root, folder_of=self.folder_of)

    def receive(self, path: Path):
        with open_archive(path) as archive:
            take_in(self.store, archive.ledger, name="theirs")
            return archive.receive(self.store, root=self.root, folder_of=self.folder_of)

    def verify(self):
        return verify(self.store, folder_of=self.folder_of)


@pytest.fixture
def ours(tmp_path, histories):
    return Workspace(tmp_path / "ours", histories, "ours", {"output/mine": b"mine"})


@pytest.fixture
def theirs(tmp_path, histories):
    return Workspace(tmp_path / "theirs", histories, "theirs", FILES)


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tar.zst"])
def test_files_travel_with_their_ledger_once(ours, theirs, tmp_path, ending):
    path = tmp_path / f"theirs.{ending}"
    done = theirs.export(path)
    assert (done.files, done.left) == (3, [])
    first = path.read_bytes()
    theirs.export(path)
    assert path.read_bytes() == first
    got = ours.receive(path)
    assert (got.added, got.known, got.refused) == (3, 0, [])
    for name, content in FILES.items():
        assert (ours.folder("run_theirs") / name).read_bytes() == content
    report = ours.verify()
    assert report.is_sound and not any("not here" in note for note in report.notes)
    got = ours.receive(path)
    assert (got.added, got.known, got.refused) == (0, 3, [])
    assert ours.verify().position == report.position
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["ours", "theirs", path.name]


def test_without_files_a_merged_ledger_is_sound_and_says_that_they_are_not_here(ours, theirs):
    take_in(ours.store, theirs.store, name="theirs")
    report = ours.verify()
    assert report.is_sound and any("files of 1 runs of other ledgers are not here" in note for note in report.notes)
    (ours.folder("run_ours") / "output/mine").unlink()
    assert [finding.text for finding in ours.verify().artifacts] == ["run_ours: output/mine is missing"]


def test_a_file_that_came_and_was_changed_is_found(ours, theirs, tmp_path):
    theirs.export(tmp_path / "x.tar")
    ours.receive(tmp_path / "x.tar")
    (ours.folder("run_theirs") / "output/result.json").write_bytes(b'{"score": 0.9}')
    [finding] = ours.verify().artifacts
    assert "output/result.json is not the file that was recorded" in finding.text


def test_a_file_that_is_here_and_differs_is_never_overwritten(ours, theirs, tmp_path):
    theirs.export(tmp_path / "x.tar")
    mine = ours.folder("run_theirs") / "output/result.json"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    got = ours.receive(tmp_path / "x.tar")
    assert mine.read_bytes() == b"mine"
    assert (got.added, [one.reason for one in got.refused]) == (2, ["would replace another file, which stays as it is"])


def test_a_file_whose_folder_is_a_file_is_refused(tmp_path):
    one, below = (Artifact(path, 1, sha256(b"1").hexdigest()) for path in ("output/x", "output/x/y"))
    put_file(tmp_path, tmp_path / "run", one, [b"1"])
    with pytest.raises(NotReadable, match="would replace another file"):
        put_file(tmp_path, tmp_path / "run", below, [b"1"])


def test_an_export_leaves_out_files_that_changed(theirs, tmp_path):
    (theirs.folder("run_theirs") / "output/empty").unlink()
    (theirs.folder("run_theirs") / "output/result.json").write_bytes(b"other")
    done = theirs.export(tmp_path / "x.tar")
    assert done.files == 1
    assert sorted(one.reason for one in done.left) == ["is missing", "is not the file that was recorded"]


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, link
    return info, io.BytesIO(content)


def with_members(source: Path, target: Path, *more) -> Path:
    """The archive with other members after its ledger."""
    with tarfile.open(source) as old, tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as new:
        first = old.next()
        assert first is not None
        new.addfile(first, old.extractfile(first))
        for info, content in more:
            new.addfile(info, content)
    return target


def test_no_member_gets_out_of_the_results_or_past_its_digest(ours, theirs, tmp_path):
    theirs.export(tmp_path / "x.tar")
    folder = "benchmark_results/all/run_theirs"
    result = f"{folder}/output/result.json"
    outside = tmp_path / "outside"
    outside.mkdir()
    (ours.folder("run_theirs")).mkdir(parents=True)
    (ours.folder("run_theirs") / "output").symlink_to(outside)
    path = with_members(
        tmp_path / "x.tar",
        tmp_path / "hostile.tar",
        member("/etc/evil", b"x"),
        member("../evil", b"x"),
        member(f"{folder}/../../../../evil", b"x"),
        member(f"{folder}/output/unheard-of", b"x"),
        member("benchmark_results/orchestrator.sqlite", b"x"),
        member(result, kind=tarfile.SYMTYPE, link="/etc/passwd"),
        member(result, kind=tarfile.LNKTYPE, link="/etc/passwd"),
        member(result, kind=tarfile.FIFOTYPE),
        member(result, kind=tarfile.CHRTYPE),
        member(result, b'{"score": 0.9}'),
        member(result, b"x" * 100_000),
        member(result, FILES["output/result.json"]),
        member(f"{folder}/output/\x1b[2J", b"x"),
    )
    got = ours.receive(path)
    assert (got.added, got.known, len(got.refused)) == (0, 0, 13)
    assert list(outside.iterdir()) == []
    (ours.folder("run_theirs") / "output").unlink()
    got = ours.receive(path)
    assert (got.added, len(got.refused)) == (1, 12)
    twice = [member(result, FILES["output/result.json"]) for _ in range(2)]
    got = ours.receive(with_members(tmp_path / "x.tar", tmp_path / "twice.tar", *twice))
    assert [one.reason for one in got.refused] == ["occurs twice in the archive"]
    assert not (tmp_path / "evil").exists() and not Path("/etc/evil").exists()


@pytest.mark.parametrize("damage", ["cut", "no tar", "no ledger", "long description", "holes", "empty"])
def test_a_broken_archive_is_reported(ours, theirs, tmp_path, damage):
    path = tmp_path / "x.tar.gz"
    theirs.export(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-50])
    elif damage == "no tar":
        path.write_bytes(b"plain text" * 1000)
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        content = member("x", b"x")
        if damage == "long description":
            content[0].pax_headers = {"comment": "x" * 200_000}
        elif damage == "holes":
            content[0].pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
        path = tmp_path / "x.tar"
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
            archive.addfile(*content)
    with pytest.raises(UnreadableFile, match=r"x\.tar"):
        ours.receive(path)
