"""The catalogue's manifests of elizaOS's suites read results that the suites wrote, with the suites' own scores.

Each table of `samples/eliza/*.toml` is one reading: `benchmark`, `sample` (a file of a run of the suite, shortened; in
`built` the shape that its documents tell, where it cannot run without a key), `name` as the suite names the file,
`agent`, `merge` (a JSON merge patch), and what the manifest makes of it. Where there is a checkout, its own scorers are
asked too; `theirs = "differs"` says that they and we disagree on purpose, and the table's comment why.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from benchmarks.adapters.discovery import discover
from benchmarks.adapters.result import CHANCE, read_result

SAMPLES = Path(__file__).parent.parent / "samples" / "eliza"
READINGS = {
    f"{file.stem}-{name}": reading
    for file in sorted(SAMPLES.glob("*.toml"))
    for name, reading in tomllib.loads(file.read_text()).items()
}


@pytest.fixture(scope="module")
def adapters(tmp_path_factory):
    return discover(tmp_path_factory.mktemp("workspace")).adapters


def merge(document: Any, patch: Any) -> Any:
    """RFC 7386, with the text "null" for null, which TOML does not have."""
    if not isinstance(patch, dict):
        return None if patch == "null" else patch
    merged = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value == "null":
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def written(wanted: dict[str, Any], folder: Path) -> Path:
    """The result's file, as the suite leaves it in its output folder."""
    document = wanted["built"] if "built" in wanted else json.loads((SAMPLES / wanted["sample"]).read_text())
    file = folder / wanted["name"]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(merge(document, wanted.get("merge", {}))))
    for other in wanted.get("beside", ()):
        (file.parent / other).write_text("{}")
    return file


@pytest.mark.parametrize("name", READINGS)
def test_a_result_of_a_suite(adapters, tmp_path, name):
    wanted = READINGS[name]
    written(wanted, tmp_path)
    manifest = adapters[wanted["benchmark"]].manifest
    agent = wanted.get("agent", manifest.default_agent)
    reading = read_result(manifest.played_by(agent), output_dir=tmp_path, cwd=tmp_path, started_at=0)
    assert reading.reason == wanted.get("reason"), reading.error
    if "score" in wanted:
        assert reading.score == pytest.approx(wanted["score"], abs=1e-9)
    if "samples" in wanted:
        assert reading.samples == wanted["samples"]
    is_synthetic = reading.synthetic or manifest.is_synthetic(agent, wanted.get("extra", {}))
    assert is_synthetic is wanted.get("synthetic", False)
    assert reading.metrics.get(CHANCE) == (pytest.approx(wanted["chance"]) if "chance" in wanted else None)
    for metric, value in wanted.get("metrics", {}).items():
        assert reading.metrics[metric] == value


SCORER = """
import json, sys
from pathlib import Path
import benchmarks
from benchmarks.orchestrator.adapters import discover_adapters

adapters = discover_adapters(Path(benchmarks.__file__).parent).adapters
reported = {}
for name, benchmark, path in json.load(sys.stdin):
    if benchmark in adapters:
        try:
            reported[name] = adapters[benchmark].score_extractor(Path(path)).score
        except ValueError as problem:
            reported[name] = str(problem)
json.dump(reported, sys.stdout)
"""


@pytest.mark.skipif("ELIZA_BENCHMARKS" not in os.environ, reason="ELIZA_BENCHMARKS names no checkout")
def test_the_checkouts_own_scorers_say_the_same(adapters, tmp_path):
    """What they refuse is synthetic or no result with us; what they score has the same score, on the same scale."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "benchmarks").symlink_to(Path(os.environ["ELIZA_BENCHMARKS"]).resolve())
    questions = []
    for name, wanted in READINGS.items():
        (tmp_path / name).mkdir()
        questions.append((name, wanted["benchmark"], str(written(wanted, tmp_path / name))))
    done = subprocess.run(
        [sys.executable, "-c", SCORER],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "package")},
    )
    reported = json.loads(done.stdout)
    assert len(reported) > 30
    differ = []
    for name, theirs in reported.items():
        wanted = READINGS[name]
        ours = wanted.get("score")
        if wanted.get("theirs") == "differs" or wanted.get("agent") in adapters[wanted["benchmark"]].manifest.baselines:
            continue
        if isinstance(theirs, str) or theirs is None:
            agree = wanted.get("synthetic", False) or "reason" in wanted
        else:
            agree = ours is not None and ours == pytest.approx(theirs, abs=1e-4)
        if not agree:
            differ.append((name, theirs, ours))
    assert differ == []
