"""Plan files: what a person registers before the results exist. `docs/registration.md` explains the format."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Literal

import msgspec

from ...adapters.adapter import Adapter
from ...adapters.discovery import NONE_BROKEN, Broken
from ...adapters.environment import find_built, spec_of
from ...adapters.regular_file import read_regular
from ...ledger.events import (
    Exclusions,
    Json,
    Registered,
    RegisteredContender,
    RegisteredTask,
    RegisteredTest,
    TaskRevision,
)
from ...ledger.judgement import is_time
from ...ledger.suggestions import did_you_mean
from ..errors import UsageError
from ..machine.capacity import UNRATIONED
from ..models.targets import find_target
from ..toml_file import faults_of
from .campaign_file import refuse_unknown
from .plan import Cell, PlannedRun, choose, make_plan
from .revision import revision_of

_MAX_BYTES = 1024 * 1024
_MAX_REPEATS = 10_000
_MAX_WORK = 100_000
"""Maximum number of runs of a plan."""


class PlannedContender(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A contender in a plan file. `model` is `provider:model`; without an agent, the benchmark's own is meant."""

    name: str
    model: str
    agent: str | None = None


class PlannedTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The test in a plan file; see `RegisteredTest`."""

    kind: Literal["different", "better", "equivalent"]
    contender: str
    baseline: str
    margin: float | None = None
    require: Literal["all", "any"] = "all"


class PlannedExclusions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The failures after which a run may be repeated."""

    reasons: list[str] = []
    rule: str = ""


class PlanFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of a plan file."""

    hypothesis: str
    benchmarks: list[str]
    contenders: list[PlannedContender]
    test: PlannedTest
    stopping_rule: str
    options: Json = {}
    n: int | None = None
    repeats: int = 1
    seeds: list[int] = []
    seed_option: str = "seed"
    metric: str = "score"
    threshold: float = 0.05
    deadline: str | None = None
    exclusions: PlannedExclusions = PlannedExclusions()


def load_plan_file(path: Path) -> PlanFile:
    """Read a plan file. Raises UsageError, which names the key, if it is not valid."""
    with faults_of("plan", path, "docs/registration.md shows a plan"):
        content = tomllib.loads(read_regular(path, most=_MAX_BYTES).decode())
        for place, table, kind in _tables(content):
            refuse_unknown(place, table, kind)
        if isinstance(deadline := content.get("deadline"), date):
            content["deadline"] = deadline.isoformat()
        plan = msgspec.convert(content, PlanFile)
        _check(plan)
    return plan


def _tables(content: Json) -> Iterator[tuple[str, Json, type[msgspec.Struct]]]:
    yield "", content, PlanFile
    for name, kind in (("test", PlannedTest), ("exclusions", PlannedExclusions)):
        if isinstance(table := content.get(name), dict):
            yield name, table, kind
    contenders = content.get("contenders")
    for number, one in enumerate(contenders if isinstance(contenders, list) else [], 1):
        if isinstance(one, dict):
            yield f"contenders {number}", one, PlannedContender


def _check(plan: PlanFile) -> None:
    """Raises ValueError for values that have the right type and no meaning."""
    for name in ("hypothesis", "stopping_rule", "metric"):
        if not getattr(plan, name).strip():
            raise ValueError(f"{name} is empty")
    names = [one.name for one in plan.contenders]
    for what, values in (("benchmarks", plan.benchmarks), ("contenders", names), ("seeds", plan.seeds)):
        twice = [value for value, count in Counter(values).items() if count > 1]
        if twice:
            raise ValueError(f"{what}: '{twice[0]}' is given twice")
    if not plan.benchmarks:
        raise ValueError("benchmarks is empty")
    for role in ("contender", "baseline"):
        name = getattr(plan.test, role)
        if name not in names:
            hint = did_you_mean(name, names, f"the contenders are {', '.join(names)}")
            raise ValueError(f"test.{role}: the plan has no contender '{name}'\nhint: {hint}")
    if plan.test.contender == plan.test.baseline:
        raise ValueError("test.contender and test.baseline are the same")
    if plan.test.kind == "equivalent" and not (plan.test.margin and plan.test.margin > 0):
        raise ValueError("test.margin is needed for the test of equivalence\nhint: give it in the unit of the score")
    if plan.test.kind != "equivalent" and plan.test.margin is not None:
        raise ValueError(f"test.margin has no meaning for the test '{plan.test.kind}'")
    if not 0 < plan.threshold < 1:
        raise ValueError(f"threshold must be between 0 and 1, got {plan.threshold:g}")
    if not 1 <= plan.repeats <= _MAX_REPEATS:
        raise ValueError(f"repeats must be from 1 to {_MAX_REPEATS}, got {plan.repeats}")
    if plan.n is not None and plan.n < 1:
        raise ValueError(f"n must be at least 1, got {plan.n}")
    work = len(plan.benchmarks) * len(names) * max(1, len(plan.seeds)) * plan.repeats
    if work > _MAX_WORK:
        raise ValueError(f"the plan has {work} runs, at most {_MAX_WORK} are possible")
    if plan.deadline is not None and not is_time(plan.deadline):
        raise ValueError(f"deadline is not a time: '{plan.deadline[:40]}'\nhint: write it as 2026-12-31")


def registered(
    plan: PlanFile,
    known: Mapping[str, Adapter],
    *,
    author: str,
    environ: Mapping[str, str],
    broken: Broken = NONE_BROKEN,
) -> Registered:
    """The event that registers a plan. Raises UsageError for an unknown benchmark, option, agent or model."""
    adapters = choose(plan.benchmarks, known, broken)
    revisions = {adapter.id: _revision_now(adapter) for adapter in adapters}
    tasks: dict[tuple[str, int | None], RegisteredTask] = {}
    contenders: dict[str, RegisteredContender] = {}
    seeds: list[int | None] = [*plan.seeds] or [None]
    for seed in seeds:
        options = plan.options if seed is None else {**plan.options, plan.seed_option: seed}
        for name, work in _planned(plan.contenders, adapters, options, known, broken, environ):
            tasks[work.benchmark_id, seed] = RegisteredTask(
                id=work.benchmark_id,
                comparison_key=work.options_key,
                config=work.config,
                revision=revisions[work.benchmark_id],
                seed=seed,
            )
            one = RegisteredContender(name=name, agent=work.agent, provider=work.provider, model=work.model)
            if contenders.setdefault(name, one) != one:
                raise UsageError(
                    f"contender '{name}': the benchmarks differ in its agent or model: {_named(contenders[name])} "
                    f"and {_named(one)}",
                    "name its agent, or register the benchmarks in separate plans",
                )
    _refuse_equal(list(contenders.values()))
    return Registered(
        author=author,
        hypothesis=plan.hypothesis.strip(),
        benchmarks=list(tasks.values()),
        contenders=list(contenders.values()),
        options=plan.options,
        n=plan.n,
        repeats=plan.repeats,
        seeds=plan.seeds,
        metric=plan.metric,
        test=msgspec.convert(msgspec.to_builtins(plan.test), RegisteredTest),
        threshold=plan.threshold,
        stopping_rule=plan.stopping_rule.strip(),
        deadline=plan.deadline,
        exclusions=Exclusions(reasons=plan.exclusions.reasons, rule=plan.exclusions.rule),
    )


def _planned(
    contenders: Sequence[PlannedContender],
    adapters: Sequence[Adapter],
    options: Json,
    known: Mapping[str, Adapter],
    broken: Broken,
    environ: Mapping[str, str],
) -> Iterator[tuple[str, PlannedRun]]:
    """Each contender's work on each benchmark, once."""
    for contender in contenders:
        provider, colon, model = contender.model.partition(":")
        if not colon:
            raise UsageError(
                f"contender '{contender.name}': '{contender.model}' does not name a provider",
                f"write it as provider:model, such as groq:{contender.model}",
            )
        target = find_target(provider, model, base_url=None, environ=environ)
        cells = [Cell(one, contender.agent or one.manifest.default_agent, target, options) for one in adapters]
        for work in make_plan(
            cells,
            known=known,
            broken=broken,
            repeats=1,
            environ=environ,
            capacity=UNRATIONED,
            source="options",
        ):
            if (work.provider, work.model) != (target.endpoint.provider.name, target.model):
                raise UsageError(
                    f"contender '{contender.name}': {work.benchmark_id} asks no model, so it cannot compare models"
                )
            if work.secrets:
                raise UsageError(
                    f"options: '{next(iter(work.secrets))}' is secret, so it cannot be part of a plan",
                    "give it when you run the benchmarks",
                )
            yield contender.name, work


def _revision_now(adapter: Adapter) -> TaskRevision:
    """The present revision, without the packages of an environment that is not built yet."""
    spec = spec_of(adapter.manifest.requires)
    return revision_of(adapter, find_built(spec) if spec else None)


def _refuse_equal(contenders: Sequence[RegisteredContender]) -> None:
    for place, one in enumerate(contenders):
        for other in contenders[place + 1 :]:
            if _named(one) == _named(other):
                raise UsageError(f"contenders '{one.name}' and '{other.name}' are the same: {_named(one)}")


def _named(one: RegisteredContender) -> str:
    return f"{one.agent} with {one.provider}:{one.model}"


def differences(before: Registered, after: Registered) -> Json:
    """The fields in which two plans differ, with the values of the second; the author is not part of a plan."""
    old, new = msgspec.to_builtins(before), msgspec.to_builtins(after)
    return {name: new[name] for name in new if name != "author" and old[name] != new[name]}
