"""The ways to isolate a process, strongest first, and how a process enters one."""

from __future__ import annotations

import contextlib
import enum
import importlib
import math
import os
import re
import resource
import sys
from typing import Any

from . import landlock, namespaces, seccomp, system, view

_BUBBLEWRAPS = ("/usr/bin/bwrap", "/bin/bwrap", "/usr/local/bin/bwrap", "/run/current-system/sw/bin/bwrap")
_MEMORY_BYTES = 1024**3
_IMPORTED = re.compile(r"^[ \t]*(?:import|from)[ \t]+([\w.]{1,100})", re.MULTILINE)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FORBIDDEN = (
    "socket.", "subprocess.", "os.fork", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.kill", "os.remove",
    "os.rename", "os.rmdir", "os.chmod", "os.link", "os.symlink", "os.truncate", "shutil.", "ctypes.",
    "signal.pthread_kill",
)  # fmt: skip
_COMMON_MODULES = (
    "bisect", "cmath", "collections", "copy", "dataclasses", "datetime", "decimal", "enum", "fractions", "functools",
    "hashlib", "heapq", "itertools", "json", "math", "operator", "random", "re", "statistics", "string", "typing",
    "_strptime", "calendar", "numbers", "textwrap", "time", "unicodedata",
)  # fmt: skip


class Isolation(enum.StrEnum):
    """What keeps model-written code from everything else. The first that works here is used."""

    NAMESPACES = "namespaces"
    """User, mount, pid and network namespaces that the process makes itself."""
    BUBBLEWRAP = "bubblewrap"
    """The same, made by bubblewrap, which some systems allow while they refuse others."""
    LANDLOCK = "landlock"
    """The kernel lets the process read the interpreter's library only; needs seccomp for everything but files."""
    SECCOMP = "seccomp"
    """The kernel refuses every call but those of a computation; no file can be opened."""
    LIMITS = "limits"
    """Limits of memory and time, and the interpreter's own hooks, which hostile code can get around."""


def prefix(isolation: Isolation, *folders: str) -> list[str] | None:
    """What stands before a command that then sees `folders`, too; None if a program for it is missing."""
    if isolation is not Isolation.BUBBLEWRAP:
        return []
    program = next((path for path in _BUBBLEWRAPS if os.access(path, os.X_OK)), None)
    if program is None:
        return None
    shown = view.shown()
    argv = [program, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    for folder in [*shown, *folders, os.path.realpath(sys.executable)]:
        argv += ["--ro-bind", os.path.realpath(folder), folder]
    for folder in view.hidden(shown):
        argv += ["--tmpfs", folder]
    return [*argv, "--dev", "/dev", "--remount-ro", "/", "--chdir", "/"]


def enter(isolation: Isolation) -> str:
    """Isolate this process, but for `seal`; what holds, in words. Raises OSError if it cannot be isolated so."""
    is_filtered = seccomp.is_known()
    if isolation in (Isolation.LANDLOCK, Isolation.SECCOMP) and not is_filtered:
        raise OSError(f"no seccomp filter is known for {os.uname().machine}")
    if isolation is Isolation.NAMESPACES:
        namespaces.enter()
    elif isolation is Isolation.LANDLOCK:
        landlock.enter()
    if isolation in (Isolation.LIMITS, Isolation.SECCOMP) or not is_filtered:
        return isolation.value
    return f"{isolation.value}, seccomp"


def limit(seconds: float) -> None:
    """Little memory and processor time, no file and no process besides this one. Raises OSError."""
    processor = math.ceil(seconds) + 1
    for kind, most in (
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_CPU, processor),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        try:
            resource.setrlimit(kind, (most, most))
        except ValueError:
            if kind != resource.RLIMIT_AS:  # macOS takes no limit of address space.
                raise


def seal(isolation: Isolation, program: str) -> None:
    """The last step before foreign code runs. Raises OSError."""
    if isolation is Isolation.LIMITS:
        sys.addaudithook(_forbid)
        return
    system.drop_privileges()
    if seccomp.is_known():
        can_read = isolation is not Isolation.SECCOMP
        if not can_read:
            _load_modules(program)
        seccomp.enter(can_read=can_read)


def _load_modules(program: str) -> None:
    """Import what the program asks for from the standard library: once sealed, no file can be opened.

    The program is searched and not parsed: text that a parser cannot bear must not look like a broken isolation.
    """
    for name in {*_COMMON_MODULES, *_IMPORTED.findall(program)}:
        if name.partition(".")[0] in sys.stdlib_module_names:
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def _forbid(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: what no solution of a problem needs is refused."""
    if event.startswith(_FORBIDDEN):
        raise PermissionError(f"{event} is not allowed here")
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
        raise PermissionError("writing files is not allowed here")
