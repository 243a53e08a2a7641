"""Isolated environments: built once, by the first process that needs them, from the real package index."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time

import pytest

from benchmarks.adapters import environment
from benchmarks.adapters.cache import cache_folder
from benchmarks.adapters.environment import (
    EnvironmentBuildError,
    EnvironmentSpec,
    ensure,
    find_python,
)

BUILD = """
from benchmarks.adapters.environment import EnvironmentSpec, ensure
print(ensure(EnvironmentSpec(("six==1.17.0",)), announce=lambda text: print("announced", text)).packages)
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCHMARKS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_it_holds_what_was_asked_for_and_is_built_once(cache):
    reported = []
    spec = EnvironmentSpec(("six==1.17.0",))
    built = ensure(spec, announce=reported.append)
    assert built.packages == ["six==1.17.0"]
    code = "import six, sys; print(six.__version__, sys.prefix)"
    said = subprocess.run([built.python, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said == ["1.17.0", str(cache / "environments" / spec.key)]
    assert ensure(spec, announce=reported.append) == built
    assert len(reported) == 1 and "six==1.17.0" in reported[0]


def test_two_processes_build_one(cache):
    builders = [subprocess.Popen([sys.executable, "-c", BUILD], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [builder.communicate(timeout=120)[0] for builder in builders]
    assert all("['six==1.17.0']" in text for text in said)
    assert sum("announced" in text for text in said) == 1


def test_what_a_killed_builder_left_is_built_anew(cache):
    spec = EnvironmentSpec(("six==1.17.0",))
    folder = cache / "environments" / spec.key
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_text("half built")
    (folder / "ready.json.part").write_text("[")
    assert ensure(spec, announce=print).packages == ["six==1.17.0"]


def test_a_package_that_does_not_exist_is_reported_with_uvs_words(cache):
    spec = EnvironmentSpec(("no-such-package-here-7f3a==9.9",))
    for _ in range(2):
        with pytest.raises(EnvironmentBuildError, match="no-such-package-here-7f3a"):
            ensure(spec, announce=lambda _: None)


def test_a_cache_that_cannot_be_written_is_reported(cache, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BENCHMARKS_CACHE", str(tmp_path / "file"))
    with pytest.raises(EnvironmentBuildError, match="BENCHMARKS_CACHE"):
        ensure(EnvironmentSpec(("six==1.17.0",)), announce=print)


def test_the_key_knows_what_is_inside_and_not_in_which_order():
    one, two = EnvironmentSpec(("a", "b")), EnvironmentSpec(("b", "a"))
    assert one.key == two.key
    assert len({one.key, EnvironmentSpec(("a",)).key, EnvironmentSpec(("a",), ("b",)).key}) == 3


def test_the_cache_lies_where_the_user_keeps_caches(monkeypatch, tmp_path):
    monkeypatch.delenv("BENCHMARKS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "benchmark-orchestrator"
    assert os.environ["XDG_CACHE_HOME"]


def test_a_later_python_is_found_or_reported():
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert find_python(None) == find_python(own) == sys.executable
    assert find_python("3.99") is None
    spec = EnvironmentSpec(("x==1",), python_version="3.99")
    assert spec.key != EnvironmentSpec(("x==1",)).key
    with pytest.raises(EnvironmentBuildError, match=r"no Python 3.99 or later: uv python install 3.99"):
        ensure(spec, announce=lambda _: None)


def ready(cache, spec):
    """An environment that is built, as far as a look at it tells."""
    folder = cache / "environments" / spec.key
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "ready.json").write_text('{"python_version": "3", "requirements": [], "packages": []}')
    return folder.with_suffix(".lock")


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(environment, "_BUSY_SECONDS", 0.3)
    monkeypatch.setattr(environment, "_NOTICE_SECONDS", 0.1)


def test_a_process_that_keeps_the_lock_of_a_ready_environment_is_named(cache, quick):
    spec = EnvironmentSpec(("x==1",))
    lock = os.open(ready(cache, spec), os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    reported = []
    with pytest.raises(EnvironmentBuildError, match="the thief holds it"):
        ensure(spec, announce=reported.append, describe_holders=lambda path: "the thief")
    assert "the thief" in reported[0]
    os.close(lock)
    assert ensure(spec, announce=reported.append).packages == []


def test_a_build_by_another_process_is_awaited_for_longer_and_can_be_cancelled(cache, quick):
    spec = EnvironmentSpec(("x==1",))
    path = cache / "environments" / f"{spec.key}.lock"
    path.parent.mkdir(parents=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    began = time.monotonic()
    with pytest.raises(EnvironmentBuildError, match="was interrupted"):
        ensure(spec, announce=print, cancelled=lambda: time.monotonic() > began + 1)
    os.close(lock)


def test_a_build_is_ended_when_it_is_cancelled(cache, tmp_path, monkeypatch):
    (tmp_path / "uv").write_text("#!/bin/sh\nexec sleep 600\n")
    (tmp_path / "uv").chmod(0o755)
    monkeypatch.setattr("uv.find_uv_bin", lambda: str(tmp_path / "uv"))
    with pytest.raises(EnvironmentBuildError, match="was interrupted"):
        ensure(EnvironmentSpec(("x==1",)), announce=print, cancelled=lambda: True)
