"""Runs the work of a recorded run again, and says whether the result is the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ..adapters.discovery import discover
from ..adapters.environment import find_built, spec_of
from ..ledger.events import REPEAT, Json, Reproduced, ReproducedRun, Verdict
from ..ledger.fold import Run
from ..ledger.origins import origins_of
from ..ledger.store import EventStore
from ..projections.scores.comparison import Contrast, contrast
from ..projections.scores.counting import task_of
from ..projections.scores.samples import SampleReader
from .errors import UsageError
from .models.providers import NO_MODEL
from .order import Order
from .place import Place
from .planning.plan import PER_BENCHMARK, choose
from .planning.revision import revision_of
from .running.provenance import run_provenance

LEVEL = 0.05
"""The p-value below which a difference is more than noise, and below which the test of equivalence passes."""

_MACHINE = ("system", "architecture", "cpu", "gpus", "python")
_PARTS = ("version", "driver", "data", "packages")
_KNOWN_LATER = ("data", "packages")
"""Parts that may become known only when the benchmark runs."""


class Different(msgspec.Struct, frozen=True):
    """Something that is not the same for two runs: its name, and both values."""

    what: str
    there: str
    here: str


def order_for(run: Run, store: EventStore, *, base_url: str | None, timeout: float | None) -> Order:
    """The order that runs the work of a run again. Raises UsageError if the run cannot be repeated."""
    if run.status != "succeeded" or run.score is None:
        raise UsageError(f"{run.run_id} has no score to reproduce: it has {run.status}")
    if run.imported is None:
        return Order(again=run.run_id, reproduces=run.run_id, base_url=base_url, timeout=timeout)
    if not run.agent or not run.benchmark_id:
        raise UsageError(f"{run.run_id} was imported without its agent, so it cannot be run again")
    config = {name: value for name, value in run.extra_config.items() if name != REPEAT}
    extra = msgspec.json.encode({PER_BENCHMARK: {run.benchmark_id: config}}).decode()
    asked: dict[str, Any] = {} if run.provider == NO_MODEL else {"provider": run.provider, "model": run.model}
    return Order(
        benchmarks=[run.benchmark_id],
        agent=run.agent,
        extra=extra,
        force=True,
        reproduces=run.run_id,
        base_url=base_url,
        timeout=timeout,
        **asked,
    )


def original_of(run: Run, store: EventStore) -> ReproducedRun:
    """What identifies a run for its origin: the ledger that it comes from, its id and the hash of its last event."""
    bundle = run.provenance.get("bundle")
    if run.imported is not None and isinstance(bundle, dict):
        return ReproducedRun(origin=str(bundle["origin"]), run=str(bundle["run_id"]), hash=run.imported.sha256)
    seq = run.ended_seq or run.first_seq
    digest = next(store.read_lines(after=seq - 1))[-66:-2].decode()
    origins = origins_of(store)
    way = origins.way_of(seq)
    return ReproducedRun(origin=way[-1] if way else origins.own, run=run.run_id, hash=digest)


def differences_here(run: Run, place: Place) -> list[Different]:
    """What is not the same here as for a run, as far as it is known before the work runs again. Raises UsageError."""
    found = discover(place.workspace.root)
    [adapter] = choose([run.benchmark_id], found.adapters, found.broken)
    spec = spec_of(adapter.manifest.requires)
    environment = find_built(spec) if spec else None
    now = revision_of(adapter, environment)
    there = run.task_revision
    different = [
        Different(f"task revision, {part}", _shown(old), _shown(new))
        for part in _PARTS
        if (old := getattr(there, part, "")) != (new := getattr(now, part)) and (new or part not in _KNOWN_LATER)
    ]
    if there is None:
        different = [Different("task revision", "unknown", _shown(now.digest))]
    return [*different, *_of_provenance(run.provenance, run_provenance(adapter, run.agent, environment))]


def differences_after(run: Run, again: Run) -> list[Different]:
    """What was not the same for two runs: revision, packages, machine, model."""
    parts = [
        Different(f"task revision, {part}", _shown(old), _shown(new))
        for part in _PARTS
        if (old := getattr(run.task_revision, part, "")) != (new := getattr(again.task_revision, part, ""))
    ]
    models = [
        Different(name, _shown(old), _shown(new))
        for name, old, new in (
            ("served model", run.served_model, again.served_model),
            ("model file", run.provenance.get("model_sha256"), again.provenance.get("model_sha256")),
            ("base URL", run.provenance.get("base_url"), again.provenance.get("base_url")),
        )
        if old != new and not (name == "served model" and run.imported is not None)
    ]
    return [*parts, *_of_provenance(run.provenance, again.provenance), *models]


def _of_provenance(there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[Different]:
    if there.get("orchestrator") != here.get("orchestrator"):
        yield Different("orchestrator", _shown(there.get("orchestrator")), _shown(here.get("orchestrator")))
    before, now = _table(there.get("manifest")), _table(here.get("manifest"))
    if before.get("content_sha256") != now.get("content_sha256"):
        yield Different("manifest", _shown(before.get("content_sha256")), _shown(now.get("content_sha256")))
    old, new = there.get("packages") or [], here.get("packages") or []
    if here.get("environment") and sorted(map(str, old)) != sorted(map(str, new)):
        missing = ", ".join(sorted(set(map(str, old)) - set(map(str, new)))) or "none"
        more = ", ".join(sorted(set(map(str, new)) - set(map(str, old)))) or "none"
        yield Different("packages", missing, more)
    before, now = _table(there.get("machine")), _table(here.get("machine"))
    for name in _MACHINE:
        if _shown(before.get(name)) != _shown(now.get(name)):
            yield Different(f"machine, {name}", _shown(before.get(name)), _shown(now.get(name)))


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _shown(value: object) -> str:
    if value in (None, "", [], ()):
        return "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    text = str(value)
    return text[:12] if len(text) == 64 and text.isalnum() else text


def compare_runs(run: Run, again: Run, read_samples: SampleReader, tolerance: float | None) -> tuple[Verdict, Contrast]:
    """The verdict about a run and its repetition, and the comparison behind it. `tolerance` is in the score's unit.

    `same`: all samples have equal scores, or, of a benchmark without samples, the scores are equal. `within_noise`: the
    paired test finds no difference, or the test of equivalence shows that it is smaller than the tolerance.
    """
    one = msgspec.structs.replace(again, comparison_key=run.comparison_key)
    found = contrast(task_of(run), [run], [one], read_samples, margin=tolerance)
    return _verdict(found, tolerance), found


def _verdict(found: Contrast, tolerance: float | None) -> Verdict:
    if found.pairs is not None and found.ties == found.pairs and found.delta == 0:
        return "same"
    if found.pairs is None and found.delta == 0 and found.p_value is None:
        return "same"
    if found.p_value is not None and found.p_value >= LEVEL:
        return "within_noise"
    is_close = tolerance is not None and (
        found.is_equivalent or (found.p_value is None and abs(found.delta) <= tolerance)
    )
    return "within_noise" if is_close else "differs"


def reproduced(
    run: Run, again: Run, found: Contrast, verdict: Verdict, *, by: str, tolerance: float | None, store: EventStore
) -> Reproduced:
    """The event that says what came of it."""
    evidence: Json = {
        "score": run.score,
        "score_again": again.score,
        "tolerance": tolerance,
        "comparison": msgspec.to_builtins(found),
        "differences": msgspec.to_builtins(differences_after(run, again)),
    }
    return Reproduced(of=original_of(run, store), verdict=verdict, evidence=evidence, by=by)
