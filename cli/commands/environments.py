"""`environments list`, `build` and `remove`: the Python packages of benchmarks, each set installed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import msgspec

from ...adapters.adapter import Adapter
from ...adapters.cache import cache_folder
from ...adapters.discovery import discover
from ...adapters.environment import (
    Environment,
    EnvironmentBuildError,
    EnvironmentInUse,
    EnvironmentSpec,
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
from ..group import Group
from ..printing import print_table

_MEGABYTE = 1_000_000


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """An environment, its size, and the ids of the benchmarks that use it (`local` is the model server)."""

    environment: Environment
    used_by: list[str]
    size_bytes: int


@click.group(cls=Group)
def command() -> None:
    """List, build or remove the isolated environments of benchmarks.

    Each is built once, in the user's cache folder, and shared by all workspaces.
    """


@command.command("list")
@json_option
@in_place
def list_(place: Place, as_json: bool) -> None:
    """List the environments that are built here, with their size and the benchmarks that use them."""
    specs = specs_of(discover(place.workspace.root).adapters)
    users: dict[str, list[str]] = {}
    for name, spec in specs.items():
        users.setdefault(spec.key, []).append(name)
    listed = [
        Listed(environment=one, used_by=users.get(one.key, []), size_bytes=_size(folder_of(one.key)))
        for one in list_environments()
    ]
    missing = [
        name for key, names in users.items() for name in names if key not in {one.environment.key for one in listed}
    ]
    if as_json:
        print_json({"folder": str(cache_folder()), "environments": listed, "not_built": missing})
        return
    rows = [
        [
            one.environment.key,
            one.environment.python_version,
            f"{one.size_bytes / _MEGABYTE:,.0f} MB",
            ", ".join(one.used_by) or "unused here",
            ", ".join(one.environment.requirements),
        ]
        for one in listed
    ]
    if rows:
        print_table(["key", "python", "size", "used by", "requirements"], rows, right=["size"], dispensable=["python"])
        print()
    print(f"{len(listed)} environments in {cache_folder()}; not built: {', '.join(missing) or 'none'}")


@command.command()
@click.argument("benchmarks", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Build those of every benchmark and of the local model.")
@json_option
@in_place
def build(place: Place, benchmarks: tuple[str, ...], everything: bool, as_json: bool) -> int:
    """Build the environments of benchmarks (ID; `local` is the model server), so that runs need no network.

    Exit code 1 if one cannot be built; the others are still built.
    """
    discovery = discover(place.workspace.root)
    specs = specs_of(discovery.adapters)
    if everything == bool(benchmarks):
        raise UsageError(
            "benchmarks and --all exclude each other" if everything else "no benchmarks given",
            "name benchmarks, or use --all",
        )
    choose([name for name in benchmarks if name != LOCAL], discovery.adapters, discovery.broken)
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
@click.option("--unused", is_flag=True, help="Remove those that no benchmark of the workspace needs.")
@click.option("--all", "everything", is_flag=True, help="Remove all; runs build them again when they need them.")
@in_place
def remove_(place: Place, keys: tuple[str, ...], unused: bool, everything: bool) -> int:
    """Remove environments by KEY (its beginning is enough).

    An environment that a run uses is not removed: exit code 1.
    """
    if [bool(keys), unused, everything].count(True) != 1:
        raise UsageError(
            "exactly one of KEY, --unused and --all is needed", "benchmarks environments list shows the keys"
        )
    built = [environment.key for environment in list_environments()]
    if unused:
        needed = {spec.key for spec in specs_of(discover(place.workspace.root).adapters).values()}
        built = [key for key in built if key not in needed]
    chosen = _chosen(keys, built) if keys else built
    in_use = 0
    for key in chosen:
        try:
            remove(key)
            print(f"removed {key}")
        except EnvironmentInUse as problem:
            in_use += 1
            note(str(problem))
        except OSError as problem:
            raise UsageError(f"{key} cannot be removed: {problem.strerror}") from problem
    if not chosen:
        print("nothing to remove")
    return 1 if in_use else 0


def specs_of(adapters: Mapping[str, Adapter]) -> dict[str, EnvironmentSpec]:
    """The environments that benchmarks need, by benchmark id; `local` is that of the model server."""
    needed = ((name, spec_of(adapter.manifest.requires)) for name, adapter in adapters.items())
    specs = {name: spec for name, spec in needed if spec}
    return {**specs, LOCAL: EnvironmentSpec(REQUIREMENTS, NO_DEPS)}


def _chosen(keys: Sequence[str], built: Sequence[str]) -> list[str]:
    chosen = []
    for beginning in keys:
        matching = [key for key in built if key.startswith(beginning)]
        if len(matching) != 1:
            raise UsageError(
                f"{len(matching) or 'no'} environments have a key that begins with '{beginning}'",
                "benchmarks environments list shows the keys",
            )
        chosen += matching
    return list(dict.fromkeys(chosen))


def _size(folder: Path) -> int:
    """The bytes of the files below a folder. A file that disappears meanwhile counts as 0."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += 0 if path.is_symlink() or path.is_dir() else path.stat().st_size
        except OSError:
            continue
    return total
