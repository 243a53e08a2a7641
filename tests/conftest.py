"""What tests of several folders share: a workspace with small benchmarks, and the installed command."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st

import benchmarks
from benchmarks.ledger.commitment import Secrets
from benchmarks.ledger.events import (
    Annotated,
    Artifact,
    CancelRequested,
    Counts,
    Failed,
    Finished,
    GroupClosed,
    GroupOpened,
    Heartbeat,
    HighScorePublished,
    Imported,
    ImportSource,
    Incompatible,
    NewEvent,
    Owner,
    Paused,
    Progress,
    Recovered,
    Recoverer,
    Registered,
    RegisteredContender,
    RegisteredTask,
    RegisteredTest,
    RegistrationAmended,
    Reinstated,
    Reproduced,
    ReproducedRun,
    Request,
    Rescored,
    Resumed,
    Retracted,
    SamplesExcluded,
    SamplesIncluded,
    ScoreAnew,
    Scorer,
    Skipped,
    Started,
    TablePublished,
    TaskRevision,
)
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.open import open_store
from benchmarks.ledger.store import EventStore
from benchmarks.projections.sqlite.rows import run_row
from benchmarks.projections.workspace import Workspace
from tests.demo.history import build

# An installed program has its modules compiled. Tests start thousands of commands: each would compile them again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell starts a command in the background without Ctrl-C, and what it starts inherits that. Tests need it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A test does not fail because the machine is busy; a failure prints how to repeat it.
settings.register_profile("here", deadline=None, print_blob=True)
settings.register_profile("quick", settings.get_profile("here"), max_examples=20)
settings.load_profile("here")

COMMAND = [str(Path(sys.executable).with_name("benchmarks"))]

MANIFEST = """
id = "{id}"
name = "{id}"
agents = ["*"]
default_agent = "bare-model"

[run]
argv = ["{{python}}", "{{suite_dir}}/suite.py", "{{output_dir}}"]
{run}

[options.seed]
type = "int"
default = 1
env = "SEED"

[options.api_key]
type = "str"
env = "SUITE_KEY"

[result]
files = ["{files}"]
score = "score"
unit = "ratio"
samples = "n"
usage = {{ input_tokens = "usage.in", output_tokens = "usage.out" }}
{result}
{more}
"""

SUITE = """
import json, os, pathlib, sys
output = pathlib.Path(sys.argv[1])
"""

GOOD = 'output.joinpath("result.json").write_text(json.dumps({"score": 0.5, "n": 4, "usage": {"in": 10, "out": 5}}))'


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the tests of clusters (`make test-cluster`), unless the command line names them."""
    cluster = Path(__file__).with_name("cluster")
    if collection_path != cluster:
        return None
    named = (Path(config.invocation_params.dir, argument.partition("::")[0]) for argument in config.args)
    return None if any(path.resolve().is_relative_to(cluster) for path in named) else True


def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: three workers for two cores, because many tests wait for processes."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


class Bench:
    """A workspace in a temporary folder, and the installed command at work in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.results = root / "benchmark_results"
        self.is_damaged = False
        self.environ = {
            name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_BASE_URL"))
        }

    def add(
        self, id: str, code: str = GOOD, *, run: str = "", result: str = "", files: str = "result.json", more: str = ""
    ) -> Path:
        """A benchmark whose suite runs `code`, with `output` and `json` at hand.

        `run` and `result` are lines for those tables of the manifest, `more` is what follows them.
        """
        folder = self.root / id
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "suite.py").write_text(SUITE + textwrap.dedent(code))
        manifest = MANIFEST.format(id=id, run=run, result=result, files=files, more=more)
        (folder / "benchmark.toml").write_text(manifest)
        return folder

    def command(self, *arguments: str) -> list[str]:
        """The command line."""
        return [*COMMAND, "--workspace", str(self.root), *arguments]

    def __call__(self, *arguments: str, code: int | None = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end, and check its exit code."""
        done = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, env={**self.environ, **environ}, timeout=120
        )
        assert code is None or done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """Start the command and go on."""
        return subprocess.Popen(
            self.command(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environ, **environ},
        )

    def run(self, *ids: str, code: int | None = 0, more: tuple[str, ...] = (), **environ: str) -> str:
        """`run` those benchmarks with a provider that needs no key; what it says on stderr."""
        return self("run", "--benchmarks", *ids, "--provider", "ollama", *more, code=code, **environ).stderr

    def runs(self, *arguments: str) -> list[dict[str, Any]]:
        """The rows of `show-runs --json`, the oldest first. Without arguments they are read without that command."""
        if arguments or "BENCHMARKS_LEDGER" in self.environ:
            rows: list[dict[str, Any]] = json.loads(self("show-runs", "--json", *arguments).stdout)
        else:
            rows = json.loads(msgspec.json.encode([run_row(run) for run in benchmarks.open(self.root).runs()]))
        return sorted(rows, key=lambda row: row["first_seq"])

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """The events of the ledger, all or of some types."""
        with contextlib.closing(self.store()) as store:
            events = [json.loads(line) for line in store.read_lines()]
        return [event for event in events if not kinds or event["type"] in kinds]

    def store(self) -> EventStore:
        """The ledger that the commands use, opened in this process."""
        return open_store(self.environ.get("BENCHMARKS_LEDGER", str(self.results / "ledger")), notice=print)

    def text(self) -> str:
        """Everything below the results as text, to look for what must not be there."""
        return "\n".join(
            path.read_bytes().decode(errors="replace") for path in self.results.rglob("*") if path.is_file()
        )


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """An empty workspace; whatever a test does there, the ledger must be sound at its end."""
    root = tmp_path / "workspace"
    root.mkdir()
    bench = Bench(root)
    yield bench
    if (bench.results / "ledger").is_dir() and not bench.is_damaged:
        with contextlib.closing(bench.store()) as store:
            report = verify(store)
        assert (report.damage, report.story) == ([], [])


SECRETS = Secrets("1" * 64, "2" * 64)
OWNER = Owner(host="h", boot_id="b", pid=1, process_start=1.0, commitment=SECRETS.commitment)


class Histories:
    """Events as an orchestrator writes them, and hypothesis strategies of whole histories."""

    @staticmethod
    def started(signature: str = "s", **changes: Any) -> Started:
        """A `started` event."""
        fields: dict[str, Any] = {
            "run_group_id": "rg_1",
            "benchmark_id": "b",
            "benchmark_directory": "b",
            "signature": signature,
            "preimage": {},
            "comparison_key": "c",
            "attempt": 1,
            "agent": "bare-model",
            "provider": "local",
            "model": "m",
            "extra_config": {"seed": 42},
            "command": ["true"],
            "cwd": "/",
            "stdout_path": "stdout.log",
            "stderr_path": "stderr.log",
        }
        return Started(**{**fields, **changes})

    @staticmethod
    def registered(model: str = "m1", **changes: Any) -> Registered:
        """A `registered` event: a plan for the work of `started`."""
        fields: dict[str, Any] = {
            "author": "a",
            "hypothesis": "the model is better than the other",
            "benchmarks": [RegisteredTask(id="b", comparison_key="c")],
            "contenders": [RegisteredContender(name="new", agent="bare-model", provider="local", model=model)],
            "test": RegisteredTest(kind="better", contender="new", baseline="new"),
            "stopping_rule": "all runs have ended",
        }
        return Registered(**{**fields, **changes})

    @staticmethod
    def finished(score: float = 0.5, **changes: Any) -> Finished:
        """A `finished` event."""
        fields: dict[str, Any] = {"ended_at": "2026-11-23T10:00:00.000000Z", "unit": "ratio", "higher_is_better": True}
        return Finished(**{**fields, "score": score, "samples": 10, **changes})

    @staticmethod
    def failed(reason: str = "exit_code", **changes: Any) -> Failed:
        """A `failed` event."""
        return Failed(**{"ended_at": "2026-11-23T10:00:00.000000Z", "error": "it broke", **changes}, reason=reason)

    @staticmethod
    def recovered(adopted: Finished | None = None, is_end_known: bool = False) -> Recovered:
        """A `recovered` event; older versions did not say when the run ended."""
        end = {"ended_at": "2026-11-23T09:30:00.000000Z", "duration_seconds": 7.5} if is_end_known else {}
        return Recovered(
            reason="gone", last_seen_at="", stale_seconds=1.0, by=Recoverer("host", 1), adopted=adopted, **end
        )

    @staticmethod
    def opened() -> GroupOpened:
        """A `group_opened` event."""
        return GroupOpened(request=Request(benchmarks=["b"], agent=None, provider="local", model="m"), benchmarks=["b"])

    @staticmethod
    def changed_samples() -> dict[str, Any]:
        """Strategies for the fields of `samples_excluded` and `samples_included`."""
        return {
            "author": st.just("a"),
            "reason": st.just("r"),
            "samples": st.lists(st.sampled_from(["q1", "q2", "q10", "é", "\U0001f600", 'a"b,c']), max_size=4),
            "anew": st.builds(
                ScoreAnew,
                score=st.floats(-1e6, 1e6),
                unit=st.sampled_from(["ratio", None]),
                samples=st.none() | st.integers(0, 99),
                stderr=st.none() | st.floats(0, 1),
                delta_to_high_score=st.none() | st.floats(-1, 1),
            ),
        }

    @staticmethod
    def rescored() -> st.SearchStrategy[Rescored]:
        """`rescored` events of two scorers."""
        scorers = st.sampled_from([Scorer("strict", "a" * 64), Scorer("lax.py", "b" * 64)])
        return st.builds(
            Rescored,
            scorer=scorers,
            score=st.floats(-1e6, 1e6),
            unit=st.sampled_from(["ratio", "s", None]),
            higher_is_better=st.none() | st.booleans(),
            samples=st.none() | st.integers(0, 99),
            stderr=st.none() | st.floats(0, 1),
            delta_to_high_score=st.none() | st.floats(-1, 1),
            author=st.just("a"),
            artifact=st.none() | st.just(Artifact("rescored/a/samples.jsonl", 9, "0" * 64)),
        )

    @classmethod
    def corrected_lives(cls) -> st.SearchStrategy[list[NewEvent]]:
        """The events of runs that end and are corrected afterwards, now and then before."""
        row = {"benchmark_id": st.just("b"), "status": st.sampled_from(["succeeded", "failed"])}
        imported = st.builds(
            Imported,
            source=st.just(ImportSource("json", "x.json", "0" * 64)),
            run=st.fixed_dictionaries(row, optional={"score": st.just(0.25), "comparison_key": st.just("k")}),
        )
        revision = st.sampled_from([None, TaskRevision.of(version="1", driver="d", data="", packages="")])
        beginning = st.builds(cls.started, task_revision=revision) | imported
        end = st.builds(cls.finished, st.sampled_from([0.5, None]), task_revision=revision) | st.builds(cls.failed)
        corrections = st.lists(
            st.builds(SamplesExcluded, **cls.changed_samples())
            | st.builds(SamplesIncluded, **cls.changed_samples())
            | cls.rescored()
            | st.just(Retracted(author="a", reason="r"))
            | st.just(Reinstated(author="a", reason="r")),
            max_size=6,
        )
        early = st.lists(cls.rescored(), max_size=1)
        life = st.tuples(beginning, early, end, corrections).map(lambda life: [life[0], *life[1], life[2], *life[3]])
        return st.lists(life, min_size=1, max_size=4).map(
            lambda lives: [NewEvent(f"run_{number}", event) for number, life in enumerate(lives) for event in life]
        )

    @classmethod
    def events(cls) -> st.SearchStrategy[list[NewEvent]]:
        """Lists of events over few streams, in any order: many make no sense where they stand."""
        scores = st.none() | st.floats(-1e6, 1e6)
        metrics = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3)
        times = st.sampled_from([f"2026-0{month}-01T10:00:00.000000Z" for month in (1, 5, 9)])
        outcome = {
            "score": scores,
            "metrics": metrics,
            "unit": st.sampled_from(["ratio", "s", None]),
            "ended_at": times,
        }
        # As others write them.
        elsewhere = st.sampled_from(["2026-05-01T12:00:00+02:00", "2025-05-01T10:00:00.5Z", "2027-01-01T00:00:00Z"])
        revisions = st.sampled_from(
            [
                None,
                *(TaskRevision.of(version=v, driver="d", data=data, packages="") for v in "12" for data in ("", "x")),
            ]
        )
        revealed = st.sampled_from(["", SECRETS.by_owner, SECRETS.by_shell])
        imported = {"benchmark_id": st.just("b"), "status": st.just("succeeded"), "score": st.just(0.25)}
        run_events = st.one_of(
            st.builds(
                cls.started,
                st.sampled_from("xyz"),
                model=st.sampled_from(["m1", "m2"]),
                synthetic=st.booleans(),
                owner=st.sampled_from([None, None, OWNER]),
                task_revision=revisions,
                registration=st.sampled_from([None, "reg_1"]),
                reproduces=st.sampled_from([None, None, None, "run_1"]),
            ),
            st.builds(Heartbeat, progress=st.none() | st.builds(Progress, done=st.integers(0, 9))),
            st.builds(
                cls.finished,
                **outcome,
                synthetic=st.booleans(),
                late=st.booleans(),
                revealed=revealed,
                task_revision=revisions,
                served_model=st.sampled_from([None, "m-1 (fp)"]),
            ),
            st.builds(cls.failed, score=scores, late=st.booleans(), revealed=revealed),
            st.builds(cls.recovered, st.none() | st.builds(cls.finished, revealed=revealed), st.booleans()),
            st.builds(Annotated, author=st.just("a"), note=st.text(max_size=9)),
            st.builds(Retracted, author=st.just("a"), reason=st.text(max_size=9)),
            st.builds(CancelRequested, author=st.just("a"), reason=st.text(max_size=3)),
            st.builds(Reinstated, author=st.just("a"), reason=st.text(max_size=9)),
            st.builds(
                Reproduced,
                of=st.just(ReproducedRun(origin="o", run="run_1", hash="0" * 64)),
                verdict=st.sampled_from(["same", "within_noise", "differs"]),
                by=st.just("a"),
            ),
            st.builds(SamplesExcluded, **cls.changed_samples()),
            st.builds(SamplesIncluded, **cls.changed_samples()),
            cls.rescored(),
            st.builds(
                Imported,
                source=st.just(ImportSource("json", "x.json", "0" * 64)),
                run=st.fixed_dictionaries(imported, optional={"started_at": elsewhere, "ended_at": elsewhere}),
            ),
        )
        group_events = st.one_of(
            st.builds(cls.opened),
            st.builds(Skipped, benchmark_id=st.just("b"), signature=st.just("x"), reason=st.just("already_succeeded")),
            st.builds(Incompatible, benchmark_id=st.just("b"), signature=st.just("x"), missing=st.just(["docker"])),
            st.builds(CancelRequested, author=st.just("a"), reason=st.text(max_size=3)),
            st.builds(Paused, author=st.just("a"), reason=st.text(max_size=3)),
            st.builds(Resumed, author=st.just("a")),
            st.builds(GroupClosed, counts=st.builds(Counts, succeeded=st.integers(0, 3)), reason=st.just("completed")),
        )
        published = st.builds(HighScorePublished, label=st.text(max_size=5), value=st.floats(0, 1), source=st.just("s"))
        plans = st.one_of(
            st.builds(cls.registered, repeats=st.integers(1, 3), model=st.sampled_from(["m1", "m2"])),
            st.builds(
                RegistrationAmended,
                author=st.just("a"),
                reason=st.just("r"),
                changes=st.sampled_from([{"repeats": 5}, {"repeats": "five"}, {"color": 1}]),
            ),
        )
        tables = st.builds(
            TablePublished, author=st.just("a"), name=st.just("t"), version=st.integers(1, 3), rows=st.just([])
        )
        new = st.one_of(
            st.builds(NewEvent, st.sampled_from(["run_1", "run_2", "run_3", "run_4"]), run_events),
            st.builds(NewEvent, st.sampled_from(["rg_1", "rg_2"]), group_events),
            st.builds(NewEvent, st.just("b"), published),
            st.builds(NewEvent, st.sampled_from(["reg_1", "reg_2"]), plans),
            st.builds(NewEvent, st.just("table_t"), tables),
        )
        return st.lists(new, max_size=40)

    @staticmethod
    def append_anyway(store: JsonlStore, events: list[NewEvent]) -> None:
        """Append events past the fold, as a faulty program might."""
        store.append(lambda _: events, lambda _: None)


@pytest.fixture(scope="session")
def histories() -> type[Histories]:
    """Makers of events."""
    return Histories


@pytest.fixture(scope="session")
def team(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The history of `make demo`: 188 simulated runs of six benchmarks and five models. Tests must not change it."""
    return build(tmp_path_factory.mktemp("team") / "workspace")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JsonlStore]:
    """A ledger's store in a temporary folder."""
    store = JsonlStore(tmp_path / "ledger", notice=lambda _: None)
    yield store
    store.close()
