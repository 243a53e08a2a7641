"""A run records the versions and commits that it was made with."""

from __future__ import annotations

import json
import subprocess


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder):
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    return git(folder, "rev-parse", "HEAD")


def test_the_commits_of_the_workspace_and_of_eliza_are_recorded(bench):
    folder = bench.add("good")
    eliza = bench.root / "eliza"
    eliza.mkdir()
    (eliza / "package.json").write_text('{"version": "2.0.1"}')
    (bench.root / ".gitignore").write_text("eliza/\nbenchmark_results/\n")
    (bench.root / "benchmarks.toml").write_text('exclude = ["eliza"]')
    head, eliza_head = commit(bench.root), commit(eliza)
    bench.run("good")
    [run] = bench.runs()
    assert (run["benchmarks_commit"], run["eliza_commit"], run["eliza_version"]) == (head, eliza_head, "2.0.1")
    assert run["provenance"]["benchmarks"] == {"commit": head, "dirty": False}
    (folder / "suite.py").write_text((folder / "suite.py").read_text() + "# changed")
    bench.run("good", more=("--force",))
    assert bench.runs()[1]["provenance"]["benchmarks"] == {"commit": head, "dirty": True}
    group = json.loads((bench.results / "viewer_data.json").read_text())["run_groups"][0]
    assert group["repo_meta"]["eliza"]["commit"] == eliza_head


def test_a_submodule_that_was_not_fetched_has_no_commit(bench, tmp_path):
    """`eliza/` is empty then, and git answers there for the repository around it."""
    bench.add("good")
    agent = tmp_path / "agent"
    agent.mkdir()
    (agent / "package.json").write_text('{"version": "2.0.1"}')
    fetched = commit(agent)
    (bench.root / "benchmarks.toml").write_text('exclude = ["eliza"]')
    (bench.root / ".gitignore").write_text("benchmark_results/\n")
    git(bench.root, "init", "-q")
    git(bench.root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(agent), "eliza")
    head = commit(bench.root)

    def commits():
        bench.run("good", more=("--force",))
        run = bench.runs()[-1]
        return run["benchmarks_commit"], run["eliza_commit"]

    assert commits() == (head, fetched)
    git(bench.root, "submodule", "deinit", "-f", "eliza")
    assert list((bench.root / "eliza").iterdir()) == []
    assert commits() == (head, None)
    (bench.root / "eliza" / "notes").write_text("mine")
    assert commits() == (head, None), "nor has a folder that git does not keep"


def test_a_hook_does_not_change_whose_commit_is_recorded(bench, tmp_path):
    bench.add("good")
    (bench.root / ".gitignore").write_text("benchmark_results/\n")
    head = commit(bench.root)
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").touch()
    commit(other)
    bench.run("good", GIT_DIR=str(other / ".git"), GIT_WORK_TREE=str(other))
    assert bench.runs()[0]["benchmarks_commit"] == head


def test_a_workspace_outside_of_a_repository_has_no_commit(bench):
    bench.add("good")
    (bench.root.parent / ".gitignore").write_text("workspace/\n")
    commit(bench.root.parent)
    bench.run("good")
    assert bench.runs()[0]["benchmarks_commit"] is None


def test_the_packages_of_an_isolated_environment_are_recorded(bench, tmp_path):
    code = """
    import six
    output.joinpath("result.json").write_text(json.dumps({"score": 0.5, "n": 1, "v": six.__version__}))
    """
    bench.add("good", code, result='metrics = { six = "v" }', more='[requires]\npython = ["six==1.17.0"]')
    printed = bench.run("good", BENCHMARKS_CACHE=str(tmp_path / "cache"))
    assert "building the environment of six==1.17.0" in printed
    [run] = bench.runs()
    assert run["provenance"]["packages"] == ["six==1.17.0"]
    assert run["metrics"] == {"six": "1.17.0"}


def test_an_environment_that_cannot_be_built_is_a_failed_run_with_the_reason(bench, tmp_path):
    bench.add("bad", more='[requires]\npython = ["no-such-package-here-7f3a"]')
    bench.add("good")
    bench.run("bad", "good", code=1, BENCHMARKS_CACHE=str(tmp_path / "cache"))
    bad, good = bench.runs()
    assert (bad["status"], bad["reason"], good["status"]) == ("failed", "environment", "succeeded")
    assert "no-such-package-here-7f3a" in bad["error"]
