"""The second process of long work: it proves the lines of a ledger while the first one does something else with them.

`python -m benchmarks.ledger.proof.second TASK URL ARGUMENT...` writes its result as MessagePack, or nothing if a line
is damaged: the first process then finds the place. The tasks are `lines` and `links`, which are explained there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Generic, TypeVar

import msgspec

from ..errors import LedgerError
from ..events import Head
from ..storage.chain import BadLine
from ..storage.open import open_store
from ..store import EventStore
from .lines import Lines, prove_lines
from .links import Links, prove_links

T = TypeVar("T", Lines, Links)


def has_second_core() -> bool:
    """Whether a second process can work meanwhile."""
    return (os.cpu_count() or 1) > 1


class SecondProcess(Generic[T]):
    """A process that proves the lines of a ledger. It starts at once."""

    def __init__(self, kind: type[T], url: str, *arguments: object) -> None:
        """`kind` is what its result is, which names its task; the arguments are those of the task. Raises OSError."""
        self._kind: type[T] = kind
        task = kind.__name__.lower()
        command = [sys.executable, "-P", "-m", __spec__.name, task, url, *map(str, arguments)]
        # Its errors are not needed: the first process reports an interrupt, and reads damaged lines again.
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def result(self) -> T | None:
        """Wait for its result; None if it could not prove every line."""
        with self._process:
            output = self._process.communicate()[0]
        try:
            return msgspec.msgpack.decode(output, type=self._kind) if self._process.returncode == 0 else None
        except msgspec.MsgspecError:
            return None

    def end(self) -> None:
        """End it without a result."""
        self._process.kill()
        self._process.communicate()


def _lines(store: EventStore, *positions: str) -> Lines:
    return prove_lines(store, map(int, positions))


def _links(store: EventStore, seq: str, hash: str, end: str) -> Links:
    return prove_links(store, Head(int(seq), hash), int(end))


_TASKS = {"lines": _lines, "links": _links}


def main(task: str, url: str, *arguments: str) -> int:
    """Do a task with the ledger at that URL."""
    try:
        found = _TASKS[task](open_store(url, notice=lambda _: None), *arguments)  # type: ignore[operator]
    except (LedgerError, BadLine, OSError):
        return 1
    sys.stdout.buffer.write(msgspec.msgpack.encode(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
