"""Whatever lies in a run's folder, opening it neither waits nor leaves the folder."""

from __future__ import annotations

import io
import os
import socket
from hashlib import sha256
from pathlib import Path

import pytest

from benchmarks.ledger.run_files import Missing, NotReadable, digest, open_inside, read_inside


@pytest.fixture
def root(tmp_path) -> Path:
    folder = tmp_path / "run"
    (folder / "output" / "run-3").mkdir(parents=True)
    (folder / "output" / "run-3" / "x.json").write_text("{}")
    return folder


def test_a_link_may_lead_to_another_place_of_the_folder(root):
    (root / "output" / "latest").symlink_to("run-3")
    (root / "output" / "x").symlink_to(root / "output" / "latest" / "x.json")
    for path in ("output/run-3/x.json", "output/latest/x.json", "output/x"):
        assert read_inside(root, path, most=2) == b"{}"


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("/etc/hostname", "leads out of the run's folder"),
        ("/dev/zero", "leads out of the run's folder"),
        ("../../secret", "leads out of the run's folder"),
        ("gone", "leads nowhere"),
        ("link", "in a circle"),
        ("..", "leads out of the run's folder"),
        ("run-3", "is a folder"),
    ],
)
def test_other_links_are_not_followed(root, target, told):
    (root.parent / "secret").write_text("x")
    (root / "output" / "link").symlink_to(target)
    with pytest.raises(NotReadable, match=told):
        open_inside(root, "output/link" if target != ".." else "output/link/..")


def test_special_files_are_not_opened(root):
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
        for name, told in (("pipe", "is a named pipe"), ("socket", "is a socket"), ("output", "is a folder")):
            with pytest.raises(NotReadable, match=told):
                open_inside(root, name)


@pytest.mark.parametrize("path", ["/etc/hostname", "../x", "output/../../x", "", ".", "a\0b", "x" * 5000])
def test_what_is_not_a_path_below_the_folder_is_refused(root, path):
    with pytest.raises(NotReadable):
        open_inside(root, path)


def test_a_folder_that_became_a_link_is_not_entered(root, tmp_path):
    (tmp_path / "other").symlink_to(root)
    with pytest.raises(NotReadable, match="a folder that is a link"):
        open_inside(tmp_path / "other", "output/run-3/x.json")


def test_what_is_not_there_is_missing(root):
    for path in ("gone", "gone/gone", "output/run-3/x.json/below"):
        with pytest.raises(Missing):
            open_inside(root, path)


def test_a_file_is_read_up_to_a_limit(root):
    with (root / "sparse").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(NotReadable, match=f"has {2**40} bytes, and at most 10 are read"):
        read_inside(root, "sparse", most=10)


def test_a_digest_can_be_given_up():
    content = b"x" * 3_000_000
    assert digest(io.BytesIO(content)) == sha256(content).hexdigest()
    looks = iter([False, False])
    assert digest(io.BytesIO(content), is_over=lambda: next(looks, True)) is None
