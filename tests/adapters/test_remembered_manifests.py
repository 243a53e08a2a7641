"""The manifests that ship are remembered as they were read, and never believed if anything about them changed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from benchmarks.adapters import discovery
from benchmarks.adapters.discovery import discover
from benchmarks.adapters.manifest import ManifestError, remembered
from benchmarks.adapters.manifest.load import read_manifest
from benchmarks.adapters.manifest.remembered import Remembered

CONTENT = b'id = "a"\nname = "a"\n[run]\nargv = ["x"]\n[result]\nfiles = ["r"]\nscore = "s"\nunit = "ratio"\n'
PATH = Path("a.toml")


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The file of remembered manifests, with one of them."""
    monkeypatch.setenv("BENCHMARKS_CACHE", str(tmp_path / "cache"))
    memory = Remembered()
    memory.read(CONTENT, PATH, "folder")
    memory.keep()
    return tmp_path / "cache" / "manifests.msgpack"


@pytest.fixture
def read(monkeypatch):
    """The contents that were read as TOML."""
    contents = []

    def reading(content, path, directory):
        contents.append(content)
        return read_manifest(content, path, directory)

    monkeypatch.setattr(remembered, "read_manifest", reading)
    return contents


def test_the_catalogue_comes_back_as_it_was_and_is_not_read_twice(tmp_path, monkeypatch, read):
    monkeypatch.setenv("BENCHMARKS_CACHE", str(tmp_path))
    first = discover(tmp_path / "nowhere")
    assert first.problems == [] and len(read) > 70
    read.clear()
    assert discover(tmp_path / "nowhere") == first
    assert read == []


def test_other_bytes_or_another_folder_is_another_manifest(file, read):
    memory = Remembered()
    assert memory.read(CONTENT, PATH, "folder").directory == "folder" and read == []
    assert memory.read(CONTENT, PATH, "other").directory == "other"
    assert memory.read(CONTENT.replace(b'"x"', b'"y"'), PATH, "folder").run.argv == ["y"]
    assert len(read) == 2
    with pytest.raises(ManifestError, match=r"a\.toml: name: is missing"):
        memory.read(CONTENT.replace(b'name = "a"', b""), PATH, "folder")


def test_what_other_code_or_another_user_wrote_or_damaged_is_not_believed(file, read, monkeypatch):
    whole = file.read_bytes()
    other = msgspec.msgpack.decode(whole) | {"rules": "0" * 64}
    for content in (
        b"",
        whole[:-1],
        whole[:100] + b"\xff" + whole[101:],
        b"\x91" * 100_000,
        msgspec.msgpack.encode(other),
    ):
        file.write_bytes(content)
        read.clear()
        assert Remembered().read(CONTENT, PATH, "folder") == read_manifest(CONTENT, PATH, "folder")
        assert len(read) == 1
    file.write_bytes(whole)
    monkeypatch.setattr(remembered.os, "geteuid", lambda: 12345)
    Remembered().read(CONTENT, PATH, "folder")
    assert len(read) == 2


def test_without_a_cache_that_can_be_written_everything_works(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("BENCHMARKS_CACHE", str(tmp_path / "file"))
    assert discovery.discover(tmp_path / "nowhere").problems == []
