"""The scores of a run's single samples, as far as the file that holds them is the one that the ledger recorded."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from ..ledger.events import Artifact
from ..ledger.fold import Run
from .statistics import mean
from .workspace import Workspace

SAMPLES = "samples.jsonl"

_NEAR = 1e-3
"""A score may be rounded: it is the mean of its samples where it differs by no more than that."""


class SampleScores(msgspec.Struct, frozen=True):
    """The score of each sample by its id; or none, and the `problem` that is the reason."""

    scores: Mapping[str, float] = {}
    problem: str = ""


SampleReader = Callable[[Run], SampleScores]


def sample_reader(workspace: Workspace) -> SampleReader:
    """A reader of the samples of the runs of a workspace, which reads each run's once."""
    known: dict[str, SampleScores] = {}

    def read(run: Run) -> SampleScores:
        if run.run_id not in known:
            known[run.run_id] = read_samples(run, workspace)
        return known[run.run_id]

    return read


def read_samples(run: Run, workspace: Workspace) -> SampleScores:
    """The scores of a run's samples, from the `samples.jsonl` among its artifacts.

    Each line is an object with an `id` and a number `score`, or a bool `correct`. A sample that was asked several times
    has the mean of its scores (Miller 2024, section 3.1). Where the samples do not average to the run's score, they are
    no samples of it, and a test of them would be one of something else.
    """
    artifact = next((a for a in run.artifacts if PurePosixPath(a.path).name == SAMPLES), None)
    if artifact is None:
        return SampleScores(problem="no samples were recorded")
    folder = workspace.run_folder(run.run_group_id, run.benchmark_directory, run.benchmark_id, run.run_id)
    try:
        scores = _scores(_recorded_bytes(folder, artifact).splitlines())
    except _Unusable as problem:
        return SampleScores(problem=str(problem))
    if run.score is None or not math.isclose(mean([*scores.values()]), run.score, rel_tol=_NEAR, abs_tol=_NEAR):
        return SampleScores(problem="the samples do not average to the score")
    return SampleScores(scores)


class _Unusable(Exception):
    """Why a file of samples can't be used."""


def _recorded_bytes(folder: Path, artifact: Artifact) -> bytes:
    try:
        file = (folder / artifact.path).resolve(strict=True)
        if not file.is_relative_to(folder.resolve(strict=True)):
            raise _Unusable(f"{SAMPLES} lies outside of the run's folder")
        content = file.read_bytes()
    except (OSError, ValueError):
        raise _Unusable(f"{SAMPLES} is gone") from None
    if sha256(content).hexdigest() != artifact.sha256:
        raise _Unusable(f"{SAMPLES} is not the file that was recorded")
    return content


def _scores(lines: Iterable[bytes]) -> dict[str, float]:
    collected: dict[str, list[float]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            sample = _decode(line)
        except msgspec.DecodeError:
            raise _Unusable(f"line {number} of {SAMPLES} is no JSON object") from None
        score = _score(sample)
        if "id" not in sample or score is None:
            raise _Unusable(f"line {number} of {SAMPLES} has no id with a score")
        collected.setdefault(str(sample["id"]), []).append(score)
    if not collected:
        raise _Unusable(f"{SAMPLES} is empty")
    return {name: mean(scores) for name, scores in collected.items()}


_decode = functools.partial(msgspec.json.decode, type=dict[str, Any])


def _score(sample: Mapping[str, Any]) -> float | None:
    score = sample.get("score", sample.get("correct"))
    # JSON of other programs may hold 1e999, which is no number to reckon with.
    return float(score) if isinstance(score, bool | int | float) and math.isfinite(score) else None
