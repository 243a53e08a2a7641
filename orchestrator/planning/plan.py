"""The plan: the pieces of work of a request, each with its effective configuration and signature.

A request is a list of cells. A cell is a benchmark for an agent on a target, with options. A `run` command makes a row
of cells, and a campaign file (see `campaign_file`) makes a matrix.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from ...adapters.adapter import Adapter
from ...adapters.discovery import NONE_BROKEN, Broken
from ...adapters.manifest import Manifest
from ...adapters.options import EffectiveConfig, OptionError, UnknownOption, effective_config
from ...adapters.requirements.missing import Need, examine, missing_anywhere
from ...adapters.secret_shapes import hide_in
from ...ledger.events import REPEAT, Json, TaskRevision
from ...ledger.suggestions import did_you_mean
from ...projections.render.text import format_options
from ..errors import UsageError
from ..machine.capacity import Capacity
from ..models.targets import NO_TARGET, Target
from .signature import Signature, sign

PER_BENCHMARK = "per_benchmark"
_EXAMPLE = "give a JSON object in quotes, such as '{\"seed\": 1}'"
MAX_DEPTH = 64
"""Maximum nesting of objects and lists in the options of a run. Benchmarks need less, and JSON readers support it."""


class Cell(msgspec.Struct, frozen=True):
    """A benchmark to run for an agent on a target; `extra` has the form of `--extra`."""

    adapter: Adapter
    agent: str
    target: Target
    extra: Json


class PlannedRun(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work: a benchmark with its effective configuration, agent and target.

    `secrets` holds the values of its secret options. `missing` names every requirement that this machine does not meet.
    `revision` is that of its driver and data, if another machine has read their files; otherwise None. `reproduces` is
    the id of the run whose work it repeats as a check.
    """

    adapter: Adapter
    agent: str
    target: Target
    config: Json
    secrets: dict[str, Any]
    signature: Signature
    missing: list[str]
    revision: TaskRevision | None = None
    reproduces: str | None = None

    @property
    def benchmark_id(self) -> str:
        """The id of the benchmark."""
        return self.adapter.id

    @property
    def options_key(self) -> str:
        """The digest of the benchmark with its options, without the contender."""
        return self.signature.comparison_key

    @property
    def provider(self) -> str:
        """The name of the provider."""
        return self.target.endpoint.provider.name

    @property
    def model(self) -> str:
        """The name of the model in the ledger."""
        return self.target.model


def distinctions(plan: Sequence[PlannedRun]) -> list[Json]:
    """For each piece of work, the options that differ from other work on its benchmark."""
    values: dict[str, dict[str, set[bytes]]] = {}
    for planned in plan:
        of_benchmark = values.setdefault(planned.adapter.id, {})
        for name, value in planned.config.items():
            of_benchmark.setdefault(name, set()).add(msgspec.json.encode(value))
    counts = Counter((planned.adapter.id, name) for planned in plan for name in planned.config)
    total = Counter(planned.adapter.id for planned in plan)
    return [
        {
            name: value
            for name, value in planned.config.items()
            if len(values[planned.adapter.id][name]) > 1 or counts[planned.adapter.id, name] < total[planned.adapter.id]
        }
        for planned in plan
    ]


def titles(plan: Sequence[PlannedRun]) -> list[str]:
    """A title for each piece of work: its benchmark, and the differences from other work on that benchmark."""
    contenders: dict[str, set[tuple[str, str, str]]] = {}
    for planned in plan:
        contenders.setdefault(planned.adapter.id, set()).add((planned.agent, planned.provider, planned.model))
    return [
        " ".join(
            [
                planned.adapter.id,
                *([planned.agent, str(planned.target)] if len(contenders[planned.adapter.id]) > 1 else []),
                *([format_options(options)] if options else []),
            ]
        )
        for planned, options in zip(plan, distinctions(plan), strict=True)
    ]


def choose(ids: Sequence[str], known: Mapping[str, Adapter], broken: Broken = NONE_BROKEN) -> list[Adapter]:
    """The adapters of the given ids, each once.

    Raises UsageError: for an unknown id with the nearest one, for a `broken` manifest with its fault.
    """
    chosen = {}
    for benchmark_id in ids:
        adapter = known.get(benchmark_id)
        if adapter is None and (problem := broken.get(benchmark_id)):
            raise UsageError(f"the manifest of '{benchmark_id}' is broken: {problem}")
        if adapter is None:
            hint = did_you_mean(benchmark_id, known, "benchmarks list-benchmarks lists them")
            raise UsageError(f"unknown benchmark '{benchmark_id}'", hint)
        chosen[benchmark_id] = adapter
    return list(chosen.values())


def without_strangers(
    extra: Json, known: Mapping[str, Adapter], broken: Broken = NONE_BROKEN
) -> tuple[Json, list[str]]:
    """`extra` without the options of unknown benchmarks, and a sentence about each of these benchmarks.

    So a profile for many benchmarks can be used if some of them are unknown. Raises UsageError if all are unknown,
    since a name is then probably mistyped.
    """
    sections = extra.get(PER_BENCHMARK, {})
    strangers = []
    for benchmark_id in sections:
        try:
            choose([benchmark_id], known, broken)
        except UsageError as problem:
            if not any(name in known for name in sections):
                raise
            strangers.append(f"{PER_BENCHMARK}.{benchmark_id} is skipped: {problem}")
    if not strangers:
        return extra, []
    return {**extra, PER_BENCHMARK: {name: own for name, own in sections.items() if name in known}}, strangers


def parse_extra(text: str) -> Json:
    """The object of `--extra`. Raises UsageError if the text is not a JSON object."""
    try:
        extra = msgspec.json.decode(text)
    except msgspec.DecodeError as problem:
        raise UsageError(f"--extra is not JSON: {problem}", _EXAMPLE) from problem
    except RecursionError:
        raise UsageError(f"--extra is nested more than {MAX_DEPTH} levels deep") from None
    if _is_deeper(extra, MAX_DEPTH):
        raise UsageError(f"--extra is nested more than {MAX_DEPTH} levels deep")
    if not isinstance(extra, dict):
        raise UsageError(f"--extra must be a JSON object, got {text.strip()[:40]}", _EXAMPLE)
    if not isinstance(extra.get(PER_BENCHMARK, {}), dict):
        raise UsageError(f"--extra: {PER_BENCHMARK} must be an object of benchmark ids")
    return extra


def _is_deeper(value: Any, depth: int) -> bool:
    """Whether a JSON value has more than `depth` levels."""
    level = [value]
    for _ in range(depth + 1):
        inner = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [item for items in inner for item in items]
        if not level:
            return False
    return True


def make_plan(
    cells: Sequence[Cell],
    *,
    known: Mapping[str, Adapter],
    broken: Broken = NONE_BROKEN,
    repeats: int,
    environ: Mapping[str, str],
    capacity: Capacity | None,
    hide: Callable[[Any], Any] = hide_in,
    source: str = "--extra",
) -> list[PlannedRun]:
    """The pieces of work of a request, in the order of its cells; repetitions follow each other.

    Cells with the same signature become one. `hide` removes the secrets from the value of an option. `source` names the
    source of the options for errors. Without a `capacity`, the runs are performed on other machines, which examine by
    themselves what is missing there. Raises UsageError for an option that no benchmark of the request has, and for an
    invalid value.
    """
    plan: dict[str, PlannedRun] = {}
    effectives = _configure(cells, known, broken, hide, source)
    here = _missing_here(cells, effectives, environ if capacity else None)
    for cell, effective, missing_here in zip(cells, effectives, here, strict=True):
        manifest = cell.adapter.manifest
        target = cell.target if manifest.asks_model(cell.agent, effective.config) else NO_TARGET
        not_met = [
            *missing_here,
            *target.endpoint.missing(),
            *_unreachable(manifest, cell.agent, target),
            *(capacity.missing(manifest.resources) if capacity else ()),
        ]
        for number in range(1, repeats + 1):
            config = effective.config if number == 1 else {**effective.config, REPEAT: number}
            signature = sign(
                benchmark_id=manifest.id,
                benchmark_directory=manifest.directory,
                agent=cell.agent,
                provider=target.endpoint.provider.name,
                model=target.model,
                extra_config=config,
            )
            planned = PlannedRun(
                adapter=cell.adapter,
                agent=cell.agent,
                target=target,
                config=config,
                secrets=effective.secrets,
                missing=not_met,
                signature=signature,
            )
            first = plan.setdefault(signature.digest, planned)
            _refuse_two_addresses(first, planned)
    return list(plan.values())


def _missing_here(
    cells: Sequence[Cell], effectives: Sequence[EffectiveConfig], environ: Mapping[str, str] | None
) -> list[list[str]]:
    """What is missing on this machine for each cell. Cells with the same requirements are examined once.

    Without `environ`, only what would be missing on every machine.
    """
    keys = [
        msgspec.json.encode([cell.adapter.id, cell.agent, effective.config])
        for cell, effective in zip(cells, effectives, strict=True)
    ]
    needs = {
        key: Need(adapter=cell.adapter, agent=cell.agent, config=effective.config)
        for key, cell, effective in zip(keys, cells, effectives, strict=True)
    }
    if environ is None:
        return [missing_anywhere(needs[key]) for key in keys]
    standings = dict(zip(needs, examine(list(needs.values()), environ, ask_now=True), strict=True))
    return [standings[key].missing for key in keys]


def _unreachable(manifest: Manifest, agent: str, target: Target) -> list[str]:
    """Why an agent cannot use that model: some agents support only fixed providers at their public addresses."""
    fixed = manifest.run.fixed_providers.get(agent)
    endpoint = target.endpoint
    if fixed is None or target is NO_TARGET:
        return []
    if endpoint.provider.name not in fixed:
        return [f"provider {' or '.join(fixed)} (agent '{agent}' cannot use another one)"]
    if endpoint.base_url != endpoint.provider.base_url:
        address = endpoint.provider.base_url
        return [f"the base URL {address} (agent '{agent}' always uses this one)"]
    return []


def _refuse_two_addresses(one: PlannedRun, other: PlannedRun) -> None:
    """Raises UsageError if models at two addresses have the same name: they would silently become one piece of work."""
    if one.target.endpoint.base_url != other.target.endpoint.base_url:
        raise UsageError(
            f"{one.adapter.id}: {one.target} has two addresses, which are the same work for the ledger\n"
            "hint: give the models different names, or run them one after the other, the second one with --force"
        )


def _configure(
    cells: Sequence[Cell], known: Mapping[str, Adapter], broken: Broken, hide: Callable[[Any], Any], source: str
) -> list[EffectiveConfig]:
    """The effective configuration of each cell."""
    configs = []
    takers: dict[str, list[Adapter]] = {}
    strangers: dict[str, int] = {}
    for cell in cells:
        for benchmark_id in cell.extra.get(PER_BENCHMARK, {}):
            choose([benchmark_id], known, broken)
        try:
            config = effective_config(cell.adapter.id, cell.adapter.manifest.options, cell.extra, hide)
        except UnknownOption as problem:
            raise UsageError(f"{source}: {problem}", _hint_of_options(problem.name, problem.known)) from problem
        except OptionError as problem:
            raise UsageError(f"{source}: {problem}") from problem
        configs.append(config)
        for name in cell.extra:
            if name != PER_BENCHMARK:
                takers.setdefault(name, []).append(cell.adapter)
        for name in config.unknown:
            strangers[name] = strangers.get(name, 0) + 1
    for name, adapters in takers.items():
        if strangers.get(name, 0) == len(adapters):
            raise _unknown_option(source, name, {adapter.id: adapter for adapter in adapters})
    return configs


def _unknown_option(source: str, name: str, adapters: Mapping[str, Adapter]) -> UsageError:
    options = {option for adapter in adapters.values() for option in adapter.manifest.options}
    who = f"{next(iter(adapters))} has no" if len(adapters) == 1 else "none of the chosen benchmarks has an"
    return UsageError(f"{source}: {who} option '{name}'", _hint_of_options(name, options))


def _hint_of_options(name: str, options: Collection[str]) -> str:
    known = f"the options are {', '.join(sorted(options))}" if options else "it has none"
    return did_you_mean(name, options, known)
