"""Secrets and names in a request: a name must not hold a key, and a name is not hidden as a secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...adapters.options import render
from ...adapters.secret_names import secrets_of_url
from ...adapters.secret_shapes import secrets_within
from ...ledger.identity import host_name
from ..errors import UsageError
from ..redaction import Redactor
from .plan import Cell, PlannedRun


def secrets_of_plan(plan: Sequence[PlannedRun]) -> list[Mapping[str, str]]:
    """The secret values in the options of a plan and in the addresses of its models, by their names."""
    addresses = {planned.target.endpoint.base_url or "" for planned in plan}
    return [*map(secrets_of_url, addresses), *(_secrets_of(planned) for planned in plan if planned.secrets)]


def _secrets_of(planned: PlannedRun) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in planned.secrets.items():
        if name in planned.config:
            # Only a part of the value is secret.
            values |= {
                f"{name}.{inner}" if inner != name else name: text for inner, text in secrets_within(value, name)
            }
        else:
            values |= {name: render(value)} | {f"{name}.{n}": render(item) for n, item in enumerate(_items(value))}
    return values


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []


def refuse_keys_in_names(cells: Sequence[Cell], workspace: Path, redactor: Redactor) -> None:
    """Raises UsageError if a name of the work holds a key, such as a key that was pasted as the model's name.

    Names are parts of signatures and paths, so they are recorded unchanged or not at all. The message does not show
    the key.
    """
    named = {"the folder of the workspace": str(workspace)}
    for cell in cells:
        names = {
            "the benchmark's id": cell.adapter.id,
            "the benchmark's folder": cell.adapter.manifest.directory,
            "--agent": cell.agent,
            "--model": cell.target.model,
        }
        for what, name in {**named, **names}.items():
            if key := redactor.key_in(name):
                raise UsageError(
                    f"{what} holds {key}, and would stay in the ledger for ever. Nothing was recorded\n"
                    f"hint: give a name there; put a key into a variable such as OPENAI_API_KEY, or into an option "
                    f"that the manifest marks as secret"
                )


def names_in(cells: Sequence[Cell], workspace: Path) -> set[str]:
    """All names of the work. A variable whose value is one of these names is not a secret."""
    names = {*workspace.parts, host_name()}
    for cell in cells:
        manifest, target = cell.adapter.manifest, cell.target
        names |= {manifest.id, manifest.name, manifest.directory, cell.agent, target.requested, target.model}
        names |= {*target.model.split("/"), target.endpoint.provider.name, *manifest.options, *manifest.result.metrics}
        names |= {*manifest.run.argv, *(part.rpartition("/")[2] for part in manifest.run.argv)}
        names |= {*manifest.result.files, manifest.result.unit or ""}
    return names
