"""Records runs that a Python program performs itself. They are claimed and watched like runs of a manifest."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self

import msgspec
from msgspec.structs import replace

from ..adapters.discovery import discover
from ..ledger.commitment import Secrets, new_secrets
from ..ledger.events import (
    Failed,
    Finished,
    GroupClosed,
    GroupOpened,
    Json,
    NewEvent,
    Progress,
    Request,
    Started,
    TaskRevision,
)
from ..ledger.fold import Run
from ..ledger.history import History
from ..ledger.identity import this_process
from .errors import UsageError
from .location import Location
from .models.prices import own_prices, priced
from .own_work import RESULT, own_work
from .planning.claim import Policy, Rules, Verdict
from .planning.plan import PlannedRun
from .redaction import Redactor
from .reported import Reported, finite
from .running.control import Control
from .running.copying import COPY_SECONDS, Copies, stored_at
from .running.ending import record_end
from .running.execution import Exit
from .running.heartbeat import Pulse
from .running.identifiers import new_group_id, new_run_id
from .running.outcome import OUTPUT, TELEMETRY, Left, never_began, weigh
from .running.patience import Patience
from .running.provenance import run_provenance
from .running.recovery import count, provably_dead, recover
from .running.starting import Claimed, Setting, started

IfDone = Literal["raise", "return"]

_TICK_SECONDS = 0.5
_SAMPLES = "samples.jsonl"

_log = logging.getLogger("benchmarks")


class AlreadyDone(Exception):
    """The same work has succeeded before, or runs now in another process. `run` is that run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        state = "runs now" if run.status == "running" else "has succeeded"
        super().__init__(
            f"{run.benchmark_id}: the same work {state}: {run.run_id}\n"
            'hint: policy="force" runs it once more; if_done="return" gives that run back'
        )


class Cancelled(Exception):
    """A person has asked to end the run, or its group, with `benchmarks cancel`; the message says who, and why."""


class Recorder:
    """A run that lasts as long as its `with` block; `record` creates it.

    If the same work is done and `if_done` is "return", `is_done` is true, `run` is that run, and the reports of the
    block are ignored.
    """

    def __init__(
        self,
        place: Location,
        planned: PlannedRun,
        *,
        policy: Policy,
        if_done: IfDone,
        version: str | None,
        unit: str,
        higher_is_better: bool,
        synthetic: bool,
    ) -> None:
        self.place = place
        self.is_done = False
        self._planned = planned
        self._policy = policy
        self._if_done = if_done
        self._version = version
        self._synthetic = synthetic
        self._reported = Reported(unit, higher_is_better=higher_is_better)
        self._progress: Progress | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._run: Run | None = None

    # -- the life of a run

    def __enter__(self) -> Self:
        self._ledger, self._redactor = self.place.ledger()
        self._group_id = new_group_id()
        self._secrets: Secrets = new_secrets()
        run = self._claim()
        self._run = run
        if self.is_done:
            return self
        self._began, self._began_at = time.monotonic(), time.time()
        self.folder = self.place.workspace.folder_of(run)
        try:
            self.output.mkdir(parents=True)
            self._out: BinaryIO = (self.folder / "stdout.log").open("ab", buffering=0)
            self._err: BinaryIO = (self.folder / "stderr.log").open("ab", buffering=0)
        except OSError as problem:
            self._record(self._no_workspace(problem), "completed")  # Nothing else would ever end the run.
            raise
        self._control = Control(self._ledger, run.run_group_id)
        self._pulse = Pulse(time.monotonic())
        self._heart = threading.Thread(target=self._beat, name=f"heartbeat {run.run_id}", daemon=True)
        self._heart.start()
        self._copies = Copies(self.place.workspace, self.folder).begin()
        _log.info("%s: started %s", run.benchmark_id, run.run_id)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_done:
            return
        self._ended.set()
        self._heart.join()
        try:
            outcome = self._outcome(problem)
        except OSError as failure:
            outcome = self._no_workspace(failure)
        outcome = self._copies.complete(
            outcome, self._redactor, is_over=Patience(seconds=COPY_SECONDS).is_over, tick=self._beat_once
        )
        self._record(outcome, "interrupted" if isinstance(problem, KeyboardInterrupt) else "completed")
        _log.info("%s: %s %s", self.run.benchmark_id, self.run.run_id, self.run.status)

    @property
    def run(self) -> Run:
        """The run as it is in the ledger."""
        if self._run is None:
            raise UsageError("the run has not begun\nhint: use record() in a with statement")
        return self._run

    @property
    def output(self) -> Path:
        """The folder for files of this run; files in it are recorded with their SHA-256 at the end."""
        return self.folder / OUTPUT

    # -- what the block reports

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Report progress: `done` of `total` steps. Raises Cancelled if a person has asked to end the run."""
        self._end_if_cancelled()
        self._progress = Progress(done=done, total=total, note=self._redactor_text(note))

    def log(self, text: str) -> None:
        """Write a line to the run's log."""
        self._write("_out", text)

    def sample(self, id: str, score: float | None = None, **fields: Any) -> None:
        """Record one sample with its score and any other fields, such as `input` and `output`.

        Comparisons pair samples of two runs by `id`. Raises Cancelled if a person has asked to end the run.
        """
        self._end_if_cancelled()
        if self.is_done:
            return
        score = None if score is None else finite("score", score)
        line = _encoded({"id": id, "score": score, **fields}, self._redactor)
        with self._lock, (self.output / _SAMPLES).open("ab") as file:
            file.write(line + b"\n")
            self._reported.add_sample(score)

    def usage(
        self,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        latency_ms: float | None = None,
        **more: Any,
    ) -> None:
        """Record one call of the model. Tokens add up over the calls; the price of the model gives their cost."""
        if self.is_done:
            return
        known = {"input_tokens": input_tokens, "output_tokens": output_tokens, "latency_ms": latency_ms, **more}
        line = _encoded({name: value for name, value in known.items() if value is not None}, self._redactor)
        with self._lock, (self.output / TELEMETRY).open("ab") as file:
            file.write(line + b"\n")

    def artifact(self, path: str | os.PathLike[str], name: str | None = None) -> Path:
        """Copy a file to `name` below the run's output folder. Returns the path of the copy.

        Raises UsageError if `name` leads out of that folder.
        """
        source = Path(path)
        if self.is_done:
            return source
        target = self.output / (name or source.name)
        if not target.resolve().is_relative_to(self.output.resolve()):
            raise UsageError(f"the artifact's name {name!r} leads out of the run's folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.resolve() != target.resolve():
            shutil.copyfile(source, target)
        return target

    def score(
        self,
        value: float | None = None,
        *,
        unit: str | None = None,
        higher_is_better: bool | None = None,
        samples: int | None = None,
        standard_error: float | None = None,
        metrics: Mapping[str, Any] | None = None,
    ) -> None:
        """Set the score of the run. If it is called again, the last call counts.

        Without a `value` it is the mean of the samples' scores. The number of samples and the standard error are taken
        from the recorded samples if they are not given. Raises UsageError for a value that is not a finite number.
        """
        if self.is_done:
            return
        with self._lock:
            self._reported.set_score(
                value,
                unit=unit,
                higher_is_better=higher_is_better,
                samples=samples,
                stderr=standard_error,
                metrics=metrics,
            )

    # -- inside

    def _claim(self) -> Run:
        run, is_claimed = self._try_to_claim()
        if not is_claimed and run.status == "running" and provably_dead(run) and self._recover():
            run, is_claimed = self._try_to_claim()
        if is_claimed:
            return run
        if self._if_done == "raise" or run.status == "running":
            raise AlreadyDone(run)
        self.is_done = True
        return run

    def _recover(self) -> bool:
        """Close an earlier run of the same work if its process is dead. Returns whether a run was closed."""
        digest = self._planned.signature.digest
        root = self.place.workspace.root
        recovered = recover(
            self._ledger,
            lambda run: run.signature == digest and provably_dead(run),
            workspace=self.place.workspace,
            adapters=discover(root).adapters,
            prices=own_prices(root, None, os.environ),
        )
        return bool(recovered)

    def _try_to_claim(self) -> tuple[Run, bool]:
        """The claimed run and True, or the run that prevents a claim and False."""
        planned = self._planned
        verdict: Verdict | None = None

        def decide(history: History) -> list[NewEvent]:
            nonlocal verdict
            verdict = Rules(self._policy).judge(history, planned)
            if not verdict.run:
                return []
            attempt = len(history.attempts(planned.signature.digest)) + 1
            request = Request(
                benchmarks=[planned.adapter.id],
                agent=planned.agent,
                provider=planned.provider,
                model=planned.model,
                extra=planned.config,
            )
            opened = GroupOpened(
                request=request, benchmarks=[planned.adapter.id], created_by="record", owner=this_process()
            )
            run_id = new_run_id(planned.adapter.id, attempt)
            registration = history.registration_of(planned)
            started = msgspec.structs.replace(self._started(run_id, attempt), registration=registration)
            return [NewEvent(self._group_id, opened), NewEvent(run_id, started)]

        claimed = self._ledger.decide(decide).runs
        for run in claimed.values():
            return run, True
        assert verdict is not None and verdict.decided_by is not None  # noqa: S101 - for the type checker
        return verdict.decided_by, False

    def _started(self, run_id: str, attempt: int) -> Started:
        planned = self._planned
        manifest = planned.adapter.manifest
        claimed = Claimed(
            planned=planned,
            run_group_id=self._group_id,
            run_id=run_id,
            attempt=attempt,
            folder=self.place.workspace.run_folder(self._group_id, manifest.directory, manifest.id, run_id),
            secrets=self._secrets,
        )
        setting = Setting(
            command=sys.orig_argv,
            cwd=str(Path.cwd()),
            provenance={
                **run_provenance(planned.adapter, planned.agent, None),
                **stored_at(self.place.workspace),
            },
            synthetic=self._synthetic,
            benchmark_version=self._version,
            task_revision=TaskRevision.of(version=self._version or "", driver="", data="", packages=""),
        )
        return started(claimed, setting)

    def _end_if_cancelled(self) -> None:
        if not self.is_done and (why := self._control.why_to_end(self.run.run_id)):
            raise Cancelled(why)

    def _beat(self) -> None:
        while not self._ended.wait(_TICK_SECONDS):
            self._control.look()
            self._beat_once()

    def _beat_once(self) -> None:
        if beat := self._pulse.beat(time.monotonic(), self._progress):
            try:
                self._ledger.append(self.run.run_id, beat, sync=False)
            except Exception as problem:  # noqa: BLE001 - a missed heartbeat does not end a run
                self._pulse.was_missed()
                _log.warning("%s: a heartbeat was not recorded: %s", self.run.run_id, problem)

    def _exit(self, problem: BaseException | None) -> Exit:
        seconds = time.monotonic() - self._began
        if problem is None:
            return Exit(return_code=0, duration_seconds=seconds)
        if isinstance(problem, Cancelled):
            return Exit(return_code=None, duration_seconds=seconds, reason="cancelled", error=str(problem))
        self._write("_err", "".join(traceback.format_exception(problem)).rstrip("\n"))
        if isinstance(problem, KeyboardInterrupt):
            return Exit(return_code=None, duration_seconds=seconds, reason="interrupted", error="it was interrupted")
        error = f"{type(problem).__name__}: {problem}"
        return Exit(return_code=None, duration_seconds=seconds, reason="exception", error=error)

    def _outcome(self, problem: BaseException | None) -> Finished | Failed:
        """What came of the block, which has ended. Raises OSError if the files of the run cannot be written."""
        exit = self._exit(problem)
        document = _encoded(self._reported.document(), self._redactor)
        (self.output / RESULT).write_bytes(msgspec.json.format(document, indent=2))
        for log in (self._out, self._err):
            log.close()
        left = Left(
            folder=self.folder,
            cwd=Path.cwd(),
            started_at=self._began_at,
            synthetic=self._synthetic,
            task_revision=self.run.task_revision,
        )
        manifest = replace(self._planned.adapter.manifest, result=self._reported.spec())
        prices = own_prices(self.place.workspace.root, None, os.environ)
        return priced(weigh(manifest, exit, left), prices.find(self._planned.provider, self._planned.model))

    def _no_workspace(self, problem: OSError) -> Failed:
        """The outcome of a run whose files cannot be written, as after a full disk."""
        error = f"{problem.filename or self.folder}: {problem.strerror}"
        return never_began("workspace", error, seconds=time.monotonic() - self._began)

    def _record(self, outcome: Finished | Failed, why_closed: str) -> None:
        self._run = record_end(self._ledger, self.run, outcome, self._secrets)
        self._close_group(why_closed)

    def _close_group(self, reason: str) -> None:
        def decide(history: History) -> list[NewEvent]:
            closed = GroupClosed(counts=count(history, self._group_id), reason=reason)
            return [NewEvent(self._group_id, closed)]

        self._ledger.decide(decide)

    def _write(self, log: str, text: str) -> None:
        if not self.is_done:
            line = self._redactor_text(text) + "\n"
            getattr(self, log).write(line.encode(errors="backslashreplace"))

    def _redactor_text(self, text: str) -> str:
        return text if self.is_done else self._redactor.text(text)


def record(
    benchmark: str,
    *,
    model: str | None = None,
    agent: str = "bare-model",
    options: Mapping[str, Any] | None = None,
    unit: str = "ratio",
    higher_is_better: bool = True,
    version: str | None = None,
    synthetic: bool = False,
    policy: Policy = "once",
    if_done: IfDone = "raise",
    workspace: str | os.PathLike[str] | None = None,
    ledger: str | None = None,
    place: Location | None = None,
) -> Recorder:
    """Record a run that this program performs itself, in a `with` block.

    `benchmark` is an id. `model` is `provider:model`, or a name alone. `options` are the settings that make two runs
    different work. The run is claimed in the ledger: the same work is not run twice, unless `policy` is "force" (or
    "rerun_failed", to decide by the last attempt). It has heartbeats, a log, samples, artifacts and a score, and ends
    as `finished` or, if the block raises or sets no score, as `failed`.

        >>> with benchmarks.record("sums", model="openai:gpt-4.1", options={"seed": 1}) as run:
        ...     for number, (question, answer) in enumerate(QUESTIONS):
        ...         run.progress(number, len(QUESTIONS))
        ...         said = ask(question)
        ...         run.sample(id=question, score=float(said == answer), output=said)
        ...     run.score()

    Raises UsageError for an id, model or option that cannot be recorded. The start of the block raises LedgerDamaged,
    and AlreadyDone if the same work has succeeded or runs elsewhere (with `if_done="return"`, a success is returned as
    `run`, and `is_done` is true).
    """
    place = place or Location.find(workspace, ledger)
    planned = own_work(benchmark, model, agent, options or {}, unit, higher_is_better)
    return Recorder(
        place,
        planned,
        policy=policy,
        if_done=if_done,
        version=version,
        unit=unit,
        higher_is_better=higher_is_better,
        synthetic=synthetic,
    )


def _encoded(value: Json, redactor: Redactor) -> bytes:
    """A line of JSON without secrets. Values that JSON does not support are written as text."""
    return msgspec.json.encode(redactor.value(msgspec.json.decode(msgspec.json.encode(value, enc_hook=str))))
