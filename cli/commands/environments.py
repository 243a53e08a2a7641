"""`environments list`, `build` and `remove`: the Python packages of benchmarks, each set installed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import msgspec

from ...adapters.adapter import Adapter
from ...adapters.discovery import discover
from ...adapters.environment import (
    Environment,
    EnvironmentBuildError,
    EnvironmentInUse,
    EnvironmentSpec,
    cache_folder,
    ensure,
    folder_of,
    list_environments,
    remove,
    spec_of,
)
from ...orchestrator.errors import UsageError
from ...orchestrator.models.local_model import NO_DEPS, REQUIREMENTS
from ...orchestrator.models.targets import LOCAL
from ...orchestrator.planning.plan import choose
from ..context import Place, in_place, json_option, note, print_json
from ..printing import print_table

_MEGABYTE = 1_000_000


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """An environment, the ids of the workspace's benchmarks that it is for (or `local`, the model server), its size."""

    environment: Environment
    used_by: list[str]
    size_bytes: int


@click.group()
def command() -> None:
    """The isolated environments that benchmarks run in: built once, kept below the user's cache folder, shared."""


@command.command("list")
@json_option
@in_place
def list_(place: Place, as_json: bool) -> None:
    """Show what was built here, how large it is, and for which benchmarks of the workspace."""
    specs = specs_of(discover(place.workspace.root).adapters)
    users: dict[str, list[str]] = {}
    for name, spec in specs.items():
        users.setdefault(spec.key, []).append(name)
    found = [
        Listed(environment=one, used_by=users.get(one.key, []), size_bytes=_size(folder_of(one.key)))
        for one in list_environments()
    ]
    missing = [
        name for key, names in users.items() for name in names if key not in {one.environment.key for one in found}
    ]
    if as_json:
        print_json({"folder": str(cache_folder()), "environments": found, "not_built": missing})
        return
    rows = [
        [
            one.environment.key,
            one.environment.python_version,
            f"{one.size_bytes / _MEGABYTE:,.0f} MB",
            ", ".join(one.used_by) or "nothing here",
            ", ".join(one.environment.requirements),
        ]
        for one in found
    ]
    if rows:
        print_table(["key", "python", "size", "used by", "requirements"], rows, right=["size"], dispensable=["python"])
        print()
    print(f"{len(found)} in {cache_folder()}; not built: {', '.join(missing) or 'none'}")


@command.command()
@click.argument("benchmarks", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Those of every benchmark, and of the local model.")
@json_option
@in_place
def build(place: Place, benchmarks: tuple[str, ...], everything: bool, as_json: bool) -> int:
    """Build the environments of the benchmarks ID, or `local` for the model server: so that later runs need no network.

    Exit code 1 where one could not be built; the others are.
    """
    found = discover(place.workspace.root)
    specs = specs_of(found.adapters)
    if everything == bool(benchmarks):
        raise UsageError("which environments? Name benchmarks, or say --all")
    choose([name for name in benchmarks if name != LOCAL], found.adapters, found.broken)
    chosen = specs if everything else {name: specs[name] for name in dict.fromkeys(benchmarks) if name in specs}
    for name in benchmarks:
        if name not in specs:
            note(f"{name} needs no environment")
    built: dict[str, Environment] = {}
    failures: dict[str, str] = {}
    for name, spec in chosen.items():
        try:
            built[name] = ensure(spec, announce=note)
        except EnvironmentBuildError as problem:
            failures[name] = str(problem)
            note(f"{name}: {problem}")
    if as_json:
        print_json({"built": built, "failed": failures})
    elif built:
        print_table(["benchmark", "key", "packages"], [[n, e.key, str(len(e.packages))] for n, e in built.items()])
    return 1 if failures else 0


@command.command("remove")
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@click.option("--unused", is_flag=True, help="Those that no benchmark of the workspace needs any more.")
@click.option("--all", "everything", is_flag=True, help="Every one; they are built again when they are needed.")
@in_place
def remove_(place: Place, keys: tuple[str, ...], unused: bool, everything: bool) -> int:
    """Remove environments by KEY (its beginning is enough). One that a run works in stays: exit code 1."""
    if [bool(keys), unused, everything].count(True) != 1:
        raise UsageError("which environments? Name keys, or say --unused or --all; environments list shows them")
    there = [environment.key for environment in list_environments()]
    if unused:
        needed = {spec.key for spec in specs_of(discover(place.workspace.root).adapters).values()}
        there = [key for key in there if key not in needed]
    chosen = _chosen(keys, there) if keys else there
    kept = 0
    for key in chosen:
        try:
            remove(key)
            print(f"removed {key}")
        except EnvironmentInUse as problem:
            kept += 1
            note(str(problem))
        except OSError as problem:
            raise UsageError(f"{key} cannot be removed: {problem.strerror}") from problem
    if not chosen:
        print("nothing to remove")
    return 1 if kept else 0


def specs_of(adapters: Mapping[str, Adapter]) -> dict[str, EnvironmentSpec]:
    """The environments that benchmarks need, by their ids; and that of the model server, by `local`."""
    needed = ((name, spec_of(adapter.manifest.requires)) for name, adapter in adapters.items())
    specs = {name: spec for name, spec in needed if spec}
    return {**specs, LOCAL: EnvironmentSpec(REQUIREMENTS, NO_DEPS)}


def _chosen(keys: Sequence[str], there: Sequence[str]) -> list[str]:
    chosen = []
    for asked in keys:
        found = [key for key in there if key.startswith(asked)]
        if len(found) != 1:
            raise UsageError(
                f"{len(found) or 'no'} environments begin with '{asked}'; environments list shows those there are"
            )
        chosen += found
    return list(dict.fromkeys(chosen))


def _size(folder: Path) -> int:
    """The bytes of the files below a folder; of those that disappear meanwhile, none."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += 0 if path.is_symlink() or path.is_dir() else path.stat().st_size
        except OSError:
            continue
    return total
