"""Writes the demonstration history: 188 runs of six benchmarks and five models in four weeks, in a ledger and files.

The same `end` gives the same history. Every score is simulated; the events pass through the ledger as those of a real
campaign do, with the times of the four weeks.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.ledger.events import (
    REPEAT,
    Annotated,
    Artifact,
    Counts,
    Event,
    Failed,
    Finished,
    GroupClosed,
    GroupOpened,
    Heartbeat,
    HighScorePublished,
    HighScoreReference,
    Imported,
    ImportSource,
    Incompatible,
    NewEvent,
    Owner,
    Progress,
    Reinstated,
    Request,
    Retracted,
    Skipped,
    Started,
    TaskRevision,
)
from benchmarks.ledger.identity import this_process
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.orchestrator.planning.signature import Signature, sign
from benchmarks.projections.workspace import Workspace

from .plan import REGRESSION_DAY, Campaign, Cell, NotRun, campaigns
from .samples import Result, simulate
from .tasks import GSM, HAIKU, MINI, QWEN, SAFETY, SCOUT, SWE, TOOLS, Model, Task

DAYS = 28
END = datetime(2026, 11, 27, 18, 0, tzinfo=UTC)
"""The end of the history if none is given: tests and pictures stay the same."""

_REFERENCES = {
    "gsm_hard": ("a paper of 2025", 0.93, "ratio", True),
    "swe_mini": ("its authors' agent", 66.0, "percent", True),
    "tool_calling": ("a public leaderboard", 0.91, "accuracy", True),
}
_NEW_RULES = 14
"""The day on which the judge of refusal_safety changed: a new revision of the task."""


class Writer:
    """Collects the events of the history with their times, and writes the files of its runs."""

    def __init__(self, root: Path, end: datetime) -> None:
        self.workspace = Workspace(root)
        self.begin = end - timedelta(days=DAYS)
        self.events: list[tuple[datetime, int, str, Event]] = []
        self.chance = random.Random(28)
        self.attempts: dict[str, int] = defaultdict(int)
        self.last_success: dict[str, str] = {}

    def at(self, day: float) -> datetime:
        """A moment of the history."""
        return self.begin + timedelta(days=day)

    def add(self, moment: datetime, stream: str, event: Event) -> None:
        """An event at a moment; those of one moment keep their order."""
        self.events.append((moment, len(self.events), stream, event))

    def hex(self, digits: int) -> str:
        """Random digits."""
        return f"{self.chance.getrandbits(4 * digits):0{digits}x}"

    def append(self, store: JsonlStore) -> None:
        """Append everything in the order of the times, as a ledger does: what makes no sense is refused."""
        new = [
            NewEvent(stream, event, at=text(moment), id=self._id(moment))
            for moment, _, stream, event in sorted(self.events, key=lambda one: one[:2])
        ]
        Ledger(store).decide(lambda _: new)

    def _id(self, moment: datetime) -> str:
        stamp, rest = f"{int(moment.timestamp() * 1000):012x}", self.hex(18)
        return f"{stamp[:8]}-{stamp[8:]}-7{rest[:3]}-8{rest[3:6]}-{rest[6:]}"


def text(moment: datetime) -> str:
    """A moment as events have it."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"


def build(root: Path, *, end: datetime = END, owner: Owner | None = None) -> Workspace:
    """Make the workspace. Runs that are under way belong to `owner`, by default to this process."""
    writer = Writer(root, end)
    for benchmark, (label, value, unit, upward) in _REFERENCES.items():
        source = "https://example.org/scores"
        reference = HighScorePublished(label=label, value=value, unit=unit, higher_is_better=upward, source=source)
        writer.add(writer.at(0), benchmark, reference)
    for campaign in campaigns():
        _conduct(writer, campaign, owner or this_process())
    _import(writer)
    _correct(writer)
    writer.workspace.results.mkdir(parents=True, exist_ok=True)
    store = JsonlStore(writer.workspace.ledger, notice=print)
    try:
        writer.append(store)
    finally:
        store.close()
    return writer.workspace


def _conduct(writer: Writer, campaign: Campaign, owner: Owner) -> None:
    """One campaign: a lane for each model, runs one after the other in it."""
    began = writer.at(campaign.day)
    group_id = f"rg_{began:%Y%m%dT%H%M%SZ}_{writer.hex(8)}"
    cells = [*campaign.cells, *campaign.not_run]
    tasks = list(dict.fromkeys(cell.task.benchmark for cell in cells))
    models = list(dict.fromkeys(cell.model for cell in cells))
    flags = {
        "rerun_failed": False,
        "force": False,
        "jobs": 5,
        "repeats": campaign.repeats,
        "retries": 0,
        "planned": len(cells),
    }
    request = Request(
        benchmarks=tasks,
        agent=None,
        provider=", ".join(dict.fromkeys(model.provider for model in models)),
        model=", ".join(model.name for model in models),
        flags={**flags, **campaign.flags, "campaign": {"name": campaign.name}},
    )
    opened = GroupOpened(
        request=request, benchmarks=tasks, repo_meta=_commits(campaign.day), created_by="run", owner=owner
    )
    writer.add(began, group_id, opened)
    counts = {"succeeded": 0, "failed": 0, "skipped": 0, "incompatible": 0}
    for one in campaign.not_run:
        counts["incompatible" if one.missing else "skipped"] += 1
        writer.add(began, group_id, _not_run(writer, one))
    lanes: dict[str, datetime] = defaultdict(lambda: began + timedelta(seconds=2))
    for number, cell in enumerate(campaign.cells):
        is_open = campaign.is_running and number >= len(campaign.cells) - 2
        tries = [cell.failure, None] if cell.retried else [cell.failure]
        for failure in tries:
            run = _Run(writer, group_id, campaign, cell, lanes[cell.model.name], owner)
            lanes[cell.model.name] = run.write(failure, is_open=is_open) + timedelta(seconds=3)
        if not is_open:
            counts["failed" if tries[-1] else "succeeded"] += 1
    if not campaign.is_running:
        closed = GroupClosed(counts=Counts(**counts), reason=campaign.reason, notes=list(campaign.notes))
        writer.add(max(lanes.values(), default=began), group_id, closed)


def _commits(day: float) -> dict[str, Any]:
    commit = sha256(f"commit {int(day // 7)}".encode()).hexdigest()[:40]
    return {"benchmarks": {"commit": commit, "dirty": False}, "eliza": {}, "eliza_version": None}


def _signed(task: Task, model: Model, agent: str, repeat: int = 1) -> tuple[Signature, dict[str, Any]]:
    config = {**task.options, "seed": 42, **({REPEAT: repeat} if repeat > 1 else {})}
    signed = sign(
        benchmark_id=task.benchmark,
        benchmark_directory=task.benchmark,
        agent=agent or task.agent,
        provider=model.provider,
        model=model.name,
        extra_config=config,
    )
    return signed, config


def _not_run(writer: Writer, one: NotRun) -> Event:
    signed, _ = _signed(one.task, one.model, one.task.agent)
    who = {"agent": one.task.agent, "provider": one.model.provider, "model": one.model.name}
    cell = {"benchmark_id": one.task.benchmark, "signature": signed.digest, **who}
    if one.missing:
        return Incompatible(**cell, missing=list(one.missing))
    return Skipped(**cell, reason="already_succeeded", existing_run_id=writer.last_success.get(signed.digest))


class _Run:
    """One attempt of a cell."""

    def __init__(
        self, writer: Writer, group_id: str, campaign: Campaign, cell: Cell, began: datetime, owner: Owner
    ) -> None:
        self.writer, self.group_id, self.campaign, self.cell, self.began = writer, group_id, campaign, cell, began
        self.owner = owner
        self.task, self.agent = cell.task, cell.agent or cell.task.agent
        self.signed, self.config = _signed(cell.task, cell.model, self.agent, cell.repeat)
        writer.attempts[self.signed.digest] += 1
        self.attempt = writer.attempts[self.signed.digest]
        stamp = f"{began:%Y%m%dT%H%M%SZ}"
        self.run_id = f"run_{self.task.benchmark}_{stamp}_{self.attempt}_{writer.hex(8)}"
        self.folder = writer.workspace.run_folder(group_id, self.task.benchmark, self.task.benchmark, self.run_id)

    def write(self, failure: tuple[str, str] | None, *, is_open: bool) -> datetime:
        """The events and the files. Returns when it ended."""
        self.writer.add(self.began, self.run_id, self._started())
        weight = self.cell.penalty if self.campaign.day >= REGRESSION_DAY else 0.0
        number = self.attempt if self.campaign.repeats == 1 else 100 + self.cell.repeat
        found = simulate(self.task, self.cell.model, self.agent, number, penalty=weight, errors=self.cell.errors)
        seconds = self._seconds(found, failure)
        if is_open:
            span = self.writer.at(DAYS) - self.began
            for share in (0.2, 0.4):
                done = Progress(done=round(share * self.task.samples), total=self.task.samples)
                beat = Heartbeat(progress=done, lease_seconds=300)
                self.writer.add(self.began + span * share * 2.4, self.run_id, beat)
            self._file("stdout.log", b"".join(b"sample %d is done\n" % n for n in range(int(0.4 * self.task.samples))))
            return self.began + timedelta(seconds=120)
        ended = self.began + timedelta(seconds=seconds)
        beat = Heartbeat(progress=Progress(done=self.task.samples // 2, total=self.task.samples), lease_seconds=300)
        self.writer.add(self.began + timedelta(seconds=seconds / 2), self.run_id, beat)
        self.writer.add(ended, self.run_id, self._ended(found, failure, seconds, ended))
        return ended

    def _seconds(self, found: Result, failure: tuple[str, str] | None) -> float:
        if failure is None:
            return round(sum(sample["latency_ms"] for sample in found.samples) / 4000 + 4, 3)
        return 3600.0 if failure[0] == "timeout" else round(6 + 40 * self.writer.chance.random(), 3)

    def _started(self) -> Started:
        version = "2" if self.task is SAFETY and self.campaign.day >= _NEW_RULES else "1"
        driver = sha256(f"{self.task.benchmark} {version}".encode()).hexdigest()
        revision = TaskRevision.of(version=version, driver=driver, data="", packages="")
        command = ["python", "driver.py", "--model", self.cell.model.name, "--output", "output"]
        manifest = {"source": "workspace", "name": self.task.name, "description": self.task.about}
        machine = {"host": "bench-1", "system": "Linux", "cpu": "simulated", "cores": 16, "python": "3.12.7"}
        return Started(
            run_group_id=self.group_id,
            benchmark_id=self.task.benchmark,
            benchmark_directory=self.task.benchmark,
            signature=self.signed.digest,
            preimage=self.signed.preimage,
            comparison_key=self.signed.comparison_key,
            attempt=self.attempt,
            agent=self.agent,
            provider=self.cell.model.provider,
            model=self.cell.model.name,
            extra_config=self.config,
            command=command,
            cwd=str(self.writer.workspace.root / self.task.benchmark),
            stdout_path=str(self.folder / "stdout.log"),
            stderr_path=str(self.folder / "stderr.log"),
            benchmark_version=version,
            benchmarks_commit=_commits(self.campaign.day)["benchmarks"]["commit"],
            provenance={"orchestrator": "demonstration", "manifest": manifest, "packages": [], "machine": machine},
            owner=msgspec.structs.replace(self.owner, commitment=""),
            synthetic=self.cell.is_synthetic,
            task_revision=revision,
        )

    def _ended(self, found: Result, failure: tuple[str, str] | None, seconds: float, ended: datetime) -> Event:
        known: dict[str, Any] = {"ended_at": text(ended), "duration_seconds": seconds}
        if failure is not None:
            reason, error = failure
            code = {"exit_code": 1, "signal": 137}.get(reason, 0 if reason.startswith("no_") else None)
            self._file("stdout.log", b"loading the samples\n")
            self._file("stderr.log", ("\n".join(error.splitlines()[1:]) + "\n").encode())
            share = 0.3 if reason == "timeout" else 0.05
            spent = {k: v * share for k, v in found.usage.items() if k == "cost_usd"}
            return Failed(**known, return_code=code, reason=reason, error=error, usage=spent)
        artifacts = self._files(found)
        if self.cell.failure is None or self.cell.retried:
            self.writer.last_success[self.signed.digest] = self.run_id
        reference = _REFERENCES.get(self.task.benchmark)
        high = HighScoreReference(reference[0], reference[1], "https://example.org/scores") if reference else None
        return Finished(
            **known,
            return_code=0,
            score=found.score,
            unit=self.task.unit,
            higher_is_better=self.task.upward,
            samples=self.task.samples,
            stderr=found.stderr,
            metrics=found.metrics,
            usage=found.usage,
            artifacts=artifacts,
            result_json_path=str(self.folder / "output" / "result.json"),
            high_score=high,
            delta_to_high_score=None if high is None else round(found.score - high.value, 6),
            synthetic=self.cell.is_synthetic,
            served_model=_served(self.cell.model, self.campaign.day),
        )

    def _files(self, found: Result) -> list[Artifact]:
        """The files of a run that succeeded."""
        result = {"score": found.score, "stderr": found.stderr, "n": self.task.samples, "metrics": found.metrics}
        files = {
            "output/result.json": json.dumps(result, indent=1).encode(),
            "output/samples.jsonl": _lines(found.samples),
        }
        if found.trajectories:
            files["output/trajectories.jsonl"] = _lines(found.trajectories)
        log = "".join(f"{one['id']}: {one['score']:g}\n" for one in found.samples)
        self._file("stdout.log", f"{self.task.name}: {self.task.samples} samples\n{log}".encode())
        self._file("stderr.log", b"")
        return [self._file(name, content) for name, content in files.items()]

    def _file(self, name: str, content: bytes) -> Artifact:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return Artifact(name, len(content), sha256(content).hexdigest())


def _served(model: Model, day: float) -> str | None:
    """The model that answered: claude-haiku changed on the day of the regression."""
    if model is HAIKU:
        return f"claude-haiku-2026{'1115' if day >= REGRESSION_DAY else '0901'}"
    return {MINI.name: "gpt-5-mini-2026-08-07 (fp_51a3)", QWEN.name: "qwen3-32b"}.get(model.name)


def _lines(values: list[dict[str, Any]]) -> bytes:
    return b"".join(msgspec.json.encode(value) + b"\n" for value in values)


def _import(writer: Writer) -> None:
    """Five runs of another harness."""
    for number, (task, model) in enumerate([(GSM, HAIKU), (GSM, MINI), (GSM, QWEN), (SWE, HAIKU), (TOOLS, SCOUT)]):
        found = simulate(task, model, task.agent, 900 + number)
        signed, config = _signed(task, model, task.agent)
        digest = sha256(f"elsewhere {number}".encode()).hexdigest()
        ended = writer.at(3.5 + number / 24)
        row = {
            "agent": task.agent,
            "provider": model.provider,
            "model": model.name,
            "benchmark_id": task.benchmark,
            "benchmark_directory": task.benchmark,
            "status": "succeeded",
            "signature": signed.digest,
            "comparison_key": signed.comparison_key,
            "extra_config": config,
            "metrics": found.metrics,
            "usage": found.usage,
            "score": found.score,
            "stderr": found.stderr,
            "unit": task.unit,
            "higher_is_better": task.upward,
            "samples": task.samples,
            "started_at": text(ended - timedelta(minutes=9)),
            "ended_at": text(ended),
            "duration_seconds": 540.0,
        }
        source = ImportSource("inspect", f"elsewhere/logs/2026-{number}.eval", digest)
        stream = f"run_{task.benchmark}_imported_{digest[:16]}"
        writer.add(writer.at(9.2), stream, Imported(source=source, run=row))


def _correct(writer: Writer) -> None:
    """What people said about runs."""
    finished = [(moment, stream) for moment, _, stream, event in writer.events if isinstance(event, Finished)]

    def of(benchmark: str, after: float) -> str:
        return next(
            stream for moment, stream in finished if f"run_{benchmark}_" in stream and moment >= writer.at(after)
        )

    author = "Ada Example"
    wrong = of("swe_mini", 7)
    writer.add(
        writer.at(8.5), wrong, Retracted(author=author, reason="The container had no network; tests were skipped.")
    )
    again = of("gsm_hard", 14)
    writer.add(writer.at(15.5), again, Retracted(author="Ben Example", reason="The wrong prompt was used."))
    writer.add(writer.at(15.7), again, Reinstated(author=author, reason="The prompt was right after all."))
    for benchmark, day, note, tags in (
        ("tool_calling", 21, "The provider changed the model on this day.", ["provider", "look"]),
        ("long_context", 14, "Run with the new tokenizer.", ["tokenizer"]),
        ("refusal_safety", 14, "The judge has new rules from here on.", ["judge"]),
    ):
        writer.add(writer.at(day + 1), of(benchmark, day), Annotated(author=author, note=note, tags=tags))
