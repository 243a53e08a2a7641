"""The events by which people state something that others can check later: registrations of plans."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from .event import Event, Json
from .runs import TaskRevision

TestKind = Literal["different", "better", "equivalent"]


class RegisteredTask(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A benchmark of a plan, with its effective options.

    `comparison_key` is that of `started`: it identifies the benchmark and its options. `revision` is the task revision
    at the registration; None if the benchmark had none. `seed` is the seed of these options, if the plan has seeds.
    """

    id: str
    comparison_key: str
    config: Json = {}
    revision: TaskRevision | None = None
    seed: int | None = None


class RegisteredContender(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An agent with a model, and its name in the plan."""

    name: str
    agent: str
    provider: str
    model: str


class RegisteredTest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The hypothesis as a test: `contender` is compared with `baseline`, both names of contenders of the plan.

    `different` and `better` test the difference, `equivalent` tests whether it is smaller than `margin`, in the unit of
    the score. With `require` = "all", each benchmark has to pass; with "any", one of them, after Holm's correction.
    """

    kind: TestKind
    contender: str
    baseline: str
    margin: float | None = None
    require: Literal["all", "any"] = "all"


class Exclusions(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The failures after which a run may be repeated: their `reasons`, as in `failed`, and the rule in words."""

    reasons: list[str] = []
    rule: str = ""


class Registered(Event, frozen=True, kw_only=True):
    """A person registered a plan before its results exist. Stream: the registration_id.

    Each contender makes `repeats` runs of each of the `benchmarks`. `n` is the number of samples of a run; None: not
    stated. `metric` is `score`, or the name of one of the result's metrics. The test passes if its p-value is below
    `threshold`. After `deadline` (a time), an incomplete plan has been stopped early. `options` are as in `--extra`.
    """

    type: ClassVar[str] = "registered"
    author: str
    hypothesis: str
    benchmarks: list[RegisteredTask]
    contenders: list[RegisteredContender]
    options: Json = {}
    n: int | None = None
    repeats: int = 1
    seeds: list[int] = []
    metric: str = "score"
    test: RegisteredTest
    threshold: float = 0.05
    stopping_rule: str
    deadline: str | None = None
    exclusions: Exclusions = Exclusions()


class RegistrationAmended(Event, frozen=True, kw_only=True):
    """A person changed a registered plan. Stream: the registration_id.

    `changes` holds the new values of the changed fields of `registered`.
    """

    type: ClassVar[str] = "registration_amended"
    author: str
    reason: str
    changes: Json
