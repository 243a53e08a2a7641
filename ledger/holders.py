"""The processes that hold a lock on a file, for a message to the person who waits for it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_PROC = "/proc"
_MAX_NAMED = 3
"""Maximum number of processes that a message names."""
_MAX_COMMAND = 200


def describe_holders(path: Path) -> str:
    """The processes that hold a lock on `path`, with their commands: `process 4711 (python suite.py)`.

    A lock belongs to an open file, so a process that inherited the file holds it too. Processes of other users, of
    other PID namespaces and of other machines may be invisible: the answer is then `a process that cannot be seen
    from here`.
    """
    try:
        pids = sorted(set(_holders(path)) - {os.getpid()})
    except OSError:
        pids = []  # No /proc here, or the file is gone.
    named = [f"process {pid} ({_command(pid)})" for pid in pids[:_MAX_NAMED]]
    more = [f"{len(pids) - _MAX_NAMED} more"] if len(pids) > _MAX_NAMED else []
    return " and ".join(filter(None, [", ".join(named), *more])) or "a process that cannot be seen from here"


def _holders(path: Path) -> Iterator[int]:
    wanted = path.stat()
    for name in os.listdir(_PROC):  # noqa: PTH208 - only the names are needed
        if name.isdigit():
            with contextlib.suppress(OSError):  # It ended meanwhile, or belongs to another user.
                if _holds(name, path.name, (wanted.st_dev, wanted.st_ino)):
                    yield int(name)
    # This list also has the processes of other users, but only those that took the lock themselves.
    for line in Path(_PROC, "locks").read_text().splitlines():
        fields = line.split()
        if "->" not in fields and fields[-3].endswith(f":{wanted.st_ino}") and int(fields[-4]) > 0:
            yield int(fields[-4])


def _holds(pid: str, name: str, identity: tuple[int, int]) -> bool:
    for fd in os.listdir(f"{_PROC}/{pid}/fd"):  # noqa: PTH208 - only the names are needed
        link = f"{_PROC}/{pid}/fd/{fd}"
        with contextlib.suppress(OSError):
            # Compare the name first: stat would hang for a file on a network disk that does not answer.
            if not os.readlink(link).removesuffix(" (deleted)").endswith(f"/{name}"):  # noqa: PTH115 - as text
                continue
            status = os.stat(link)  # noqa: PTH116 - as text
            if (status.st_dev, status.st_ino) == identity and "lock:" in Path(f"{_PROC}/{pid}/fdinfo/{fd}").read_text(
                errors="replace"
            ):
                return True
    return False


def _command(pid: int) -> str:
    try:
        text = Path(f"{_PROC}/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        text = text or Path(f"{_PROC}/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return "it has ended since"
    # A process can set its command line to any bytes, and this text goes to a terminal.
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    return shown if len(shown) <= _MAX_COMMAND else f"{shown[: _MAX_COMMAND - 2]} …"
