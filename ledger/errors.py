"""The errors of a ledger. Each one says what happened, where, and what to do next."""

from __future__ import annotations

from pathlib import Path


class ExpectedError(Exception):
    """An error that the program foresees: what happened and why, and a hint that says what to do.

    The text of the error is both: the message, and the hint on a line of its own.
    """

    exit_code = 2

    def __init__(self, message: str = "", hint: str = "") -> None:
        super().__init__(f"{message}\nhint: {hint}" if hint else message)


class LedgerError(ExpectedError):
    """The root of every error of the ledger."""


class LedgerDamaged(LedgerError):
    """The stored bytes break the hash chain somewhere other than in a torn last line.

    `line` counts from 1 in `file`; `offset` is the byte at which it begins, and None in a database, where a line is a
    row. `trusted` is the position of the last event before the break: everything up to there is still proven.
    """

    exit_code = 3

    def __init__(self, file: Path, line: int, offset: int | None, trusted: int, reason: str) -> None:
        self.file, self.line, self.offset, self.trusted, self.reason = file, line, offset, trusted, reason
        super().__init__(
            f"ledger damaged: {self.place}: {reason}. {_intact(trusted)} intact. Nothing is appended "
            f"until it is restored.\nhint: restore {file} from a copy; `ledger verify` shows the details"
        )

    @property
    def place(self) -> str:
        """The place, for people."""
        if self.offset is None:
            return f"{self.file.name}, row {self.line}"
        return f"{self.file.name}, line {self.line}, byte {self.offset}"


def _intact(trusted: int) -> str:
    return f"Events 1 to {trusted} are" if trusted > 1 else "Event 1 is" if trusted else "No event is"


class LedgerUnwritable(LedgerError):
    """The ledger's folder or file cannot be written; nothing was recorded (of a copy: nothing after the error)."""

    def after(self, count: int) -> LedgerUnwritable:
        """The same error, after `count` events of a copy were recorded."""
        if not count:
            return self
        recorded = f"{count} events of the copy were recorded before, and the next try goes on after them"
        return LedgerUnwritable(str(self).replace("Nothing was recorded", recorded))


class LedgerBusy(LedgerUnwritable):
    """Another process held the ledger's lock for too long; nothing was recorded."""

    def __init__(self, lock: Path, seconds: float, holder: str) -> None:
        self.lock, self.seconds, self.holder = lock, seconds, holder
        super().__init__(
            f"the lock {lock} was not free for {seconds:.1f} s: {holder} holds it. Nothing was recorded.\n"
            f"hint: end that process, or try again once it has finished"
        )


class LedgerMoved(LedgerError):
    """The ledger is no longer where this program wrote to it: its folder was moved, replaced or removed."""

    exit_code = 3

    def __init__(self, what: str, now_at: Path | None) -> None:
        self.now_at = now_at
        elsewhere = f"What was recorded before is in {now_at}" if now_at else "What was recorded before is gone"
        advice = f"move {now_at} back" if now_at else "restore it from a copy"
        super().__init__(
            f"the ledger was moved, replaced or removed while this program was running: {what}. {elsewhere}. "
            f"Nothing more is recorded.\nhint: {advice}, then run the same command again; `ledger verify` "
            f"shows what is there"
        )


class SpecialFile(LedgerError):
    """A pipe, device, folder or link lies in place of a file of the ledger; nothing was recorded.

    `fault` is the sentence without the hint. For a segment, a reader raises LedgerDamaged, which has the place.
    """

    exit_code = 3

    def __init__(self, path: Path, kind: str) -> None:
        self.path, self.kind = path, kind
        self.fault = f"{path} is {kind}, but must be a regular file"
        super().__init__(
            f"{self.fault}. Nothing was recorded.\nhint: move it away. The ledger makes its lock and manifest.json "
            f"again; restore a file with events, and give its own path instead of a link"
        )


class OutcomeUnknown(LedgerError):
    """The sync to disk failed: the event may or may not survive a power cut, and this handle is dead.

    After a failed `fdatasync` the kernel may have dropped the dirty pages, so a second try that succeeds proves
    nothing. Open the ledger again to see what it holds.
    """

    exit_code = 1


class EventConflict(LedgerError):
    """An event id was appended a second time with other content."""


class WrongExpectedVersion(LedgerError):
    """Another writer appended to the stream first; nothing was recorded. Read it again, and decide again."""

    def __init__(self, stream: str, *, expected: int, actual: int) -> None:
        self.stream, self.expected, self.actual = stream, expected, actual
        super().__init__(
            f"{stream} has {actual} events, but the writer expected {expected}. Nothing was recorded.\nhint: "
            f"read the stream and decide again"
        )


class OtherHistory(LedgerError):
    """Lines that should continue a ledger belong to another history; nothing was recorded."""


class UnreadableEvent(LedgerError):
    """An event that could not be read back from its line, such as one with NaN for a score; nothing was recorded."""


class ImpossibleTransition(LedgerError):
    """An event that makes no sense for the state of its stream, such as a finish after a failure."""


class UnsupportedLedger(LedgerError):
    """The ledger URL names a kind of store that this version does not have."""
