"""The samples of a run folder of HELM, in our form (`suites.helm.samples`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..suites.helm.samples import PER_INSTANCE, STATES, Place, samples, states_of
from .found import ForeignRun
from .instances import Remark, Row, UnreadableSamples, object_in, objects_of, read_file


def read(folder: Path, run: ForeignRun) -> Iterator[Row | Remark]:
    """The instances of the run's split, without perturbations. Raises UnreadableSamples."""
    stats = folder / PER_INSTANCE
    if not stats.exists() and not stats.is_symlink():
        return
    content = read_file(stats)
    states: dict[Place, dict[str, Any]] = {}
    try:
        states = _states(folder / STATES)
    except UnreadableSamples as problem:
        yield Remark(f"questions and answers are left out: {problem}")
    yield from samples(objects_of(content, PER_INSTANCE), states, run.sought.get("metric"), run.sought.get("split"))


def _states(path: Path) -> dict[Place, dict[str, Any]]:
    """The request of each instance with its answer; empty without the file."""
    if not path.exists() and not path.is_symlink():
        return {}
    return states_of(object_in(read_file(path), path.name))
