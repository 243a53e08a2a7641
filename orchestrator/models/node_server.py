"""One server for each local model on a machine, shared by the processes that use it and ended after the last of them.

Every user holds the writing end of a named pipe open, whose reading end is the input of the server. So the kernel
counts the users: it also sees the end of one that is killed. A user joins under a lock; the server takes the same lock
before it ends, so that no process joins a server that is about to end.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import stat
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

from ...adapters.cache import cache_folder
from ..machine.logs import last_lines
from .local_model import SCRIPT, START_SECONDS, LocalModelError, LocalServer, model_label

LINGER_SECONDS = 10.0
"""How long a server waits for its next user: the next run of a campaign need not load the model again."""

_LOOK_SECONDS = 0.1
_HEALTH_SECONDS = 5.0
# The shell ends at once, so that the server is not a child of its first user and outlives it.
_DETACH = 'exec 3<&0; "$@" <&3 3<&- >"$READY" 2>>"$LOG" &'


@contextlib.contextmanager
def shared(
    model: str, *, python: Path, announce: Callable[[str], None], cancelled: Callable[[], bool] = lambda: False
) -> Iterator[LocalServer]:
    """The machine's server of that model during the context, started if there is none.

    Raises LocalModelError if the model cannot be loaded, or if `cancelled` returns true before it is ready.
    """
    label = model_label(model)
    folder = cache_folder() / "served" / sha256(f"{label} {python}".encode()).hexdigest()[:24]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(folder / "lock", cancelled, label):
        pipe = _pipe(folder / "users")
        life = _join(pipe)
        server = _ready(folder) if life is not None else None
        if life is None or server is None or not _answers(server.base_url):
            if life is not None:
                os.close(life)
            announce(f"starting {label} on {os.uname().nodename} ...")
            life, server = _start(model, label, python, folder, pipe, cancelled)
    try:
        yield server
    finally:
        os.close(life)


@contextlib.contextmanager
def _locked(path: Path, cancelled: Callable[[], bool], label: str) -> Iterator[None]:
    with path.open("w") as lock:
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if cancelled():
                raise LocalModelError(f"the wait for {label} was interrupted")
            time.sleep(_LOOK_SECONDS)
        yield


def _pipe(path: Path) -> Path:
    with contextlib.suppress(FileExistsError):
        os.mkfifo(path, 0o600)
    if not stat.S_ISFIFO(path.lstat().st_mode):
        raise LocalModelError(f"{path} is not a named pipe\nhint: remove it")
    return path


def _join(pipe: Path) -> int | None:
    """The writing end of the pipe; None if no server reads it."""
    try:
        return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as problem:
        if problem.errno == errno.ENXIO:
            return None
        raise


def _start(
    model: str, label: str, python: Path, folder: Path, pipe: Path, cancelled: Callable[[], bool]
) -> tuple[int, LocalServer]:
    """Start a server. Returns the writing end that keeps it alive, and the server."""
    (folder / "ready").unlink(missing_ok=True)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        life = os.open(pipe, os.O_WRONLY | os.O_CLOEXEC)
        os.set_blocking(reading, True)
        argv = [str(python), "-I", str(SCRIPT), f"--model={model}", f"--alias={label}"]
        subprocess.run(
            ["/bin/sh", "-c", _DETACH, "sh", *argv, f"--lock={folder / 'lock'}", f"--linger={LINGER_SECONDS}"],
            stdin=reading,
            env={**os.environ, "READY": str(folder / "ready"), "LOG": str(folder / "server.log")},
            start_new_session=True,
            check=True,
        )
    finally:
        os.close(reading)
    try:
        return life, _await(folder, label, life, cancelled)
    except BaseException:
        os.close(life)
        raise


def _await(folder: Path, label: str, life: int, cancelled: Callable[[], bool]) -> LocalServer:
    deadline = time.monotonic() + START_SECONDS
    poll = select.poll()
    poll.register(life, select.POLLERR)
    while (server := _ready(folder)) is None:
        if cancelled():
            raise LocalModelError(f"the start of {label} was interrupted")
        if time.monotonic() >= deadline:
            raise LocalModelError(f"{label} was not ready after {START_SECONDS} s; see {folder / 'server.log'}")
        # Without a reader, the server has ended.
        if poll.poll(0):
            raise LocalModelError(
                f"the server of {label} ended before it was ready:\n{last_lines(folder / 'server.log')}"
            )
        time.sleep(_LOOK_SECONDS)
    return server


def _ready(folder: Path) -> LocalServer | None:
    """The server as it has described itself; None if it has not yet."""
    try:
        line = (folder / "ready").read_bytes()
        return msgspec.json.decode(line, type=LocalServer) if line.endswith(b"\n") else None
    except (OSError, msgspec.DecodeError):
        return None


def _answers(base_url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{base_url.removesuffix('/v1')}/health", timeout=_HEALTH_SECONDS):
            return True
    except OSError:
        return False
