"""`reproduce`: the work of a run again, from a ledger or a bundle, and what the origin then says; in-toto."""

from __future__ import annotations

import base64
import json
import shutil

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from benchmarks.projections.render.exports.in_toto import pre_authentication

SUITE = """
import os
right = float(os.environ.get("RIGHT", "8"))
rows = [{"id": str(n), "score": float(n % 10 < right)} for n in range(40)]
output.joinpath("samples.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
score = sum(row["score"] for row in rows) / 40
output.joinpath("result.json").write_text(json.dumps({"score": score, "n": 40}))
"""


@pytest.fixture
def made(bench):
    """A workspace with one run, and its id."""
    bench.add("sums", SUITE)
    bench.run("sums", more=("--model", "new"))
    return bench, bench.runs()[0]["run_id"]


def reproduce(bench, name, *more, code=0, **environ):
    done = bench("reproduce", name, "--author", "bo", "--json", *more, code=code, **environ)
    return json.loads(done.stdout)["reproduced"] if code < 2 and done.stdout else done.stderr


def test_a_run_of_this_ledger_is_run_again_and_compared_sample_by_sample(made):
    bench, run_id = made
    [one] = reproduce(bench, run_id[:-3])
    assert (one["verdict"], one["comparison"]["pairs"], one["comparison"]["ties"]) == ("same", 40, 40)
    [event] = bench.events("reproduced")
    assert event["stream"] == one["run_id"] != run_id
    ended = next(one for one in bench.events("finished") if one["stream"] == run_id)
    assert event["data"]["of"]["run"] == run_id and event["data"]["of"]["hash"] == ended["hash"]
    assert event["data"]["by"] == "bo" and event["data"]["evidence"]["differences"] == []
    assert "by 1, same" in bench("show-run", run_id).stdout
    board = json.loads(bench("leaderboard", "--json").stdout)
    [row], [standing] = board["reproductions"], board["standings"]
    assert (row["people"], row["verdict"]) == (1, "same")
    assert standing["latest_run_id"] == run_id and standing["attempts"]["attempts"] == 1
    assert bench.events("started")[-1]["data"]["reproduces"] == run_id


def test_a_small_difference_is_noise_and_a_large_one_is_not(made):
    bench, run_id = made
    [one] = reproduce(bench, run_id, RIGHT="7")
    assert one["verdict"] == "differs" or one["comparison"]["p_value"] >= 0.05
    [one] = reproduce(bench, run_id, RIGHT="2", code=1)
    assert one["verdict"] == "differs" and one["comparison"]["losses"] == 24
    [one] = reproduce(bench, run_id, "--tolerance", "0.9", RIGHT="2")
    assert one["verdict"] == "within_noise" and one["comparison"]["is_equivalent"]
    assert "by 1, differs" in bench("show-run", run_id).stdout


def test_what_differs_here_is_listed_first_and_a_dry_run_records_nothing(made):
    bench, run_id = made
    assert "nothing differs here" in bench("reproduce", run_id, "--dry-run").stderr
    suite = bench.root / "sums" / "suite.py"
    suite.write_text(suite.read_text() + "\n# changed\n")
    said = bench("reproduce", run_id, "--dry-run").stderr
    assert "task revision, driver" in said and "there" in said
    assert len(bench.runs()) == 1 and bench.events("reproduced") == []
    [one] = reproduce(bench, run_id)
    assert "task revision, driver" in [different["what"] for different in one["differences"]]


def test_a_bundle_is_reproduced_elsewhere_and_the_origin_takes_the_result_in(made, tmp_path):
    bench, run_id = made
    key = tmp_path / "signing.key"
    public = bench("ledger", "keygen", "bench.example.org/team", "--output", str(key)).stdout.strip()
    bundle, back = tmp_path / "evidence.zip", tmp_path / "again.zip"
    bench("bundle", run_id, "-o", str(bundle), "--sign", str(key))
    there = tmp_path / "there"
    shutil.copytree(bench.root / "sums", there / "sums")
    at = ("--workspace", str(there))
    other = bench("ledger", "keygen", "bench.example.org/team", "--output", str(tmp_path / "other.key")).stdout.strip()
    assert "not signed by" in reproduce(bench, str(bundle), *at, "--verify-key", other, code=1)
    [one] = reproduce(bench, str(bundle), *at, "--verify-key", public, "-o", str(back))
    assert one["verdict"] == "same" and back.is_file()
    found = bench("ledger", "log", *at, "--json").stdout
    event = next(e for e in map(json.loads, found.splitlines()) if e["type"] == "reproduced")
    ended = next(e for e in bench.events("finished") if e["stream"] == run_id)
    assert event["data"]["of"] == {"origin": "bench.example.org/team", "run": run_id, "hash": ended["hash"]}
    before = json.loads(bench("leaderboard", "--json").stdout)["standings"]
    bench("ledger", "import", str(back))
    assert "by 1, same" in bench("show-run", run_id).stdout
    assert json.loads(bench("leaderboard", "--json").stdout)["standings"] == before
    bench("ledger", "import", str(back))
    assert len(bench.events("reproduced")) == 1
    bench("ledger", "verify")


def test_bad_input_is_refused_in_a_sentence(made, tmp_path):
    bench, run_id = made
    assert "did you mean" in reproduce(bench, run_id[:-1] + "x", code=2)
    assert "not a bundle" in reproduce(bench, str(tmp_path / "none.zip"), code=2)
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 not a zip")
    assert "not a whole bundle" in reproduce(bench, str(tmp_path / "bad.zip"), code=3)
    bench.add("sums", "sys.exit(3)")
    bench("reproduce", run_id, "--author", "bo", code=1)
    assert bench.events("reproduced") == []
    failed = bench.runs()[-1]["run_id"]
    assert "no score to reproduce" in reproduce(bench, failed, code=2)
    shutil.rmtree(bench.root / "sums")
    assert "sums" in reproduce(bench, run_id, code=2)


def test_in_toto_statements_are_signed_in_dsse(made, tmp_path):
    bench, run_id = made
    key = tmp_path / "signing.key"
    public = bench("ledger", "keygen", "bench.example.org/team", "--output", str(key)).stdout.strip()
    out = bench("export", run_id, "--format", "in-toto", "--sign", str(key)).stdout
    envelope = json.loads(out)
    payload = base64.b64decode(envelope["payload"])
    [signature] = envelope["signatures"]
    raw = base64.b64decode(public.split("+", 2)[2])[1:]
    Ed25519PublicKey.from_public_bytes(raw).verify(base64.b64decode(signature["sig"]), pre_authentication(payload))
    statement = json.loads(payload)
    assert statement["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    predicate = statement["predicate"]
    assert (predicate["result"], len(predicate["passedTests"]), len(predicate["failedTests"])) == ("PASSED", 32, 8)
    ended = next(one for one in bench.events("finished") if one["stream"] == run_id)
    assert statement["subject"][0]["digest"] == {"sha256": ended["hash"]}
    assert {one["digest"]["sha256"] for one in statement["subject"][1:]} == {
        file["sha256"] for file in ended["data"]["artifacts"]
    }
    assert all("digest" in one or "uri" in one for one in predicate["configuration"])
    assert json.loads(bench("export", run_id, "--format", "in-toto").stdout)["signatures"] == []
    draft = ("export", run_id, "--format", "in-toto", "--predicate", "eval-result", "--claim", "score>=0.9")
    assert "--secret" in bench(*draft, code=2).stderr
    secret = tmp_path / "model.secret"
    signed = json.loads(bench(*draft, "--secret", str(secret), "--sign", str(key)).stdout)
    assert signed["signatures"][0]["keyid"] == public and secret.stat().st_mode & 0o777 == 0o600
    claimed = json.loads(base64.b64decode(signed["payload"]))["predicate"]
    assert claimed["evaluator"] == {"id": "https://bench.example.org/team"}
    assert [one["passed"] for one in claimed["claims"]] == [False]
    assert "eval-result" in bench("export", run_id, "--format", "in-toto", "--claim", "score>=1", code=2).stderr
