"""The scores of a run's single samples, as far as the file that holds them is the one that the ledger recorded."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path, PurePosixPath

import msgspec

from ...ledger.events import Artifact, Json
from ...ledger.fold import Run
from ..workspace import Workspace
from .statistics import mean

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
    try:
        scores = _scores(read_rows(run, workspace))
    except SamplesUnusable as problem:
        return SampleScores(problem=str(problem))
    if run.score is None or not math.isclose(mean([*scores.values()]), run.score, rel_tol=_NEAR, abs_tol=_NEAR):
        return SampleScores(problem="the samples do not average to the score")
    return SampleScores(scores)


class SamplesUnusable(Exception):
    """Why a run has no samples that can be used."""


def read_rows(run: Run, workspace: Workspace) -> list[Json]:
    """As `recorded_rows`, of a run."""
    folder = workspace.run_folder(run.run_group_id, run.benchmark_directory, run.benchmark_id, run.run_id)
    return recorded_rows(folder, run.artifacts)


def recorded_rows(folder: Path, artifacts: Iterable[Artifact]) -> list[Json]:
    """The lines of the `samples.jsonl` in a run's folder, each with a finite `score` as its number.

    Raises SamplesUnusable.
    """
    artifact = next((a for a in artifacts if PurePosixPath(a.path).name == SAMPLES), None)
    if artifact is None:
        raise SamplesUnusable("no samples were recorded")
    rows = []
    for number, line in enumerate(_recorded_bytes(folder, artifact).splitlines(), 1):
        if not line.strip():
            continue
        try:
            sample = _decode(line)
        except (msgspec.DecodeError, ValueError):
            raise SamplesUnusable(f"line {number} of {SAMPLES} is no JSON object") from None
        score = _score(sample)
        if "id" not in sample or score is None:
            raise SamplesUnusable(f"line {number} of {SAMPLES} has no id with a score")
        rows.append({**sample, "score": score})
    if not rows:
        raise SamplesUnusable(f"{SAMPLES} is empty")
    return rows


def _recorded_bytes(folder: Path, artifact: Artifact) -> bytes:
    try:
        file = (folder / artifact.path).resolve(strict=True)
        if not file.is_relative_to(folder.resolve(strict=True)):
            raise SamplesUnusable(f"{SAMPLES} lies outside of the run's folder")
        content = file.read_bytes()
    except (OSError, ValueError):
        raise SamplesUnusable(f"{SAMPLES} is gone") from None
    if sha256(content).hexdigest() != artifact.sha256:
        raise SamplesUnusable(f"{SAMPLES} is not the file that was recorded")
    return content


def _scores(rows: Iterable[Json]) -> dict[str, float]:
    collected: dict[str, list[float]] = {}
    for row in rows:
        collected.setdefault(str(row["id"]), []).append(row["score"])
    return {name: mean(scores) for name, scores in collected.items()}


def _decode(line: bytes) -> Json:
    try:
        return msgspec.json.decode(line, type=Json)
    except msgspec.DecodeError:
        # A model may say half a surrogate pair: JSON can write that, but UTF-8 and msgspec can't hold it.
        text = json.dumps(json.loads(line), ensure_ascii=False).encode(errors="replace")
        return msgspec.json.decode(text, type=Json)


def _score(sample: Json) -> float | None:
    score = sample.get("score", sample.get("correct"))
    # JSON of other programs may hold 1e999, which is no number to reckon with.
    return float(score) if isinstance(score, bool | int | float) and math.isfinite(score) else None
