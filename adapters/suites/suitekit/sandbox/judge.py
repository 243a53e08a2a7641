"""The process that runs the tests. The code under test is in another one, reached by a stand-in for its function."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
from typing import Any

from .candidate import MAX_ERROR
from .isolation import Isolation
from .remote import MAX_PROGRAM, Candidate, CandidateFailed, Refused, open_candidate

_MEMORY_BYTES = 2 * 1024**3


def main() -> None:
    """Read a task from the standard input, judge it, and write the verdict to the standard output."""
    task = json.load(sys.stdin.buffer)
    replies = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1):
        os.dup2(null, handle)
    with contextlib.suppress(ValueError):  # macOS takes no limit of address space.
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    with open(replies, "wb") as file:
        file.write(json.dumps(_judge(task)).encode())


def _judge(task: dict[str, Any]) -> dict[str, Any]:
    if len(task["program"]) > MAX_PROGRAM:
        return {"held": "", "error": f"a program of more than {MAX_PROGRAM} characters"}
    try:
        with _open(task) as (candidate, held):
            return {"held": held, "error": _tests(task, candidate)[:MAX_ERROR]}
    except Refused as problem:
        return {"refused": str(problem)}


def _open(task: dict[str, Any]) -> contextlib.AbstractContextManager[tuple[Candidate, str]]:
    return open_candidate(Isolation(task["isolation"]), task["program"], task["entry_point"], task["seconds"])


def _tests(task: dict[str, Any], candidate: Candidate) -> str:
    """Why the tests fail; empty if they pass."""
    try:
        candidate.value()  # The program is loaded.
        names: dict[str, Any] = {"__name__": "tests"}
        exec(compile(task["helpers"], "<helpers>", "exec"), names)  # noqa: S102 - the benchmark's own code
        names[task["entry_point"]] = candidate
        exec(compile(task["test"], "<test>", "exec"), names)  # noqa: S102
        names["check"](candidate)
    except (Exception, CandidateFailed, SystemExit) as problem:  # noqa: BLE001 - tests fail in any way
        return candidate.failure or f"{type(problem).__name__}: {problem}".rstrip(": ")
    # Tests that caught a failure of the candidate have not passed.
    return candidate.failure
