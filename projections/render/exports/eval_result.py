"""Runs as in-toto statements with the predicate eval-result, which is a draft: v0.1 of in-toto/attestation#575.

It says what `test-result` cannot: thresholds, the number of samples, a plan that was registered before, and models or
benchmarks that stay private. As long as it is a draft, its fields may change, and with them what this module writes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from ....ledger.errors import ExpectedError
from ....ledger.events import Json
from ....ledger.fold import Run
from ....ledger.transfer.salted import Salts, salted_digest
from .in_toto import STATEMENT, subjects_of

EVAL_RESULT = "https://in-toto.io/attestation/eval-result/v0.1"
COMMITMENT = "sha256-salted-v1"

_CLAIM = re.compile(r"\s*([^<>=\s]+)\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)\s*")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class NotAttestable(ExpectedError):
    """A run of which an eval-result cannot be written, or a claim that is not one."""

    exit_code = 2


class Claim(NamedTuple):
    """A threshold for a metric: `score`, or a metric of the run's result. The threshold stays as it was written."""

    metric: str
    comparator: str
    threshold: str

    def holds(self, value: float) -> bool:
        """Whether a value passes, as decimals: 0.1 is not 0.1000000000000000055."""
        one, other = Decimal(repr(value)), Decimal(self.threshold)
        return {">=": one >= other, "<=": one <= other, ">": one > other, "<": one < other}[self.comparator]


class Context(NamedTuple):
    """What the ledger knows of a run beside the run: hashes of events, as hex.

    `end` is that of the event that ended it, `registered` that of its registered plan, and `reproduced` are those of
    the reproductions that did not differ.
    """

    origin: str
    end: str
    registered: str | None = None
    reproduced: Sequence[str] = ()


def parse_claim(text: str) -> Claim:
    """A claim such as `score>=0.8`. Raises NotAttestable."""
    found = _CLAIM.fullmatch(text)
    if found is None:
        raise NotAttestable(f"'{text}' is not a claim", "write METRIC>=NUMBER, with >=, >, <= or <")
    return Claim(*found.groups())


def eval_result(
    run: Run, context: Context, evaluator: str, claims: Sequence[Claim] = (), salts: Salts | None = None
) -> Json:
    """The statement about a run with a score; `evaluator` is the URI of who ran it.

    Without `claims` it claims that the score is as good as it is. With `salts`, model and benchmark are commitments.
    Raises NotAttestable for what the draft requires and the run does not have.
    """
    if not run.is_success or run.score is None:
        raise NotAttestable(f"{run.run_id} has no score that could be claimed", "export runs that have succeeded")
    if run.samples is None:
        raise NotAttestable(
            f"{run.run_id} does not report its number of samples, and eval-result requires it",
            "name it in the manifest: samples under [result]; --predicate test-result needs none",
        )
    predicate: Json = {
        "evaluator": {"id": evaluator},
        "evaluatedAt": run.ended_at,
        "suite": {"name": run.benchmark_id, "version": run.benchmark_version or run.revision},
        "claims": [_claimed(run, one) for one in claims or [_own_claim(run)]],
        "sampleSize": run.samples,
        **(_commitments(run, salts) if salts else {"model": _model(run), "dataset": _dataset(run)}),
        "assuranceLevel": "reproduced" if context.reproduced else "self_attested",
        "subjectProfile": "receipt",
        "evidence": [*_files(run), *_reproductions(context)],
    }
    if context.registered:
        predicate["preRegistration"] = {"alg": "sha256", "value": context.registered}
    if version := run.provenance.get("orchestrator"):
        predicate["harness"] = {"name": "benchmark-orchestrator", "version": version}
    subject = subjects_of(run, context.end, context.origin)[:1]
    return {"_type": STATEMENT, "subject": subject, "predicateType": EVAL_RESULT, "predicate": predicate}


def _own_claim(run: Run) -> Claim:
    text = format(Decimal(repr(run.score)), "f")
    return Claim("score", "<=" if run.higher_is_better is False else ">=", text)


def _claimed(run: Run, claim: Claim) -> Json:
    value = run.score if claim.metric == "score" else run.metrics.get(claim.metric)
    if not isinstance(value, int | float) or isinstance(value, bool):
        known = ", ".join(["score", *run.metrics])
        raise NotAttestable(f"{run.run_id} has no number '{claim.metric}'", f"it has {known}")
    return {**claim._asdict(), "passed": claim.holds(value)}


def _model(run: Run) -> Json:
    digest = run.provenance.get("model_sha256")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise NotAttestable(
            f"the model {run.provider}:{run.model} of {run.run_id} has no digest, and eval-result names models by it",
            "--secret FILE writes a salted commitment in its place, and keeps the secret in FILE",
        )
    return {"name": f"{run.provider}:{run.model}", "digest": {"sha256": digest}}


def _dataset(run: Run) -> Json:
    if not _DIGEST.fullmatch(run.revision):
        raise NotAttestable(
            f"{run.run_id} does not record the revision of {run.benchmark_id}, and eval-result names it by its digest",
            "--secret FILE writes a salted commitment in its place, and keeps the secret in FILE",
        )
    return {"name": run.benchmark_id, "digest": {"sha256": run.revision}}


def _commitments(run: Run, salts: Salts) -> Json:
    names = {"model": f"{run.provider}:{run.model}", "dataset": f"{run.benchmark_id} {run.revision}"}
    return {
        "commitments": {
            what: {
                "alg": COMMITMENT,
                "value": salted_digest(salts.of(run.run_id, what, 0), name.encode()),
                "salted": True,
            }
            for what, name in names.items()
        }
    }


def _files(run: Run) -> list[Json]:
    return [{"name": file.path, "digest": {"sha256": file.sha256}} for file in run.artifacts]


def _reproductions(context: Context) -> list[Json]:
    return [{"name": "reproduced", "digest": {"sha256": digest}} for digest in context.reproduced]
