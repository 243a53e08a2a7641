"""Asks witnesses to sign a checkpoint, all at once and within a limit of time: the client of C2SP tlog-witness."""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from ..errors import LedgerError
from .checkpoint import Checkpoint, parse_checkpoint
from .encoding import BadText, decimal
from .policy import Witness
from .signing import BadSignature, Note, SignatureLine, parse_signatures
from .witnessing import Request

ProofFrom = Callable[[int], list[bytes]]
"""The consistency proof from an earlier size to that of the checkpoint."""

State = Literal["signed", "behind", "fork", "refused", "silent"]

_MAX_ANSWER_BYTES = 64 * 1024
_ATTEMPTS = 3
"""The witness may see another checkpoint of this log between two requests."""


class Answer(msgspec.Struct, frozen=True):
    """What came of asking a witness.

    `signed`: it has signed. `behind`: it has seen a larger tree, so the checkpoint is old. `fork`: it has seen another
    history. `refused`: it does not sign, such as for an unknown log. `silent`: it did not answer in time.
    """

    witness: Witness
    state: State
    reason: str = ""
    signature: SignatureLine | None = None


def ask_witnesses(note: Note, witnesses: Sequence[Witness], proof_from: ProofFrom, *, seconds: float) -> list[Answer]:
    """Ask all of them at once; one that has not answered after that time counts as silent.

    Raises BadText, and the LedgerError of `proof_from`.
    """
    checkpoint, _ = parse_checkpoint(str(note))
    deadline = time.monotonic() + seconds
    answers: dict[str, Answer] = {}
    problems: list[LedgerError] = []
    # The proofs come from the caller's ledger, which one thread at a time reads.
    lock = threading.Lock()

    def locked(size: int) -> list[bytes]:
        with lock:
            return proof_from(size)

    def ask(witness: Witness) -> None:
        try:
            answers[witness.name] = _Asking(witness, checkpoint, note, locked, deadline).answer()
        except LedgerError as problem:
            problems.append(problem)

    # Daemons: a name that cannot be resolved, or a byte a minute, must not keep the command from its end.
    threads = [threading.Thread(target=ask, args=(witness,), daemon=True) for witness in witnesses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if problems:
        raise problems[0]
    late = f"it did not answer within {seconds:g} s"
    return [answers.get(witness.name, Answer(witness, "silent", late)) for witness in witnesses]


class _Asking:
    def __init__(
        self, witness: Witness, checkpoint: Checkpoint, note: Note, proof_from: ProofFrom, deadline: float
    ) -> None:
        self._witness = witness
        self._checkpoint = checkpoint
        self._note = note
        self._proof_from = proof_from
        self._deadline = deadline

    def answer(self) -> Answer:
        old = 0
        try:
            for _ in range(_ATTEMPTS):
                proof = self._proof_from(old) if old else []
                status, text = self._post(str(Request(old, proof, str(self._note))).encode())
                if status != 409:
                    return self._judge(status, text, old)
                old = decimal(text.removesuffix("\n"), "the size that the witness answers")
                if old > self._checkpoint.position:
                    return self._not("behind", f"it has already seen {old} events of {self._checkpoint.origin}")
            return self._not("refused", "it sees other checkpoints of this ledger at the same time")
        except (OSError, http.client.HTTPException) as problem:
            reason = problem.reason if isinstance(problem, urllib.error.URLError) else problem
            return self._not("silent", f"it cannot be reached: {reason}")
        except (BadText, BadSignature, ValueError) as problem:
            return self._not("refused", f"its answer cannot be used: {problem}")

    def _judge(self, status: int, text: str, old: int) -> Answer:
        if status == 422:
            seen = f"after {old} events" if old else "already"
            return self._not("fork", f"it has seen another history of {self._checkpoint.origin} {seen}: {_short(text)}")
        if status != 200:
            return self._not("refused", f"HTTP {status}: {_short(text)}")
        verifier = self._witness.verifier
        cosigned = self._note.with_signatures(parse_signatures(text))
        line = verifier.signature_of(cosigned)
        if line is None:
            return self._not("refused", f"it answered without a signature by {verifier}")
        return Answer(self._witness, "signed", signature=line)

    def _not(self, state: State, reason: str) -> Answer:
        return Answer(self._witness, state, reason)

    def _post(self, body: bytes) -> tuple[int, str]:
        url = f"{(self._witness.url or '').rstrip('/')}/add-checkpoint"
        # The scheme was checked when the witness was added; redirects are not followed.
        request = urllib.request.Request(url, body, {"Content-Type": "text/plain"}, method="POST")  # noqa: S310
        opener = urllib.request.build_opener(_NoRedirects())
        try:
            with opener.open(request, timeout=max(0.1, self._deadline - time.monotonic())) as answer:
                return answer.status, answer.read(_MAX_ANSWER_BYTES).decode()
        except urllib.error.HTTPError as problem:
            with problem:
                return problem.code, problem.read(_MAX_ANSWER_BYTES).decode(errors="replace")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Neither the checkpoint nor the question goes to another address."""


def _short(text: str) -> str:
    line = text.strip().split("\n")[0]
    return "".join(letter if letter.isprintable() else "?" for letter in line)[:200]
