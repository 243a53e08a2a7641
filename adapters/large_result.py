"""A large result is read by a process of its own: a file of 60 MiB can take a gigabyte of memory once it is decoded.

`python -m benchmarks.adapters.large_result` gets what to look for on stdin and answers with a `Reading`, both as JSON.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import msgspec

from .manifest import ResultSpec
from .result import Reading, read_spec

MEMORY_VARIABLE = "BENCHMARKS_RESULT_MEMORY_BYTES"
_MEMORY_BYTES = 3 * 1024**3
"""What the process may take without that variable; a result of the largest size needs half of it at worst."""
_SECONDS = 120.0


class _Question(msgspec.Struct, frozen=True):
    spec: ResultSpec
    path: str


def read_large(spec: ResultSpec, path: Path) -> Reading:
    """What a manifest makes of a result's file, as `result.read_spec` would say it."""
    question = msgspec.json.encode(_Question(spec, str(path)))
    # -P: a folder named `benchmarks` may stand where this is called from.
    argv = [sys.executable, "-P", "-m", "benchmarks.adapters.large_result"]
    try:
        done = subprocess.run(argv, input=question, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return _unreadable(path, f"not read after {_SECONDS:g} s")
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        return _unreadable(path, last or f"its reader ended with {done.returncode}")
    return msgspec.structs.replace(msgspec.json.decode(done.stdout, type=Reading), path=path)


def _unreadable(path: Path, why: str) -> Reading:
    return Reading(path=path, reason="bad_result", error=f"{path.name}: {why}")


def main() -> None:
    """Answer the question on stdin."""
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=_Question)
    memory = int(os.environ.get(MEMORY_VARIABLE) or _MEMORY_BYTES)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    path = Path(question.path)
    try:
        reading = read_spec(question.spec, path)
    except MemoryError:
        reading = _unreadable(path, f"it takes more than {memory >> 20} MiB of memory to read")
    # The path of a file need not be UTF-8, and the one who asks knows it.
    sys.stdout.buffer.write(msgspec.json.encode(msgspec.structs.replace(reading, path=None)))


if __name__ == "__main__":
    main()
