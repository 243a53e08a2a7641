"""Files of other programs with odd values: each is imported correctly or reported, and nothing else is lost."""

from __future__ import annotations

import csv
import io
import json
import math
import random
import shutil
from collections import Counter
from pathlib import Path

from .odd_values import ODD, mutate

TESTS = Path(__file__).parents[2]
DOCUMENTS = [
    *sorted((TESTS / "adapters" / "imports" / "data").glob("*.json")),
    *(TESTS / "samples" / name for name in ("pytest-benchmark.json", "hyperfine.json", "every-eval-ever.json")),
    *sorted((TESTS / "samples" / "asv" / "machine").glob("*.json")),
]
FOLDERS = [
    TESTS / "samples" / "harbor-job",
    TESTS / "samples" / "helm-run",
    TESTS / "adapters" / "imports" / "data" / "helm-valid-split",
]


def test_a_file_with_odd_values_is_imported_correctly_or_reported(
    bench, tmp_path: Path, rng: random.Random, is_full: bool, tally: Counter[str]
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    count = 4000 if is_full else 120
    for number in range(count // 10):
        whole = shutil.copytree(rng.choice(FOLDERS), folder / f"folder-{number:04d}")
        file = rng.choice(sorted(whole.rglob("*.json")))
        file.write_bytes(mutate(rng, json.loads(file.read_text())))
    for number in range(count):
        source = rng.choice(DOCUMENTS)
        (folder / f"{number:04d}-{source.name}").write_bytes(mutate(rng, json.loads(source.read_text())))
    shown = json.loads(bench("import", "--json", str(folder), code=None).stdout)
    again = json.loads(bench("import", "--json", str(folder), code=None).stdout)
    assert [run["run_id"] for run in again["runs"]] == [run["run_id"] for run in shown["runs"]]
    assert not any(run["new"] for run in again["runs"]), "importing again adds nothing"
    runs = bench.runs("--limit", "1000000")
    assert {run["run_id"] for run in runs} == {run["run_id"] for run in shown["runs"]}
    for run in runs:
        assert (run["status"] == "succeeded") == (run["reason"] is None)
        assert run["status"] == "failed" or math.isfinite(run["score"])
        assert run["unit"] != "ratio" or run["score"] is None or -1e-9 <= run["score"] <= 1 + 1e-9, run["run_id"]
        assert run["stderr"] is None or run["stderr"] >= 0
        assert run["samples"] is None or run["samples"] >= 0
    standings = json.loads(bench("leaderboard", "--include", "imported", "--json").stdout)["standings"]
    names = {(row["config"].get("benchmark_name"), row["task"]["benchmark_id"]) for row in standings}
    assert len({benchmark_id for _, benchmark_id in names}) == len(names), "two names are one id"
    [[found]] = json.loads(bench("query", "--json", "select count(*) from runs").stdout)["rows"]
    assert found == len(runs), "SQL knows the same runs"
    tally.update(
        {"files": count, "runs": len(runs), "reported": len(shown["problems"]), "others": len(shown["passed_over"])}
    )


def test_a_table_with_odd_cells_is_imported_correctly_or_reported(
    bench, tmp_path: Path, rng: random.Random, is_full: bool, tally: Counter[str]
) -> None:
    cells = [text for text in ODD if isinstance(text, str) and text.isprintable() and len(text) < 1000]
    cells += ["20261123", "007", "1e3", " 5 ", "1_000", "0x10", "1,5", "C++", "C#", "1.10", "数学", "=1+1"]
    heading = [
        "benchmark",
        "model",
        "score",
        "unit",
        "stderr",
        "samples",
        "started_at",
        "config.x",
        "metrics.y",
        "note",
    ]
    plain = ["b", "m", "0.5", "ratio", "0.1", "5", "2026-01-01", "1", "2"]
    files = []
    for number in range(400 if is_full else 40):
        row = dict(zip(heading, [*plain, str(number)], strict=True))
        row[rng.choice(heading[:-1])] = rng.choice(cells)
        text = io.StringIO()
        csv.writer(text).writerows([heading, row.values()])
        files.append(tmp_path / f"{number}.csv")
        files[-1].write_text(text.getvalue(), encoding="utf-8")
        files[-1].with_suffix(".row").write_text(json.dumps(row))
    shown = json.loads(bench("import", "--json", *map(str, files), code=None).stdout)
    assert len({run["path"] for run in shown["runs"]} | {one["path"] for one in shown["problems"]}) == len(files)
    for run in bench.runs("--limit", "100000"):
        row = json.loads(Path(run["imported"]["path"]).with_suffix(".row").read_text())
        name = run["extra_config"].get("benchmark_name", run["benchmark_id"])
        assert (name, run["model"]) == (row["benchmark"].strip(), row["model"].strip())
        assert run["score"] == float(row["score"]) and "_" not in row["score"]
        assert str(run["extra_config"].get("x", "")) == row["config.x"].strip()
    tally.update({"files": len(files), "reported": len(shown["problems"])})
