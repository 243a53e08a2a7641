"""Bundles by the installed command: made, verified on a machine without the ledger, opened, and imported with files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import COMMAND, Bench

SAMPLES = """
rows = [{"id": "q1", "score": 1, "question": "private one"}, {"id": "q2", "score": 0, "question": "private two"}]
output.joinpath("samples.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
output.joinpath("result.json").write_text(json.dumps({"score": 0.5, "n": 2}))
"""


@pytest.fixture
def keyed(bench: Bench, tmp_path: Path) -> tuple[Bench, str, str]:
    """A workspace with two runs of two benchmarks, and a key."""
    bench.add("quiz", SAMPLES)
    bench.add("other")
    bench.run("quiz", "other")
    key = str(tmp_path / "signing.key")
    return bench, key, bench("ledger", "keygen", "bench.example.org/team", "--output", key).stdout.strip()


def outside(*arguments: str, code: int = 0) -> str:
    """A command in no workspace; what it prints."""
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, cwd="/", timeout=60)
    assert done.returncode == code and "Traceback" not in done.stderr, done.stdout + done.stderr
    return done.stdout + done.stderr


def new_bench(root: Path) -> Bench:
    root.mkdir()
    return Bench(root)


def test_a_bundle_is_verified_without_the_ledger(keyed, tmp_path):
    bench, key, public = keyed
    run = next(run["run_id"] for run in bench.runs() if run["benchmark_id"] == "quiz")
    bundle = str(tmp_path / "evidence.zip")
    assert "1 runs" in bench("bundle", run, "-o", bundle, "--sign", key).stdout
    told = outside("bundle", "verify", bundle, "--verify-key", public)
    assert f"{run}: quiz, bare-model with ollama:qwen3: succeeded, score 0.5" in told
    assert "2 files, by the checkpoint of bench.example.org/team" in told
    shown = json.loads(outside("bundle", "verify", bundle, "--verify-key", public, "--json"))
    assert shown["runs"][0]["score"] == 0.5 and shown["notes"] == []
    assert "give --policy or --verify-key" in outside("bundle", "verify", bundle, code=2)
    # Any of its proofs can be checked by the program in it.
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path / "unpacked")
        events = [name for name in archive.namelist() if name.startswith("events/")]
    (tmp_path / "unpacked" / "public.key").write_text(public)
    for event in events:
        proof = event.replace("events", "proofs").replace(".json", ".tlog-proof")
        argv = [sys.executable, "-I", "verify.py", proof, event, "public.key"]
        done = subprocess.run(argv, cwd=tmp_path / "unpacked", capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    raw = Path(bundle).read_bytes()
    Path(bundle).write_bytes(raw[: len(raw) // 2])
    assert "is not a whole bundle" in outside("bundle", "verify", bundle, "--verify-key", public, code=3)


def test_a_table_a_row_and_a_group_can_be_bundled(keyed, tmp_path):
    bench, key, public = keyed
    bench.run("quiz", more=("--force",))
    group = bench.runs()[0]["run_group_id"]
    for name, more, number in (
        ("quiz", (), 2),
        (group, (), 2),
        ("bare-model", ("--benchmark", "quiz"), 2),
        ("bare-model", (), 3),
    ):
        bundle = str(tmp_path / "b.zip")
        assert f"{number} runs" in bench("bundle", name, "-o", bundle, "--sign", key, *more).stdout
        assert len(json.loads(outside("bundle", "verify", bundle, "--verify-key", public, "--json"))["runs"]) == number
    assert "unknown run" in bench("bundle", "nothing", "-o", bundle, code=2).stderr
    (tmp_path / "note").write_text("x\n\nbad\n")
    wrong = bench("bundle", "bare-model", "-o", bundle, "--checkpoint", str(tmp_path / "note"), code=2).stderr
    assert "is not a checkpoint: a signature has the form" in wrong
    assert (
        "has no run of the benchmark" in bench("bundle", "bare-model", "--benchmark", "x", "-o", bundle, code=2).stderr
    )


def test_a_private_test_set_stays_private_and_can_be_opened(keyed, tmp_path):
    bench, key, public = keyed
    run = next(run["run_id"] for run in bench.runs() if run["benchmark_id"] == "quiz")
    bundle, opened = tmp_path / "evidence.zip", tmp_path / "q2.json"
    told = bench("bundle", run, "-o", str(bundle), "--sign", key, "--redact", "samples").stderr
    secret = tmp_path / "evidence.zip.secret"
    assert "keep it private" in told and secret.stat().st_mode & 0o77 == 0
    with zipfile.ZipFile(bundle) as archive:
        assert not any(
            word in archive.read(name) for name in archive.namelist() for word in (b"private o", b"private t")
        )
    opened.write_text(bench("bundle", "open", run, "q2", "--secret", str(secret)).stdout)
    assert "private two" in opened.read_text() and "private one" not in opened.read_text()
    verify = ("bundle", "verify", str(bundle), "--verify-key", public)
    assert "1 opened samples" in outside(*verify, "--sample", str(opened))
    opened.write_text(opened.read_text().replace("private two", "private 2"))
    assert "the opened sample is not line 1" in outside(*verify, "--sample", str(opened), code=1)
    assert "was redacted" not in outside(*verify)
    assert (
        "has 1 samples 'q2'"
        in bench("bundle", "open", run, "q2", "--secret", str(secret), "--number", "2", code=2).stderr
    )
    assert "has no sample 'q3'" in bench("bundle", "open", run, "q3", "--secret", str(secret), code=2).stderr
    os.mkfifo(tmp_path / "pipe")
    wrong = bench("bundle", "open", run, "q2", "--secret", str(tmp_path / "pipe"), code=2).stderr
    assert "pipe cannot be read: it is not a regular file" in wrong
    first = bundle.read_bytes()
    bench("bundle", run, "-o", str(bundle), "--redact", "samples")
    assert bundle.read_bytes() == first, "the same secret gives the same bytes"


def test_an_imported_bundle_leaves_the_ledger_sound(keyed, tmp_path):
    bench, key, public = keyed
    bundle = str(tmp_path / "evidence.zip")
    bench("bundle", "quiz", "other", "-o", bundle, "--sign", key)
    there = new_bench(tmp_path / "there")
    there.add("mine")
    there.run("mine")
    assert (
        "2 runs added, 0 were already here; 3 files added"
        in there("ledger", "import", bundle, "--verify-key", public).stdout
    )
    assert "0 runs added, 2 were already here; 0 files added" in there("ledger", "import", bundle).stdout
    assert "who signed them was not checked" in there("ledger", "import", bundle).stderr
    assert there("ledger", "verify").stdout.startswith("sound: ")
    imported = [run for run in there.runs() if run["run_id"].startswith("run_quiz_imported_")]
    assert len(imported) == 1 and imported[0]["score"] == 0.5 and len(imported[0]["artifacts"]) == 2
    # The whole ledger can still be merged, with its files.
    archive = str(tmp_path / "all.tar.zst")
    bench("ledger", "export", archive, "--with-files")
    there("ledger", "import", archive)
    assert there("ledger", "verify").stdout.startswith("sound: ")
    stranger = bench("ledger", "keygen", "bench.example.org/team", "--output", str(tmp_path / "k2")).stdout.strip()
    assert (
        "is not signed by"
        in new_bench(tmp_path / "third")("ledger", "import", bundle, "--verify-key", stranger, code=1).stderr
    )


def test_files_that_were_lost_come_back_from_a_bundle(keyed, tmp_path):
    bench, key, _ = keyed
    bundle = str(tmp_path / "evidence.zip")
    bench("bundle", "quiz", "-o", bundle, "--sign", key)
    [samples] = bench.results.rglob("samples.jsonl")
    content = samples.read_bytes()
    samples.unlink()
    assert "samples.jsonl is missing" in bench("ledger", "verify", code=1).stdout
    assert "1 files added" in bench("ledger", "import", bundle).stdout
    assert samples.read_bytes() == content and bench("ledger", "verify").stdout.startswith("sound: ")
    samples.write_bytes(b"mine")
    told = bench("ledger", "import", bundle, code=1).stderr
    assert "would replace another file, which stays as it is" in told and samples.read_bytes() == b"mine"


def test_a_merged_ledger_verifies_with_and_without_its_files(keyed, tmp_path):
    """Without the files, `verify` says that they are not here; with them, it compares them."""
    bench, _, _ = keyed
    for name, files in (("plain.jsonl", ()), ("all.tar.gz", ("--with-files",))):
        there = new_bench(tmp_path / name.partition(".")[0])
        there.add("mine")
        there.run("mine")
        bench("ledger", "export", str(tmp_path / name), *files)
        there("ledger", "import", str(tmp_path / name))
        told = there("ledger", "verify").stdout
        assert "sound: " in told and ("are not here" in told) == (not files)
        if files:
            [samples] = there.results.rglob("samples.jsonl")
            samples.write_bytes(samples.read_bytes() + b" ")
            assert "is not the file that was recorded" in there("ledger", "verify", code=1).stdout
