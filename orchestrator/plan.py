"""The plan: which pieces of work a request means, each with its effective configuration and signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ..adapters.adapter import Adapter, missing
from ..adapters.options import EffectiveConfig, OptionError, effective_config, nearest
from ..ledger.events import Json
from .capacity import Capacity
from .providers import NO_MODEL, Endpoint
from .signature import REPEAT, Signature, sign
from .usage import UsageError

PER_BENCHMARK = "per_benchmark"


class PlannedRun(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work: a benchmark with its effective configuration, agent, provider and model.

    `secrets` are the values of its secret options; `missing` names all that this machine lacks for it.
    """

    adapter: Adapter
    agent: str
    provider: str
    model: str
    config: Json
    secrets: dict[str, str]
    signature: Signature
    missing: list[str]


def choose(asked: Sequence[str], known: Mapping[str, Adapter]) -> list[Adapter]:
    """The adapters of the ids that were asked for, each once. Raises UsageError with the nearest id."""
    chosen = {}
    for benchmark_id in asked:
        adapter = known.get(benchmark_id)
        if adapter is None:
            guess = nearest(benchmark_id, known)
            hint = f"did you mean {guess}?" if guess else "list-benchmarks names those there are"
            raise UsageError(f"unknown benchmark '{benchmark_id}': {hint}")
        chosen[benchmark_id] = adapter
    return list(chosen.values())


def parse_extra(text: str) -> Json:
    """The object of `--extra`. Raises UsageError where the text is no JSON object."""
    try:
        extra = msgspec.json.decode(text)
    except msgspec.DecodeError as problem:
        raise UsageError(f"--extra is no JSON: {problem}") from problem
    if not isinstance(extra, dict):
        raise UsageError(f"--extra is no JSON object, but {text.strip()[:40]}")
    if not isinstance(extra.get(PER_BENCHMARK, {}), dict):
        raise UsageError(f"--extra: {PER_BENCHMARK} is no object of benchmark ids")
    return extra


def make_plan(
    adapters: Sequence[Adapter],
    *,
    known: Mapping[str, Adapter],
    agent: str | None,
    endpoint: Endpoint,
    model: str,
    extra: Json,
    repeats: int,
    environ: Mapping[str, str],
    capacity: Capacity,
) -> list[PlannedRun]:
    """The pieces of work of a request, in the order of the adapters, repetitions of one beside each other.

    `agent` None means each manifest's own. Raises UsageError for options that no chosen benchmark knows, or whose
    value does not fit.
    """
    configs = _configure(adapters, known, extra)
    lacking = endpoint.missing()
    plan = []
    for adapter in adapters:
        effective = configs[adapter.id]
        label = agent or adapter.manifest.default_agent
        asks_model = adapter.manifest.requires.model
        asked = {
            "provider": endpoint.provider.name if asks_model else NO_MODEL,
            "model": model if asks_model else NO_MODEL,
        }
        unmet = [
            *missing(adapter, agent=label, environ=environ, config=effective.config),
            *(lacking if asks_model else ()),
            *capacity.lacking(adapter.manifest.resources),
        ]
        for number in range(1, repeats + 1):
            config = effective.config if number == 1 else {**effective.config, REPEAT: number}
            plan.append(
                PlannedRun(
                    adapter=adapter,
                    agent=label,
                    **asked,
                    config=config,
                    secrets=effective.secrets,
                    missing=unmet,
                    signature=sign(
                        benchmark_id=adapter.id,
                        benchmark_directory=adapter.manifest.directory,
                        agent=label,
                        **asked,
                        extra_config=config,
                    ),
                )
            )
    return plan


def _configure(adapters: Sequence[Adapter], known: Mapping[str, Adapter], extra: Json) -> dict[str, EffectiveConfig]:
    for benchmark_id in extra.get(PER_BENCHMARK, {}):
        choose([benchmark_id], known)
    configs = {}
    for adapter in adapters:
        try:
            configs[adapter.id] = effective_config(adapter.id, adapter.manifest.options, extra)
        except OptionError as problem:
            raise UsageError(f"--extra: {problem}") from problem
    for name in {name for config in configs.values() for name in config.unknown}:
        if all(name in config.unknown for config in configs.values()):
            options = {option for adapter in adapters for option in adapter.manifest.options}
            guess = nearest(name, options)
            hint = f"did you mean {guess}?" if guess else f"there are {', '.join(sorted(options)) or 'none'}"
            who = adapters[0].id if len(adapters) == 1 else "none of the chosen benchmarks"
            knows = "has no" if len(adapters) == 1 else "has an"
            raise UsageError(f"--extra: {who} {knows} option '{name}': {hint}")
    return configs
