"""Imports runs of other programs as `imported` events, each once, even if its file is renamed.

A run's id is made from the digest of its file, so the same content gives the same run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec.structs import replace

from ...adapters.imports.found import ForeignRevision, ForeignRun, UnreadableResult, slug
from ...adapters.imports.reading import Source
from ...ledger.events import REPEAT, Imported, ImportSource, Json, NewEvent, TaskRevision
from ...ledger.fold import Run
from ...ledger.history import History
from ...ledger.ledger import Ledger
from ...projections.workspace import Workspace
from ..planning.signature import Signature, sign
from ..redaction import Redactor
from .imported_samples import StagedSamples, put_in_place, stage

_AT_ONCE = 2_000
"""Maximum number of events that are appended together, to limit memory."""


class Found(msgspec.Struct, frozen=True):
    """A run that was read, with its id and its source.

    `samples` wait for their place. `reported` is the run as its file has it; the standard error of `run` and its number
    of samples may come from the samples.
    """

    run_id: str
    source: ImportSource
    run: ForeignRun
    samples: StagedSamples = StagedSamples()
    reported: ForeignRun | None = None


def read_source(source: Source, redactor: Redactor, folder: Path) -> tuple[list[Found], list[str]]:
    """The runs of a source, and remarks on what was not read. Benchmark names and configurations hold no secrets.

    Samples are staged in `folder`. Raises OSError and UnreadableResult, also if the name of an agent, a provider or a
    model holds a key: such a name cannot be changed, and a key must not be recorded.
    """
    origin = ImportSource(source.kind, str(source.path.absolute()), source.sha256)
    findings = source.read()
    named = ((run.agent, run.provider, run.model, run.benchmark) for run in findings.runs)
    redactor.learn(identities={name for names in named for name in names})
    clean = [_clean(source, run, redactor) for run in findings.runs]
    found = [_with_samples(Found(_run_id(origin, run), origin, run), source, redactor, folder) for run in clean]
    remarks = [f"{one.run.benchmark}: {text}" for one in found for text in one.samples.remarks]
    return found, [*findings.remarks, *remarks]


def filed_like(found: Found, like: Run) -> Found:
    """A run filed under the benchmark, the options and the harness of another run, which measured the same task.

    What the file says of these is kept in the provenance. Raises UnreadableResult if unit or direction are others.
    """
    run, score = found.run, found.run.score
    measures, wanted = ((one.unit or "", one.higher_is_better is not False) for one in (run, like))
    if score is not None and measures != wanted:
        here, there = (f"{unit or 'none'}, {'higher' if up else 'lower'} is better" for unit, up in (measures, wanted))
        reason = f"its scores have another unit or direction ({here}) than those of {like.run_id} ({there})"
        raise UnreadableResult(Path(found.source.path), reason)
    filed = replace(
        run,
        filed_under=like.benchmark_id,
        harness=like.benchmark_directory,
        config={name: value for name, value in like.extra_config.items() if name != REPEAT},
        provenance={**run.provenance, "benchmark": run.benchmark, "config": run.config, "filed_like": like.run_id},
    )
    return replace(found, run=filed)


def _with_samples(one: Found, source: Source, redactor: Redactor, folder: Path) -> Found:
    """A run with its samples. They give the standard error if the file has none, or if questions were repeated."""
    # A file of the same content may be named twice: then its samples are staged twice, too.
    staged = stage(source, one.run, redactor, Path(tempfile.mkstemp(dir=folder)[1]))
    run, looked = one.run, staged.looked
    if staged.agrees_with(run.score) and looked.standard_error:
        is_repeated = looked.clusters < looked.samples
        if run.stderr is None or is_repeated:
            note = f"the standard error is that of its {looked.samples} samples of {looked.clusters} questions"
            run = replace(run, stderr=looked.standard_error, notes=[*run.notes, *([note] if is_repeated else [])])
    if staged.agrees_with(run.score) and looked.repeats_one_score and looked.clusters < (run.samples or 0):
        note = f"its {looked.samples} samples have one score, and count as their {looked.clusters} questions"
        run = replace(run, samples=looked.clusters, notes=[*run.notes, note])
    return replace(one, run=run, samples=staged, reported=one.run)


def _clean(source: Source, run: ForeignRun, redactor: Redactor) -> ForeignRun:
    for what in ("agent", "provider", "model", "harness"):
        if key := redactor.key_in(getattr(run, what)):
            raise UnreadableResult(source.path, f"the {what} of a run holds {key}: take it out of the file")
    config = redactor.value(msgspec.to_builtins(run.config))
    return replace(run, benchmark=redactor.text(run.benchmark), config=config)


_COMPARED = ("status", "score", "unit", "higher_is_better")
"""The fields of a run that are compared with the ledger, besides the contender and the options."""


class Comparison(msgspec.Struct, frozen=True):
    """The ids of runs that the ledger does not have yet, and of those that it has with other values.

    `completed` are runs that it has without samples, which have come now.
    """

    fresh: set[str]
    different: set[str]
    completed: set[str] = set()


def with_samples(found: Iterable[Found], ledger: Ledger) -> set[str]:
    """The ids of those runs that the ledger has with samples already."""
    wanted = [one.run_id for one in found if one.samples.artifact is not None]
    known = ledger.look(lambda history: [history.runs[run_id] for run_id in wanted if run_id in history.runs])
    return {run.run_id for run in ledger.detailed(known) if run.artifacts}


def compare(found: Iterable[Found], complete: Collection[str], history: History) -> Comparison:
    """Find the runs that the ledger does not have, and those that it has with other values.

    `complete` are those that it has with samples.
    """
    compared = Comparison(set(), set(), set())
    for one in found:
        known = history.runs.get(one.run_id)
        if known is None:
            compared.fresh.add(one.run_id)
            continue
        if _is_other(known, one):
            compared.different.add(one.run_id)
        if one.samples.artifact is not None and one.run_id not in complete:
            compared.completed.add(one.run_id)
    return compared


def _is_other(known: Run, one: Found) -> bool:
    return (
        any(getattr(known, name) != getattr(one.run, name) for name in _COMPARED)
        or all(
            (known.stderr, known.samples) != (read.stderr, read.samples) for read in (one.run, one.reported or one.run)
        )
        or known.signature != _signature(one.run).digest
    )


def take_in(found: Sequence[Found], ledger: Ledger, workspace: Workspace) -> Comparison:
    """Append an `imported` event for each run that the ledger does not have. Returns the comparison from before.

    A run that the ledger has without samples gets another `imported` event, which adds them. The files of samples are
    in their places before the events are appended. Raises OSError, and what `Ledger.decide` raises.
    """
    before = Comparison(set(), set(), set())
    complete = with_samples(found, ledger)

    def decide(batch: Sequence[Found], history: History) -> list[NewEvent]:
        compared = compare(batch, complete, history)
        before.fresh.update(compared.fresh)
        before.different.update(compared.different)
        before.completed.update(compared.completed)
        new = {one.run_id: one for one in batch if one.run_id in compared.fresh | compared.completed}
        for one in new.values():
            _place(one, workspace)
        return [NewEvent(run_id, Imported(source=one.source, run=_row(one))) for run_id, one in new.items()]

    for first in range(0, len(found), _AT_ONCE):
        ledger.decide(partial(decide, found[first : first + _AT_ONCE]))
    return before


def _place(one: Found, workspace: Workspace) -> None:
    """Move the samples into the folder of their run. Deciding may be repeated: then they are there already."""
    file, artifact = one.samples.file, one.samples.artifact
    if file is not None and artifact is not None and file.exists():
        folder = workspace.run_folder("", one.run.harness, one.run.benchmark_id, one.run_id)
        put_in_place(file, artifact, folder)


def _run_id(origin: ImportSource, run: ForeignRun) -> str:
    """An id of a run. Only the digest identifies the run; the benchmark's name in it is for people."""
    digest = sha256(f"{origin.sha256}\n{run.name}".encode()).hexdigest()
    return f"run_{slug(run.benchmark)}_imported_{digest[:16]}"


def _row(one: Found) -> Json:
    """The fields of a run row."""
    run = one.run
    signature = _signature(run)
    row: Json = {
        "agent": run.agent,
        "provider": run.provider,
        "model": run.model,
        "benchmark_id": run.benchmark_id,
        "benchmark_directory": run.harness,
        "status": run.status,
        "signature": signature.digest,
        "comparison_key": signature.comparison_key,
        "extra_config": run.options,
        "metrics": run.metrics,
        "usage": run.usage,
        "synthetic": run.synthetic,
        "provenance": {**run.provenance, "name": run.name},
        "notes": run.notes,
    }
    optional = (
        "reason error score unit higher_is_better samples stderr started_at ended_at duration_seconds benchmark_version"
    )
    if one.samples.artifact is not None:
        row["artifacts"] = [msgspec.to_builtins(one.samples.artifact)]
    if run.task_revision is not None:
        row["task_revision"] = msgspec.to_builtins(revision_of(run.task_revision))
    return row | {name: value for name in optional.split() if (value := getattr(run, name)) is not None}


def revision_of(known: ForeignRevision) -> TaskRevision:
    """The task revision of a run by what its file says: the version of its task and of its data."""
    return TaskRevision.of(version=known.version, driver="", data=known.data, packages="")


def _signature(run: ForeignRun) -> Signature:
    return sign(
        benchmark_id=run.benchmark_id,
        benchmark_directory=run.harness,
        agent=run.agent,
        provider=run.provider,
        model=run.model,
        extra_config=run.options,
    )
