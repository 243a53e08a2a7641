"""What can go wrong with a ledger; each error says what, where and what to do next."""

from __future__ import annotations

from pathlib import Path


class LedgerError(Exception):
    """The root of every error of the ledger."""


class LedgerDamaged(LedgerError):
    """The bytes on disk break the hash chain somewhere other than in a torn last line.

    `trusted` is the position of the last event before the break: everything up to there is still proven.
    """

    def __init__(self, segment: Path, line: int, offset: int, trusted: int, reason: str) -> None:
        self.segment, self.line, self.offset, self.trusted, self.reason = segment, line, offset, trusted, reason
        super().__init__(
            f"ledger damaged: {segment.name}, line {line}, byte {offset}: {reason}. "
            f"Events 1 to {trusted} are intact. Restore {segment} from a copy; nothing is appended until then "
            f"(details: ledger verify)"
        )


class LedgerUnwritable(LedgerError):
    """The ledger's folder or file cannot be written; nothing was recorded."""


class OutcomeUnknown(LedgerError):
    """The sync to disk failed: the event may or may not survive a power cut, and this handle is dead.

    After a failed `fdatasync` the kernel may have dropped the dirty pages, so a second try that succeeds proves
    nothing. Open the ledger again to see what is there.
    """


class EventConflict(LedgerError):
    """An event id was appended a second time with other content."""


class UnreadableEvent(LedgerError):
    """An event that could not be read back from its line, such as one with NaN for a score; nothing was recorded."""


class ImpossibleTransition(LedgerError):
    """An event that makes no sense for the state of its stream, such as a finish after a failure."""


class UnsupportedLedger(LedgerError):
    """The ledger URL names a kind of store that this version does not have."""
