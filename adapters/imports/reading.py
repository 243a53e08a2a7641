"""From paths to the runs in them: which reader a file or folder needs, and what of it was read."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import msgspec

from ..regular_file import read_regular
from ..result.storable import MAX_DEPTH, is_shallow
from . import (
    csv_table,
    every_eval_ever,
    every_eval_ever_samples,
    harbor,
    harbor_samples,
    helm,
    helm_samples,
    inspect_log,
    inspect_samples,
    lm_eval,
    lm_eval_samples,
    performance,
)
from .found import (
    Document,
    ForeignRun,
    PassedOver,
    UnreadableResult,
    decode_json,
    is_share,
    moment,
    table,
    without_nonfinite,
)
from .instances import Remark, Row

_ENDINGS = (".json", ".eval")
_SKIPPED_KEYS = ("samples", "reductions")
"""What no reader reads, and what makes logs large."""

_MAX_BYTES = 1024**3
"""What a JSON file may have: logs with their samples are large, and all of it is in memory once."""

_MAX_PARTS_BYTES = 64 * 1024 * 1024
"""What may be left of it without the samples: as values it takes up to twenty times as much memory."""

_NO_FOLDERS = {".git", "__pycache__", "env", "node_modules"}
_NO_RESULTS = {"asv.conf.json"}
"""What a folder may hold beside results, though it ends like one: this is JSON with comments."""

_BESIDE_ASV = {"machine.json", "benchmarks.json"}

_SHOWN = "Inspect, lm-eval, HELM, Harbor, Every Eval Ever, pytest-benchmark, hyperfine, asv, or CSV"


class Choices(msgspec.Struct, frozen=True):
    """What the user says beyond the file: the metric that is the score, and a CSV's columns and constants."""

    metric: str | None = None
    columns: Mapping[str, str] = {}
    constants: Mapping[str, str] = {}


class Findings(msgspec.Struct, frozen=True):
    """The runs of a source, and what of it becomes none: `<name>: <why>`."""

    runs: list[ForeignRun]
    remarks: list[str]


def _no_samples(run: ForeignRun) -> Iterator[Row | Remark]:
    return iter(())


class Source(msgspec.Struct, frozen=True):
    """A file or folder of one format; `files` are those that were read, whose content is its identity.

    `samples` gives the samples of one of its runs, if the format has any; it raises UnreadableSamples. The files that
    hold them are not part of the identity: a run is the same with and without its samples.
    """

    kind: str
    path: Path
    files: list[Path]
    find: Callable[[], Sequence[ForeignRun | PassedOver]]
    samples: Callable[[ForeignRun], Iterator[Row | Remark]] = _no_samples

    def read(self) -> Findings:
        """What is in it. Raises UnreadableResult, also for a document that fits a format and breaks its rules."""
        try:
            found = [_checked(one) for one in self.find()]
        except (
            msgspec.ValidationError,
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
            IndexError,
            ArithmeticError,
            RecursionError,
        ) as problem:
            raise UnreadableResult(
                self.path, f"not of the shape that it seems to be: {type(problem).__name__}: {problem}"
            ) from problem
        runs = [one for one in found if isinstance(one, ForeignRun)]
        for run in runs:
            if not all(is_shallow(part, MAX_DEPTH) for part in (run.config, run.metrics, run.provenance)):
                raise UnreadableResult(
                    self.path, f"{run.name}: what it says of itself is more than {MAX_DEPTH} levels deep"
                )
        remarks = [f"{one.name}: {one.reason}" for one in found if isinstance(one, PassedOver)]
        changed_at = self._changed_at
        return Findings([_judged(run, changed_at) for run in _told_apart(runs)], remarks)

    @property
    def sha256(self) -> str:
        """Of one file, the digest of its bytes; of several, of the lines that `sha256sum` prints, sorted by path."""
        if len(self.files) == 1:
            return _digest(self.files[0])
        lines = [f"{_digest(file)}  {file.relative_to(self.path).as_posix()}\n" for file in sorted(self.files)]
        return sha256("".join(lines).encode()).hexdigest()

    @property
    def _changed_at(self) -> str | None:
        """When the newest of its files was written; None if that is still to come."""
        newest = max(file.stat().st_mtime for file in self.files)
        return moment(newest) if newest <= time.time() else None


class _JsonFormat(msgspec.Struct, frozen=True):
    kind: str
    fits: Callable[[Document], bool]
    read: Callable[[Document, Path, str | None], Sequence[ForeignRun | PassedOver]]
    samples: Callable[[Path, ForeignRun], Iterator[Row | Remark]] = lambda path, run: _no_samples(run)


_JSON_FORMATS = (
    _JsonFormat(inspect_log.KIND, inspect_log.fits, inspect_log.read, inspect_samples.read_json),
    _JsonFormat(lm_eval.KIND, lm_eval.fits, lm_eval.read, lm_eval_samples.read),
    _JsonFormat(every_eval_ever.KIND, every_eval_ever.fits, every_eval_ever.read, every_eval_ever_samples.read),
    _JsonFormat(performance.PYTEST_BENCHMARK, performance.fits_pytest_benchmark, performance.read_pytest_benchmark),
    _JsonFormat(performance.ASV, performance.fits_asv, performance.read_asv),
    _JsonFormat(performance.HYPERFINE, performance.fits_hyperfine, performance.read_hyperfine),
)

_OLDER: tuple[tuple[str, Callable[[Document], bool]], ...] = (
    ("results of lm-eval 0.3 or older; 0.4 is read", lm_eval.fits_older),
    ("results of asv in version 1; `asv update` makes version 2 of them, which is read", performance.fits_older_asv),
    ("results of pytest-benchmark before 3; 3 and later are read", performance.fits_older_pytest_benchmark),
    ("results of Terminal-Bench's own harness, before Harbor; job folders of Harbor are read", harbor.fits_older),
    ("an Inspect log without a version, older than version 1", inspect_log.fits_older),
    ("a record of Every Eval Ever without a schema version", every_eval_ever.fits_older),
)
"""Formats that are known and not read: passing them over in silence would look like having nothing to import."""


def find_sources(
    paths: Iterable[Path],
    choices: Choices,
    complain: Callable[[UnreadableResult], None],
    pass_over: Callable[[Path], None] = lambda path: None,
) -> Iterator[Source]:
    """Every source in the files and folders, in the order of their paths.

    JSON files of a folder in no known format are reported to `pass_over`. A file that was named itself, a broken one,
    and one of a known format that is no longer read are reported to `complain`.
    """
    for path in paths:
        try:
            if path.is_dir():
                yield from _in_folder(path, choices, complain, pass_over)
            else:
                source = _of_file(path, choices)
                if source is None:
                    raise UnreadableResult(path, f"of no format that is known: {_SHOWN}")
                yield source
        except UnreadableResult as problem:
            complain(problem)


def _in_folder(
    folder: Path,
    choices: Choices,
    complain: Callable[[UnreadableResult], None],
    pass_over: Callable[[Path], None],
) -> Iterator[Source]:
    try:
        if (whole := _of_folder(folder, choices)) is not None:
            yield whole
            return
        entries = sorted(folder.iterdir())
    except OSError as problem:
        complain(UnreadableResult(folder, f"cannot be read: {problem.strerror}"))
        return
    except UnreadableResult as problem:
        complain(problem)
        return
    for entry in entries:
        if entry.name in _NO_FOLDERS | _NO_RESULTS:
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from _in_folder(entry, choices, complain, pass_over)
        elif entry.suffix in _ENDINGS or (entry.suffix == ".csv" and (choices.columns or choices.constants)):
            try:
                if (source := _of_file(entry, choices)) is not None:
                    yield source
                elif entry.name not in _BESIDE_ASV or not performance.is_beside_asv(load(entry)):
                    pass_over(entry)
            except UnreadableResult as problem:
                complain(problem)


def _of_folder(folder: Path, choices: Choices) -> Source | None:
    """The run folder of HELM or the job folder of Harbor that this is, if it is one."""
    spec, stats = folder / helm.RUN_SPEC, folder / helm.STATS
    if spec.is_file():
        files = [file for file in (spec, stats) if file.is_file()]
        return Source(
            helm.KIND,
            folder,
            files,
            partial(_read_helm, folder, stats in files, choices.metric),
            partial(helm_samples.read, folder),
        )
    config, result = folder / harbor.CONFIG, folder / harbor.RESULT
    if _is_harbor_job(config):
        trials = sorted(path for path in folder.glob(f"*/{harbor.RESULT}") if path.is_file())
        files = [config, *([result] if result.is_file() else []), *trials]
        return Source(
            harbor.KIND,
            folder,
            files,
            partial(_read_harbor, folder, trials, choices.metric),
            partial(harbor_samples.read, trials),
        )
    return None


def _is_harbor_job(config: Path) -> bool:
    try:
        return config.is_file() and harbor.fits(load(config))
    except UnreadableResult:
        # Many programs have a `config.json`: it is reported as one file of the folder, and the others are read.
        return False


def _of_file(path: Path, choices: Choices) -> Source | None:
    if path.exists() and not path.is_file():
        raise UnreadableResult(path, "no regular file")  # A pipe would be waited for.
    if path.suffix == ".eval":
        logged = partial(inspect_log.read_archive, path, choices.metric)
        return Source(inspect_log.KIND, path, [path], logged, partial(inspect_samples.read_archive, path))
    if path.suffix == ".csv":
        read = partial(csv_table.read, path, choices.columns, choices.constants, choices.metric)
        return Source(csv_table.KIND, path, [path], read)
    if path.name in (helm.RUN_SPEC, helm.STATS) and (path.parent / helm.RUN_SPEC).is_file():
        return _of_folder(path.parent, choices)
    document = load(path)
    for format in _JSON_FORMATS:
        if format.fits(document):
            find = partial(format.read, document, path, choices.metric)
            return Source(format.kind, path, [path], find, partial(format.samples, path))
    for kind, fits in _OLDER:
        if fits(document):
            raise UnreadableResult(path, f"these are {kind}" if kind.startswith("results") else f"this is {kind}")
    return None


def load(path: Path) -> Document:
    """The object of a JSON file, without what no reader reads; empty for JSON that is not an object.

    Raises UnreadableResult.
    """
    try:
        content = read_regular(path, most=_MAX_BYTES)
    except OSError as problem:
        raise UnreadableResult(path, f"cannot be read: {problem.strerror}") from problem
    try:
        parts = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        parts = {name: part for name, part in parts.items() if name not in _SKIPPED_KEYS}
        _refuse_large(path, sum(len(memoryview(part)) for part in parts.values()))
        return {name: msgspec.json.decode(part) for name, part in parts.items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    _refuse_large(path, len(content))
    try:
        return table(decode_json(content))
    except ValueError as problem:
        if _begins_with_a_whole_line(content):
            return {}
        raise UnreadableResult(path, f"is not JSON: {problem}") from problem


def _refuse_large(path: Path, size: int) -> None:
    if size > _MAX_PARTS_BYTES:
        raise UnreadableResult(path, f"{size} bytes of results, and at most {_MAX_PARTS_BYTES} are read of one file")


def _begins_with_a_whole_line(content: bytes) -> bool:
    """Whether this is JSON lines, which no format here is: not broken, but something else."""
    first, newline, rest = content.partition(b"\n")
    if not newline or not rest:
        return False
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return True


def _read_helm(folder: Path, has_ended: bool, metric: str | None) -> list[ForeignRun]:
    stats = _load_list(folder / helm.STATS) if has_ended else None
    return helm.read(load(folder / helm.RUN_SPEC), stats, folder, metric)


def _read_harbor(folder: Path, trials: list[Path], metric: str | None) -> list[ForeignRun | PassedOver]:
    result = folder / harbor.RESULT
    documents = [dict(load(trial)) for trial in trials]
    summary = load(result) if result.is_file() else None
    return harbor.read(load(folder / harbor.CONFIG), summary, documents, folder, metric)


def _checked(one: ForeignRun | PassedOver) -> ForeignRun | PassedOver:
    """What a reader found, with fields of the types that they have: the file may hold anything in their places.

    Raises msgspec.ValidationError.
    """
    return msgspec.convert(msgspec.to_builtins(one, str_keys=True), type(one))


def _told_apart(runs: list[ForeignRun]) -> list[ForeignRun]:
    """The runs with different names: two runs of one name in a file stay two runs.

    The first keeps its name, and so the id that it always had.
    """
    taken = {run.name for run in runs}
    times: dict[str, int] = {}
    named = []
    for run in runs:
        times[run.name] = number = times.get(run.name, 0) + 1
        name = run.name
        while number > 1 and (name := f"{run.name}#{number}") in taken:
            times[run.name] = number = number + 1
        taken.add(name)
        named.append(msgspec.structs.replace(run, name=name))
    return named


def _judged(run: ForeignRun, changed_at: str | None) -> ForeignRun:
    """The run with what holds for every format, whichever program wrote it.

    A ratio lies between 0 and 1, and a standard error is not negative. A run whose file does not say when it was is
    as old as the file: that it is imported now says nothing of it.
    """
    changes: dict[str, Any] = {"config": without_nonfinite(run.config)}
    notes = [*run.notes]
    if run.unit == "ratio" and run.score is not None and not is_share(run.score):
        note = f"the score {run.score:g} is not a ratio between 0 and 1; its unit may be percent, and is left open"
        changes["unit"] = None
        notes.append(note)
    if run.stderr is not None and run.stderr < 0:
        changes["stderr"] = None
        notes.append(f"the standard error {run.stderr:g} is left out: it cannot be negative")
    if run.started_at is None and run.ended_at is None and changed_at is not None:
        changes |= {"started_at": changed_at, "provenance": {**run.provenance, "time": "of the file"}}
    return msgspec.structs.replace(run, notes=notes, **changes)


def _load_list(path: Path) -> list[Any]:
    try:
        value = decode_json(read_regular(path, most=_MAX_PARTS_BYTES))
    except (OSError, ValueError) as problem:
        raise UnreadableResult(path, f"is not JSON: {problem}") from problem
    if not isinstance(value, list):
        raise UnreadableResult(path, "no list of statistics")
    return value


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
