"""A witness: it signs that the checkpoints of a log that it has seen all belong to one history. C2SP tlog-witness.

For each log it keeps the last checkpoint that it has signed, on disk before it answers. So it never signs two
histories of one log, whatever ends it at whatever moment.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from ..errors import LedgerError, SpecialFile
from ..storage import disk
from ..storage.regular import open_for_reading
from .checkpoint import Checkpoint, parse_checkpoint
from .encoding import BadText, decimal, decode64, encode64
from .signing import COSIGNATURE, BadSignature, Note, Signer, Verifier
from .tree import EMPTY_ROOT, HASH_BYTES, BadProof, check_consistency

MAX_REQUEST_BYTES = 64 * 1024
MAX_PROOF_LINES = 63
_MAX_STATE_BYTES = 1024 * 1024


class StateUnusable(LedgerError):
    """The folder of a witness cannot be used, or what it says of a log cannot be read; nothing is signed."""

    exit_code = 3


class Refused(Exception):
    """A request that a witness refuses, with the status of HTTP and the text of the answer."""

    def __init__(self, status: int, text: str, content_type: str = "text/plain; charset=utf-8") -> None:
        self.status, self.text, self.content_type = status, text, content_type
        super().__init__(text)


class Request(msgspec.Struct, frozen=True):
    """A request `add-checkpoint`: the size that the witness has seen last, the proof from there, and the checkpoint."""

    old: int
    proof: list[bytes]
    note: str

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in (f"old {self.old}", *map(encode64, self.proof), "")) + self.note


def parse_request(body: bytes) -> Request:
    """The request in a body. Raises BadText."""
    if len(body) > MAX_REQUEST_BYTES:
        raise BadText(f"a request has at most {MAX_REQUEST_BYTES} bytes")
    try:
        head, blank, note = body.decode().partition("\n\n")
    except UnicodeDecodeError as problem:
        raise BadText(f"the request is not UTF-8 text: {problem}") from problem
    first, *lines = head.split("\n")
    if not (blank and first.startswith("old ")):
        raise BadText("a request begins with a line `old`, and has an empty line before its checkpoint")
    if len(lines) > MAX_PROOF_LINES:
        raise BadText(f"a proof has at most {MAX_PROOF_LINES} lines, got {len(lines)}")
    proof = [decode64(line, "a hash of the proof", size=HASH_BYTES) for line in lines]
    return Request(decimal(first.removeprefix("old "), "the old size"), proof, note)


class WitnessState:
    """What a witness has signed, in a folder that one process uses at a time. Safe for many threads."""

    def __init__(
        self, folder: Path, signer: Signer, logs: Sequence[Verifier], *, clock: Callable[[], float] = time.time
    ) -> None:
        """`logs` are the keys whose checkpoints are signed; the name of each is the origin of its log.

        Raises StateUnusable, also if another process uses the folder.
        """
        if signer.verifier.kind != COSIGNATURE:
            raise ValueError("a witness signs with a key of its kind")
        self._folder = folder
        self._signer = signer
        self._logs = list(logs)
        self._clock = clock
        self._lock = threading.Lock()
        self._fd: int | None = self._take(folder)
        try:
            for log in self._logs:
                self._last(log.name)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let another process use the folder."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def add_checkpoint(self, body: bytes) -> str:
        """Sign the checkpoint in a request. Returns the line of the signature; raises Refused and StateUnusable."""
        try:
            request = parse_request(body)
            checkpoint, note = parse_checkpoint(request.note)
        except BadText as problem:
            raise Refused(400, f"{problem}\n") from problem
        self._check_signature(checkpoint, note)
        if request.old > checkpoint.position:
            raise Refused(400, f"the old size {request.old} is larger than that of the checkpoint\n")
        with self._lock:
            self._check_history(request, checkpoint)
            line = self._signer.cosign(note.text, int(self._clock()))
            own = (self._signer.verifier.name, self._signer.verifier.hash)
            kept = Note(note.text, [one for one in note.signatures if (one.name, one.id) != own])
            self._keep(checkpoint.origin, kept.with_signatures([line]))
        return str(line)

    def checkpoint_of(self, origin_hash: str) -> str | None:
        """The last signed checkpoint of a log, by the SHA-256 of its origin; None if there is none."""
        for log in self._logs:
            if _name_of(log.name) == origin_hash:
                with self._lock:
                    note = self._last(log.name)
                return None if note is None else str(note)
        return None

    def _check_signature(self, checkpoint: Checkpoint, note: Note) -> None:
        known = [log for log in self._logs if log.name == checkpoint.origin]
        if not known:
            raise Refused(404, f"the log {checkpoint.origin} is not known here\n")
        try:
            signed = [log for log in known if log.signature_of(note) is not None]
        except BadSignature as problem:
            raise Refused(403, f"{problem}\n") from problem
        if not signed:
            raise Refused(403, f"the checkpoint is not signed by a known key of {checkpoint.origin}\n")

    def _check_history(self, request: Request, checkpoint: Checkpoint) -> None:
        last = self._last(checkpoint.origin)
        known = parse_checkpoint(str(last))[0] if last else Checkpoint(checkpoint.origin, 0, EMPTY_ROOT.hex())
        if request.old != known.position:
            raise Refused(409, f"{known.position}\n", "text/x.tlog.size")
        try:
            check_consistency(known.position, checkpoint.position, known.root, checkpoint.root, request.proof)
        except BadProof as problem:
            raise Refused(422, f"{problem}\n") from problem

    def _last(self, origin: str) -> Note | None:
        """The last checkpoint of a log that was signed here. Raises StateUnusable if it cannot be read."""
        path = self._folder / _name_of(origin)
        try:
            with open_for_reading(path) as file:
                checkpoint, note = parse_checkpoint(file.read(_MAX_STATE_BYTES).decode())
            is_ours = self._signer.verifier.signature_of(note) is not None and checkpoint.origin == origin
        except FileNotFoundError:
            return None
        except (OSError, SpecialFile, UnicodeDecodeError, BadText, BadSignature) as problem:
            raise StateUnusable(f"{path} cannot be read, so nothing is signed for {origin}: {problem}") from problem
        if not is_ours:
            raise StateUnusable(
                f"{path} is not signed by {self._signer.verifier.name}, so nothing is signed for {origin}",
                "use the key with which this witness began, or a new folder for a new key",
            )
        return note

    def _keep(self, origin: str, note: Note) -> None:
        path = self._folder / _name_of(origin)
        try:
            disk.replace_file(path, str(note).encode())
        except (OSError, SpecialFile) as problem:
            raise StateUnusable(f"{path} cannot be written, so nothing was signed: {problem}") from problem

    @staticmethod
    def _take(folder: Path) -> int:
        try:
            disk.make_folder(folder)
            fd = disk.open_file(folder / ".lock", os.O_RDWR | os.O_CREAT)
        except (OSError, SpecialFile) as problem:
            raise StateUnusable(f"the folder {folder} cannot be used: {problem}") from problem
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            os.close(fd)
            raise StateUnusable(f"another process is the witness of {folder}", "give another --state") from problem
        return fd


@contextlib.contextmanager
def open_witness(folder: Path, signer: Signer, logs: Sequence[Verifier]) -> Iterator[WitnessState]:
    """The state of a witness, for the time of a `with` block. Raises StateUnusable."""
    state = WitnessState(folder, signer, logs)
    try:
        yield state
    finally:
        state.close()


def _name_of(origin: str) -> str:
    return sha256(origin.encode()).hexdigest()
