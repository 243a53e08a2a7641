"""The second process of a verification: it proves the lines while the first one checks their meaning.

`python -m benchmarks.ledger.proof.second URL POSITION...` writes its result as MessagePack, or nothing if a line is
damaged: the first process then finds the place.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

import msgspec

from ..errors import LedgerError
from ..storage.chain import BadLine
from ..storage.open import open_store
from .lines import Lines, prove_lines


class SecondProcess:
    """A process that proves the lines of a ledger. It starts at once."""

    def __init__(self, url: str, positions: Iterable[int]) -> None:
        """Hashes and roots at `positions` are returned. Raises OSError."""
        command = [sys.executable, "-P", "-m", __spec__.name, url, *map(str, positions)]
        # Its errors are not needed: the first process reports an interrupt, and reads damaged lines again.
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def result(self) -> Lines | None:
        """Wait for its result; None if it could not prove every line."""
        with self._process:
            output = self._process.communicate()[0]
        try:
            return msgspec.msgpack.decode(output, type=Lines) if self._process.returncode == 0 else None
        except msgspec.MsgspecError:
            return None

    def end(self) -> None:
        """End it without a result."""
        self._process.kill()
        self._process.communicate()


def main(url: str, *positions: str) -> int:
    """Prove the lines of the ledger at that URL."""
    try:
        lines = prove_lines(open_store(url, notice=lambda _: None), map(int, positions))
    except (LedgerError, BadLine, OSError):
        return 1
    sys.stdout.buffer.write(msgspec.msgpack.encode(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
