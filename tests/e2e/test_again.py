"""`run --again` and `run --rerun-changed`: repeat a run, and run work again after its benchmark has changed."""

from __future__ import annotations

import subprocess


def git(folder, *arguments):
    subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e@example.org", *arguments],
        check=True,
        capture_output=True,
    )


def test_a_run_is_repeated_exactly(bench):
    bench.add("good")
    bench.run("good", more=("--extra", '{"seed": 7}', "--model", "other", "--agent", "mine", "--repeats", "2"))
    first, second = bench.runs()
    for run in (first, second):
        bench("run", "--again", run["run_id"])
        again = bench.runs()[-1]
        assert again["run_id"] != run["run_id"] and again["attempt"] == 2
        for field in ("signature", "agent", "provider", "model", "extra_config", "benchmark_id"):
            assert again[field] == run[field]
    assert bench.events("group_opened")[-1]["data"]["request"]["flags"]["again"] == second["run_id"]


def test_a_run_that_cannot_be_repeated_is_an_error(bench):
    folder = bench.add("good")
    bench.run("good", more=("--extra", '{"seed": 7}'))
    [run] = bench.runs()
    for arguments, message in (
        (("--again", "run_x"), "no run 'run_x' was started"),
        (("--again", run["run_id"], "--benchmarks", "good"), "--again excludes the options that it takes from the run"),
        (("--again", run["run_id"], "--model", "other"), "model: qwen3 -> other"),
    ):
        assert message in bench("run", *arguments, code=2).stderr
    manifest = folder / "benchmark.toml"
    manifest.write_text(manifest.read_text().replace("[options.seed]", "[options.sead]"))
    assert "has no option 'seed'" in bench("run", "--again", run["run_id"], code=2).stderr
    assert len(bench.runs()) == 1


def test_a_success_of_another_manifest_runs_again_once(bench):
    folder = bench.add("good")
    bench.add("other")
    bench.run("good", "other")
    assert "already" not in bench.run("good", "other", more=("--rerun-changed",))
    assert len(bench.runs()) == 2
    manifest = folder / "benchmark.toml"
    manifest.write_text(manifest.read_text() + "# only a remark\n")
    bench.run("good", "other", more=("--rerun-changed",))
    assert len(bench.runs()) == 2
    manifest.write_text(manifest.read_text().replace('score = "score"', 'score = "max([score, `0`])"'))
    assert "driver was" in bench("run", "--all", "--provider", "ollama", "--rerun-changed", "--dry-run").stdout
    for _ in range(2):
        bench.run("good", "other", more=("--rerun-changed",))
    assert [run["benchmark_id"] for run in bench.runs()] == ["good", "other", "good"]


def test_a_success_of_another_commit_runs_again(bench):
    folder = bench.add("good")
    git(bench.root, "init", "-q")
    git(bench.root, "add", "good")
    git(bench.root, "commit", "-qm", "one")
    bench.run("good")
    (folder / "suite.py").write_text((folder / "suite.py").read_text() + "# two\n")
    git(bench.root, "commit", "-qam", "two")
    bench.run("good")
    assert len(bench.runs()) == 1, "another commit alone is not other work"
    printed = bench.run("good", more=("--rerun-changed", "--explain"))
    assert "driver was" in printed
    assert len(bench.runs()) == 2
