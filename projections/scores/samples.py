"""The scores of a run's single samples, as far as the file that holds them is the one that the ledger recorded."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import msgspec

from ...ledger.events import Artifact, Json
from ...ledger.files.elsewhere import Elsewhere, open_recorded
from ...ledger.fold import RESCORED, Run
from ...ledger.run_files import Missing, NotReadable
from ..workspace import Workspace
from .intervals import error_of_clusters
from .means import mean

SAMPLES = "samples.jsonl"

CLUSTER = "cluster"
"""The key of a sample that names its cluster: a text or number that samples share which are not independent."""

MAX_CLUSTERS = 200_000
"""Beyond this number of questions, the standard error is not computed from the samples."""

_MAX_LINE_BYTES = 8 * 1024 * 1024

_NEAR = 1e-3
"""A score may be rounded: it is the mean of its samples where it differs by no more than that."""


class SampleScores(msgspec.Struct, frozen=True):
    """The score of each sample by its id; or none, and the `problem` that is the reason.

    `clusters` has the cluster of each sample that declares one: samples of one cluster are alike, such as questions
    about one text, and are not independent.
    `left_out` lines of the file have no id with a score, and `note` names the first of them.
    """

    scores: Mapping[str, float] = {}
    problem: str = ""
    left_out: int = 0
    note: str = ""
    clusters: Mapping[str, str] = {}


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
    has the mean of its scores (Miller 2024, section 3.1). If the samples do not average to the run's score, they are
    not the samples of it, and a test of them would be one of something else. A line that cannot be used is left out;
    its score is then any between the least and the largest.
    """
    try:
        recorded = read_rows(run, workspace)
    except SamplesUnusable as problem:
        return SampleScores(problem=str(problem))
    collected: dict[str, list[float]] = {}
    clusters: dict[str, str] = {}
    for row in recorded.rows:
        collected.setdefault(str(row["id"]), []).append(row["score"])
        if isinstance(cluster := row.get(CLUSTER), str | int):
            clusters[str(row["id"])] = str(cluster)
    scores = {name: mean(some) for name, some in collected.items()}
    if not _averages_to(run.score, [*scores.values()], recorded.left_out):
        return SampleScores(problem="the samples do not average to the score")
    return SampleScores(scores, left_out=recorded.left_out, note=recorded.note, clusters=clusters)


def _averages_to(score: float | None, scores: list[float], left_out: int) -> bool:
    """Whether a score can be the mean of these, and of `left_out` more that are not known."""
    if score is None:
        return False
    known, share = mean(scores), len(scores) / (len(scores) + left_out)
    lowest, highest = min(0.0, *scores), max(1.0, *scores)
    least, most = (known * share + unknown * (1 - share) for unknown in (lowest, highest))
    return least < score < most or any(
        math.isclose(mean, score, rel_tol=_NEAR, abs_tol=_NEAR) for mean in (known, least, most)
    )


class SamplesUnusable(Exception):
    """Why a run has no samples that can be used."""


class Line(msgspec.Struct, frozen=True):
    """A line of a `samples.jsonl`: its number from 1, its bytes, and the sample; None if it is not a JSON object.

    `offset` is its first byte in the file, if it is read from one.
    """

    number: int
    text: bytes
    row: Json | None
    offset: int = 0


class Recorded(msgspec.Struct, frozen=True):
    """The samples of a run that have an id and a finite `score` as a number, each with the number of its line.

    `left_out` lines are none of them; `note` says how many, and what is wrong with the first.
    """

    rows: list[Json]
    numbers: list[int]
    left_out: int = 0
    note: str = ""


def samples_path(artifacts: Iterable[Artifact]) -> str | None:
    """The path of the `samples.jsonl` among a run's artifacts: that of a later scorer, if it made one."""
    files = [a.path for a in artifacts if PurePosixPath(a.path).name == SAMPLES]
    return next((path for path in files if path.startswith(RESCORED)), next(iter(files), None))


def read_lines(lines: Iterable[bytes]) -> Iterator[Line]:
    """The lines of a `samples.jsonl` that are not empty. The one place that knows how a sample is written."""
    for number, text in enumerate(lines, 1):
        if text.strip():
            yield Line(number, text, _decode(text))


def bounded_lines(file: BinaryIO, seen: Callable[[bytes], object] = len) -> Iterator[bytes]:
    """Lines of a file; of one that is longer than any sample only the beginning, which is not a sample then.

    `seen` is called with every byte.
    """
    while line := file.readline(_MAX_LINE_BYTES):
        seen(line)
        yield line
        while line and not line.endswith(b"\n"):
            seen(line := file.readline(_MAX_LINE_BYTES))


def read_rows(run: Run, workspace: Workspace) -> Recorded:
    """The samples behind a run's score: those that a person excluded are left out. Raises SamplesUnusable."""
    recorded = all_rows(run, workspace)
    if not run.excluded:
        return recorded
    excluded = frozenset(run.excluded)
    kept = [(row, n) for row, n in zip(recorded.rows, recorded.numbers, strict=True) if str(row["id"]) not in excluded]
    if not kept:
        raise SamplesUnusable("all of its samples are excluded")
    rows, numbers = zip(*kept, strict=True)
    return msgspec.structs.replace(recorded, rows=list(rows), numbers=list(numbers))


def all_rows(run: Run, workspace: Workspace) -> Recorded:
    """The samples of a run with the scores of its present scorer, the excluded ones too. Raises SamplesUnusable.

    A scorer that gave one score for the whole run has none: the recorded samples have the scores of another one, and
    their mean may be its score by chance.
    """
    if run.scorer is not None and not any(artifact.path.startswith(RESCORED) for artifact in run.artifacts):
        raise SamplesUnusable(
            f"the scorer {run.scorer.name} gave one score for the whole run, and none for its samples"
        )
    return recorded_rows(folder_of(run, workspace), run.artifacts, workspace.elsewhere)


def folder_of(run: Run, workspace: Workspace) -> Path:
    """The folder of a run."""
    return workspace.run_folder(run.run_group_id, run.benchmark_directory, run.benchmark_id, run.run_id)


def recorded_rows(folder: Path, artifacts: Iterable[Artifact], elsewhere: Elsewhere | None = None) -> Recorded:
    """The samples of a run's folder, if the file is the one that was recorded. Raises SamplesUnusable.

    A file that is not in the folder is looked for `elsewhere`.
    """
    recorded = _collect(recorded_lines(folder, artifacts, elsewhere))
    if not recorded.rows:
        raise SamplesUnusable(recorded.note or f"{SAMPLES} is empty")
    return recorded


def recorded_lines(folder: Path, artifacts: Iterable[Artifact], elsewhere: Elsewhere | None = None) -> Iterator[Line]:
    """The lines of the `samples.jsonl` of a run's folder, if the file is the one that was recorded.

    A file that is not in the folder is looked for `elsewhere`.

    The digest is known only after the last line. So if SamplesUnusable is raised then, drop the lines that came before.
    """
    for line in recorded_texts(folder, artifacts, elsewhere):
        yield msgspec.structs.replace(line, row=_decode(line.text))


def recorded_texts(folder: Path, artifacts: Iterable[Artifact], elsewhere: Elsewhere | None = None) -> Iterator[Line]:
    """The same without the samples, for readers who need few of them: the `row` of each is None."""
    artifact = _artifact(artifacts)
    with _opened(folder, artifact, elsewhere) as file:
        seen = sha256()
        size = 0

        def add(content: bytes) -> None:
            nonlocal size
            size += len(content)
            seen.update(content)

        for number, text in enumerate(bounded_lines(file, add), 1):
            if text.strip():
                yield Line(number, text, None, size - len(text))
        if seen.hexdigest() != artifact.sha256:
            raise SamplesUnusable(f"{SAMPLES} is not the file that was recorded")


def lines_at(
    folder: Path,
    artifacts: Iterable[Artifact],
    places: Iterable[tuple[int, int]],
    elsewhere: Elsewhere | None = None,
) -> Iterator[Line]:
    """Lines at some places of the file, each given by its offset and its bytes, without its number.

    Only the size of the file is compared with what was recorded: the caller must know the digest of each line from
    `recorded_texts`. Raises SamplesUnusable.
    """
    with _opened(folder, _artifact(artifacts), elsewhere) as file:
        for offset, length in places:
            file.seek(offset)
            text = file.read(length)
            yield Line(0, text, _decode(text), offset)


def samples_state(folder: Path, artifacts: Iterable[Artifact]) -> tuple[int, ...]:
    """What changes if another program changes the file here: its inode, its size and its times.

    A file of a store has no state: each time that it is brought here, its digest is checked. Raises SamplesUnusable.
    """
    artifact = _artifact(artifacts)
    if not os.path.lexists(folder / artifact.path):
        return ()
    with _opened(folder, artifact, None) as file:
        found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _artifact(artifacts: Iterable[Artifact]) -> Artifact:
    some = list(artifacts)
    path = samples_path(some)
    found = next((a for a in some if a.path == path), None)
    if found is None:
        raise SamplesUnusable("no samples were recorded")
    return found


@contextlib.contextmanager
def _opened(folder: Path, artifact: Artifact, elsewhere: Elsewhere | None) -> Iterator[BinaryIO]:
    """The file of samples that a run recorded, if it has the recorded size. Raises SamplesUnusable."""
    try:
        with open_recorded(folder, artifact, elsewhere) as file:
            if os.fstat(file.fileno()).st_size != artifact.bytes:
                raise SamplesUnusable(f"{SAMPLES} is not the file that was recorded")
            yield file
    except Missing:
        raise SamplesUnusable(f"{SAMPLES} is gone") from None
    except NotReadable as problem:
        raise SamplesUnusable(f"{SAMPLES} {problem}") from None
    except OSError as problem:
        raise SamplesUnusable(f"{SAMPLES} cannot be read: {problem.strerror}") from problem


def _collect(lines: Iterable[Line]) -> Recorded:
    """The samples that have an id and a score. One bad line costs that line, and `note` says so."""
    rows: list[Json] = []
    numbers: list[int] = []
    account = _Account()
    for number, row in account.usable(lines):
        rows.append(row)
        numbers.append(number)
    return Recorded(rows, numbers, account.left_out, account.note())


class Looked(msgspec.Struct, frozen=True):
    """What a look through a `samples.jsonl` tells, in little memory.

    `note` says what is wrong with lines that cannot be used. The `samples` with a score have this `mean`, and they are
    of this number of `clusters`: questions, or what they declare. `standard_error` is clustered by these; None below
    two of them, or if there are more than MAX_CLUSTERS.
    """

    note: str = ""
    samples: int = 0
    clusters: int = 0
    mean: float | None = None
    standard_error: float | None = None

    @property
    def repeats_one_score(self) -> bool:
        """Whether samples share clusters, and no spread shows how much: then the clusters are what counts."""
        return not self.standard_error and 0 < self.clusters < self.samples


def look_through(lines: Iterable[bytes]) -> Looked:
    """Look through the lines once."""
    account = _Account()
    looked = look_at(row for _, row in account.usable(read_lines(lines)))
    return msgspec.structs.replace(looked, note=account.note())


def look_at(rows: Iterable[Json]) -> Looked:
    """The same of samples with an id and a score."""
    sums: dict[str, tuple[int, float]] = {}
    for row in rows:
        if len(sums) <= MAX_CLUSTERS:
            key = _cluster_of(row)
            count, total = sums.get(key, (0, 0.0))
            sums[key] = count + 1, total + row["score"]
    if not sums or len(sums) > MAX_CLUSTERS:
        return Looked()
    samples = sum(count for count, _ in sums.values())
    try:
        middle = math.fsum(total for _, total in sums.values()) / samples
        error = error_of_clusters([total - count * middle for count, total in sums.values()], samples)
    except OverflowError:
        return Looked()
    return Looked("", samples, len(sums), middle, error)


def _cluster_of(row: Json) -> str:
    """The cluster that a sample declares, else its question."""
    cluster = row.get(CLUSTER)
    return f"c{cluster}" if isinstance(cluster, str | int) else f"q{row['id']}"


class _Account:
    """Which lines of a `samples.jsonl` can be used, and what is wrong with the others."""

    def __init__(self) -> None:
        self.left_out = 0
        self._lines = 0
        self._first = ""

    def usable(self, lines: Iterable[Line]) -> Iterator[tuple[int, Json]]:
        """The number and the sample of each line that has an id and a finite `score`, which is then a number."""
        for line in lines:
            self._lines += 1
            score = None if line.row is None else _score(line.row)
            if line.row is not None and "id" in line.row and score is not None:
                yield line.number, {**line.row, "score": score}
                continue
            self.left_out += 1
            if not self._first:
                why = "is not a JSON object" if line.row is None else "has no id with a finite score"
                self._first = f"line {line.number} of {SAMPLES} {why}"

    def note(self) -> str:
        """How many lines were left out, and what is wrong with the first."""
        if self.left_out < 2:
            return self._first
        return f"{self.left_out} of {self._lines} lines of {SAMPLES} cannot be used: {self._first}"


def _decode(line: bytes) -> Json | None:
    try:
        return msgspec.json.decode(line, type=Json)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        # JSON of other programs may hold NaN and 1e999, and a model may say half a surrogate pair: JSON can write that,
        # but UTF-8 and msgspec can't hold it.
        value = json.loads(line, parse_constant=lambda name: None, parse_float=_finite)
        return msgspec.json.decode(json.dumps(value, ensure_ascii=False).encode(errors="replace"), type=Json)
    except (ValueError, RecursionError):
        return None


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _score(sample: Json) -> float | None:
    score = sample.get("score", sample.get("correct"))
    if not isinstance(score, bool | int | float):
        return None
    try:
        return float(score) if math.isfinite(score) else None
    except OverflowError:
        return None  # JSON's whole numbers have no end.
