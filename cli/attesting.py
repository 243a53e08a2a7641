"""What `export --format in-toto` asks the ledger for: the events that ended runs, their plans and reproductions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from ..ledger.events import Json, Registered
from ..ledger.fold import Run
from ..ledger.proof.signing import Signer, parse_signer
from ..ledger.storage.chain import origin_of
from ..ledger.store import EventStore
from ..ledger.transfer.salted import new_salts
from ..orchestrator.errors import UsageError
from ..projections.render.exports.eval_result import Context, eval_result, parse_claim
from ..projections.render.exports.in_toto import envelope, statement
from ..projections.scores.samples import sample_reader
from ..projections.sqlite.reproductions import reproductions_of
from .context import Place
from .notes import key_text

Predicate = Literal["test-result", "eval-result"]


class Attesting(NamedTuple):
    """What to write: the predicate, the key that signs, and for `eval-result` the claims and the file of the secret."""

    predicate: Predicate
    sign: str | None
    claims: Sequence[str] = ()
    secret: Path | None = None

    def check(self) -> None:
        """Raises UsageError if options do not go together."""
        if self.predicate != "eval-result" and (self.claims or self.secret):
            raise UsageError("--claim and --secret are of the predicate eval-result", "add --predicate eval-result")


def envelopes(place: Place, runs: Sequence[Run], how: Attesting) -> Iterator[Json]:
    """The DSSE envelopes of runs that have ended; for `eval-result` of those that have succeeded."""
    how.check()
    store = place.store()
    signer = parse_signer(key_text(how.sign)) if how.sign else None
    made = _test_results if how.predicate == "test-result" else _eval_results
    for one in made(place, store, runs, how, signer):
        yield envelope(one, signer.sign_bytes if signer else None, str(signer.verifier) if signer else "")


def _test_results(
    place: Place, store: EventStore, runs: Sequence[Run], how: Attesting, signer: Signer | None
) -> Iterator[Json]:
    origin, read = _origin(store), sample_reader(place.workspace)
    for run in runs:
        if run.ended_seq is not None:
            samples = dict(read(run).scores) if run.status == "succeeded" else {}
            yield statement(run, _hash_at(store, run.ended_seq), origin, samples)


def _eval_results(
    place: Place, store: EventStore, runs: Sequence[Run], how: Attesting, signer: Signer | None
) -> Iterator[Json]:
    claims = [parse_claim(text) for text in how.claims]
    salts = new_salts(how.secret) if how.secret else None
    origin = _origin(store)
    # The names of keys are addresses without a scheme; a ledger without a key has no address.
    evaluator = f"https://{signer.verifier.name}" if signer else f"urn:{origin.replace('/', ':')}"
    scored = [run for run in runs if run.is_success and run.score is not None and run.ended_seq is not None]
    with place.history() as history:
        reproduced = [
            one for one in reproductions_of(history, [run.run_id for run in scored]) if one.verdict != "differs"
        ]
    for run in scored:
        assert run.ended_seq is not None  # noqa: S101 - for the type checker: it has ended
        context = Context(
            origin,
            _hash_at(store, run.ended_seq),
            _hash_of_plan(store, run.registration),
            [_hash_at(store, one.seq) for one in reproduced if one.of == run.run_id],
        )
        yield eval_result(run, context, evaluator, claims, salts)


def _origin(store: EventStore) -> str:
    return origin_of(next(store.read_lines(), b"")[-66:-2].decode())


def _hash_at(store: EventStore, seq: int) -> str:
    return next(store.read_lines(after=seq - 1))[-66:-2].decode()


def _hash_of_plan(store: EventStore, registration: str | None) -> str | None:
    if registration is None:
        return None
    record = next(store.read(stream=registration, types=[Registered.type]), None)
    return record.hash if record else None
