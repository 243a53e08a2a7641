"""Stores: files are whole or not there, calls end, and errors hold no credential."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import uuid

import pytest

from benchmarks.ledger.files import store as stores
from benchmarks.ledger.files.address import parse_address
from benchmarks.ledger.files.store import FileStore, StoreRefused, Unreachable
from benchmarks.ledger.run_files import Missing, NotReadable


@pytest.fixture(params=["file", "memory"])
def place(request, tmp_path):
    if request.param == "file":
        return FileStore(parse_address(f"file://{tmp_path}/kept"))
    return FileStore(parse_address(f"memory://{uuid.uuid4().hex}/kept"))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("size", [0, 5, stores.PIECE_BYTES + 3, 4 * stores.PIECE_BYTES + 7])
def test_a_file_comes_back_as_it_was_written(place, size):
    content = os.urandom(size)
    place.put("a/b*[x]?/c.txt", io.BytesIO(content), size, digest(content))
    assert place.size("a/b*[x]?/c.txt") == size
    assert b"".join(place.pieces("a/b*[x]?/c.txt", 0, size)) == content
    assert b"".join(place.pieces("a/b*[x]?/c.txt", size // 2, size)) == content[size // 2 :]
    assert place.sizes("a") == {"b*[x]?/c.txt": size}


@pytest.mark.parametrize("size", [5, 4 * stores.PIECE_BYTES + 7])
def test_bytes_that_differ_from_the_digest_are_not_stored(place, size):
    with pytest.raises(NotReadable, match="was changed after its digest was taken"):
        place.put("a/x", io.BytesIO(bytes(size)), size, digest(b"other"))
    if place.address.scheme == "file":  # The file system in memory has no file that is not whole.
        assert place.sizes("a") == {}


def test_a_missing_file_and_folder(place):
    with pytest.raises(Missing):
        place.size("a/nothing")
    assert place.sizes("nothing") == {}


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/passwd", "a//b", "", "a/.", "a\0b"])
def test_a_key_stays_below_the_address(place, key):
    with pytest.raises(NotReadable, match=r"is not the name of a file|leads out"):
        place.sizes(key)


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_a_shared_folder_with_a_pipe_or_a_link_does_not_mislead_a_reader(tmp_path, kind):
    kept = tmp_path / "kept"
    kept.mkdir()
    (tmp_path / "secret").write_text("secret")
    os.mkfifo(kept / "x") if kind == "pipe" else (kept / "x").symlink_to(tmp_path / "secret")
    with pytest.raises(NotReadable, match=r"is a named pipe|leads out"):
        FileStore(parse_address(f"file://{kept}")).size("x")


def test_a_store_without_an_answer_is_left_alone_for_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(stores, "CALL_SECONDS", 0.05)
    store, calls = FileStore(parse_address(f"file://{tmp_path}")), []
    release = threading.Event()

    def hang() -> None:
        calls.append(1)
        release.wait(60)

    monkeypatch.setattr(store, "_root", hang)
    for _ in range(3):
        with pytest.raises(Unreachable, match="gave no answer within"):
            store.size("x")
    release.set()
    assert calls == [1]


def test_the_target_is_tried_before_anything_runs(tmp_path):
    FileStore(parse_address(f"file://{tmp_path}/kept")).check_writable()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    with pytest.raises(StoreRefused, match="does not exist\nhint: make the folder"):
        FileStore(parse_address(f"file://{tmp_path}/no/such")).check_writable()


def test_a_missing_package_is_named_with_what_installs_it():
    with pytest.raises(StoreRefused, match=r"pyarrow is not installed\nhint: pip install .*pyarrow"):
        FileStore(parse_address("hdfs://host/runs")).check_writable()


def test_messages_of_libraries_lose_credentials(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    text = "cannot open https://me:pass@host/x?X-Amz-Signature=abc with wJalrXUtnFEMI"
    told = "cannot open https://host/x with [redacted:AWS_SECRET_ACCESS_KEY]"
    assert stores.without_credentials(text) == told
