"""Imported runs bring their samples: they pair with runs of ours, and SQL and the viewer show them."""

from __future__ import annotations

import json
import random
import shutil
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

import benchmarks
from tests.adapters.imports.test_instances import inspect_log, lm_eval_files, lm_eval_line

SAMPLES = Path(__file__).parent.parent / "samples"
LM_EVAL = [lm_eval_line(number, 0.0) for number in range(3)]


def ours(bench, answers=(1, 1, 1, 0, 1), benchmark="caps") -> str:
    with benchmarks.record(benchmark, model="ours", workspace=bench.root) as run:
        for number, score in enumerate(answers, 1):
            run.sample(id=str(number), score=float(score))
        run.score()
    return bench.runs()[-1]["run_id"]


def imported(bench, *paths, more=()) -> dict:
    [row] = json.loads(bench("import", "--json", *map(str, paths), *more).stdout)["runs"]
    return row


def row_of(bench, run_id) -> dict:
    [row] = [row for row in bench.runs() if row["run_id"] == run_id]
    return row


def test_an_imported_run_pairs_with_a_run_of_ours(bench):
    our_id = ours(bench)
    row = imported(bench, SAMPLES / "inspect.eval", more=("--like", our_id))
    theirs = row["run_id"]
    assert (row["benchmark_id"], row["sample_rows"], row["new_samples"]) == ("caps", 5, True)
    first, second = row_of(bench, our_id), row_of(bench, theirs)
    assert second["options_key"] == first["options_key"] and second["comparison_key"] != first["comparison_key"]
    assert bench("compare", theirs, our_id).stdout.count("of which these parts differ") == 1

    revisions = [run["task_revision"]["digest"] for run in (first, second)]
    bench("equivalent", "caps", *revisions, "--reason", "the same questions, scorer and prompt")
    compared = json.loads(bench("compare", theirs, our_id, "--json").stdout)
    [[_, contrast]] = [row["contrasts"] for row in compared["rows"]]
    # Questions 1, 2 and 5 or 3: two were right there, four here, of which both have two.
    assert (contrast["method"], contrast["pairs"], contrast["wins"], contrast["losses"]) == ("mcnemar", 5, 2, 0)
    checked = bench(
        "check", theirs, "--baseline", f"run:{our_id}", "--across", "--include", "imported", "--json", code=1
    )
    [score] = json.loads(checked.stdout)["scores"]
    assert score["contrast"]["method"] == "mcnemar" and score["result"] == "worse"


def test_a_run_of_another_unit_is_not_the_same_task(bench):
    our_id = ours(bench)
    done = bench("import", str(SAMPLES / "hyperfine.json"), "--like", our_id, code=1)
    assert "its scores have another unit or direction (s, lower is better)" in done.stderr and len(bench.runs()) == 1
    done = bench("import", str(SAMPLES / "inspect.eval"), "--like", our_id + "x", code=2)
    assert f"hint: did you mean {our_id}" in done.stderr


def test_samples_come_later_than_their_run_and_only_once(bench, tmp_path):
    path = lm_eval_files(tmp_path, LM_EVAL)
    [samples] = tmp_path.glob("samples_*")
    aside = samples.rename(tmp_path / "aside")
    assert "1 runs imported" in bench("import", str(path)).stdout
    [run] = bench.runs()
    assert run["artifacts"] == []
    aside.rename(samples)
    done = bench("import", "--dry-run", str(path))
    assert "0 runs would be imported, 1 were already in the ledger; the samples of 1 of them would be" in done.stdout
    done = bench("import", str(path))
    assert "0 runs imported, 1 were already in the ledger; the samples of 1 of them imported" in done.stdout
    for _ in range(2):
        assert bench("import", str(path)).stdout.splitlines()[-1] == "0 runs imported, 1 were already in the ledger"
    assert len(bench.events("imported")) == 2
    [run] = bench.runs()
    [artifact] = run["artifacts"]
    assert artifact["path"] == "output/samples.jsonl" and (run["score"], run["samples"]) == (0.0, 3)
    rows = json.loads(bench("query", "--json", "select sample_id, score from samples order by 1").stdout)["rows"]
    assert rows == [["0", 0.0], ["1", 0.0], ["2", 0.0]]
    bench("ledger", "verify")
    [file] = bench.results.rglob("samples.jsonl")
    file.write_text(file.read_text().replace("0.0", "1.0"))
    assert "is not the file that was recorded" in bench("ledger", "verify", code=1).stdout


def test_sql_follows_samples_that_come_later(bench, tmp_path):
    path = lm_eval_files(tmp_path, LM_EVAL)
    [samples] = tmp_path.glob("samples_*")
    aside = samples.rename(tmp_path / "aside")
    bench("import", str(path))
    count = ("query", "--json", "select count(*) from samples")
    assert json.loads(bench(*count).stdout)["rows"] == [[0]]
    aside.rename(samples)
    bench("import", str(path))
    assert json.loads(bench(*count).stdout)["rows"] == [[3]]
    ours(bench)
    assert json.loads(bench(*count).stdout)["rows"] == [[8]]


def test_the_viewer_shows_samples_transcripts_and_errors_of_an_import(bench, tmp_path, serving):
    samples = [
        {"id": "a", "epoch": 1, "input": "2+2?", "target": "4", "scores": {"match": {"value": "C"}},
         "messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]},
        {"id": "b", "epoch": 1, "input": "3+3?", "target": "6", "scores": {"match": {"value": "I"}}},
        {"id": "c", "epoch": 1, "input": "4+4?", "target": "8", "error": {"message": "connection reset"}},
    ]  # fmt: skip
    (tmp_path / "log.json").write_text(json.dumps(inspect_log(samples)))
    run_id = imported(bench, tmp_path / "log.json")["run_id"]
    with serving(bench.root) as url, urllib.request.urlopen(f"{url}api/runs/{run_id}/samples") as answer:
        page = json.loads(answer.read())
    assert (page["right"], page["wrong"], page["errors"], page["unscored"]) == (1, 1, 1, 0)
    assert page["samples"][0]["messages"][1] == {"role": "assistant", "content": "4"}
    assert page["samples"][2]["error"] == "connection reset"


def test_epochs_are_one_cluster_of_an_imported_run(bench, tmp_path):
    def answers(epochs):
        return [
            {"id": str(place), "epoch": epoch, "scores": {"match": {"value": "I" if place else "C"}}}
            for place in range(2)
            for epoch in range(1, epochs + 1)
        ]

    ids = {}
    for epochs in (1, 4):
        (tmp_path / f"{epochs}.json").write_text(json.dumps(inspect_log(answers(epochs), eval_id=epochs)))
        ids[epochs] = imported(bench, tmp_path / f"{epochs}.json")["run_id"]
    once, often = (row_of(bench, ids[epochs]) for epochs in (1, 4))
    assert once["stderr"] == often["stderr"] == pytest.approx(0.5)


def test_secrets_in_a_transcript_are_removed(bench, tmp_path):
    messages = [{"role": "user", "content": "export GROQ_API_KEY=gsk-also-secret"}]
    sample = {"id": "a", "epoch": 1, "scores": {"match": {"value": "C"}}, "messages": messages}
    sample["messages"].append({"role": "tool", "content": "api_key: sk-ant-api03-AAAAbbbbCCCCddddEEEE1234567890abcdef"})
    (tmp_path / "log.json").write_text(json.dumps(inspect_log([sample])))
    bench("import", str(tmp_path / "log.json"), GROQ_API_KEY="gsk-also-secret")
    [file] = bench.results.rglob("samples.jsonl")
    assert "redacted" in file.read_text()
    assert "gsk-also-secret" not in bench.text() and "AAAAbbbbCCCC" not in bench.text()


def test_broken_samples_do_not_stop_the_import_of_the_run(bench, tmp_path):
    path = lm_eval_files(tmp_path, LM_EVAL)
    [samples] = tmp_path.glob("samples_*")
    samples.write_text(samples.read_text()[:-30])
    done = bench("import", str(path))
    assert "1 runs imported" in done.stdout and "without samples: line 3 of samples_local_caps" in done.stderr
    assert bench.runs()[0]["artifacts"] == []
    samples.unlink()
    samples.symlink_to("/etc/passwd")
    assert "is not a regular file" in bench("import", str(path)).stderr
    assert not list(bench.results.glob(".import-*"))


def test_an_import_that_is_killed_leaves_nothing_half_imported(bench, tmp_path):
    random.seed(2026)
    for number in range(40):
        folder = tmp_path / "files" / str(number)
        folder.mkdir(parents=True)
        path = lm_eval_files(folder, [lm_eval_line(place, 0.0, doc={"text": "x" * 3000}) for place in range(60)])
        path.write_text(path.read_text().replace('"local_caps"', f'"local_caps_{number}"'))
        [samples] = folder.glob("samples_*")
        samples.rename(folder / samples.name.replace("local_caps", f"local_caps_{number}"))
    seen = Counter()
    for _ in range(6):
        process = bench.start("import", str(tmp_path / "files"))
        time.sleep(random.uniform(0.5, 1.5))
        process.kill()
        process.communicate()
        runs = bench.runs() if bench.results.exists() else []
        seen[len(runs)] += 1
        for run in runs:
            [artifact] = run["artifacts"]
            folder = bench.results / "imported" / f"lm_eval__{run['benchmark_id']}" / run["run_id"]
            assert (folder / artifact["path"]).stat().st_size == artifact["bytes"]
        if runs:
            bench("ledger", "verify")
    bench("import", str(tmp_path / "files"))
    assert len(bench.runs()) == 40 and all(run["artifacts"] for run in bench.runs())
    assert len(bench.events("imported")) == 40
    bench("ledger", "verify")
    print(f"runs after each kill: {dict(seen)}")


def test_files_of_an_import_travel_with_the_ledger(bench, tmp_path):
    run_id = imported(bench, SAMPLES / "inspect.eval")["run_id"]
    archive = tmp_path / "all.tar.gz"
    bench("ledger", "export", str(archive), "--with-files")
    [file] = bench.results.rglob("samples.jsonl")
    content = file.read_bytes()
    shutil.rmtree(bench.results)
    bench("ledger", "import", str(archive))
    assert file.read_bytes() == content
    bench("ledger", "verify")
    assert row_of(bench, run_id)["artifacts"]
