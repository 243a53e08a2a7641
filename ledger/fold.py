"""The fold: the only module that defines what an event means for a run or a group.

`evolve` and `evolve_group` are pure. Every reader uses them: the claim, the projections, the viewer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from hashlib import sha256
from sys import intern
from typing import Any

import msgspec
from msgspec.structs import replace

from .commitment import is_from_owner, is_from_shell
from .errors import ImpossibleTransition
from .events import (
    UNKNOWN_REVISION,
    Annotated,
    Artifact,
    CancelRequested,
    Failed,
    Finished,
    GroupClosed,
    GroupOpened,
    Heartbeat,
    Imported,
    Incompatible,
    Json,
    Outcome,
    Paused,
    Record,
    Recovered,
    Reinstated,
    Reproduced,
    Rescored,
    Resumed,
    Retracted,
    SamplesExcluded,
    SamplesIncluded,
    ScoreAnew,
    Skipped,
    Started,
    TaskRevision,
)
from .judgement import void
from .states import RESCORED as RESCORED
from .states import Group as Group
from .states import Run as Run
from .states import Status as Status
from .states import without_details as without_details


def evolve(run: Run | None, record: Record) -> Run:
    """The run after `record`; `run` is None before its first event.

    Raises ImpossibleTransition if the event makes no sense for the run's state.
    """
    event = record.data
    if reason := void(record):
        raise ImpossibleTransition(f"{record.stream}: {record.type}: {reason}")
    if run is None:
        begin = _BEGIN.get(event.type)
        if begin is None:
            raise ImpossibleTransition(f"{record.stream}: {record.type} before it was started")
        return begin(event, record)
    go_on = _GO_ON.get(event.type)
    if go_on is None:
        raise ImpossibleTransition(f"{record.stream}: {record.type} on a run that is {run.status}")
    return go_on(run, event, record)


def _start(event: Started, record: Record) -> Run:
    return Run(
        run_id=record.stream,
        run_group_id=event.run_group_id,
        benchmark_id=event.benchmark_id,
        benchmark_directory=event.benchmark_directory,
        signature=event.signature,
        status="running",
        attempt=event.attempt,
        agent=event.agent,
        provider=event.provider,
        model=event.model,
        extra_config=event.extra_config,
        started_at=record.at,
        command=event.command,
        cwd=event.cwd,
        stdout_path=event.stdout_path,
        stderr_path=event.stderr_path,
        benchmark_version=event.benchmark_version,
        benchmarks_commit=event.benchmarks_commit,
        eliza_commit=event.eliza_commit,
        eliza_version=event.eliza_version,
        created_at=record.at,
        comparison_key=fenced(event.comparison_key, _digest(event.task_revision)),
        last_seen_at=record.at,
        owner=event.owner,
        synthetic=event.synthetic,
        provenance=event.provenance,
        first_seq=record.seq,
        last_seq=record.seq,
        task_revision=_shared(event.task_revision),
        options_key=event.comparison_key,
        registration=event.registration,
        reproduces=event.reproduces,
    )


def fenced(options_key: str, revision: str, scorer: str | None = None) -> str:
    """The comparison key of a run with these options, and the revision and later scorer with these digests.

    Scores of two revisions or two scorers are not compared automatically. Of an unknown revision, and without a later
    scorer, it is the key of the options, as older versions recorded it.
    """
    key = options_key if revision == UNKNOWN_REVISION else sha256(f"{options_key} {revision}".encode()).hexdigest()
    return intern(key if scorer is None else sha256(f"{key} scorer {scorer}".encode()).hexdigest())


def _digest(revision: TaskRevision | None) -> str:
    return revision.digest if revision else UNKNOWN_REVISION


@functools.lru_cache(maxsize=4096)
def _shared(revision: TaskRevision | None) -> TaskRevision | None:
    """One object for equal revisions: a hundred thousand runs have only a few."""
    return revision


def _import(event: Imported, record: Record) -> Run:
    row = {
        "run_group_id": "",
        "benchmark_directory": "",
        "signature": "",
        "attempt": 1,
        "agent": "",
        "provider": "",
        "model": "",
        "started_at": record.at,
        **event.run,
        "run_id": record.stream,
        "created_at": record.at,
        "last_seen_at": record.at,
        "first_seq": record.seq,
        "last_seq": record.seq,
        "ended_seq": record.seq,
        "imported": msgspec.to_builtins(event.source),
        "options_key": event.run.get("comparison_key", ""),
        **_NOT_IMPORTED,
    }
    revision = _imported_revision(event.run)
    try:
        run = msgspec.convert(row, Run)
    except msgspec.ValidationError as problem:
        raise ImpossibleTransition(f"{record.stream}: the imported run can't be read: {problem}") from problem
    if revision is None:
        return run
    return replace(run, task_revision=_shared(revision), comparison_key=fenced(run.options_key, revision.digest))


def _imported_revision(row: Json) -> TaskRevision | None:
    """The revision that an imported row names; None if it names none, or one that cannot be read."""
    try:
        return msgspec.convert(row.get("task_revision"), TaskRevision | None)
    except msgspec.ValidationError:
        return None


_NOT_IMPORTED: Json = {
    "retracted": None,
    "annotations": [],
    "recovered": False,
    "late": False,
    "progress": None,
    "lease_seconds": None,
    "owner": None,
    "task_revision": None,
    "served_model": None,
    "registration": None,
    "cancel_requested": None,
    "original_score": None,
    "excluded": [],
    "scorer": None,
    "rescores": [],
    "logs": [],
    "original_unit": None,
    "original_higher_is_better": None,
}
"""Fields that only events set, never an imported file: a run that has ended does not have a process."""


def _beat(run: Run, event: Heartbeat, record: Record) -> Run:
    if run.status != "running":
        return run  # A heartbeat that arrives after the run was closed changes nothing.
    at, seq, lease = record.at, record.seq, event.lease_seconds
    if event.progress is None:
        return replace(run, last_seen_at=at, lease_seconds=lease, last_seq=seq)
    return replace(run, last_seen_at=at, lease_seconds=lease, last_seq=seq, progress=event.progress)


def _cancel(run: Run, event: CancelRequested, record: Record) -> Run:
    if run.status != "running" or run.imported:
        raise ImpossibleTransition(f"{record.stream}: {record.type} on a run that has {run.status} already")
    if run.cancel_requested:
        raise ImpossibleTransition(f"{record.stream}: {record.type} a second time")
    return replace(run, cancel_requested=event, last_seq=record.seq)


def makes_idle(later: Heartbeat, earlier: Heartbeat) -> bool:
    """Whether the earlier heartbeat has no effect on a run if the later one follows."""
    return later.progress is not None or earlier.progress is None


def _finish(run: Run, event: Finished, record: Record) -> Run:
    return _end(run, event, record, status="succeeded", reason=None, error=None)


def _fail(run: Run, event: Failed, record: Record) -> Run:
    return _end(run, event, record, status="failed", reason=event.reason, error=event.error or event.reason)


def _retract(run: Run, event: Retracted, record: Record) -> Run:
    return replace(run, retracted=event, last_seq=record.seq)


def _reinstate(run: Run, event: Reinstated, record: Record) -> Run:
    if run.retracted is None:
        raise ImpossibleTransition(f"{record.stream}: reinstated, but it is not retracted")
    return replace(run, retracted=None, last_seq=record.seq)


def _annotate(run: Run, event: Annotated, record: Record) -> Run:
    return replace(run, annotations=[*run.annotations, event], last_seq=record.seq)


def _reproduce(run: Run, event: Reproduced, record: Record) -> Run:
    return replace(run, last_seq=record.seq)


def _exclude(run: Run, event: SamplesExcluded, record: Record) -> Run:
    return replace(_corrected(run, event.anew, record), excluded=sorted({*run.excluded, *event.samples}))


def _include(run: Run, event: SamplesIncluded, record: Record) -> Run:
    return replace(_corrected(run, event.anew, record), excluded=sorted({*run.excluded}.difference(event.samples)))


def _rescore(run: Run, event: Rescored, record: Record) -> Run:
    return replace(
        _corrected(run, event, record),
        higher_is_better=run.higher_is_better if event.higher_is_better is None else event.higher_is_better,
        scorer=event.scorer,
        rescores=[*run.rescores, event],
        artifacts=[*_recorded(run.artifacts), *([event.artifact] if event.artifact else ())],
        comparison_key=fenced(run.options_key, run.revision, event.scorer.sha256),
    )


def _recorded(artifacts: list[Artifact]) -> list[Artifact]:
    """The files that the run itself recorded: without the samples of a later scorer."""
    return [artifact for artifact in artifacts if not artifact.path.startswith(RESCORED)]


def _corrected(run: Run, anew: ScoreAnew | Rescored, record: Record) -> Run:
    """The run with another score; the first one stays as its original, with its unit and direction."""
    if run.status != "succeeded" or run.score is None:
        raise ImpossibleTransition(f"{record.stream}: {record.type}, but it has no score that counts")
    if run.original_score is None:
        upward = run.higher_is_better
        run = replace(run, original_score=run.score, original_unit=run.unit, original_higher_is_better=upward)
    return replace(
        run,
        score=anew.score,
        unit=anew.unit,
        samples=anew.samples,
        stderr=anew.stderr,
        delta_to_high_score=anew.delta_to_high_score,
        last_seq=record.seq,
    )


def _import_again(run: Run, event: Imported, record: Record) -> Run:
    """A later import of the same content adds the files that the first one did not have.

    Two merged ledgers may both have imported the same run: apart from these files, the first import counts.
    """
    if run.imported is None:
        raise ImpossibleTransition(f"{record.stream}: imported, but it was run here")
    if _recorded(run.artifacts) or run.imported.sha256 != event.source.sha256 or not run.has_files_here:
        return run
    try:
        artifacts = msgspec.convert(event.run.get("artifacts", []), list[Artifact])
    except msgspec.ValidationError:
        return run
    return replace(run, artifacts=[*artifacts, *run.artifacts], last_seq=record.seq) if artifacts else run


def _end(run: Run, event: Outcome, record: Record, *, status: Status, reason: str | None, error: str | None) -> Run:
    if run.status == "running":
        if event.late:
            raise ImpossibleTransition(f"{record.stream}: a late {record.type} on a run that was not recovered")
        if (commitment := _commitment(run)) and not is_from_owner(commitment, event.revealed):
            raise ImpossibleTransition(f"{record.stream}: {record.type}, written by a process that is not its owner")
        return _with_outcome(run, event, record, status=status, reason=reason, error=error)
    if event.late and run.recovered and not run.late:
        # The late report of the owner is kept and shown, but does not change the status.
        return replace(run, late=True, last_seq=record.seq)
    raise ImpossibleTransition(f"{record.stream}: {record.type} on a run that has {run.status} already")


def _commitment(run: Run) -> str:
    """The commitment that the run's last event must match; empty if an older version started the run."""
    return run.owner.commitment if run.owner else ""


def _with_outcome(
    run: Run, event: Outcome, record: Record, *, status: Status, reason: str | None, error: str | None
) -> Run:
    reference = event.high_score
    return replace(
        run,
        status=status,
        reason=reason,
        error=error,
        ended_at=event.ended_at,
        duration_seconds=event.duration_seconds,
        return_code=event.return_code,
        score=event.score,
        unit=event.unit,
        higher_is_better=event.higher_is_better,
        samples=event.samples,
        stderr=event.stderr,
        metrics=event.metrics,
        usage=event.usage,
        artifacts=event.artifacts,
        logs=event.logs,
        result_json_path=event.result_json_path,
        high_score_label=reference.label if reference else None,
        high_score_value=reference.value if reference else None,
        high_score_source=reference.source if reference else None,
        delta_to_high_score=event.delta_to_high_score,
        synthetic=run.synthetic or event.synthetic,
        notes=event.notes,
        last_seen_at=record.at,
        last_seq=record.seq,
        ended_seq=record.seq,
        task_revision=_shared(event.task_revision) or run.task_revision,
        comparison_key=fenced(run.options_key, event.task_revision.digest)
        if event.task_revision
        else run.comparison_key,
        served_model=event.served_model,
    )


def _recover(run: Run, event: Recovered, record: Record) -> Run:
    if run.status != "running":
        raise ImpossibleTransition(f"{record.stream}: recovered, but it has {run.status} already")
    if event.adopted:
        if (commitment := _commitment(run)) and not is_from_shell(commitment, event.adopted.revealed):
            raise ImpossibleTransition(f"{record.stream}: recovered with a result, but without a proof of its end")
        adopted = _with_outcome(run, event.adopted, record, status="succeeded", reason=None, error=None)
        return replace(adopted, recovered=True)
    return replace(
        run,
        status="failed",
        recovered=True,
        reason="orchestrator_lost",
        error=f"recovered: {event.reason}",
        ended_at=event.ended_at or record.at,
        duration_seconds=event.duration_seconds,
        last_seq=record.seq,
        ended_seq=record.seq,
    )


_BEGIN: dict[str, Callable[[Any, Record], Run]] = {Started.type: _start, Imported.type: _import}
_GO_ON: dict[str, Callable[[Run, Any, Record], Run]] = {
    Heartbeat.type: _beat,
    CancelRequested.type: _cancel,
    Finished.type: _finish,
    Failed.type: _fail,
    Recovered.type: _recover,
    Retracted.type: _retract,
    Reinstated.type: _reinstate,
    SamplesExcluded.type: _exclude,
    SamplesIncluded.type: _include,
    Rescored.type: _rescore,
    Annotated.type: _annotate,
    Reproduced.type: _reproduce,
    Imported.type: _import_again,
}


def evolve_group(group: Group | None, record: Record) -> Group:
    """The group after `record`; `group` is None before its first event.

    Raises ImpossibleTransition if the event makes no sense for the group's state.
    """
    event = record.data
    if reason := void(record):
        raise ImpossibleTransition(f"{record.stream}: {record.type}: {reason}")
    if group is None:
        if type(event) is GroupOpened:
            return Group(
                run_group_id=record.stream,
                created_at=event.opened_at or record.at,
                request=event.request,
                benchmarks=event.benchmarks,
                repo_meta=event.repo_meta,
                created_by=event.created_by,
                owner=event.owner,
                imported=event.imported,
            )
        raise ImpossibleTransition(f"{record.stream}: {record.type} before the group was opened")
    if group.finished_at is None:
        if type(event) is Skipped:
            return replace(group, skipped=[*group.skipped, event])
        if type(event) is Incompatible:
            return replace(group, incompatible=[*group.incompatible, event])
        if type(event) is GroupClosed:
            return replace(group, finished_at=event.closed_at or record.at, counts=event.counts, reason=event.reason)
        if type(event) is CancelRequested and group.cancel_requested is None:
            return replace(group, cancel_requested=event)
        if type(event) is Paused and group.paused is None:
            return replace(group, paused=event)
        if type(event) is Resumed and group.paused is not None:
            return replace(group, paused=None)
    state = "closed" if group.finished_at is not None else _state_of(group)
    raise ImpossibleTransition(f"{record.stream}: {record.type} on a group that is {state}")


def _state_of(group: Group) -> str:
    states = [("cancelled", group.cancel_requested), ("paused", group.paused)]
    return " and ".join(name for name, event in states if event) or "open"
