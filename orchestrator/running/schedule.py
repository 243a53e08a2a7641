"""Decides which run may start next, so that parallel runs fit on this machine together.

A manifest's `[resources]` say what a run needs. Other resources are not rationed; only `--jobs` limits their use.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from ...adapters.manifest import Resources
from ...ledger.base import likenesses
from ...ledger.fold import Run
from ...ledger.history import History
from ...ledger.holders import describe_holders
from ..machine.capacity import UNRATIONED, Capacity
from ..machine.reservation import Reservation, lock_of
from ..planning.plan import PlannedRun


class Grant(msgspec.Struct, frozen=True):
    """What a run may use until it is over."""

    resources: Resources
    gpus: tuple[str, ...] = ()
    reservation: Reservation | None = None

    def environment(self) -> dict[str, str]:
        """The variables that name its GPUs to a child; empty if it needs no GPU."""
        return {"CUDA_VISIBLE_DEVICES": ",".join(self.gpus)} if self.gpus else {}

    @property
    def fds(self) -> Sequence[int]:
        """The lock files that a child keeps open, so that no other run gets the same resources while it lives."""
        return self.reservation.fds if self.reservation else ()


class _Pending(msgspec.Struct, frozen=True, eq=False):
    """Work that can be taken at the time `due` or later."""

    planned: PlannedRun
    due: float = 0.0
    was_taken: bool = False


class Schedule:
    """Hands out pieces of work in order, each as soon as its resources are free.

    Without a `capacity`, resources are not rationed here, because the executor does it. With a folder of `locks`, runs
    of other orchestrators must not use the same GPUs and exclusive words; `announce` is called if work waits only for
    these runs.
    """

    def __init__(
        self,
        work: Sequence[PlannedRun],
        capacity: Capacity | None,
        *,
        locks: Path | None = None,
        announce: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._pending = [_Pending(planned) for planned in work]
        self._capacity = capacity
        self._locks = locks
        self._announce = announce
        self._has_announced = False
        self._granted: list[Grant] = []

    def take(self) -> tuple[PlannedRun, Grant] | None:
        """The first piece of work that can start now, with its grant; None if there is none."""
        now = time.monotonic()
        due = [one for one in self._pending if one.due <= now]
        for one in due:
            if grant := self._grant(one.planned.adapter.manifest.resources):
                self._pending.remove(one)
                self._granted.append(grant)
                return one.planned, grant
        if due and not self._granted and not self._has_announced:
            self._has_announced = True
            self._announce(_waiting_for(due[0].planned, self._capacity or UNRATIONED, self._locks))
        return None

    @property
    def is_waiting(self) -> bool:
        """Whether work is left that was not taken, or that was put back."""
        return bool(self._pending)

    @property
    def left(self) -> int:
        """The number of pieces of work that were never taken."""
        return sum(not one.was_taken for one in self._pending)

    def put_back(self, planned: PlannedRun, seconds: float, *, was_taken: bool = True) -> None:
        """Put work back. It can be taken after `seconds`, and then comes before all new work.

        With `was_taken=False` it counts as never taken.
        """
        self._pending.insert(0, _Pending(planned, time.monotonic() + seconds, was_taken=was_taken))

    def give_back(self, grant: Grant) -> None:
        """Free the resources of a run that is over."""
        if grant.reservation:
            grant.reservation.release()
        self._granted.remove(grant)

    def _grant(self, needed: Resources) -> Grant | None:
        if self._capacity is None:
            return Grant(needed)
        used_gpus = {name for grant in self._granted for name in grant.gpus}
        free_gpus = [name for name in self._capacity.gpus if name not in used_gpus]
        if needed.gpus > len(free_gpus) or not _fits(needed, [one.resources for one in self._granted], self._capacity):
            return None
        if self._locks is None or not (needed.gpus or needed.exclusive):
            return Grant(needed, tuple(free_gpus[: needed.gpus]))
        return _reserved(needed, free_gpus, Reservation(self._locks))


def _fits(needed: Resources, taken: Sequence[Resources], capacity: Capacity) -> bool:
    """Whether processors, memory and exclusive words are free for one more run."""
    exclusive = {word for one in taken for word in one.exclusive}
    return (
        sum(one.cpus for one in taken) + needed.cpus <= capacity.cpus
        and sum(one.memory_bytes for one in taken) + needed.memory_bytes <= capacity.memory
        and exclusive.isdisjoint(needed.exclusive)
    )


def _waiting_for(planned: PlannedRun, capacity: Capacity, locks: Path | None) -> str:
    needed = planned.adapter.manifest.resources
    what = [*needed.exclusive, *([f"{needed.gpus} GPU{'s' * (needed.gpus > 1)}"] if needed.gpus else [])]
    names = [*map(_word, needed.exclusive), *(map(_gpu, capacity.gpus) if needed.gpus else [])]
    holders = [describe_holders(lock_of(locks, name)) for name in names] if locks else []
    named = ", ".join(dict.fromkeys(holder for holder in holders if holder.startswith("process")))
    by = f": {named}" if named else ""
    return f"{planned.adapter.id}: waits for {', '.join(what)}, which a run of another orchestrator uses{by}"


def _word(word: str) -> str:
    return f"exclusive {word}"


def _gpu(name: str) -> str:
    return f"gpu {name}"


def _reserved(needed: Resources, free_gpus: Sequence[str], reservation: Reservation) -> Grant | None:
    words = set(needed.exclusive)
    has_words = len(reservation.add(map(_word, words), number=len(words))) == len(words)
    gpus = reservation.add(map(_gpu, free_gpus), number=needed.gpus) if has_words else []
    if not has_words or len(gpus) < needed.gpus:
        reservation.release()
        return None
    return Grant(needed, tuple(name.removeprefix("gpu ") for name in gpus), reservation)


def most_like(history: History, planned: PlannedRun) -> Run | None:
    """The earlier run that is most similar to a piece of work; None if its benchmark never succeeded.

    The last success of the same work comes first, then of the same task by the same model, then of the same task, then
    of the benchmark.
    """
    signature = planned.signature
    closest_first = likenesses(planned.adapter.id, signature.digest, signature.comparison_key, planned.model)
    return next(filter(None, map(history.last_success, closest_first)), None)


def longest_first(work: Sequence[PlannedRun], history: History) -> list[PlannedRun]:
    """The work, longest expected duration first, so that the last run is a short one.

    Work of unknown duration may take long, so it comes first.
    """

    def seconds(planned: PlannedRun) -> float:
        like = most_like(history, planned)
        return math.inf if like is None or like.duration_seconds is None else like.duration_seconds

    return sorted(work, key=lambda planned: -seconds(planned))
