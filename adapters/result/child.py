"""A large result is read by a process of its own: a file of 60 MiB can take a gigabyte of memory once it is decoded.

`python -m benchmarks.adapters.result.child FD` gets what to look for on stdin, reads the result from the file that it
inherits as FD, and answers with a `Reading`, as JSON.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec

from ..manifest import ResultSpec
from .reading import Reading, read_spec, unreadable

MEMORY_VARIABLE = "BENCHMARKS_RESULT_MEMORY_BYTES"
_MEMORY_BYTES = 3 * 1024**3
"""What the process may take without that variable; a result of the largest size needs half of it at worst."""
_SECONDS = 120.0
_LOOK_SECONDS = 0.2


class _Question(msgspec.Struct, frozen=True):
    spec: ResultSpec
    path: str


def read_large(spec: ResultSpec, path: Path, file: BinaryIO, *, is_over: Callable[[], bool] = lambda: False) -> Reading:
    """What a manifest makes of a result's opened file, as `result.read_spec` would say it.

    It is given up as unreadable after two minutes, or once `is_over` says so.
    """
    question = msgspec.json.encode(_Question(spec, str(path)))
    # -P: a folder named `benchmarks` may stand where this is called from.
    argv = [sys.executable, "-P", "-m", "benchmarks.adapters.result.child", str(file.fileno())]
    began = time.monotonic()
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[file.fileno()]
    ) as reader:
        unsent: bytes | None = question
        try:
            while True:
                try:
                    out, err = reader.communicate(unsent, timeout=_LOOK_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    unsent = None  # It has the question by now.
                    if is_over() or time.monotonic() - began > _SECONDS:
                        return unreadable(path, f"not read after {time.monotonic() - began:.0f} s")
        finally:
            reader.kill()
    if reader.returncode != 0:
        last = err.decode(errors="replace").strip().rpartition("\n")[2]
        return unreadable(path, last or f"its reader ended with {reader.returncode}")
    return msgspec.structs.replace(msgspec.json.decode(out, type=Reading), path=path)


def main() -> None:
    """Answer the question on stdin."""
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=_Question)
    memory = int(os.environ.get(MEMORY_VARIABLE) or _MEMORY_BYTES)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (int(_SECONDS), int(_SECONDS)))
    path = Path(question.path)
    try:
        with os.fdopen(int(sys.argv[1]), "rb") as file:
            reading = read_spec(question.spec, path, file)
    except MemoryError:
        reading = unreadable(path, f"it takes more than {memory >> 20} MiB of memory to read")
    # The path of a file need not be UTF-8, and the one who asks knows it.
    sys.stdout.buffer.write(msgspec.json.encode(msgspec.structs.replace(reading, path=None)))


if __name__ == "__main__":
    main()
