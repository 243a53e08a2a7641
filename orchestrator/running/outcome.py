"""The outcome of a run: a `finished` or `failed` event, made from its exit and its files."""

from __future__ import annotations

import itertools
import math
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ...adapters.manifest import Manifest
from ...adapters.result import Reading, read_result
from ...adapters.result.storable import plain
from ...ledger.events import Failed, Finished, HighScoreReference, Outcome, TaskRevision
from ...ledger.identity import utc_now
from ...ledger.run_files import NotReadable, open_inside
from ...projections.scores.samples import Looked, bounded_lines, look_through, samples_path
from ..planning.revision import with_data
from .artifacts import Listing, list_artifacts, list_logs
from .execution import Exit
from .last_words import with_last_words
from .telemetry import Calls, summarize_calls, usage_of
from .trajectories import read_calls

OUTPUT = "output"
TELEMETRY = "telemetry.jsonl"
PROGRESS = "progress.jsonl"
MANIFEST = "manifest.json"
"""The file in a run's folder with the manifest that the run began with; its digest is in `started`."""

AnOutcome = TypeVar("AnOutcome", bound=Outcome)

_MAX_ERROR_LENGTH = 200

_NEAR = 1e-3
"""Maximum difference between a score and the mean of its samples, since a score may be rounded."""


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """The folders of a run, and what is known about it from its start.

    `folder` belongs to the run, and its child started in `cwd` at `started_at` (Unix seconds). With `synthetic`, it is
    synthetic even if its result does not say so.
    """

    folder: Path
    cwd: Path
    started_at: float
    synthetic: bool
    task_revision: TaskRevision | None = None


def weigh(
    manifest: Manifest, exit: Exit, left: Left, *, is_over: Callable[[], bool] = lambda: False
) -> Finished | Failed:
    """The terminal event of a run whose child has ended. Every run gets one, even if its files are not valid.

    A run succeeds only with an allowed exit code and its own valid result. The event of a failed run keeps its values
    for diagnosis. `against` adds the reference high score. After `is_over` returns true, everything that is not read
    yet is left out, and a note says so.
    """
    try:
        return recordable(_weigh(manifest, exit, left, is_over))
    except Exception as problem:  # noqa: BLE001 - the last guard: the files of a run must not end the orchestrator
        return recordable(
            Failed(
                ended_at=utc_now(),
                duration_seconds=round(exit.duration_seconds, 6),
                return_code=exit.return_code,
                reason=exit.reason or "bad_result",
                error=f"its files cannot be read: {type(problem).__name__}: {str(problem)[:_MAX_ERROR_LENGTH]}",
                notes=exit.notes,
            )
        )


def _weigh(manifest: Manifest, exit: Exit, left: Left, is_over: Callable[[], bool]) -> Finished | Failed:
    reading = read_result(
        manifest, output_dir=left.folder / OUTPUT, cwd=left.cwd, started_at=left.started_at, is_over=is_over
    )
    calls = summarize_calls(left.folder, f"{OUTPUT}/{TELEMETRY}", is_over=is_over)
    found = list_artifacts(left.folder, is_over=is_over)
    logs = list_logs(left.folder, is_over=is_over)
    if not calls.usage:
        found_calls, notes = read_calls(left.folder, found.artifacts, is_over=is_over)
        calls = Calls(usage_of(found_calls), [*calls.notes, *notes], calls.served)
    looked = _looked_through(left, found, is_over)
    stderr, stderr_notes = _standard_error(reading, looked)
    samples, samples_notes = _counted(reading, looked)
    known: dict[str, Any] = {
        "ended_at": utc_now(),
        "duration_seconds": round(exit.duration_seconds, 6),
        "return_code": exit.return_code,
        "score": reading.score,
        "unit": manifest.result.unit,
        "higher_is_better": manifest.result.higher_is_better,
        "samples": samples,
        "stderr": stderr,
        "metrics": reading.metrics,
        "usage": {**calls.usage, **reading.usage},
        "artifacts": found.artifacts,
        "logs": logs.artifacts,
        "result_json_path": str(reading.path) if reading.path else None,
        "notes": [
            *exit.notes,
            *reading.notes,
            *calls.notes,
            *found.notes,
            *logs.notes,
            *filter(None, [looked.note]),
            *stderr_notes,
            *samples_notes,
        ],
        "synthetic": left.synthetic or reading.synthetic,
        "task_revision": _revised(left.task_revision, reading.data_revision),
        "served_model": calls.served or reading.served_model,
    }
    failure = _why_failed(manifest, exit, reading, left.folder)
    if failure is None:
        return Finished(**known)
    reason, error = failure
    return Failed(**known, reason=reason, error=error)


def _revised(revision: TaskRevision | None, data: str | None) -> TaskRevision | None:
    """The revision with the data revision that the result reports; None if nothing changes."""
    return with_data(revision, data) if revision and data and revision.data != data else None


def _looked_through(left: Left, found: Listing, is_over: Callable[[], bool]) -> Looked:
    """Statistics of the run's samples, and a note about lines that comparisons cannot use."""
    path = samples_path(found.artifacts)
    if path is None:
        return Looked()
    try:
        with open_inside(left.folder, path) as file:
            return look_through(itertools.takewhile(lambda _: not is_over(), bounded_lines(file)))
    except (NotReadable, OSError):
        return Looked()  # The file disappeared meanwhile; a later reader gets an error.


def _standard_error(reading: Reading, looked: Looked) -> tuple[float | None, list[str]]:
    """The standard error of a score, clustered if samples share a question or a declared cluster.

    Otherwise it is the reported one, or that of the samples if none is reported. Samples are not used if their mean
    differs from the score.
    """
    if reading.score is None or looked.mean is None or not looked.standard_error:
        return reading.stderr, []
    if not math.isclose(looked.mean, reading.score, rel_tol=_NEAR, abs_tol=_NEAR):
        return reading.stderr, []
    if looked.clusters < looked.samples:
        note = f"the standard error is clustered: {looked.samples} samples of {looked.clusters} questions or clusters"
        return looked.standard_error, [note]
    return (looked.standard_error if reading.stderr is None else reading.stderr), []


def _counted(reading: Reading, looked: Looked) -> tuple[int | None, list[str]]:
    """The number of samples that the score is of. Samples that are all right, or all wrong, are counted by clusters.

    Then no standard error tells how much they repeat each other, and the interval goes by their number.
    """
    if not looked.repeats_one_score or reading.samples is None or reading.samples <= looked.clusters:
        return reading.samples, []
    if reading.score is None or looked.mean is None:
        return reading.samples, []
    if not math.isclose(looked.mean, reading.score, rel_tol=_NEAR, abs_tol=_NEAR):
        return reading.samples, []
    note = f"its {looked.samples} samples have one score, and count as their {looked.clusters} questions or clusters"
    return looked.clusters, [note]


def recordable(outcome: AnOutcome) -> AnOutcome:
    """The outcome with valid UTF-8 texts and valid JSON numbers, so that an event can hold it."""
    return msgspec.convert(plain(msgspec.to_builtins(outcome)), type(outcome))


def against(outcome: Outcome, reference: HighScoreReference | None) -> dict[str, Any]:
    """The fields of an outcome that compare it with a reference: delta = score - reference.

    A synthetic result is not compared.
    """
    if reference is None or outcome.synthetic:
        return {}
    delta = None if outcome.score is None else outcome.score - reference.value
    if delta is not None and not math.isfinite(delta):
        delta = None  # The difference of two very large numbers overflowed.
    return {"high_score": reference, "delta_to_high_score": delta}


def never_began(reason: str, error: str, *, seconds: float = 0.0) -> Failed:
    """The terminal event of a run whose child could not be started, or could not be watched after `seconds`."""
    return recordable(Failed(ended_at=utc_now(), duration_seconds=round(seconds, 6), reason=reason, error=error))


def _why_failed(manifest: Manifest, exit: Exit, reading: Reading, folder: Path) -> tuple[str, str] | None:
    if exit.reason:
        return exit.reason, with_last_words(exit.error, folder, with_stdout=exit.reason != "interrupted")
    if exit.return_code not in manifest.run.ok_exit_codes:
        if killer := _signal_of(exit.return_code):
            return "signal", with_last_words(f"killed by {killer}", folder, with_stdout=True)
        return "exit_code", with_last_words(f"exit code {exit.return_code}", folder, with_stdout=True)
    if reading.reason:
        error, says_nothing = reading.error or reading.reason, reading.reason == "no_result"
        return reading.reason, with_last_words(error, folder, with_stdout=says_nothing)
    return None


def _signal_of(return_code: int | None) -> str | None:
    """The signal that ended a child. The shell reports 128 + its number; if it ended the shell, the code is -number."""
    if return_code is None or 0 <= return_code <= 128:
        return None
    try:
        return signal.Signals(return_code - 128 if return_code > 0 else -return_code).name
    except ValueError:
        return None
