"""For any bytes in any file of a run there is an outcome, which the ledger takes, and recovery closes the run."""

from __future__ import annotations

import os
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.adapters.adapter import Adapter
from benchmarks.adapters.manifest import parse_manifest
from benchmarks.ledger.commitment import new_secrets
from benchmarks.ledger.events import Owner
from benchmarks.ledger.identity import boot_id, host_name, pid_namespace
from benchmarks.ledger.jsonl import JsonlStore
from benchmarks.ledger.ledger import Ledger
from benchmarks.orchestrator.models.prices import load_prices
from benchmarks.orchestrator.running.execution import Exit
from benchmarks.orchestrator.running.outcome import Left, weigh
from benchmarks.orchestrator.running.provenance import content_of
from benchmarks.orchestrator.running.recovery import provably_dead, recover
from benchmarks.orchestrator.running.telemetry import ProgressFile
from benchmarks.projections.sqlite.rows import run_row
from benchmarks.projections.workspace import Workspace

FILES = (
    "output/result.json",
    "output/telemetry.jsonl",
    "output/samples.jsonl",
    "output/other.bin",
    "progress.jsonl",
    "stdout.log",
    "stderr.log",
    "exit_status",
    "secrets.digests",
    "manifest.json",
)
MANIFEST = parse_manifest(
    {
        "id": "b",
        "name": "B",
        "run": {"argv": ["x"]},
        "result": {
            "files": ["result.json"],
            "score": "avg(scores)",
            "unit": "ratio",
            "samples": "n",
            "stderr": "stderr",
            "valid": "ceil(n) > `0`",
            "metrics": {"all": "@", "first": "scores[0]"},
            "usage": {"input_tokens": "tokens", "cost_usd": "cost"},
        },
    },
    Path("benchmark.toml"),
    "b",
)
ADAPTER = Adapter(manifest=MANIFEST, source="workspace", origin=Path("benchmark.toml"), root=None, sha256="")

odd = st.sampled_from(["1e400", "-1e400", "NaN", "Infinity", "9" * 400, '"\\ud83d"', '"\\u0000"', "-1", '"1"', "null"])
values = st.recursive(
    odd | st.integers().map(str) | st.floats(allow_nan=False, allow_infinity=False).map(repr) | st.just('"x"'),
    lambda some: st.lists(some, max_size=4).map(lambda parts: f"[{','.join(parts)}]"),
    max_leaves=6,
)
names = ("scores", "n", "stderr", "tokens", "cost", "id", "score", "correct", "done", "total", "note", "input_tokens")
names += ("latency_ms", "salt", "names", "lengths")
objects = st.dictionaries(st.sampled_from(names), values, max_size=6).map(
    lambda table: "{" + ",".join(f'"{name}":{value}' for name, value in table.items()) + "}"
)
good = '{"scores": [0.5, 1], "n": 2, "stderr": 0.1, "tokens": 5, "cost": 0.1}'
contents = st.one_of(
    st.binary(max_size=200),
    st.lists(objects, max_size=4).map(lambda lines: "\n".join(lines).encode(errors="replace")),
    st.sampled_from([b"", b"0", b"1", b"137", b"0_0", b"-1", "٣".encode(), b"9" * 5000, good.encode()]),
    st.just(b"[" * 50_000),
)
runs = st.dictionaries(st.sampled_from(FILES), contents)
IS_FULL = os.environ.get("RELIABILITY") == "1"
slow = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def begin(ledger: Ledger, run_id: str, histories, **changes: Any) -> str:
    """Record the start of a run by a dead orchestrator; what its shell notes if its benchmark ends with 0."""
    secrets = new_secrets()
    dead = Owner(
        host=host_name(),
        boot_id=boot_id(),
        pid=2**22 - 1,
        process_start=1.0,
        pid_namespace=pid_namespace(),
        commitment=secrets.commitment,
    )
    digest = sha256(content_of(MANIFEST)).hexdigest()
    provenance = {"manifest": {"content_sha256": digest}}
    ledger.append(run_id, histories.started(run_id, owner=dead, provenance=provenance, **changes))
    return f"0 {secrets.by_shell}"


def leave(folder: Path, files: dict[str, bytes]) -> None:
    (folder / "output").mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


@given(files=runs, return_code=st.sampled_from([0, 1, 137, None]))
@settings(slow, max_examples=1000 if IS_FULL else 60)
def test_there_is_an_outcome_that_an_event_can_hold(files, return_code):
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run"
        leave(folder, files)
        ProgressFile(folder / "progress.jsonl").look()
        left = Left(folder=folder, cwd=folder, started_at=0.0, synthetic=False)
        outcome = weigh(MANIFEST, Exit(return_code=return_code, duration_seconds=1.0), left)
    assert "cannot be judged" not in getattr(outcome, "error", "")
    assert msgspec.json.decode(msgspec.json.encode(outcome), type=type(outcome)) == outcome
    if return_code != 0:
        assert outcome.type == "failed"


@given(lost=st.lists(runs, min_size=1, max_size=6))
@settings(slow, max_examples=200 if IS_FULL else 10)
def test_recovery_closes_every_run(lost, histories):
    with tempfile.TemporaryDirectory() as temporary:
        workspace = Workspace(Path(temporary))
        store = JsonlStore(workspace.ledger, notice=lambda _: None)
        ledger = Ledger(store)
        ledger.append("rg_1", histories.opened())
        for number, files in enumerate(lost):
            noted = begin(ledger, f"run_{number}", histories, cwd=temporary)
            leave(workspace.run_folder("rg_1", "b", "b", f"run_{number}"), {"exit_status": noted.encode(), **files})
        recover(ledger, provably_dead, workspace=workspace, adapters={"b": ADAPTER}, prices=load_prices(None))
        ended = ledger.look(lambda history: list(history.runs.values()))
        store.close()
    assert len(ended) == len(lost)
    for run in ended:
        assert run.status in ("succeeded", "failed") and run.recovered
        msgspec.json.encode(run_row(run))


@pytest.mark.parametrize("moment", [-1e12, 0, 253402300800, 1e11])
def test_no_time_of_a_file_is_outside_of_the_run(tmp_path, histories, moment):
    """Year 10000 and the time before the run: neither is an end, and neither ends recovery."""
    workspace = Workspace(tmp_path)
    store = JsonlStore(workspace.ledger, notice=lambda _: None)
    ledger = Ledger(store)
    ledger.append("rg_1", histories.opened())
    noted = begin(ledger, "run_1", histories, cwd=str(tmp_path))
    folder = workspace.run_folder("rg_1", "b", "b", "run_1")
    leave(folder, {"exit_status": noted.encode(), "output/result.json": good.encode()})
    os.utime(folder / "exit_status", (0, moment))
    recover(ledger, lambda run: True, workspace=workspace, adapters={"b": ADAPTER}, prices=load_prices(None))
    run = ledger.look(lambda history: history.runs["run_1"])
    assert run.status == "succeeded" and run.ended_at is not None
    assert run.started_at <= run.ended_at <= run.last_seen_at
