"""Isolated environments: the Python packages of a benchmark, installed once with uv and kept for every later run.

An environment's folder is named by the digest of what it holds, so workspaces share it and a changed requirement
makes another one. It is complete only when its marker file is there, which is written last.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

CACHE_VARIABLE = "BENCHMARKS_CACHE"
_MARKER = "ready.json"


class EnvironmentBuildError(Exception):
    """An environment could not be built; the message ends with what uv said."""


class EnvironmentSpec(msgspec.Struct, frozen=True):
    """What an environment holds: requirements, and packages to install without their dependencies.

    `python_version` is the oldest Python that it can have; None takes this program's own.
    """

    requirements: tuple[str, ...]
    no_deps: tuple[str, ...] = ()
    python_version: str | None = None

    @property
    def key(self) -> str:
        """A digest of the packages, the interpreter and the platform."""
        content: list[Any] = [sorted(self.requirements), sorted(self.no_deps)]
        content += [sys.implementation.cache_tag, sys.platform]
        content += [self.python_version] if self.python_version else []
        return sha256(msgspec.json.encode([*content, os.uname().machine])).hexdigest()[:24]


class Environment(msgspec.Struct, frozen=True):
    """A built environment: its interpreter, and the packages in it as `name==version`, sorted."""

    python: Path
    packages: list[str]


def cache_folder() -> Path:
    """Where environments are kept: `$BENCHMARKS_CACHE`, else below the user's cache folder."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).absolute()
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "benchmark-orchestrator"


def find_python(oldest: str | None) -> str | None:
    """An interpreter of that version (such as "3.12") or a later one: our own where it will do; None without any."""
    if oldest is None or sys.version_info >= tuple(map(int, oldest.split("."))):
        return sys.executable
    from uv import find_uv_bin

    asked = [find_uv_bin(), "python", "find", "--no-python-downloads", f">={oldest}"]
    done = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def ensure(spec: EnvironmentSpec, *, announce: Callable[[str], None]) -> Environment:
    """The environment with those packages, built where it is not there yet; two processes build it once.

    `announce` is told before a build begins, as one takes seconds to minutes. Raises EnvironmentBuildError.
    """
    folder = cache_folder() / "environments" / spec.key
    if (ready := _read(folder)) is not None:
        return ready
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_suffix(".lock")):
            # Somebody else may have built it while this process waited for the lock.
            return _read(folder) or _build(spec, folder, announce)
    except OSError as problem:
        advice = f"give another folder with {CACHE_VARIABLE}"
        raise EnvironmentBuildError(f"cannot write {folder}: {problem.strerror}; {advice}") from problem


def _read(folder: Path) -> Environment | None:
    try:
        packages = msgspec.json.decode((folder / _MARKER).read_bytes(), type=list[str])
    except (OSError, msgspec.DecodeError):
        return None  # Not built, or its builder was killed: it will be built.
    return Environment(folder / "bin" / "python", packages)


def _build(spec: EnvironmentSpec, folder: Path, announce: Callable[[str], None]) -> Environment:
    from uv import find_uv_bin

    announce(f"building the environment of {', '.join((*spec.requirements, *spec.no_deps))} (once) ...")
    shutil.rmtree(folder, ignore_errors=True)
    uv = find_uv_bin()
    interpreter = find_python(spec.python_version)
    if interpreter is None:
        raise EnvironmentBuildError(
            f"no Python {spec.python_version} or later: uv python install {spec.python_version}"
        )
    python = folder / "bin" / "python"
    _uv([uv, "venv", "--quiet", "--python", interpreter, str(folder)], spec)
    install = [uv, "pip", "install", "--quiet", "--python", str(python)]
    if spec.requirements:
        _uv([*install, *spec.requirements], spec)
    if spec.no_deps:
        _uv([*install, "--no-deps", *spec.no_deps], spec)
    packages = sorted(_uv([uv, "pip", "freeze", "--python", str(python)], spec).split())
    partial = folder / f"{_MARKER}.part"
    partial.write_bytes(msgspec.json.encode(packages))
    partial.replace(folder / _MARKER)
    return Environment(python, packages)


def _uv(argv: list[str], spec: EnvironmentSpec) -> str:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        names = ", ".join((*spec.requirements, *spec.no_deps))
        said = "\n".join(done.stderr.strip().splitlines()[-8:])
        raise EnvironmentBuildError(f"the environment of {names} could not be built; uv said:\n{said}")
    return done.stdout


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
