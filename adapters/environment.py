"""Isolated environments: the Python packages of a benchmark, installed once with uv and kept for every later run.

An environment's folder is named by the digest of what it holds, so workspaces share it and a changed requirement
makes another one. It is complete only when its marker file is there, which is written last. A lock file beside it is
held exclusively by the process that builds or removes it, and shared by those that use it.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from .atomic_file import write_atomically
from .cache import CACHE_VARIABLE, cache_folder
from .manifest import Requires

_FOLDER = "environments"
_MARKER = "ready.json"
_BUILD_SECONDS = 1800.0
"""How long to wait for a build by another process."""
_BUSY_SECONDS = 30.0
_NOTICE_SECONDS = 2.0
_PAUSE_SECONDS = 0.02
_LOOK_SECONDS = 0.25
_FIND_SECONDS = 30.0
_LATER_VERSIONS = 8
"""Minor versions of Python after the oldest one that are looked for on PATH."""


class EnvironmentBuildError(Exception):
    """An environment could not be built; the message ends with what uv said."""


class EnvironmentInUse(Exception):
    """An environment cannot be removed while a process uses it."""


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
    """The environment that a manifest asks for; None if it needs none."""
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


def folder_of(key: str) -> Path:
    """Where the environment of that key lies, or would lie."""
    return cache_folder() / _FOLDER / key


def find_python(oldest: str | None) -> str | None:
    """An interpreter of that version (such as "3.12") or a later one: our own if it is new enough; None without any."""
    if oldest is None or _is_new_enough(oldest):
        return sys.executable
    argv = find_python_argv(oldest)
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_FIND_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def find_python_argv(oldest: str) -> list[str]:
    """The command that prints an interpreter of that version or a later one, and fails without any."""
    from uv import find_uv_bin

    return [find_uv_bin(), "python", "find", "--no-python-downloads", f">={oldest}"]


def can_have_python(oldest: str, environ: Mapping[str, str]) -> bool:
    """Whether such an interpreter is in sight: our own, or one on PATH under its name. uv may know of others."""
    minor = int(oldest.split(".")[1])
    names = (f"python3.{number}" for number in range(minor, minor + _LATER_VERSIONS))
    return _is_new_enough(oldest) or any(shutil.which(name, path=environ.get("PATH")) for name in names)


def _is_new_enough(oldest: str) -> bool:
    return sys.version_info >= tuple(map(int, oldest.split(".")))


def ensure(
    spec: EnvironmentSpec,
    *,
    announce: Callable[[str], None],
    cancelled: Callable[[], bool] = lambda: False,
    describe_holders: Callable[[Path], str] = lambda _: "another process",
) -> Environment:
    """The environment with those packages, built if it is not there yet; two processes build it once.

    `announce` is called before a build begins, and before a wait for another process, whose name `describe_holders`
    knows by the lock. Raises EnvironmentBuildError, also as soon as the work is `cancelled`.
    """
    with in_use(spec, announce=announce, cancelled=cancelled, describe_holders=describe_holders) as environment:
        return environment


@contextlib.contextmanager
def in_use(
    spec: EnvironmentSpec,
    *,
    announce: Callable[[str], None],
    cancelled: Callable[[], bool] = lambda: False,
    describe_holders: Callable[[Path], str] = lambda _: "another process",
) -> Iterator[Environment]:
    """As `ensure`; no other process removes the environment before the context is left."""
    folder = folder_of(spec.key)

    def who() -> str:
        return describe_holders(_lock_of(folder))

    with contextlib.ExitStack() as stack:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context(_opened(folder))
            _wait_for(lock, fcntl.LOCK_SH, folder, announce, cancelled, who)
            while (ready := _read(folder)) is None:
                _wait_for(lock, fcntl.LOCK_EX, folder, announce, cancelled, who)
                # Another process may have built it while this one waited for the lock.
                if _read(folder) is None:
                    _build(spec, folder, announce, cancelled)
                fcntl.flock(lock, fcntl.LOCK_SH)
        except OSError as problem:
            advice = f"give another folder with {CACHE_VARIABLE}"
            raise EnvironmentBuildError(f"cannot write {folder}: {problem.strerror}; {advice}") from problem
        yield ready


def _wait_for(
    lock: int,
    kind: int,
    folder: Path,
    announce: Callable[[str], None],
    cancelled: Callable[[], bool],
    who: Callable[[], str],
) -> None:
    """Take the lock of an environment. Raises EnvironmentBuildError if it takes too long, or is cancelled.

    A build takes minutes, so its end is awaited for long. The lock of an environment that is ready, or that others
    only use, is free in a moment.
    """
    began = time.monotonic()
    has_announced = False
    while not _try(lock, kind):
        is_built_elsewhere = _read(folder) is None and not _try(lock, fcntl.LOCK_SH)
        # Nothing is held during the pause: two that wait would keep each other waiting.
        fcntl.flock(lock, fcntl.LOCK_UN)
        waited = time.monotonic() - began
        if cancelled():
            raise EnvironmentBuildError(f"the wait for the environment {folder} was interrupted")
        if waited >= (_BUILD_SECONDS if is_built_elsewhere else _BUSY_SECONDS):
            raise EnvironmentBuildError(
                f"the lock of the environment {folder} was not free for {waited:.0f} s: {who()} holds it"
            )
        if waited >= _NOTICE_SECONDS and not has_announced:
            has_announced = True
            announce(f"waiting for the environment {folder}: {who()} builds or uses it ...")
        time.sleep(_PAUSE_SECONDS)


def _try(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def find_built(spec: EnvironmentSpec) -> Environment | None:
    """The environment with those packages, if it is built."""
    return _read(folder_of(spec.key))


def list_environments() -> list[Environment]:
    """Every environment that was built here, by its key."""
    folder = cache_folder() / _FOLDER
    found = (_read(path) for path in sorted(folder.iterdir()) if path.is_dir()) if folder.is_dir() else ()
    return [environment for environment in found if environment]


def remove(key: str) -> None:
    """Remove an environment, or what is left of one. Raises EnvironmentInUse, and OSError."""
    folder = folder_of(key)
    with _opened(folder) as lock:
        if not _try(lock, fcntl.LOCK_EX):
            raise EnvironmentInUse(f"{key} is in use: a run or a build holds it")
        # The marker goes first: without it, the rest does not count. Others may wait for the lock, so its file stays.
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


def _build(spec: EnvironmentSpec, folder: Path, announce: Callable[[str], None], cancelled: Callable[[], bool]) -> None:
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
    run = functools.partial(_run, spec=spec, cancelled=cancelled)
    run([uv, "venv", "--quiet", "--python", interpreter, str(folder)])
    install = [uv, "pip", "install", "--quiet", "--python", str(python)]
    if spec.requirements:
        run([*install, *spec.requirements])
    if spec.no_deps:
        run([*install, "--no-deps", *spec.no_deps])
    packages = sorted(run([uv, "pip", "freeze", "--python", str(python)]).splitlines())
    version = run([str(python), "-c", "import platform; print(platform.python_version())"]).strip()
    marker = _Marker(version, [*spec.requirements, *spec.no_deps], packages)
    write_atomically(folder / _MARKER, msgspec.json.encode(marker))


def _run(argv: list[str], spec: EnvironmentSpec, cancelled: Callable[[], bool]) -> str:
    names = ", ".join((*spec.requirements, *spec.no_deps))
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    output, errors = process.communicate(timeout=_LOOK_SECONDS)
                    break
                if cancelled():
                    raise EnvironmentBuildError(f"the build of the environment of {names} was interrupted")
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        said = "\n".join(errors.strip().splitlines()[-8:])
        raise EnvironmentBuildError(f"the environment of {names} could not be built; uv said:\n{said}")
    return output


def _lock_of(folder: Path) -> Path:
    return folder.with_suffix(".lock")


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """The lock of an environment, not yet taken."""
    path = _lock_of(folder)
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except PermissionError:
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # A cache that another user keeps: to use, not to build.
    try:
        yield lock
    finally:
        os.close(lock)
