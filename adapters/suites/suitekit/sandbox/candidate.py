"""The process that runs model-written code. It answers calls with plain data, and knows nothing of the tests."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from . import isolation, pipes, system
from .isolation import Isolation
from .plain import MAX_BYTES, NotPlain, pack, unpack

MAX_TASK_BYTES = 4 * 1024 * 1024
MAX_ERROR = 300
VALUE, ERROR = b"v", b"e"
"""The first byte of an answer: plain data, or the text of an error."""


def main() -> None:
    """Isolate this process, take the program, run it, and then answer one call after the other."""
    chosen = Isolation(sys.argv[1])
    if sys.platform == "linux":  # Its judge may be killed.
        system.prctl(system.PR_SET_PDEATHSIG, signal.SIGKILL)
    null = os.open(os.devnull, os.O_RDWR)
    try:
        held = isolation.enter(chosen)
        asked, replies = os.dup(0), os.dup(1)
        for handle in (0, 1, 2):
            os.dup2(null, handle)
        task = json.loads(pipes.receive(asked, MAX_TASK_BYTES))
        isolation.limit(task["seconds"])
        isolation.seal(chosen, task["program"])
    except OSError as problem:
        _refuse(problem)
        return
    pipes.send(replies, json.dumps({"held": held}).encode())
    try:
        function = _load(task["program"], task["entry_point"])
    except BaseException as problem:  # noqa: BLE001 - whatever foreign code raises is its own failure
        pipes.send(replies, _error(problem))
        return
    pipes.send(replies, VALUE)
    while True:
        pipes.send(replies, _answer(function, pipes.receive(asked, MAX_BYTES)))


def _refuse(problem: OSError) -> None:
    """Write to the standard output, where it is now, why the process is not isolated."""
    message = json.dumps({"refused": f"{problem.filename or ''}: {problem.strerror or problem}"}).encode()
    os.write(1, len(message).to_bytes(4, "big") + message)


def _load(program: str, entry_point: str) -> Callable[..., Any]:
    module = ModuleType("solution")
    sys.modules[module.__name__] = module  # Data classes look for their module there.
    exec(compile(program, "<program>", "exec"), module.__dict__)  # noqa: S102 - this is what the process is for
    function: Callable[..., Any] = module.__dict__[entry_point]
    return function


def _answer(function: Callable[..., Any], call: bytes) -> bytes:
    try:
        arguments, named = unpack(call)
        return VALUE + pack(function(*arguments, **named)).encode()
    except NotPlain as problem:
        return ERROR + f"it returned {problem}".encode(errors="backslashreplace")[:MAX_ERROR]
    except BaseException as problem:  # noqa: BLE001 - whatever foreign code raises is its own failure
        return _error(problem)


def _error(problem: BaseException) -> bytes:
    try:
        text = f"{type(problem).__name__}: {problem}"
    except BaseException:  # noqa: BLE001 - the exception is foreign code, too
        text = type(problem).__name__
    return ERROR + text.encode(errors="backslashreplace")[:MAX_ERROR]
