"""Packages: the same files give the same bytes, secrets and caches stay at home, nothing is unpacked elsewhere."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import tarfile
from pathlib import Path

import pytest

from benchmarks.orchestrator.executors.packing import (
    PackageTooLarge,
    digest_of,
    folder_of,
    pack,
    pack_run,
    place,
    unpack,
)


@pytest.fixture
def driver(tmp_path):
    root = tmp_path / "driver"
    (root / "data").mkdir(parents=True)
    (root / "run.py").write_text("print(1)")
    (root / "run.py").chmod(0o755)
    (root / "data" / "täxt.json").write_text("{}")
    (root / ".env").write_text("KEY=secret")
    (root / "__pycache__").mkdir()
    (root / "__pycache__" / "x.pyc").write_text("x")
    (root / "benchmark_results").mkdir()
    (root / "benchmark_results" / "old").write_text("x")
    (root / "link.py").symlink_to("run.py")
    (root / "nothing").symlink_to("missing")
    os.mkfifo(root / "pipe")
    return root


def test_the_same_files_give_the_same_bytes_wherever_and_whenever(driver, tmp_path):
    first = pack(driver)
    os.utime(driver / "run.py", (1, 1))
    unpack(first, tmp_path / "copy")
    assert pack(driver) == first == pack(tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").rglob("*")) == ["data", "link.py", "run.py", "täxt.json"]
    assert os.access(tmp_path / "copy" / "run.py", os.X_OK)
    (driver / "run.py").write_text("print(2)")
    assert digest_of(pack(driver)) != digest_of(first)


def test_all_files_of_a_run_travel_and_no_link(driver, tmp_path):
    (tmp_path / "secret").write_text("not of the run")
    (driver / "out").symlink_to(tmp_path / "secret")
    unpack(pack_run(driver, max_bytes=1000), tmp_path / "copy")
    found = {str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    assert found == {".env", "__pycache__/x.pyc", "benchmark_results/old", "data/täxt.json", "run.py"}
    with pytest.raises(PackageTooLarge):
        pack_run(driver, max_bytes=9)


def test_files_that_are_too_large_do_not_travel(driver):
    with pytest.raises(PackageTooLarge, match="do not travel\nhint: put the workspace on a file system"):
        pack(driver, max_bytes=9)


@pytest.mark.parametrize("name", ["../out", "/tmp/out-of-a-package", "a/../../out"])
def test_no_member_leads_out_of_the_folder(tmp_path, name):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    folder = tmp_path / "deep" / "folder"
    with contextlib.suppress(tarfile.TarError):
        unpack(content.getvalue(), folder)
    assert not (tmp_path / "deep" / "out").exists() and not (tmp_path / "out").exists()
    assert not Path("/tmp/out-of-a-package").exists()


def _place(content, digest, results):
    results.put(str(place(content, digest)))


def test_many_processes_unpack_a_package_once(driver, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCHMARKS_CACHE", str(tmp_path / "cache"))
    content = pack(driver)
    digest = digest_of(content)
    results = multiprocessing.get_context("fork").Queue()
    processes = [
        multiprocessing.get_context("fork").Process(target=_place, args=(content, digest, results)) for _ in range(6)
    ]
    for process in processes:
        process.start()
    assert {results.get(timeout=60) for _ in processes} == {str(folder_of(digest))}
    for process in processes:
        process.join()
    assert sorted(path.name for path in folder_of(digest).parent.iterdir()) == [digest, f"{digest}.lock"]
    with pytest.raises(tarfile.TarError, match="does not have its digest"):
        place(content, "0" * 64)
