"""in-toto statements: `test-result`, and the draft `eval-result`, read by the parser of the in-toto project."""

from __future__ import annotations

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.v1 import resource_descriptor_pb2, statement_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from msgspec.structs import replace

from benchmarks.ledger.events import Artifact, TaskRevision
from benchmarks.ledger.transfer.salted import Salts, salted_digest
from benchmarks.projections.render.exports.eval_result import Context, NotAttestable, eval_result, parse_claim
from benchmarks.projections.render.exports.in_toto import statement

HASH, PLAN, AGAIN, MODEL = "e" * 64, "a" * 64, "b" * 64, "d" * 64
CONTEXT = Context("example.org/log", HASH)


@pytest.fixture
def run(make_run):
    return make_run(
        0.8,
        samples=40,
        ended_at="2026-11-23T10:00:00.000000Z",
        ended_seq=3,
        metrics={"recall": 0.5, "name": "x"},
        artifacts=[Artifact("result.json", 10, "f" * 64)],
        provenance={"model_sha256": MODEL, "orchestrator": "0.1.0"},
        task_revision=TaskRevision(digest="c" * 64),
    )


def parsed(made):
    """The statement as the project's own classes read it, which refuse fields that are not in the specification."""
    read = Statement.copy_from_pb(json_format.ParseDict(made, statement_pb2.Statement()))
    read.validate()
    assert read.pb.subject[0].digest["sha256"] == HASH
    return json_format.MessageToDict(read.pb.predicate)


def descriptor(value):
    """A resource descriptor, validated."""
    read = json_format.ParseDict(value, resource_descriptor_pb2.ResourceDescriptor())
    ResourceDescriptor.copy_from_pb(read).validate()
    return dict(read.digest)


def test_a_test_result_is_one_to_the_parser_of_in_toto(run):
    predicate = parsed(statement(run, HASH, "example.org/log", {"q1": 1.0, "q2": 0.0, "q3": 0.5}))
    read = json_format.ParseDict(predicate, test_result_pb2.TestResult())
    assert (read.result, list(read.passed_tests), list(read.failed_tests)) == ("PASSED", ["q1"], ["q2"])


def test_an_eval_result_has_what_the_draft_requires(run):
    claims = [parse_claim(text) for text in ("score>=0.80", "score > 0.8", "recall<=0.5")]
    made = eval_result(run, CONTEXT._replace(registered=PLAN, reproduced=[AGAIN]), "https://example.org", claims)
    assert made["predicateType"] == "https://in-toto.io/attestation/eval-result/v0.1"
    predicate = parsed(made)
    assert [(one["threshold"], one["passed"]) for one in predicate["claims"]] == [
        ("0.80", True),
        ("0.8", False),
        ("0.5", True),
    ]
    assert predicate["evaluator"] == {"id": "https://example.org"} and predicate["sampleSize"] == 40
    assert descriptor(predicate["model"]) == {"sha256": MODEL}
    assert descriptor(predicate["dataset"]) == {"sha256": "c" * 64}
    assert [descriptor(one)["sha256"] for one in predicate["evidence"]] == ["f" * 64, AGAIN]
    assert predicate["preRegistration"] == {"alg": "sha256", "value": PLAN}
    assert predicate["assuranceLevel"] == "reproduced" and predicate["subjectProfile"] == "receipt"
    assert predicate["harness"] == {"name": "benchmark-orchestrator", "version": "0.1.0"}


@pytest.mark.parametrize(("upward", "comparator"), [(True, ">="), (None, ">="), (False, "<=")])
def test_without_claims_the_score_is_as_good_as_it_is(make_run, upward, comparator):
    made = make_run(1e-07, samples=1, higher_is_better=upward, provenance={"model_sha256": MODEL})
    made = eval_result(made, CONTEXT, "urn:x", salts=Salts(bytes(32)))
    assert made["predicate"]["claims"] == [
        {"metric": "score", "comparator": comparator, "threshold": "0.0000001", "passed": True}
    ]
    assert made["predicate"]["assuranceLevel"] == "self_attested" and "preRegistration" not in made["predicate"]


def test_a_secret_hides_model_and_benchmark_behind_salted_digests(run):
    salts = Salts(bytes(32))
    predicate = parsed(eval_result(run, CONTEXT, "urn:x", salts=salts))
    assert not {"model", "dataset"} & predicate.keys()
    model = predicate["commitments"]["model"]
    assert model["salted"] and model["value"] == salted_digest(salts.of(run.run_id, "model", 0), b"local:m")
    assert model["value"] != predicate["commitments"]["dataset"]["value"]


@pytest.mark.parametrize(
    ("changes", "claim", "reason"),
    [
        ({"status": "failed"}, "", "no score"),
        ({"samples": None}, "", "number of samples"),
        ({"provenance": {}}, "", "has no digest"),
        ({"task_revision": None}, "", "revision of b"),
        ({}, "recal>=1", "no number 'recal'"),
        ({}, "name>=1", "no number 'name'"),
        ({}, "score=1", "not a claim"),
        ({}, "score>=1e5", "not a claim"),
        ({}, "score>=NaN", "not a claim"),
    ],
)
def test_what_the_draft_cannot_say_is_refused_with_a_hint(run, changes, claim, reason):
    with pytest.raises(NotAttestable, match=reason) as raised:
        eval_result(replace(run, **changes), CONTEXT, "urn:x", [parse_claim(claim)] if claim else ())
    assert "hint:" in str(raised.value)
