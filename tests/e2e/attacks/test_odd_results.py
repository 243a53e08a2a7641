"""Whatever a result contains, its run has an outcome that is recorded and shown, and other benchmarks continue."""

from __future__ import annotations

import csv
import functools
import io
import json
import os
import random
import re
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.adapters.discovery import discover
from benchmarks.adapters.manifest import Manifest
from benchmarks.adapters.result import read_spec
from benchmarks.ledger.events import Finished, NewEvent
from benchmarks.ledger.jsonl import JsonlStore
from benchmarks.ledger.storage.codec import encode
from benchmarks.orchestrator.running.outcome import recordable

from .odd_values import document_for, mutate

SAMPLES = Path(__file__).parents[2] / "samples"


def samples_of(manifest: Manifest) -> list[Any]:
    """Results of that benchmark, as it wrote them."""
    names = (manifest.id, manifest.id.replace("_", "-"))
    return [
        json.loads(file.read_text())
        for name in names
        for file in [*SAMPLES.glob(f"eliza/{name}*.json"), *SAMPLES.glob(f"{name}*.json")]
    ]


def record(manifest: Manifest, content: bytes) -> str:
    """Judge the result and encode the event as the ledger would; returns how the run ended."""
    reading = read_spec(manifest.result, Path("result.json"), io.BytesIO(content))
    event = recordable(
        Finished(
            ended_at="2026-11-23T10:00:00.000000Z",
            score=reading.score,
            samples=reading.samples,
            stderr=reading.stderr,
            metrics=reading.metrics,
            usage=reading.usage,
            notes=[*reading.notes, reading.error or ""],
        )
    )
    encode(NewEvent("run_1", event), seq=1, id="x", at="x", version=1, prev="0" * 64)
    return reading.reason or "valid"


def test_no_manifest_of_the_catalogue_is_crashed_by_a_result(
    rng: random.Random, tally: Counter[str], is_full: bool, tmp_path: Path
) -> None:
    manifests = [adapter.manifest for adapter in discover(tmp_path).adapters.values()]
    mutations = 1500 if is_full else 25
    began = time.monotonic()
    for manifest in manifests:
        expressions = [expression for _, expression in manifest.result.expressions()]
        for _ in range(mutations):
            document = rng.choice([*samples_of(manifest), document_for(rng, expressions)])
            content = mutate(rng, document)
            try:
                tally[record(manifest, content)] += 1
            except Exception as problem:
                raise AssertionError(f"{manifest.id}: {content[:2000]!r}") from problem
    tally["manifests"] = len(manifests)
    tally["mutations a second"] = round(mutations * len(manifests) / (time.monotonic() - began))


TAKE = """
[run]
argv = ["sh", "-c", "for file in ../pool/*; do mv $file $0/result.json 2>/dev/null && exit; done", "{output_dir}"]
"""


def test_the_outcome_of_an_odd_result_is_read_by_everything(
    bench: Any, histories: Any, rng: random.Random, tally: Counter[str], is_full: bool
) -> None:
    """Many odd results in one campaign: each run has an end, and every reader of the history works on all of them."""
    count = 1000 if is_full else 80
    good = {"score": 0.5, "n": 4, "se": 0.1, "text": "x", "table": {"a": [1, 2]}, "usage": {"in": 10, "out": 5}}
    (bench.root / "pool").mkdir()
    for number in range(count):
        (bench.root / "pool" / f"{number}.json").write_bytes(mutate(rng, good))
    folder = bench.add(
        "odd",
        result='stderr = "se"\nmetrics = { text = "text", table = "table", all = "@" }\nvalid = "ceil(score) >= `0`"',
    )
    manifest = (folder / "benchmark.toml").read_text()
    begin, end = manifest.index("[run]"), manifest.index("[options.seed]")
    (folder / "benchmark.toml").write_text(manifest[:begin] + TAKE + manifest[end:])
    bench.add("last")
    bench.run("odd", more=("--repeats", str(count), "--jobs", "2"), code=None)
    bench.run("last")
    runs = bench.runs("--limit", "5000")
    assert len(runs) == count + 1
    assert runs[-1]["status"] == "succeeded"
    for run in runs:
        tally[run["reason"] or run["status"]] += 1
        assert run["status"] in ("succeeded", "failed") and run["reason"] != "internal"
    assert tally["no_result"] == 0
    more = append_odd_ends(bench, histories)
    assert len(bench.runs("--limit", "5000")) == count + 1 + more
    read_everything(bench)


def read_everything(bench: Any) -> None:
    """Use every reader of a history. Each must succeed."""
    runs = bench.runs("--limit", "5000")
    count = len(runs)
    assert len(json.loads(Path(bench("export-viewer-data").stdout.strip()).read_text())["runs"]) == count
    bench("show-runs")
    bench("show-run", runs[0]["run_id"])
    bench("leaderboard", "--json")
    bench("leaderboard")
    bench("report", "--output", str(bench.root / "report.html"))
    bench("export-viewer-data", "--html", str(bench.root / "page.html"), "--moments", "3")
    printed = bench("query", "--json", "SELECT count(*) AS n, count(metrics_json) AS m FROM runs").stdout
    assert json.loads(printed)["rows"] == [[count, count]]
    for view in ("runs", "metrics", "samples", "score_history", "events"):
        bench("query", f"SELECT * FROM {view}", "--json")
    csv.field_size_limit(2**24)
    assert len(list(csv.reader(io.StringIO(bench("export", "--format", "csv").stdout)))) >= count
    for form in ("json", "junit", "openlineage"):
        bench("export", "--format", form)
    bench("export", "--format", "parquet", "--output", str(bench.root / "x.parquet"))
    bench("ledger", "verify")
    ask_viewer(bench, [run["run_id"] for run in runs])


def ask_viewer(bench: Any, run_ids: list[str]) -> None:
    """Ask the viewer for the list, and for everything about some runs."""
    server = bench.start("serve-viewer", "--port", "0")
    try:
        url = re.search(r"http://[^\s#?]+", server.stdout.readline())[0].rstrip("/")
        for path in ("/api/runs?limit=500", "/api/overview", "/api/benchmarks", "/api/leaderboard", "/api/dataset"):
            json.loads(_get(url + path))
        for run_id in run_ids[:40]:
            for part in ("", "/events", "/samples", "/artifacts"):
                json.loads(_get(f"{url}/api/runs/{run_id}{part}"))
            for name in ("stdout", "stderr"):
                _get(f"{url}/api/runs/{run_id}/logs/{name}")
    finally:
        server.terminate()
        server.communicate(timeout=30)


def _get(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            content: bytes = answer.read()
    except urllib.error.HTTPError as problem:
        content = problem.read()
        assert problem.code in (403, 404), f"{url}: {problem.code} {content[:500]!r}"
        return b"{}"
    return content


def append_odd_ends(bench: Any, histories: Any) -> int:
    """Append events that other versions and programs may have recorded; returns the number of runs."""
    odd = {
        "digits": 10**99,
        "word": 2**64,
        "NUL": "a\0b",
        "bidi \u202e\u2028": "\x1b[2J",
        "long": "x" * 300_000,
        "deep": functools.reduce(lambda inner, _: [inner], range(200), 1),
        "": {"": None},
    }
    store = JsonlStore(bench.results / "ledger", notice=print)
    ends = [
        histories.finished(0.5, metrics=odd, usage={"input_tokens": -5, "output_tokens": 10**30, "cost_usd": 1e300}),
        histories.finished(1e308, stderr=-1.0, notes=["\0", "x" * 100_000]),
        histories.finished(-1e308, samples=2**62),
        histories.finished(5e-324, unit="", metrics={"score": "1"}),
    ]
    events = [NewEvent("rg_1", histories.opened())]
    for number, end in enumerate(ends):
        events.append(NewEvent(f"run_{number}", histories.started(str(number))))
        events.append(NewEvent(f"run_{number}", end))
    histories.append_anyway(store, events)
    store.close()
    return len(ends)


BAD_SAMPLES = rb"""
{"id": "a", "score": 1, "correct": true, "output": "half \ud83d"}
{"id": "b", "score": NaN, "correct": false}
{"id": "c", "score": 0, "correct": false, "latency": NaN, "big": 1e999}
[1, 2]
{"id": "d", "score": 1, "correct": true, "digits": 123456789012345678901234567890}
"""


def test_all_readers_of_samples_agree_on_a_file_with_bad_lines(bench: Any) -> None:
    code = f"""
        output.joinpath("samples.jsonl").write_bytes({BAD_SAMPLES!r})
        output.joinpath("result.json").write_text(json.dumps({{"score": 2 / 3, "n": 5}}))
    """
    bench.add("odd", code)
    bench.run("odd", more=("--model", "one"))
    bench.run("odd", more=("--model", "two"))
    one, two = bench.runs()
    for run in (one, two):
        assert run["notes"] == [
            "2 of 5 lines of samples.jsonl cannot be used: line 3 of samples.jsonl has no id with a finite score"
        ]
    rows = json.loads(bench("query", "--json", "SELECT number, sample_id, score FROM samples ORDER BY ALL").stdout)
    expected = [[2, "a", 1.0], [4, "c", 0.0], [6, "d", 1.0]]
    assert rows["rows"] == [row for row in expected for _ in (one, two)]
    shown = json.loads(bench("compare", one["run_id"], two["run_id"], "--json").stdout)
    [contrast] = [some for row in shown["rows"] for some in row["contrasts"] if some]
    assert contrast["pairs"] == 3 and "line 3 of samples.jsonl" in contrast["note"]
    folder = bench.root / "documents"
    said = bench("export", "--format", "every-eval-ever", "--output", str(folder), "--organization", "us")
    assert "line 3 of samples.jsonl" in said.stderr


@pytest.mark.parametrize("name", ["odd name \udcff", "a\nb", "ä" * 80, "-rf", "\u202e.json"])
def test_the_name_of_a_result_may_be_anything(bench: Any, name: str) -> None:
    code = f"""
        file = os.fsencode(output) + b"/r-" + {os.fsencode(name)!r}
        open(file, "w").write(json.dumps({{"score": 1, "n": 1}}))
    """
    bench.add("odd", code, files="r-*")
    bench.add("last")
    bench.run("odd", "last", code=None)
    odd, last = bench.runs()
    assert last["status"] == "succeeded"
    assert odd["status"] == ("failed" if "\udcff" in name else "succeeded")
    bench("show-run", odd["run_id"])
    bench("ledger", "verify")
