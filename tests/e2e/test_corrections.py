"""Corrections: remarks, and runs that are taken back and reinstated. Each is an event, and nothing is edited."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import benchmarks


@pytest.fixture
def root(tmp_path) -> Path:
    root = tmp_path / "workspace"
    for number in (1, 2):
        with benchmarks.record("quiz", model="m", workspace=root, policy="force") as run:
            run.score(number / 4)
    return root


def command(root: Path, *arguments: str, code: int = 0) -> str:
    program = Path(sys.executable).with_name("benchmarks")
    done = subprocess.run([program, "--workspace", root, *arguments], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def scores(root: Path) -> list[float]:
    return [one["score"]["mean"] for one in json.loads(command(root, "leaderboard", "--json"))["standings"]]


def test_a_retracted_run_counts_nowhere_stays_visible_and_can_be_reinstated(root):
    first, second = (run.run_id for run in benchmarks.open(root).runs())
    assert scores(root) == [0.5]
    said = command(root, "retract", second, "--reason", "wrong data", "--author", "Ada <ada@example.org>")
    assert f"{second}: retracted by Ada <ada@example.org>" in said
    assert scores(root) == [0.25]
    shown = json.loads(command(root, "show-run", second, "--json"))
    assert shown["run"]["retracted"] == {"author": "Ada <ada@example.org>", "reason": "wrong data"}
    assert shown["run"]["score"] == 0.5 and shown["events"][-1]["type"] == "retracted"
    counted = command(root, "query", "SELECT run_id FROM runs WHERE counts", "--json")
    assert json.loads(counted)["rows"] == [[first]]
    assert "is retracted already, by Ada" in command(root, "retract", second, "--reason", "again", code=2)
    command(root, "reinstate", second, "--reason", "the data were right", "--author", "Grace")
    assert scores(root) == [0.5]
    counted = command(root, "query", "SELECT count(*) FROM runs WHERE counts", "--json")
    assert json.loads(counted)["rows"] == [[2]]
    assert f"the run {second} is not retracted" in command(root, "reinstate", second, "--reason", "x", code=2)
    assert command(root, "ledger", "verify").startswith("sound")
    before = (root / "benchmark_results" / "viewer_data.json").read_bytes()
    command(root, "export-viewer-data")
    assert (root / "benchmark_results" / "viewer_data.json").read_bytes() == before


def test_a_retraction_frees_the_signature(root):
    for run in benchmarks.open(root).runs():
        with pytest.raises(benchmarks.AlreadyDone), benchmarks.record("quiz", model="m", workspace=root):
            pass
        command(root, "retract", run.run_id, "--reason", "wrong")
    with benchmarks.record("quiz", model="m", workspace=root) as fresh:
        fresh.score(0.75)
    assert scores(root) == [0.75]


def test_a_remark_has_its_author_from_git(root):
    subprocess.run(["git", "init", "-q", root], check=True)
    for key, value in (("user.name", "Grace Hopper"), ("user.email", "grace@example.org")):
        subprocess.run(["git", "-C", root, "config", key, value], check=True)
    run = next(iter(benchmarks.open(root).runs())).run_id
    told = json.loads(command(root, "annotate", run[:-3], "--note", "slow", "--tag", "a", "--tag", "a", "--json"))
    assert told["annotated"] == {"author": "Grace Hopper <grace@example.org>", "note": "slow", "tags": ["a"]}
    assert "the remark is empty" in command(root, "annotate", run, code=2)


@pytest.mark.parametrize("name", ["annotate", "retract", "reinstate"])
def test_an_unknown_run_is_refused_with_the_nearest_names(root, name):
    run = next(iter(benchmarks.open(root).runs())).run_id
    more = ["--note", "x"] if name == "annotate" else ["--reason", "x"]
    said = command(root, name, run.replace("quiz", "quizz"), *more, code=2)
    assert "the ledger has no run" in said and f"hint: did you mean {run[:9]}" in said
    assert "several runs begin with 'run_quiz'" in command(root, name, "run_quiz", *more, code=2)


@pytest.fixture
def sampled(tmp_path) -> Path:
    """Two models that answered the same four questions."""
    root = tmp_path / "sampled"
    for model, rights in (("good", (1, 1, 0, 1)), ("better", (1, 1, 1, 0))):
        with benchmarks.record("quiz", model=model, workspace=root) as run:
            for number, right in enumerate(rights, 1):
                run.sample(f"q{number}", right)
            run.score(sum(rights) / 4)
    command(root, "export-viewer-data")
    return root


def only(root: Path, model: str):
    return next(run for run in benchmarks.open(root).runs() if run.model == model)


def newest(root: Path) -> str:
    return max(benchmarks.open(root).runs(), key=lambda run: run.started_at).run_id


def in_every_place(root: Path, run_id: str) -> set[float]:
    """The score of a run wherever it is shown."""
    row = json.loads(command(root, "show-run", run_id, "--json"))["run"]
    in_sql = json.loads(command(root, "query", f"SELECT score FROM runs WHERE run_id = '{run_id}'", "--json"))["rows"]
    listed = next(one for one in json.loads(command(root, "show-runs", "--json")) if one["run_id"] == run_id)
    exported = json.loads(command(root, "export", "--format", "json"))
    data = json.loads((root / "benchmark_results" / "viewer_data.json").read_text())
    rows = [listed, *(one for some in (exported, data["runs"]) for one in some if one["run_id"] == run_id)]
    ranked = json.loads(command(root, "leaderboard", "--json"))["standings"]
    mean = next(one["score"]["mean"] for one in ranked if one["model"] == row["model"])
    return {row["score"], in_sql[0][0], mean, *(one["score"] for one in rows)}


def test_excluded_samples_leave_the_score_and_both_scores_stand(sampled):
    run = only(sampled, "good").run_id
    head = json.loads(command(sampled, "show-run", run, "--json"))["events"][-1]["seq"]
    assert in_every_place(sampled, run) == {0.75}
    said = command(sampled, "exclude", run, "--samples", "q3", "q4", "--reason", "wrong key", "--author", "Ada")
    assert f"{run}: 2 samples excluded by Ada; the score was 0.750, and is 1.000 now" in said
    assert in_every_place(sampled, run) == {1.0}
    row = json.loads(command(sampled, "show-run", run, "--json"))["run"]
    assert (row["original_score"], row["samples"], row["excluded"]) == (0.75, 2, ["q3", "q4"])
    shown = command(sampled, "show-run", run)
    assert "by Ada: wrong key" in shown and "original_score" in shown
    in_table = "SELECT sample_id FROM samples WHERE excluded ORDER BY sample_id"
    assert json.loads(command(sampled, "query", in_table, "--json"))["rows"] == [["q3"], ["q4"]]
    then = json.loads(command(sampled, "leaderboard", "--as-of", str(head), "--json"))["standings"]
    assert {one["score"]["mean"] for one in then} == {0.75}
    assert "excluded already" in command(sampled, "exclude", run, "--samples", "q4", "--reason", "again")
    assert command(sampled, "ledger", "verify").startswith("sound")
    command(sampled, "exclude", run, "--undo", "--samples", "q3", "--reason", "the key was right")
    assert in_every_place(sampled, run) == {2 / 3}
    command(sampled, "exclude", run, "--undo", "--reason", "all of them")
    assert in_every_place(sampled, run) == {0.75}
    row = json.loads(command(sampled, "show-run", run, "--json"))["run"]
    assert (row["original_score"], row["samples"], row["excluded"]) == (0.75, 4, [])


def test_a_paired_comparison_leaves_excluded_samples_out(sampled):
    first, second = (only(sampled, name).run_id for name in ("good", "better"))
    [row] = json.loads(command(sampled, "compare", first, second, "--json"))["rows"]
    assert row["contrasts"][1]["pairs"] == 4
    for run in (first, second):
        command(sampled, "exclude", run, "--samples", "q4", "--reason", "wrong key")
    [row] = json.loads(command(sampled, "compare", first, second, "--json"))["rows"]
    assert (row["contrasts"][1]["pairs"], row["contrasts"][1]["wins"]) == (3, 1)


def test_an_exclusion_that_makes_no_sense_is_refused(sampled, root):
    run = only(sampled, "good").run_id

    def refused(*arguments: str, at: Path = sampled) -> str:
        return command(at, "exclude", *arguments, "--reason", "x", code=2)

    assert "hint: did you mean q1?" in refused(run, "--samples", "q_1")
    assert f"no sample of {run} would be left" in refused(run, "--samples", "q1", "q2", "q3", "q4")
    assert "no samples are named" in refused(run)
    assert "are excluded" in refused(run, "--undo")
    without = next(iter(benchmarks.open(root).runs())).run_id
    assert "no samples were recorded" in refused(without, "--samples", "q1", at=root)
    with pytest.raises(ZeroDivisionError), benchmarks.record("broken", model="m", workspace=sampled) as failing:
        failing.sample("q1", 1)
        raise ZeroDivisionError
    assert "has failed" in refused(newest(sampled), "--samples", "q1")
    with benchmarks.record("weighted", model="m", workspace=sampled) as weighted:
        weighted.sample("q1", 1)
        weighted.sample("q2", 0)
        weighted.score(0.9)
        assert "is still running" in refused(newest(sampled), "--samples", "q1")
    assert "it is 0.9, but its samples average to 0.5" in refused(newest(sampled), "--samples", "q1")
    [file] = sampled.glob(f"benchmark_results/**/{run}/**/samples.jsonl")
    file.write_bytes(file.read_bytes().replace(b"q1", b"q9"))
    assert "is not the file that was recorded" in refused(run, "--samples", "q2")
    file.unlink()
    assert "is gone" in refused(run, "--samples", "q2")
    assert {event["type"] for event in json.loads(command(sampled, "show-run", run, "--json"))["events"]} == {
        "started",
        "finished",
    }
