"""Rescoring: a scorer judges past runs, many at a time, and its scores are appended in batches."""

from __future__ import annotations

import itertools
import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import msgspec

from ...adapters.result import read_result
from ...ledger.events import Artifact, Json, NewEvent, Rescored
from ...ledger.files.elsewhere import open_recorded
from ...ledger.fold import RESCORED, Run
from ...ledger.history import History
from ...ledger.ledger import Ledger
from ...ledger.run_files import NotReadable, digest
from ...projections.scores.corrected import is_mean_of_questions, mean_of_lines, mean_of_questions
from ...projections.scores.samples import SAMPLES, SamplesUnusable, folder_of, look_at, recorded_rows
from ...projections.workspace import Workspace
from ..running.copying import copy_added
from .answers import OneScore, read_answer
from .asking import Asking, ScorerFailed, ask, folder_variables
from .scorer import OUTPUT_DIR, CommandScorer, ManifestScorer

BATCH = 100
"""Runs whose scores are appended together."""


class Job(msgspec.Struct, frozen=True):
    """What is done to each run: the scorer, its limits, the number of runs at a time, and who asks for it."""

    scorer: CommandScorer | ManifestScorer
    asking: Asking
    jobs: int
    author: str
    reason: str = ""


class Judged(msgspec.Struct, frozen=True):
    """What came of a run: its new score, or why it has none. `skipped`: it has a score by this scorer already.

    `note` says that its new samples are here, but not in the store for files of runs.
    """

    run_id: str
    outcome: Literal["rescored", "skipped", "failed"]
    before: float | None = None
    score: float | None = None
    problem: str = ""
    note: str = ""


def rescore(ledger: Ledger, workspace: Workspace, runs: Iterable[Run], job: Job) -> Iterator[Judged]:
    """Judge runs, with all their details, and append the scores; what came of each run, batch by batch.

    A run whose scorer fails keeps its score, and the others go on. An interrupt ends the scorers at work; what they had
    judged before is appended, and a second call goes on with the rest.
    """
    over = threading.Event()
    asking = msgspec.structs.replace(job.asking, is_over=lambda: over.is_set() or job.asking.is_over())
    stoppable = msgspec.structs.replace(job, asking=asking)
    with ThreadPoolExecutor(job.jobs) as pool:
        try:
            found = _in_parallel(pool, job.jobs, runs, lambda run: _judge(run, workspace, stoppable))
            while batch := list(itertools.islice(found, BATCH)):
                yield from _append(ledger, batch, workspace, job)
        finally:
            over.set()


_Answer = tuple[Run, "Rescored | Judged"]


def _in_parallel(
    pool: ThreadPoolExecutor, jobs: int, runs: Iterable[Run], judge: Callable[[Run], Rescored | Judged]
) -> Iterator[_Answer]:
    """The answers in the order of the runs. Few runs wait, so that memory does not grow with their number."""
    waiting: deque[tuple[Run, Future[Rescored | Judged]]] = deque()
    for run in runs:
        waiting.append((run, pool.submit(judge, run)))
        if len(waiting) > 2 * jobs:
            first, future = waiting.popleft()
            yield first, future.result()
    for run, future in waiting:
        yield run, future.result()


def _append(ledger: Ledger, batch: list[_Answer], workspace: Workspace, job: Job) -> Iterator[Judged]:
    """Append the scores of those runs that are still as they were when they were judged.

    Their new samples are then copied to the store of the workspace, as the files of a run that has ended.
    """
    changed: set[str] = set()

    def decision(history: History) -> list[NewEvent]:
        changed.clear()
        events = []
        for run, answer in batch:
            if isinstance(answer, Rescored):
                now = history.runs.get(run.run_id)
                if now is None or _state(now) != _state(run):
                    changed.add(run.run_id)
                else:
                    events.append(NewEvent(run.run_id, answer))
        return events

    if any(isinstance(answer, Rescored) for _, answer in batch):
        ledger.decide(decision)
    is_over = job.asking.is_over
    for run, answer in batch:
        if isinstance(answer, Judged):
            yield answer
        elif run.run_id in changed:
            yield Judged(run.run_id, "failed", problem="it was corrected by another process meanwhile")
        else:
            added = [answer.artifact] if answer.artifact else []
            note = copy_added(workspace, folder_of(run, workspace), added, is_over=is_over)
            yield Judged(run.run_id, "rescored", before=run.score, score=answer.score, note=note or "")


def _state(run: Run) -> tuple[object, ...]:
    return run.status, run.score, run.excluded, run.scorer, run.retracted


def _judge(run: Run, workspace: Workspace, job: Job) -> Rescored | Judged:
    if run.scorer is not None and run.scorer.sha256 == job.scorer.scorer.sha256:
        return Judged(run.run_id, "skipped", score=run.score)
    try:
        if isinstance(job.scorer, ManifestScorer):
            return _by_manifest(run, workspace, job, job.scorer)
        return _by_command(run, workspace, job, job.scorer)
    except (ScorerFailed, SamplesUnusable, NotReadable) as problem:
        return Judged(run.run_id, "failed", problem=str(problem))
    except OSError as problem:
        return Judged(run.run_id, "failed", problem=f"{problem.filename or 'a file'}: {problem.strerror}")


def _event(run: Run, job: Job, score: float, **known: Any) -> Rescored:
    unit = known.get("unit", run.unit)
    is_measured = run.high_score_value is not None and unit == run.unit
    fields: dict[str, Any] = {"unit": run.unit, "higher_is_better": run.higher_is_better, **known}
    return Rescored(
        scorer=job.scorer.scorer,
        score=score,
        delta_to_high_score=score - (run.high_score_value or 0.0) if is_measured else None,
        author=job.author,
        reason=job.reason,
        **fields,
    )


# -- a command


def _by_command(run: Run, workspace: Workspace, job: Job, scorer: CommandScorer) -> Rescored:
    folder = folder_of(run, workspace)
    rows = _rows(run, workspace, optional=scorer.reads_outputs)
    argv = [part.replace(OUTPUT_DIR, str(folder / "output")) for part in scorer.argv]
    variables = folder_variables(run.run_id, run.benchmark_id, folder / "output")
    answer = read_answer(ask(argv, map(msgspec.json.encode, rows), job.asking, variables), rows)
    if isinstance(answer, OneScore):
        if run.excluded:
            raise ScorerFailed(f"it gave one score, which cannot leave out the {len(run.excluded)} excluded samples")
        return _event(run, job, answer.score, samples=answer.samples, stderr=answer.stderr)
    scored = [
        {**{name: value for name, value in row.items() if name != "correct"}, "score": score}
        for row, score in zip(rows, answer, strict=True)
    ]
    excluded = frozenset(run.excluded)
    counted = [row for row in scored if str(row["id"]) not in excluded]
    if not counted:
        raise ScorerFailed("all of its samples are excluded")
    by_question = is_mean_of_questions(_first_score(run), rows)
    return _event(
        run,
        job,
        mean_of_questions(counted) if by_question else mean_of_lines(counted),
        samples=len(counted),
        stderr=look_at(counted).standard_error or None,
        artifact=_store(folder, scorer.scorer.sha256, scored),
    )


def _first_score(run: Run) -> float | None:
    """The score that the run recorded, of all its samples."""
    return run.score if run.original_score is None else run.original_score


def _rows(run: Run, workspace: Workspace, *, optional: bool) -> list[Json]:
    """The samples as the run recorded them. With `optional`, none if it has no samples."""
    recorded = [artifact for artifact in run.artifacts if not artifact.path.startswith(RESCORED)]
    if optional and not any(artifact.path.endswith(SAMPLES) for artifact in recorded):
        return []
    found = recorded_rows(folder_of(run, workspace), recorded, workspace.elsewhere)
    if found.left_out:
        raise SamplesUnusable(found.note)
    return found.rows


def _store(folder: Path, scorer_sha256: str, rows: list[Json]) -> Artifact:
    """Write the samples with their new scores into the run's folder.

    The path names scorer and content: a scorer that answers otherwise another time does not change a recorded file. A
    benchmark may have left links there: no part of the path may be one.
    """
    content = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
    digest = sha256(content).hexdigest()
    path = f"{RESCORED}{scorer_sha256[:16]}-{digest[:16]}/{SAMPLES}"
    folder.mkdir(parents=True, exist_ok=True)
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        for part in path.split("/")[:-1]:
            inner = _folder_in(here, part)
            os.close(here)
            here = inner
        _write_whole(here, content)
    finally:
        os.close(here)
    return Artifact(path, len(content), digest)


def _folder_in(here: int, name: str) -> int:
    try:
        os.mkdir(name, dir_fd=here)
    except FileExistsError:
        if not stat.S_ISDIR(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode):
            raise ScorerFailed(f"{name} in the run's folder is not a folder") from None
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)


def _write_whole(here: int, content: bytes) -> None:
    """Write the file of samples beside itself first: it is never half written."""
    part = f".{SAMPLES}.part-{os.getpid()}-{threading.get_ident()}"
    made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644, dir_fd=here)
    with os.fdopen(made, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, SAMPLES, src_dir_fd=here, dst_dir_fd=here)


# -- a manifest


def _by_manifest(run: Run, workspace: Workspace, job: Job, scorer: ManifestScorer) -> Rescored:
    folder = folder_of(run, workspace)
    if run.excluded:
        raise ScorerFailed(f"a manifest cannot leave out the {len(run.excluded)} excluded samples")
    # A time in the future: no file of the working directory is newer.
    reading = read_result(
        scorer.manifest,
        output_dir=folder / "output",
        cwd=folder / "output",
        started_at=float("inf"),
        is_over=job.asking.is_over,
    )
    if reading.reason is not None or reading.score is None or reading.path is None:
        raise ScorerFailed(job.asking.redactor.text(reading.error or reading.reason or "it has no score"))
    _refuse_changed(run, folder, reading.path)
    spec = scorer.manifest.result
    return _event(
        run,
        job,
        reading.score,
        unit=spec.unit,
        higher_is_better=spec.higher_is_better,
        samples=reading.samples,
        stderr=reading.stderr,
    )


def _refuse_changed(run: Run, folder: Path, path: Path) -> None:
    """The result must be the file that the run recorded. Raises ScorerFailed."""
    name = path.relative_to(folder).as_posix()
    artifact = next((one for one in run.artifacts if one.path == name), None)
    if artifact is None:
        raise ScorerFailed(f"{name} is not among the files that the run recorded")
    with open_recorded(folder, artifact, None) as file:
        if digest(file) != artifact.sha256:
            raise ScorerFailed(f"{name} is not the file that was recorded")
