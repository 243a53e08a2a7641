"""Isolated environments: the Python packages of a benchmark, installed once with uv and kept for every later run.

An environment's folder is named by the digest of what it holds, so workspaces share it and a changed requirement
makes another one. It is complete only when its marker file is there, which is written last. A lock file beside it is
held alone by whoever builds or removes it, and together by those who use it.
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

from .manifest import Requires

CACHE_VARIABLE = "BENCHMARKS_CACHE"
_FOLDER = "environments"
_MARKER = "ready.json"


class EnvironmentBuildError(Exception):
    """An environment could not be built; the message ends with what uv said."""


class EnvironmentInUse(Exception):
    """An environment can't be removed while somebody works in it."""


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


def spec_of(requires: Requires) -> EnvironmentSpec | None:
    """The environment that a manifest asks for; None where it needs none."""
    return EnvironmentSpec(tuple(requires.python), python_version=requires.python_version) if requires.python else None


class Environment(msgspec.Struct, frozen=True):
    """A built environment: its key, its interpreter and that one's version, what was asked for, and what is in it.

    `packages` are `name==version`, sorted.
    """

    key: str
    python: Path
    python_version: str
    requirements: list[str]
    packages: list[str]

    @property
    def packages_sha256(self) -> str:
        """The digest of the resolved packages: two environments with the same one hold the same."""
        return sha256("\n".join(self.packages).encode()).hexdigest()


class _Marker(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of the marker file."""

    python_version: str
    requirements: list[str]
    packages: list[str]


def cache_folder() -> Path:
    """Where environments are kept: `$BENCHMARKS_CACHE`, else below the user's cache folder."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).absolute()
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "benchmark-orchestrator"


def folder_of(key: str) -> Path:
    """Where the environment of that key lies, or would lie."""
    return cache_folder() / _FOLDER / key


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
    with in_use(spec, announce=announce) as environment:
        return environment


@contextlib.contextmanager
def in_use(spec: EnvironmentSpec, *, announce: Callable[[str], None]) -> Iterator[Environment]:
    """As `ensure`; nobody removes the environment before the context is left."""
    folder = folder_of(spec.key)
    with contextlib.ExitStack() as stack:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context(_opened(folder))
            fcntl.flock(lock, fcntl.LOCK_SH)
            while (ready := _read(folder)) is None:
                fcntl.flock(lock, fcntl.LOCK_EX)
                # Somebody else may have built it while this process waited for the lock.
                if _read(folder) is None:
                    _build(spec, folder, announce)
                fcntl.flock(lock, fcntl.LOCK_SH)
        except OSError as problem:
            advice = f"give another folder with {CACHE_VARIABLE}"
            raise EnvironmentBuildError(f"cannot write {folder}: {problem.strerror}; {advice}") from problem
        yield ready


def list_environments() -> list[Environment]:
    """Every environment that was built here, by its key."""
    folder = cache_folder() / _FOLDER
    found = (_read(path) for path in sorted(folder.iterdir()) if path.is_dir()) if folder.is_dir() else ()
    return [environment for environment in found if environment]


def remove(key: str) -> None:
    """Remove an environment, or what is left of one. Raises EnvironmentInUse, and OSError."""
    folder = folder_of(key)
    with _opened(folder) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EnvironmentInUse(f"{key} is in use: a run or a build holds it") from None
        # The marker goes first: what is half gone is no environment. The lock's file stays: others may wait for it.
        (folder / _MARKER).unlink(missing_ok=True)
        shutil.rmtree(folder)


def _read(folder: Path) -> Environment | None:
    try:
        marker = msgspec.json.decode((folder / _MARKER).read_bytes(), type=_Marker)
    except (OSError, msgspec.DecodeError):
        return None  # Not built, or its builder was killed: it will be built.
    python = folder / "bin" / "python"
    if not python.exists():
        return None  # The interpreter that it was made of is gone.
    return Environment(folder.name, python, *msgspec.structs.astuple(marker))


def _build(spec: EnvironmentSpec, folder: Path, announce: Callable[[str], None]) -> None:
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
    _run([uv, "venv", "--quiet", "--python", interpreter, str(folder)], spec)
    install = [uv, "pip", "install", "--quiet", "--python", str(python)]
    if spec.requirements:
        _run([*install, *spec.requirements], spec)
    if spec.no_deps:
        _run([*install, "--no-deps", *spec.no_deps], spec)
    packages = sorted(_run([uv, "pip", "freeze", "--python", str(python)], spec).splitlines())
    partial = folder / f"{_MARKER}.part"
    version = _run([str(python), "-c", "import platform; print(platform.python_version())"], spec).strip()
    partial.write_bytes(msgspec.json.encode(_Marker(version, [*spec.requirements, *spec.no_deps], packages)))
    partial.replace(folder / _MARKER)


def _run(argv: list[str], spec: EnvironmentSpec) -> str:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        names = ", ".join((*spec.requirements, *spec.no_deps))
        said = "\n".join(done.stderr.strip().splitlines()[-8:])
        raise EnvironmentBuildError(f"the environment of {names} could not be built; uv said:\n{said}")
    return done.stdout


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """The lock of an environment, not yet taken."""
    path = folder.with_suffix(".lock")
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except PermissionError:
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # A cache that somebody else keeps: to use, not to build.
    try:
        yield lock
    finally:
        os.close(lock)
