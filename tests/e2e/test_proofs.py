"""Proofs by the installed command: checkpoints, proofs of events, and a verification without ledger and network."""

from __future__ import annotations

import json
import subprocess

import aics_tlog
import pytest

from tests.conftest import COMMAND

NAME = "bench.example.org/team"


@pytest.fixture
def signed(bench, tmp_path):
    """A workspace with one run, a key, and its public half."""
    bench.add("good")
    bench.run("good")
    key = tmp_path / "signing.key"
    public = bench("ledger", "keygen", NAME, "--output", str(key)).stdout.strip()
    return bench, key, public


def verify(*arguments: str, code: int = 0) -> str:
    """`ledger verify-proof` in no workspace; what it prints."""
    done = subprocess.run(
        [*COMMAND, "ledger", "verify-proof", *arguments], capture_output=True, text=True, cwd="/", timeout=60
    )
    assert done.returncode == code and "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


def leaves(bench) -> list[bytes]:
    return [bytes.fromhex(event["hash"]) for event in bench.events()]


def test_a_signed_checkpoint_is_that_of_other_programs(signed):
    bench, key, public = signed
    text = bench("ledger", "checkpoint", "--sign", str(key)).stdout
    parsed = aics_tlog.parse_note(text)
    checkpoint = aics_tlog.parse_checkpoint(parsed.text)
    root = aics_tlog.MerkleTree(leaves(bench)).root()
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (NAME, 4, root)
    assert aics_tlog.verify_note(parsed, [aics_tlog.parse_vkey(public)])
    plain = bench("ledger", "checkpoint", "--origin", NAME).stdout
    assert text.startswith(plain + "\n")
    assert bench("ledger", "checkpoint").stdout.startswith("benchmark-orchestrator/ledger/")


def test_a_run_is_proven_to_a_reader_without_the_ledger(signed, tmp_path):
    bench, key, public = signed
    run = bench.runs()[0]["run_id"]
    proof, line, policy = tmp_path / "run.tlog-proof", tmp_path / "event.json", tmp_path / "policy"
    done = bench("ledger", "prove", run, "--sign", str(key), "--save-event", str(line))
    proof.write_text(done.stdout)
    policy.write_text(f"log {public}\nquorum none\n")
    told = verify(str(proof), "--policy", str(policy), "--event", str(line))
    assert told.startswith(f"proven: event 3 (finished of {run}, score 0.5) is in the ledger {NAME} of 4 events")
    assert json.loads(verify(str(proof), "--policy", str(policy), "--json"))["position"] == 3
    assert verify(str(proof), "--verify-key", public, "--event", line.read_text()).startswith("proven")
    # The same by the other implementation, from the lines of the file.
    head, _, note = proof.read_text().partition("\n\n")
    first, _, index, *hashes = head.split("\n")
    assert (first, index) == ("c2sp.org/tlog-proof@v1", "index 2")
    checkpoint = aics_tlog.parse_checkpoint(aics_tlog.parse_note(note).text)
    siblings = [aics_tlog.note.b64_decode(text) for text in hashes]
    leaf = bytes.fromhex(json.loads(line.read_text())["hash"])
    assert aics_tlog.verify_leaf_inclusion(leaf, 2, checkpoint.size, siblings, checkpoint.root)


def test_what_does_not_prove_is_said_in_one_sentence(signed, tmp_path):
    bench, key, public = signed
    bench.run("good", more=("--force",))
    first, second = (run["run_id"] for run in bench.runs())
    proof, other, policy = tmp_path / "proof", tmp_path / "other", tmp_path / "policy"
    proof.write_text(bench("ledger", "prove", first, "--sign", str(key), "--save-event", str(tmp_path / "e1")).stdout)
    other.write_text(bench("ledger", "prove", second, "--save-event", str(tmp_path / "e2")).stdout)
    policy.write_text(f"log {public}\nquorum none\n")
    fine = ("--policy", str(policy))
    assert "proven" in verify(str(proof), *fine) and "proven" in verify(str(other), *fine)
    assert "is about event 3, and the line is event 7" in verify(
        str(proof), *fine, "--event", str(tmp_path / "e2"), code=1
    )
    changed = tmp_path / "e3"
    changed.write_text((tmp_path / "e1").read_text().replace('"score":0.5', '"score":0.9'))
    assert "the line of event 3 was changed" in verify(str(proof), *fine, "--event", str(changed), code=1)
    stranger = bench("ledger", "keygen", NAME, "--output", str(tmp_path / "k2")).stdout.strip()
    assert "is not signed by" in verify(str(proof), "--verify-key", stranger, code=1)
    elsewhere = bench("ledger", "keygen", "other.example", "--output", str(tmp_path / "k3")).stdout.strip()
    assert f"is of {NAME}, and the policy accepts other.example" in verify(
        str(proof), "--verify-key", elsewhere, code=1
    )
    plain = tmp_path / "plain"
    unsigned = bench("ledger", "prove", "3", "--origin", NAME)
    plain.write_text(unsigned.stdout)
    assert "without a signature" in unsigned.stderr and "is not signed by" in verify(str(plain), *fine, code=1)
    cut = tmp_path / "cut"
    cut.write_text(proof.read_text()[:80])
    assert "does not prove anything" in verify(str(cut), *fine, code=1)
    assert "No such file" in verify(str(tmp_path / "nothing"), *fine, code=2)
    assert "give --policy or --verify-key" in verify(str(proof), code=2)
    policy.write_text("log x\nquorum none\n")
    assert "the policy cannot be used: line 1" in verify(str(proof), *fine, code=2)


def test_a_proof_of_what_is_not_there_is_refused(signed, tmp_path):
    bench, key, _ = signed
    note = tmp_path / "note"
    note.write_text(bench("ledger", "checkpoint", "--sign", str(key)).stdout)
    assert "has no event 5: its last event is 4" in bench("ledger", "prove", "5", code=2).stderr
    assert "has no run 'run_x'" in bench("ledger", "prove", "run_x", code=2).stderr
    assert bench("ledger", "prove", "run_good").stdout == bench("ledger", "prove", "3").stdout
    bench.run("good", more=("--force",))
    assert "several runs begin with 'run_good'" in bench("ledger", "prove", "run_good", code=2).stderr
    assert "so it does not prove event 5" in bench("ledger", "prove", "5", "--checkpoint", str(note), code=1).stderr
    assert "is not a checkpoint" in bench("ledger", "prove", "5", "--checkpoint", str(key), code=2).stderr
    text = note.read_text().splitlines(keepends=True)
    note.write_text("".join([*text[:2], "A" * 43 + "=\n", *text[3:]]))
    assert "not one of this ledger" in bench("ledger", "prove", "3", "--checkpoint", str(note), code=1).stderr


def test_no_key_signs_two_histories(signed, tmp_path):
    bench, key, _ = signed
    bench("ledger", "checkpoint", "--sign", str(key))
    bench.run("good", more=("--force",))
    bench("ledger", "checkpoint", "--sign", str(key))
    [segment] = (bench.results / "ledger").glob("*.jsonl")
    segment.write_bytes(b"".join(segment.read_bytes().splitlines(keepends=True)[:4]))
    bench.run("good", more=("--force",))
    told = bench("ledger", "checkpoint", "--sign", str(key), code=3).stderr
    assert "that this ledger does not continue" in told and "hint: " in told
    bench("ledger", "prove", "3", "--sign", str(key), code=3)
    bench("ledger", "checkpoint")


def test_the_tree_continues_that_of_an_earlier_checkpoint(signed, tmp_path):
    bench, key, public = signed
    note = tmp_path / "note"
    note.write_text(bench("ledger", "checkpoint", "--sign", str(key)).stdout)
    bench.run("good", more=("--force",))
    for how in ("--since", "--checkpoint"):
        assert "sound" in bench("ledger", "verify", how, str(note), "--verify-key", public).stdout
    [segment] = (bench.results / "ledger").glob("*.jsonl")
    segment.write_bytes(b"".join(segment.read_bytes().splitlines(keepends=True)[:2]))
    bench.run("good", more=("--force",))
    bench.run("good", more=("--force",))
    for how in ("--since", "--checkpoint"):
        assert "the history was rewritten" in bench("ledger", "verify", how, str(note), code=3).stdout


def test_the_site_is_read_by_other_programs(signed, tmp_path):
    bench, key, public = signed
    site = tmp_path / "site"
    assert "does not have a signed checkpoint" in bench("ledger", "tiles", str(site), code=2).stderr
    for _ in range(2):
        bench.run("good", more=("--force",))
        bench("ledger", "tiles", str(site), "--sign", str(key))
        note = aics_tlog.parse_note((site / "checkpoint").read_text())
        checkpoint = aics_tlog.parse_checkpoint(note.text)
        assert aics_tlog.verify_note(note, [aics_tlog.parse_vkey(public)])
        reader = aics_tlog.FileSystemTileReader(site)
        aics_tlog.audit_tiles(reader, checkpoint.size, checkpoint.root)
        assert [aics_tlog.read_entry(reader, at, checkpoint.size) for at in range(checkpoint.size)] == leaves(bench)
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine").write_text("precious")
    assert "is not empty" in bench("ledger", "tiles", str(other), code=2).stderr
    assert (other / "mine").read_text() == "precious"
