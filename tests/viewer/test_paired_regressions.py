"""The start page finds regressions as `check` does: sample by sample."""

from __future__ import annotations

import json
from hashlib import sha256

from benchmarks.ledger.events import Artifact, NewEvent, SamplesExcluded, ScoreAnew


def test_a_regression_is_judged_by_its_samples(store, histories, workspace, client):
    """Seven of forty answers are wrong now: no difference by the standard errors, and one by the samples."""
    for number, right in ((1, 20), (2, 13)):
        run_id, group = f"run_{number}", f"rg_{number}"
        lines = [json.dumps({"id": str(n), "score": float(n < right)}) for n in range(40)]
        content = "\n".join(lines).encode()
        path = workspace.run_folder(group, "b", "b", run_id) / "output" / "samples.jsonl"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        artifacts = [Artifact("output/samples.jsonl", len(content), sha256(content).hexdigest())]
        started = histories.started(run_id, run_group_id=group, benchmark_id="b", benchmark_directory="b")
        end = histories.finished(
            right / 40, samples=40, unit="ratio", artifacts=artifacts, ended_at=f"2026-11-2{number}T10:00:00Z"
        )
        histories.append_anyway(store, [NewEvent(run_id, started), NewEvent(run_id, end)])
    [regression] = client.simulate_get("/api/overview").json["regressions"]
    assert regression["run"]["run_id"] == "run_2"
    assert regression["is_significant"] is True

    assert client.simulate_get("/api/attention").json["regressions"] != []

    # Samples that a person excluded are left out of every test, and only from then on.
    before = store.head().seq
    anew = ScoreAnew(score=13 / 33, unit="ratio", samples=33)
    excluded = SamplesExcluded(author="a", reason="ambiguous", samples=[str(n) for n in range(13, 20)], anew=anew)
    histories.append_anyway(store, [NewEvent("run_2", excluded)])
    assert client.simulate_get("/api/attention").json["regressions"] == []
    [now] = client.simulate_get("/api/overview").json["regressions"]
    [then] = client.simulate_get("/api/overview", params={"as_of": before}).json["regressions"]
    assert now["is_significant"] is False
    assert then == {**regression, "before": then["before"], "run": then["run"]}
