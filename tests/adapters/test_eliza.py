"""The catalogue's manifests of elizaOS's suites read results that the suites wrote, with the suites' own scores.

Each table of `samples/eliza/*.toml` is one reading: `benchmark`, `sample` (a file of a run of the suite, shortened; in
`built` the shape that its documents tell, where it cannot run without a key), `name` as the suite names the file,
`agent`, `merge` (a JSON merge patch), and what the manifest makes of it. A table with `refused` is what the suite's
own scorer takes for no result, and has the `reason`.
"""

from __future__ import annotations

import json
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


@pytest.mark.parametrize("name", READINGS)
def test_a_result_of_a_suite(adapters, tmp_path, name):
    wanted = READINGS[name]
    document = wanted["built"] if "built" in wanted else json.loads((SAMPLES / wanted["sample"]).read_text())
    file = tmp_path / wanted["name"]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(merge(document, wanted.get("merge", {}))))
    for other in wanted.get("beside", ()):
        (file.parent / other).write_text("{}")
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
