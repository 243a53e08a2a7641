"""The commands of the documentation: each one is understood, and those that only need a history are run on one."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import click
import pytest

from benchmarks.cli.main import cli
from benchmarks.ledger.events import Artifact, GroupOpened, NewEvent, Request
from tests.conftest import COMMAND, Bench, Histories

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(sh|console|text)\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINE = re.compile(r"^(?:\$ )?benchmarks (.*)$")
AN_EARLIER_TIME = "2026-11-01T00:00:00Z"


def commands(page: Path) -> Iterator[list[str]]:
    """The words of each command of a page, up to a pipe or a redirection, without the name of the program."""
    for language, block in BLOCK.findall(page.read_text()):
        for line in block.replace("\\\n", " ").splitlines():
            found = LINE.match(line)
            if found and (language != "text" or line.startswith("$")):
                words = shlex.split(found[1], comments=True)
                ends = [number for number, word in enumerate(words) if word in ("|", ">", "&&")]
                yield words[: min(ends, default=len(words))]


def understand(words: list[str]) -> None:
    """Parse the options and arguments as the program does. Raises click.UsageError."""
    context = cli.make_context("benchmarks", list(words))
    command: click.Command = cli
    while isinstance(command, click.Group) and (rest := [*context._protected_args, *context.args]):
        name, found, rest = command.resolve_command(context, rest)
        assert name and found
        command, context = found, found.make_context(name, rest, parent=context)


def test_every_command_of_the_documentation_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weekend.toml").write_text('[matrix]\nbenchmarks = ["x"]\nmodels = ["ollama:m"]\n')
    for name in (
        "result.json",
        "signing.key",
        "witness.key",
        "evidence.zip",
        "table.zip",
        "private.zip",
        "private.zip.secret",
        "path/to/orchestrator.sqlite",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    number = 0
    for page in PAGES:
        for words in commands(page):
            number += 1
            try:
                understand(words)
            except click.UsageError as problem:
                raise AssertionError(f"{page.name}: benchmarks {shlex.join(words)}: {problem}") from problem
    assert number > 100


def files_of(folder: Path, score: float) -> list[Artifact]:
    """Write what a run with ten samples leaves, and return its artifacts."""
    rows = [
        {"id": f"q{number}", "output": "PARIS", "target": "Paris", "score": int(number < round(10 * score))}
        for number in range(10)
    ]
    texts = {
        "output/samples.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows),
        "output/result.json": json.dumps({"score": score, "n": 10}),
    }
    artifacts = []
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        artifacts.append(Artifact(name, len(text), sha256(text.encode()).hexdigest()))
    return artifacts


def append(bench: Bench, group: str, runs: dict[str, tuple[str, str, float]]) -> None:
    """A group with one run for each id: (benchmark, model with its provider, score)."""
    benchmarks = sorted({benchmark for benchmark, _, _ in runs.values()})
    request = Request(benchmarks=benchmarks, agent=None, provider="ollama", model="m")
    events = [NewEvent(group, GroupOpened(request=request, benchmarks=benchmarks))]
    for run, (benchmark, contender, score) in runs.items():
        provider, _, model = contender.partition(":")
        start = Histories.started(
            f"{benchmark} {contender}",
            run_group_id=group,
            benchmark_id=benchmark,
            benchmark_directory=benchmark,
            comparison_key=benchmark,
            provider=provider,
            model=model,
        )
        ended = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        folder = bench.results / group / f"{benchmark}__{benchmark}" / run
        end = Histories.finished(score, stderr=0.05, ended_at=ended, artifacts=files_of(folder, score))
        events += [NewEvent(run, start), NewEvent(run, end)]
    store = bench.store()
    store.append(lambda _: events, lambda _: None)
    store.close()


@pytest.fixture
def history(bench: Bench) -> tuple[Bench, str]:
    """A workspace with the groups, runs and models that the pages name, and a time in the middle of its history."""
    text = "".join(page.read_text() for page in PAGES if page.stem in ("comparing", "analytics"))
    groups = sorted(set(re.findall(r"rg_\w+", text)))
    runs = sorted(set(re.findall(r"run_quiz_\w+", text)))
    models = ["small", "medium", "large"]
    append(bench, "rg_first", {run: ("quiz", f"ollama:{models[n % 3]}", 0.5) for n, run in enumerate(runs)})
    append(bench, groups[0], {f"run_{model}_1": ("quiz", f"ollama:{model}", 0.6) for model in models})
    middle = datetime.now(UTC).isoformat()
    append(bench, groups[1], {f"run_{model}_2": ("quiz", f"ollama:{model}", 0.7) for model in models})
    others = {"run_groq": ("human_eval", "groq:qwen3", 0.4), "run_openai": ("human_eval", "openai:gpt-4.1", 0.8)}
    append(bench, "rg_others", others)
    last = {f"run_{model}_3": ("quiz", f"ollama:{model}", 0.7) for model in models}
    append(bench, "rg_last", last)
    (bench.root / "benchmarks.toml").touch()
    return bench, middle


@pytest.mark.parametrize("page", ["comparing", "analytics"])
def test_the_commands_of_a_page_work(history: tuple[Bench, str], page: str) -> None:
    bench, middle = history
    (bench.root / "question.sql").write_text("SELECT 1 AS one")
    text = (ROOT / "docs" / f"{page}.md").read_text()
    if scorer := re.search(r"^```python\n(import json, sys\n.*?)^```", text, re.DOTALL | re.MULTILINE):
        (bench.root / "lenient.py").write_text(scorer[1])
    manifest = bench.add("new") / "benchmark.toml"
    manifest.write_text(manifest.read_text().replace('id = "new"', 'id = "quiz"'))
    for words in commands(ROOT / "docs" / f"{page}.md"):
        words = [word.replace(AN_EARLIER_TIME, middle) for word in words]
        done = subprocess.run(
            [*COMMAND, *words], cwd=bench.root, env=bench.environ, capture_output=True, text=True, timeout=120
        )
        is_an_example_of_an_error = "scor FROM" in " ".join(words)
        # A gate may fail, and a manifest does not score the run with excluded samples again.
        may_fail = words[0] == "check" or words[-1] == "new/benchmark.toml"
        codes = (2,) if is_an_example_of_an_error else (0, 1) if may_fail else (0,)
        assert done.returncode in codes, f"benchmarks {shlex.join(words)}\n{done.stdout}{done.stderr}"


def test_your_own_benchmark_prints_what_its_page_shows(tmp_path: Path, bench: Bench) -> None:
    text = (ROOT / "docs" / "own-benchmark.md").read_text()
    blocks = dict(re.findall(r"^```(?:text|console)\n\$ benchmarks (.*)\n((?:.*\n)*?)```", text, re.MULTILINE))
    no_score = re.search(r'`score = "mean"`.*\n\n```text\n((?:.*\n)*?)```', text)
    result = re.search(r"^```json\n(\{\n(?:.*\n)*?\}\n)```", text, re.MULTILINE)
    assert no_score and result
    (tmp_path / "result.json").write_text(result[1])

    def run(command: str, code: int = 0) -> str:
        argv = [*COMMAND, *shlex.split(command)]
        done = subprocess.run(argv, cwd=tmp_path, env=bench.environ, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, done.stderr
        return done.stdout.replace(f"{tmp_path}/", "")

    run("new capitals")
    manifest = tmp_path / "benchmarks" / "capitals" / "benchmark.toml"
    right = manifest.read_text()
    test = "adapters test capitals --result result.json"
    assert run(test) == blocks[test]
    manifest.write_text(right.replace('score = "score"', 'score = "mean"'))
    assert run(test, code=1) == no_score[1]
    manifest.write_text(right.replace("{output_dir}", "{output_dri}"))
    assert run("adapters validate", code=2) == blocks["adapters validate"]
    manifest.write_text(right)
    assert run("calibrate capitals") == blocks["calibrate capitals"]
