"""The work that a Python program performs itself, as a plan has it: a benchmark without a manifest in a file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..adapters.adapter import Adapter
from ..adapters.manifest import ID_RULE, Manifest, ResultSpec, RunSpec, is_id
from ..ledger.events import Json
from .errors import UsageError
from .models.providers import Endpoint, Provider, providers
from .models.targets import NO_TARGET, Target
from .planning.plan import PlannedRun
from .planning.signature import sign

RESULT = "result.json"
"""The file below the run's output folder with what the program reported of its score."""


def own_work(
    benchmark: str, model: str | None, agent: str, options: Mapping[str, Any], unit: str, higher_is_better: bool
) -> PlannedRun:
    """The work of a benchmark with this id, `model` being `provider:model` or a name alone. Raises UsageError."""
    if not is_id(benchmark):
        raise UsageError(f"'{benchmark}' is not the id of a benchmark\nhint: an id has {ID_RULE}")
    if not agent.strip():
        raise UsageError("the label of the agent is empty")
    try:
        config: Json = msgspec.to_builtins(dict(options), str_keys=True)
        target = _target(model)
        signature = sign(
            benchmark_id=benchmark,
            benchmark_directory=benchmark,
            agent=agent,
            provider=target.endpoint.provider.name,
            model=target.model,
            extra_config=config,
        )
    except (TypeError, ValueError, msgspec.ValidationError) as problem:
        raise UsageError(f"the options cannot be recorded: {problem}\nhint: options are JSON values") from problem
    result = ResultSpec(files=[RESULT], score="score", unit=unit, higher_is_better=higher_is_better)
    manifest = Manifest(
        id=benchmark, name=benchmark, directory=benchmark, run=RunSpec(argv=["{python}"]), result=result
    )
    adapter = Adapter(
        manifest=manifest,
        source="plugin",
        origin=Path(f"{benchmark}.py"),
        root=None,
        sha256=hashlib.sha256(msgspec.json.encode(manifest)).hexdigest(),
    )
    return PlannedRun(
        adapter=adapter, agent=agent, target=target, config=config, secrets={}, signature=signature, missing=[]
    )


def _target(model: str | None) -> Target:
    if model is None:
        return NO_TARGET
    provider, separator, name = model.partition(":")
    if not separator or not name:
        provider, name = "unknown", model
    known = providers().get(provider) or Provider(name=provider, openai_compatible=False)
    return Target(Endpoint(known, None, None, None), name, name)
