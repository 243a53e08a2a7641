"""Which run may begin next beside those under way: what cannot share a machine does not.

A manifest's `[resources]` say what a run takes. What it does not say is not rationed: `--jobs` alone limits it then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import msgspec

from ..adapters.manifest import Resources
from ..ledger.fold import Run
from ..ledger.history import History
from .capacity import Capacity
from .plan import PlannedRun

_LOOK_SECONDS = 0.2


class Grant(msgspec.Struct, frozen=True):
    """What a run was given, until it is over."""

    resources: Resources
    gpus: tuple[str, ...] = ()

    def environment(self) -> dict[str, str]:
        """The variables by which a child finds its GPUs; none where it asked for none."""
        return {"CUDA_VISIBLE_DEVICES": ",".join(self.gpus)} if self.gpus else {}


class Schedule:
    """Hands out pieces of work in their order, each as soon as what it takes is free. Safe for many threads."""

    def __init__(self, work: Sequence[PlannedRun], capacity: Capacity) -> None:
        self._pending = list(work)
        self._capacity = capacity
        self._granted: list[Grant] = []
        self._changed = threading.Condition()

    def take(self, is_over: Callable[[], bool]) -> tuple[PlannedRun, Grant] | None:
        """The next piece of work that fits beside those under way; None where there is none left, or it `is_over`.

        Waits where something is left and nothing fits.
        """
        with self._changed:
            while self._pending and not is_over():
                for index, planned in enumerate(self._pending):
                    if grant := self._grant(planned.adapter.manifest.resources):
                        del self._pending[index]
                        self._granted.append(grant)
                        return planned, grant
                self._changed.wait(_LOOK_SECONDS)
        return None

    def give_back(self, grant: Grant) -> None:
        """A run is over."""
        with self._changed:
            self._granted.remove(grant)
            self._changed.notify_all()

    def _grant(self, asked: Resources) -> Grant | None:
        taken = [grant.resources for grant in self._granted]
        free_gpus = [name for name in self._capacity.gpus if not any(name in grant.gpus for grant in self._granted)]
        fits = (
            sum(one.cpus for one in taken) + asked.cpus <= self._capacity.cpus
            and sum(one.memory_bytes for one in taken) + asked.memory_bytes <= self._capacity.memory
            and asked.gpus <= len(free_gpus)
            and not any(set(one.exclusive) & set(asked.exclusive) for one in taken)
        )
        return Grant(asked, tuple(free_gpus[: asked.gpus])) if fits else None


def longest_first(work: Sequence[PlannedRun], history: History) -> list[PlannedRun]:
    """The work with what is expected to take longest at its head: so the last run is a short one.

    What was never run may be long, and comes first.
    """
    known: dict[str, list[Run]] = {}
    for run in history.runs.values():
        if run.status == "succeeded" and run.duration_seconds is not None:
            known.setdefault(run.benchmark_id, []).append(run)
    return sorted(work, key=lambda planned: -(expected_seconds(planned, known.get(planned.adapter.id, [])) or 1e9))


def expected_seconds(planned: PlannedRun, runs: Sequence[Run]) -> float | None:
    """How long a piece of work is expected to take, by the runs of its benchmark; None where there are none.

    The last run of the same work tells best, then the last one of the same configuration, then the last one at all.
    """
    signature = planned.signature
    for is_like in (
        lambda run: run.signature == signature.digest,
        lambda run: run.comparison_key == signature.comparison_key and run.model == planned.model,
        lambda run: run.comparison_key == signature.comparison_key,
        lambda run: True,
    ):
        if found := next((run for run in reversed(runs) if is_like(run)), None):
            return found.duration_seconds
    return None
