"""Registered plans: what they say now, and which runs belong to them."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from .errors import ImpossibleTransition
from .events import Json, Record, Registered, RegistrationAmended
from .judgement import void


class Amendment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A change of a plan: the position and time of its event, and the new values."""

    seq: int
    at: str
    author: str
    reason: str
    changes: Json


class Registration(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A registered plan with its amendments. `plan` is the plan with all of them; `first` is the plan as registered."""

    id: str
    seq: int
    at: str
    first: Registered
    plan: Registered
    amendments: list[Amendment] = []

    @property
    def versions(self) -> list[Registered]:
        """The plan as it was registered, and after each amendment."""
        plans = [self.first]
        for amendment in self.amendments:
            plans.append(amended(plans[-1], amendment.changes))
        return plans


class Contending(Protocol):
    """Work at a benchmark, and who does it: an agent with a model of a provider."""

    @property
    def benchmark_id(self) -> str: ...  # noqa: D102
    @property
    def agent(self) -> str: ...  # noqa: D102
    @property
    def provider(self) -> str: ...  # noqa: D102
    @property
    def model(self) -> str: ...  # noqa: D102


class Fitting(Contending, Protocol):
    """What decides whether a run belongs to a plan."""

    @property
    def options_key(self) -> str: ...  # noqa: D102


def covers(plan: Registered, run: Fitting) -> bool:
    """Whether a run is of the work of a plan: its benchmark with its options, by one of its contenders."""
    key = (run.benchmark_id, run.options_key)
    contender = (run.agent, run.provider.lower(), run.model)
    return any((task.id, task.comparison_key) == key for task in plan.benchmarks) and any(
        (one.agent, one.provider.lower(), one.model) == contender for one in plan.contenders
    )


def evolve_registration(before: Registration | None, record: Record) -> Registration:
    """The registration after an event of it. Raises ImpossibleTransition."""
    event = record.data
    if reason := void(record) or _impossible(before, event):
        raise ImpossibleTransition(f"{record.stream}: {record.type}: {reason}")
    if isinstance(event, Registered):
        return Registration(id=record.stream, seq=record.seq, at=record.at, first=event, plan=event)
    assert isinstance(event, RegistrationAmended) and before is not None  # noqa: S101 - for the type checker
    amendment = Amendment(seq=record.seq, at=record.at, author=event.author, reason=event.reason, changes=event.changes)
    return msgspec.structs.replace(
        before, plan=amended(before.plan, event.changes), amendments=[*before.amendments, amendment]
    )


def amended(plan: Registered, changes: Json) -> Registered:
    """The plan with other values of some fields. Raises msgspec.ValidationError."""
    values: Json = msgspec.to_builtins(plan)
    return msgspec.convert({**values, **changes}, Registered)


def _impossible(before: Registration | None, event: Any) -> str | None:
    if isinstance(event, Registered):
        return None if before is None else "it is registered already"
    if before is None:
        return "nothing is registered under this id"
    unknown = sorted(event.changes.keys() - set(Registered.__struct_fields__))
    if unknown:
        return f"a plan has no field {unknown[0][:40]!r}"
    try:
        amended(before.plan, event.changes)
    except msgspec.ValidationError as problem:
        return f"its changes do not make a plan: {problem}"
    return None
