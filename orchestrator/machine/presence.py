"""A sign of life that holds across PID namespaces: an orchestrator keeps a lock on a file in its group's folder.

The process of an owner has no visible id in another PID namespace, so its state is unknown there. The kernel
releases the lock when the orchestrator ends, even if it is killed. Benchmarks do not inherit it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

NAME = ".owner"


@contextlib.contextmanager
def present(folder: Path) -> Iterator[None]:
    """Hold the lock in a group's folder during the context. If it cannot be written, the context has no lock."""
    path = folder / NAME
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
            stack.callback(os.close, fd)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            stack.callback(_remove, path)
        yield


def is_present(folder: Path) -> bool:
    """Whether a process holds the lock in that folder."""
    try:
        fd = os.open(folder / NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False  # It is missing, or belongs to another user.
    try:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
