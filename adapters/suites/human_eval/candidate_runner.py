"""Runs one program and its tests, after giving up nearly every right. Started by `sandbox.py`, task on stdin."""

from __future__ import annotations

import ctypes
import json
import math
import os
import resource
import sys
from typing import Any

_MEMORY_BYTES = 1024**3
_REPORT_BYTES = 64 * 1024
_LONGEST_ERROR = 2000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_FORBIDDEN = (
    "socket.",
    "subprocess.",
    "os.fork",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "os.kill",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.chmod",
    "os.link",
    "os.symlink",
    "os.truncate",
    "shutil.",
    "ctypes.",
    "signal.pthread_kill",
)


def leave_network() -> str:
    """Move into a network of one's own, with nothing in it, where the kernel allows that; what keeps it out."""
    unshare = getattr(ctypes.CDLL(None), "unshare", None)  # Only Linux has it.
    for flags in (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET):
        if unshare is not None and unshare(flags) == 0:
            return "namespace"
    return "audit hook"


def limit(seconds: float) -> None:
    """Little memory and time, no process or thread besides this one, no file larger than the report."""
    processor = math.ceil(seconds) + 1
    for kind, most in (
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_CPU, processor),
        (resource.RLIMIT_FSIZE, _REPORT_BYTES),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(kind, (most, most))


def forbid(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: what no solution of a problem needs is refused."""
    if event.startswith(_FORBIDDEN):
        raise PermissionError(f"{event} is not allowed here")
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
        raise PermissionError("writing files is not allowed here")


def main() -> None:
    """Read the task, run it, and report on the original standard output."""
    task = json.load(sys.stdin)
    word = task.pop("word")
    report_to = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    network = leave_network()
    limit(task["seconds"])
    sys.addaudithook(forbid)
    error = ""
    try:
        names: dict[str, Any] = {"__name__": "candidate"}
        exec(compile(task["program"], "<program>", "exec"), names)  # noqa: S102 - this is what the sandbox is for
        exec(compile(task["test"], "<test>", "exec"), names)  # noqa: S102
        names["check"](names[task["entry_point"]])
    except BaseException as problem:  # noqa: BLE001 - whatever a model's program raises, it did not pass
        error = f"{type(problem).__name__}: {problem}"
    report = {"word": word, "passed": not error, "error": error[:_LONGEST_ERROR], "network": network}
    os.write(report_to, json.dumps(report).encode() + b"\n")
    os._exit(0)


if __name__ == "__main__":
    main()
