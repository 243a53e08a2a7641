"""Files of runs in a store: copied while a run goes on and at its end, and read by machines that do not have them."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import falcon.testing
import pytest

from benchmarks.projections.workspace import Workspace
from benchmarks.viewer.app import create_app
from tests.waiting import until

SAMPLES = """
import sys
print("a line of the log", os.environ.get("SUITE_TOKEN", ""))
print("a complaint", file=sys.stderr)
rows = [{"id": str(n), "correct": n % 2 == 0} for n in range(4)]
output.joinpath("samples.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
output.joinpath("deep").mkdir()
output.joinpath("deep", "note.txt").write_text("a note")
output.joinpath("result.json").write_text(json.dumps({"score": 0.5, "n": 4}))
"""

LONG = """
import sys, time
print("the first line", flush=True)
while not pathlib.Path({flag!r}).exists():
    time.sleep(0.05)
print("the last line", flush=True)
"""


@pytest.fixture
def kept(tmp_path):
    """The folder of a store."""
    return tmp_path / "kept"


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def leave(bench) -> None:
    """Remove the files of all runs here, as if another machine had made them."""
    for group in bench.results.glob("rg_*"):
        shutil.rmtree(group)


def viewer(bench, *urls: str) -> falcon.testing.TestClient:
    app = create_app(Workspace(bench.root, urls), bench.store())
    return falcon.testing.TestClient(app, headers={"Host": "127.0.0.1"})


def test_another_machine_reads_the_files_of_a_run_from_the_store(bench, kept):
    bench.add("one", SAMPLES)
    url = f"file://{kept}"
    bench.run("one", more=("--artifacts", url), SUITE_TOKEN="hunter2-topsecret")
    copied = files_in(kept)
    assert set(copied) == {"samples.jsonl", "note.txt", "result.json", "stdout.log", "stderr.log"}
    assert copied["stdout.log"] == b"a line of the log [redacted:SUITE_TOKEN]\n"
    [run] = bench.runs()
    assert run["provenance"]["artifacts_url"] == url
    assert run["notes"] == []
    leave(bench)

    alone = bench("ledger", "verify").stdout
    assert f"files of 1 runs are not here but in {url}" in alone
    assert "sound:" in alone
    together = bench("ledger", "verify", BENCHMARKS_ARTIFACTS=url).stdout
    assert "note" not in together

    client = viewer(bench, url)
    path = f"/api/runs/{run['run_id']}"
    assert client.simulate_get(f"{path}/logs/stdout").text == copied["stdout.log"].decode()
    assert client.simulate_get(path).json["logs"] == {"stdout": len(copied["stdout.log"]), "stderr": 12}
    assert [sample["id"] for sample in client.simulate_get(f"{path}/samples").json["samples"]] == ["0", "1", "2", "3"]
    assert all(one["present"] for one in client.simulate_get(f"{path}/artifacts").json["artifacts"])
    assert client.simulate_get(f"{path}/artifacts/output/deep/note.txt").content == b"a note"
    found = client.simulate_get(f"{path}/logs/stderr/matches", params={"q": "complaint"}).json
    assert [match["text"] for match in found["matches"]] == ["a complaint"]

    [samples] = kept.rglob("samples.jsonl")
    samples.write_bytes(samples.read_bytes().replace(b"true", b"TRUE"))
    [note] = kept.rglob("note.txt")
    note.write_text("longer than it was")
    [log] = kept.rglob("stdout.log")
    log.write_bytes(copied["stdout.log"].replace(b"line", b"lie,"))
    damaged = bench("ledger", "verify", code=1, BENCHMARKS_ARTIFACTS=url).stdout
    assert damaged.count("is not the file that was recorded") == 3
    assert "stdout.log is not the file" in damaged
    client = viewer(bench, f"{url}/")  # Another address, so that nothing is kept of what was read before.
    assert "is not the file" in client.simulate_get(f"{path}/samples").json["problem"]
    assert client.simulate_get(f"{path}/artifacts/output/deep/note.txt").status_code == 404
    assert "is not the file that was recorded" in client.simulate_get(f"{path}/logs/stdout").text
    assert client.simulate_get(f"{path}/logs/stderr").text == "a complaint\n"


def test_the_samples_of_a_later_scorer_are_copied_too(bench, kept, tmp_path):
    scorer = tmp_path / "strict.py"
    scorer.write_text(
        "import json, sys\nfor line in sys.stdin: print(json.dumps({**json.loads(line), 'score': 0.25}))\n"
    )
    bench.add("one", SAMPLES)
    bench.run("one", more=("--artifacts", f"file://{kept}"))
    bench("rescore", "one", "--with", f"{sys.executable} {scorer}", BENCHMARKS_ARTIFACTS=f"file://{kept}")
    [run] = bench.runs()
    [made] = [file for file in run["artifacts"] if file["path"].startswith("rescored/")]
    leave(bench)
    assert "note" not in bench("ledger", "verify", BENCHMARKS_ARTIFACTS=f"file://{kept}").stdout
    samples = viewer(bench, f"file://{kept}").simulate_get(f"/api/runs/{run['run_id']}/samples").json["samples"]
    assert [one["score"] for one in samples] == [0.25] * 4, made


def test_two_runs_are_compared_sample_by_sample_from_the_store(bench, kept):
    url = f"file://{kept}"
    bench.add("one", SAMPLES)
    bench.run("one", more=("--artifacts", url))
    bench.run("one", more=("--artifacts", url, "--force"))
    a, b = (run["run_id"] for run in bench.runs())
    leave(bench)
    pairs = viewer(bench, url).simulate_get("/api/compare/samples", params={"a": a, "b": b}).json
    assert (pairs["counts"]["both"], pairs["counts"]["neither"], pairs["problem"]) == (2, 2, "")
    compared = bench("compare", a, b, "--json", BENCHMARKS_ARTIFACTS=url).stdout
    assert '"method": "mcnemar"' in compared or "mcnemar" in compared.lower()


def test_a_viewer_elsewhere_follows_the_log_and_keeps_it_if_the_machine_is_lost(bench, kept, tmp_path):
    bench.add("long", LONG.format(flag=str(tmp_path / "go")))
    url = f"file://{kept}"
    running = bench.start("run", "--benchmarks", "long", "--provider", "ollama", "--artifacts", url)
    try:
        until(lambda: list(kept.rglob("stdout.log.parts/*")))
        [run] = bench.runs()
        client = viewer(bench, url)
        shutil.move(bench.results / run["run_group_id"], tmp_path / "away")
        log = f"/api/runs/{run['run_id']}/logs/stdout"
        assert client.simulate_get(log).text == "the first line\n"
        assert run["status"] == "running"
    finally:
        running.send_signal(signal.SIGKILL)
        running.communicate()
        (tmp_path / "go").touch()
    assert client.simulate_get(log).text == "the first line\n"
    shutil.move(tmp_path / "away", bench.results / run["run_group_id"])
    bench("recover-stale-runs", "--stale-seconds", "0", BENCHMARKS_ARTIFACTS=url)
    assert "stdout.log" in files_in(kept)
    assert list(kept.rglob("stdout.log.parts/*")) == []


def test_a_store_that_breaks_costs_no_result_and_is_completed_later(bench, kept):
    breaks = f"import shutil; shutil.rmtree({str(kept)!r}, True); pathlib.Path({str(kept)!r}).write_text('')\n"
    bench.add("one", breaks + SAMPLES)
    bench.add("two", SAMPLES)
    url = f"file://{kept}"
    kept.mkdir()
    said = bench.run("one", "two", more=("--artifacts", url))
    one, two = bench.runs()
    assert [one["status"], two["status"]] == ["succeeded", "succeeded"]
    assert any(f"5 of 5 files were not copied to {url}" in note and "push-artifacts" in note for note in one["notes"])
    assert "were not copied" in said
    assert "cannot be written" in bench("push-artifacts", code=2, BENCHMARKS_ARTIFACTS=url).stderr
    kept.unlink()
    assert bench("push-artifacts", "--artifacts", url).stdout.startswith("2 runs are in ")
    assert bench("push-artifacts", "--artifacts", url).stdout.startswith("2 runs are in ")
    leave(bench)
    assert "note" not in bench("ledger", "verify", BENCHMARKS_ARTIFACTS=url).stdout


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3a://bucket/runs", "did you mean s3?"),
        ("s3://AKIA:hunter2@bucket", "holds a user, a password"),
        ("hdfs://host/runs", "pyarrow is not installed"),
        ("file:///no/such/folder", "does not exist\nhint: make the folder"),
        ("runs", "must be an address"),
    ],
)
def test_a_store_that_cannot_be_used_is_refused_before_a_run_starts(bench, url, told):
    bench.add("one")
    said = bench.run("one", more=("--artifacts", url), code=2)
    assert told in said
    assert "\nhint: " in said
    assert "hunter2" not in said
    assert bench.runs() == []


def test_work_that_is_done_needs_no_store(bench, tmp_path):
    bench.add("one")
    bench.run("one")
    bench.run("one", more=("--artifacts", "file:///no/such/folder"))


def test_the_store_is_named_by_the_variable_the_workspace_or_a_campaign(bench, tmp_path):
    bench.add("one")
    bench.run("one", BENCHMARKS_ARTIFACTS=f"file://{tmp_path}/a file://{tmp_path}/b")
    (bench.root / "benchmarks.toml").write_text(f'artifacts = "file://{tmp_path}/c"\n')
    bench.run("one", more=("--force",))
    campaign = tmp_path / "campaign.toml"
    campaign.write_text(
        f'[matrix]\nbenchmarks = ["one"]\nmodels = ["ollama:m"]\n[run]\nartifacts = "file://{tmp_path}/d"\n'
    )
    bench("run", "--campaign", str(campaign), "--force")
    bench.run("one", more=("--force", "--artifacts", ""))
    assert [len(list((tmp_path / name).rglob("result.json"))) for name in "abcd"] == [1, 0, 1, 1]
    urls = [run["provenance"].get("artifacts_url") for run in bench.runs()]
    assert urls == [f"file://{tmp_path}/a", f"file://{tmp_path}/c", f"file://{tmp_path}/d", None]


def test_a_file_that_is_named_after_a_key_is_not_copied(bench, kept):
    key = "sk-ant-api03-0123456789abcdefghijklmnopqrstuv"
    bench.add("one", f"output.joinpath({key!r}).write_text('x')\n" + SAMPLES)
    bench.run("one", more=("--artifacts", f"file://{kept}"))
    assert not [name for name in files_in(kept) if key in name]
    assert "result.json" in files_in(kept)


def test_a_program_that_records_its_own_run_copies_its_files_too(tmp_path, kept, monkeypatch):
    import benchmarks

    monkeypatch.setenv("BENCHMARKS_ARTIFACTS", f"file://{kept}")
    with benchmarks.record("sums", workspace=tmp_path / "here") as run:
        run.log("a line")
        run.sample(id="1", score=1.0)
        run.score()
    assert {"samples.jsonl", "stdout.log"} <= set(files_in(kept))
    shutil.rmtree(tmp_path / "here" / "benchmark_results" / run.run.run_group_id)
    assert benchmarks.open(tmp_path / "here").verify().is_sound
    assert os.environ["BENCHMARKS_ARTIFACTS"] not in run.run.notes
