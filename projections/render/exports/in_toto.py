"""Runs as in-toto attestations: statements with the predicate test-result v0.1, in signed DSSE envelopes.

Sources: the in-toto Attestation Framework v1, its predicate `test-result/v0.1`, and DSSE v1.0.2.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from hashlib import sha256

import msgspec

from ....ledger.events import Json
from ....ledger.fold import Run

STATEMENT = "https://in-toto.io/Statement/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"

_RIGHT, _WRONG = 1.0, 0.0

Sign = Callable[[bytes], bytes]


def statement(run: Run, end_hash: str, origin: str, samples: dict[str, float] | None = None) -> Json:
    """The statement about a run that has ended. `end_hash` is the hash of its last event in the ledger `origin`.

    Its subjects are that event and the files that the run recorded. Samples with the score 1 passed, those with 0 have
    failed, and others have a warning.
    """
    known = samples or {}
    return {
        "_type": STATEMENT,
        "subject": subjects_of(run, end_hash, origin),
        "predicateType": TEST_RESULT,
        "predicate": {
            "result": "PASSED" if run.is_success else "FAILED",
            "configuration": list(_configuration(run)),
            "passedTests": [name for name, score in known.items() if score == _RIGHT],
            "warnedTests": [name for name, score in known.items() if score not in (_RIGHT, _WRONG)],
            "failedTests": [name for name, score in known.items() if score == _WRONG],
        },
    }


def subjects_of(run: Run, end_hash: str, origin: str) -> list[Json]:
    """What a statement is about: the event that ended the run, by its hash, and the files that it recorded."""
    files = [{"name": f"{run.run_id}/{file.path}", "digest": {"sha256": file.sha256}} for file in run.artifacts]
    return [{"name": f"{origin}#{run.ended_seq}", "digest": {"sha256": end_hash}}, *files]


def _configuration(run: Run) -> Sequence[Json]:
    """What the run was made with, as resource descriptors; the score and its samples are annotations."""
    options = msgspec.json.encode(run.extra_config, order="sorted")
    found: list[Json] = [
        {
            "name": run.benchmark_id,
            "digest": {"sha256": run.revision} if run.task_revision else {"sha256": sha256(b"").hexdigest()},
            "annotations": {
                "run_id": run.run_id,
                "status": run.status,
                "score": run.score,
                "unit": run.unit,
                "samples": run.samples,
                "stderr": run.stderr,
                "agent": run.agent,
                "started_at": run.started_at,
                "ended_at": run.ended_at,
            },
        },
        {"name": "options", "digest": {"sha256": sha256(options).hexdigest()}, "annotations": run.extra_config},
    ]
    model: Json = {"name": f"{run.provider}:{run.model}"}
    if digest := run.provenance.get("model_sha256"):
        model["digest"] = {"sha256": digest}
    else:
        model["uri"] = f"model:{run.provider}/{run.model}"
    return [*found, model]


def envelope(statement: Json, sign: Sign | None, key_id: str = "") -> Json:
    """A DSSE envelope around a statement; without `sign` it has no signatures."""
    payload = msgspec.json.encode(statement)
    signatures = []
    if sign is not None:
        signature = base64.b64encode(sign(pre_authentication(payload))).decode()
        signatures = [{"keyid": key_id, "sig": signature}]
    return {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": signatures,
    }


def pre_authentication(payload: bytes) -> bytes:
    """What DSSE signs: the type and the payload, each with its length."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
