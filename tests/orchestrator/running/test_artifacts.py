"""What a run left is listed with digests, and what could not be recorded is named."""

from __future__ import annotations

import os
import socket
from hashlib import sha256
from pathlib import Path

import pytest

from benchmarks.ledger.events import Artifact
from benchmarks.orchestrator.running import artifacts
from benchmarks.orchestrator.running.artifacts import list_artifacts, list_logs


@pytest.fixture
def output(tmp_path) -> Path:
    folder = tmp_path / "run" / "output"
    folder.mkdir(parents=True)
    return folder


def artifact(path: str, content: bytes) -> Artifact:
    return Artifact(path, len(content), sha256(content).hexdigest())


def test_artifacts_are_all_regular_files_of_the_output_with_size_and_digest(output):
    (output / "b").mkdir()
    (output / "b" / "two.txt").write_text("two")
    (output / "one.txt").write_text("one")
    (output.parent / "stdout.log").write_text("not this")
    (output / "link").symlink_to(output.parent / "stdout.log")
    (output / "folder").symlink_to(output / "b")
    found = list_artifacts(output.parent)
    assert found.artifacts == [artifact("output/b/two.txt", b"two"), artifact("output/one.txt", b"one")]
    assert found.notes == [], "links inside the folder are what benchmarks use"


def test_logs_are_listed_with_size_and_digest_and_others_named(output):
    (output.parent / "stdout.log").write_bytes(b"said")
    os.mkfifo(output.parent / "stderr.log")
    found = list_logs(output.parent)
    assert found.artifacts == [artifact("stdout.log", b"said")]
    assert found.notes == ["not recorded: stderr.log is a named pipe"]
    assert list_logs(output.parent, is_over=lambda: True).artifacts == []


def test_what_is_not_a_regular_file_is_named(output):
    os.mkfifo(output / "pipe")
    (output / "zero").symlink_to("/dev/zero")
    (output / "nowhere").symlink_to("gone")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(output / "socket"))
        Path(os.fsdecode(os.fsencode(output) + b"/\xff")).write_text("no name that an event can hold")
        found = list_artifacts(output.parent)
    assert found.artifacts == []
    assert sorted(found.notes) == [
        "not recorded: output/\\xff: its name is not UTF-8",
        "not recorded: output/nowhere is a link that leads nowhere",
        "not recorded: output/pipe is a named pipe",
        "not recorded: output/socket is a socket",
        "not recorded: output/zero is a link that leads out of the run's folder",
    ]


def test_many_things_that_were_not_recorded_make_few_notes(output):
    for number in range(50):
        os.mkfifo(output / str(number))
    notes = list_artifacts(output.parent).notes
    assert len(notes) == 6 and notes[-1] == "not recorded: 45 more files"


@pytest.mark.parametrize("kind", ["file", "pipe", "link", "gone"])
def test_an_output_that_is_not_a_folder_is_named(output, kind):
    output.rmdir()
    if kind == "file":
        output.write_text("x")
    elif kind == "pipe":
        os.mkfifo(output)
    elif kind == "link":
        output.symlink_to("/etc")
    found = list_artifacts(output.parent)
    assert found.artifacts == []
    told = {"file": "a file", "pipe": "a named pipe", "link": "a link", "gone": "missing"}[kind]
    assert found.notes == [f"not recorded: output is {told}"]


def test_there_is_an_end_to_the_time_and_small_files_come_first(output):
    with (output / "a-large").open("wb") as file:
        file.truncate(2**30)
    (output / "small").write_text("x")
    looks = iter([False] * 20)
    found = list_artifacts(output.parent, is_over=lambda: next(looks, True))
    assert [one.path for one in found.artifacts] == ["output/small"]
    assert found.notes == [f"not recorded: the time was over before reading output/a-large ({2**30} bytes)"]


def test_there_is_an_end_to_their_number_and_the_nearest_come_first(output, monkeypatch):
    monkeypatch.setattr(artifacts, "MAX_FILES", 3)
    for name in ("x/y/deep", "x/mid", "a", "b"):
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_text(name)
    found = list_artifacts(output.parent)
    assert [one.path for one in found.artifacts] == ["output/a", "output/b", "output/x/mid"]
    assert found.notes == ["not recorded: files beyond the first 3"]


def test_a_file_of_holes_is_not_read(output):
    with (output / "sparse").open("wb") as file:
        file.truncate(2**42)
    [note] = list_artifacts(output.parent).notes
    assert note.startswith(f"not recorded: output/sparse is a sparse file: it has {2**42} bytes")
