"""The hash chain, which binds each line of a ledger to the line before it.

A line ends with `,"prev":"<hash of the line before>","hash":"<its own>"}`, and its own hash is the SHA-256 of its bytes
up to, and not including, `,"hash":`. Lines are bytes without their newline here.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from ..events import GENESIS as GENESIS
from ..events import Head as Head

ORIGIN_PREFIX = "benchmark-orchestrator/ledger/"
"""The beginning of every ledger's origin."""

TAIL = len(',"hash":"') + 64 + len('"}')
"""The number of bytes at the end of a line that its hash does not cover."""

_LINK = len(',"prev":"') + 64 + len('"') + TAIL


class BadLine(ValueError):
    """A line that is not an event of the ledger, or not the next one; the message says why."""


class BrokenChain(ValueError):
    """The line at `index` does not continue the chain; those before it do."""

    def __init__(self, index: int, head: Head, reason: str) -> None:
        self.index, self.head, self.reason = index, head, reason
        super().__init__(reason)


def seal(body: bytes) -> bytes:
    """The line that begins with `body` and ends with its hash."""
    return b'%b,"hash":"%b"}' % (body, sha256(body).hexdigest().encode())


def follow(lines: Sequence[bytes], head: Head) -> Head:
    """Prove that the lines are the events that follow `head`. Returns the new head. Raises BrokenChain."""
    digests = [sha256(line[:-TAIL]).hexdigest() for line in lines]
    # The expected beginnings and ends cover every byte that the digests do not, and the position of each event.
    # All lines are compared at once: a loop over single lines took half as long again.
    begins = [b'{"seq":%d,' % seq for seq in range(head.seq + 1, head.seq + len(lines) + 1)]
    ends = [
        f',"prev":"{prev}","hash":"{digest}"}}'.encode()
        for prev, digest in zip([head.hash, *digests], digests, strict=False)
    ]
    if not (all(map(bytes.startswith, lines, begins)) and all(map(bytes.endswith, lines, ends))):
        raise _broken(lines, head)
    return Head(head.seq + len(lines), digests[-1]) if digests else head


def _broken(lines: Sequence[bytes], head: Head) -> BrokenChain:
    """The first line that does not continue the chain from `head`; one line is known to be bad."""
    for index, line in enumerate(lines):
        if fault := _fault(line, head.seq + 1, head.hash):
            return BrokenChain(index, head, fault)
        head = Head(head.seq + 1, line[-66:-2].decode())
    raise AssertionError("one of the lines is bad")


def origin_of(first_hash: str) -> str:
    """The origin of the ledger whose first event has that hash; all empty ledgers share one."""
    return ORIGIN_PREFIX + ("empty" if first_hash == GENESIS else first_hash[:16])


def last_of(lines: bytes) -> Head:
    """The head after whole lines that were proven."""
    begin = lines.rfind(b"\n", 0, -1) + 1
    return Head(int(lines[begin + len(b'{"seq":') : lines.index(b",", begin)]), lines[-67:-3].decode())


def check(line: bytes, *, seq: int, prev: str) -> str:
    """Prove that a line is event `seq` and follows the event with the hash `prev`. Returns its hash.

    Raises BadLine with the reason.
    """
    try:
        return follow([line], Head(seq - 1, prev)).hash
    except BrokenChain as problem:
        raise BadLine(problem.reason) from None


def is_event(line: bytes, head: Head) -> bool:
    """Whether a line is the event with the position and hash of `head`: every byte of it is as it was written."""
    is_right = line.startswith(b'{"seq":%d,' % head.seq) and line.endswith(b',"hash":"%b"}' % head.hash.encode())
    return is_right and sha256(line[:-TAIL]).hexdigest() == head.hash


def _fault(line: bytes, seq: int, prev: str) -> str | None:
    if line[-TAIL : -TAIL + 9] != b',"hash":"' or line[-2:] != b'"}':
        return 'the line does not end with ,"hash":"<64 hex digits>"}'
    if line[-66:-2] != sha256(line[:-TAIL]).hexdigest().encode():
        return "its hash does not match its bytes"
    start = b'{"seq":%d,' % seq
    if not line.startswith(start):
        return f"it does not begin with {start.decode()}"
    if line[-_LINK:-TAIL] != f',"prev":"{prev}"'.encode():
        return "its prev is not the hash of the event before"
    return None
