"""`python -m suites.asv`: has asv measure one commit of a project, with the results in the run's own folder."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from ..suitekit.command import SuiteError, comma_list, main
from ..suitekit.harness import need_success, only_file, read_json, run_harness, write_result
from .measurements import summarize

_ASV = [sys.executable, "-m", "asv"]


def run() -> None:
    """Measure, and read the results."""
    arguments = argparse.ArgumentParser(prog="asv", description=__doc__)
    arguments.add_argument("--output-dir", type=Path, required=True)
    arguments.add_argument("--project", type=Path, required=True)
    arguments.add_argument("--commit", default="HEAD")
    arguments.add_argument("--existing", action="store_true")
    arguments.add_argument("--bench")
    arguments.add_argument("--attributes", type=comma_list, default=[])
    given = arguments.parse_args()
    output = given.output_dir.absolute()
    commit = commit_of(given.project, given.commit)
    config = _own_config(given.project.absolute(), output)
    argv = [*_ASV, "run", "--config", str(config), "--show-stderr"]
    if given.existing:
        argv += ["--environment", f"existing:{sys.executable}", "--set-commit-hash", commit]
    else:
        argv.append(f"{commit}^!")
    argv += ["--bench", given.bench] if given.bench else []
    for attribute in given.attributes:
        argv += ["--attribute", attribute]
    if not Path("~/.asv-machine.json").expanduser().exists():
        # Without this file asv asks questions that a run cannot answer.
        need_success(run_harness([*_ASV, "machine", "--yes", "--config", str(config)]), "asv machine")
    code = run_harness(argv)
    results = output / "results"
    document = read_json(only_file(results, "*/*-*.json", "asv"))
    write_result(output, summarize(document, read_json(results / "benchmarks.json")))
    need_success(code, "asv")


def commit_of(project: Path, name: str) -> str:
    """The id of a project's commit, by any of its names.

    Raises SuiteError if there is none.
    """
    done = subprocess.run(
        ["git", "-C", str(project), "rev-parse", "--verify", f"{name}^{{commit}}"], capture_output=True, text=True
    )
    if done.returncode:
        raise SuiteError(f"{project} has no commit {name}: {done.stderr.strip()}")
    return done.stdout.strip()


def _own_config(project: Path, output: Path) -> Path:
    """The project's configuration with every path absolute, and the results in `output`."""
    from asv.util import load_json

    source = project / "asv.conf.json"
    if not source.is_file():
        raise SuiteError(f"{source} does not exist\nhint: name the folder of an asv.conf.json with the option project")
    config = dict(load_json(str(source), js_comments=True))
    repo = str(config.get("repo", "."))
    own = {
        "repo": repo if "://" in repo or repo.startswith("git@") else str((project / repo).resolve()),
        "benchmark_dir": str((project / config.get("benchmark_dir", "benchmarks")).resolve()),
        "env_dir": str((project / config.get("env_dir", ".asv/env")).resolve()),
        "html_dir": str(output / "html"),
        "results_dir": str(output / "results"),
    }
    target = output / "asv.conf.json"
    target.write_text(json.dumps({**config, **own}, indent=2) + "\n", encoding="utf-8")
    return target


if __name__ == "__main__":
    main(run)
