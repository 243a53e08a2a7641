"""Digests of a benchmark's files: the same for the same content, whatever else is in the folder."""

from __future__ import annotations

import os
import shutil

import pytest

from benchmarks.adapters import driver_files
from benchmarks.adapters.driver_files import digest_of_data, digest_of_driver


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "bench"
    (folder / "lib").mkdir(parents=True)
    (folder / "run.py").write_text("run")
    (folder / "lib" / "a.py").write_text("a")
    return folder


def test_a_copy_has_the_same_digest_and_another_content_or_name_another(root, tmp_path):
    before = digest_of_driver(root, None)
    copy = shutil.copytree(root, tmp_path / "copy")
    os.utime(copy / "run.py", (1, 1))
    (copy / "run.py").chmod(0o755)
    assert digest_of_driver(copy, None) == before
    (copy / "run.py").write_text("ruN")
    assert digest_of_driver(copy, None) != before
    (root / "lib" / "a.py").rename(root / "lib" / "b.py")
    assert digest_of_driver(root, None) != before


def test_the_border_between_a_name_and_a_content_is_kept(tmp_path):
    digests = set()
    for name, content in (("a", "b"), ("ab", ""), ("b", "a")):
        folder = tmp_path / f"{name}-{content}"
        folder.mkdir()
        (folder / name).write_text(content)
        digests.add(digest_of_driver(folder, None))
    assert len(digests) == 3


def test_the_manifest_and_special_files_do_not_count(root):
    before = digest_of_driver(root, None)
    (root / "benchmark.toml").write_text("x")
    os.mkfifo(root / "pipe")
    (root / "loop").symlink_to("loop")
    (root / "back").symlink_to(".")
    assert digest_of_driver(root, None) == before


def test_only_named_files_count_and_folders_by_their_files(root):
    before = digest_of_driver(root, ["lib"])
    assert before == digest_of_driver(root, ["lib/*.py"]) == digest_of_driver(root, ["lib/a.py", "l*"])
    (root / "run.py").write_text("other")
    assert digest_of_driver(root, ["lib"]) == before
    assert digest_of_driver(root, ["nothing"]) == "" != before


def test_a_large_file_of_a_driver_counts_by_its_size_and_data_as_a_whole(root, monkeypatch):
    monkeypatch.setattr(driver_files, "_MAX_FILE_BYTES", 3)
    (root / "big").write_text("12345")
    driver, data = digest_of_driver(root, None), digest_of_data(root, ["big"])
    (root / "big").write_text("54321")
    assert digest_of_driver(root, None) == driver
    assert digest_of_data(root, ["big"]) != data


def test_many_files_end_in_time(root, monkeypatch):
    monkeypatch.setattr(driver_files, "_MAX_FILES", 10)
    for number in range(50):
        (root / f"{number:03}").touch()
    assert digest_of_driver(root, None)


def test_names_that_are_not_text_are_read(root):
    before = digest_of_driver(root, None)
    with open(os.fsencode(root) + b"/\xff.py", "w"):  # noqa: PTH123 - a name in bytes
        pass
    assert digest_of_driver(root, None) != before
