"""`adapters validate`, `test`, `schema` and `catalogue`: tools for authors of manifests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from ...adapters.catalogue import catalogue_page
from ...adapters.discovery import MANIFEST, WORKSPACE_FILE, discover, known_workspaces
from ...adapters.manifest import Manifest, ManifestError, find_faults, load_manifest
from ...adapters.manifest.json_schema import line_of, manifest_schema
from ...adapters.result import Reading, read_file
from ...orchestrator.errors import UsageError
from ...orchestrator.planning.plan import choose
from ...projections.render.score_tables import Read, run_score
from ..context import Place, in_place, json_option, print_json
from ..group import Group
from ..printing import print_facts


@click.group(cls=Group)
def command() -> None:
    """Validate a benchmark.toml, test it on a result, and print the schema for editors."""


@command.command()
@click.argument("path", required=False, type=click.Path(path_type=Path, exists=True))
@json_option
@in_place
def validate(place: Place, path: Path | None, as_json: bool) -> int:
    """Validate the manifest at PATH, those in the folder PATH, or all of the workspace.

    Exit code 2 if there is a problem.
    """
    files = list(_manifests(path or place.workspace.root, is_named=path is not None))
    problems = [(problem, _line(problem)) for file in files for problem in _faults(file)]
    if path is None:
        # Some problems show only when all are read together: duplicate ids, plugins that fail.
        seen = {(problem.path, problem.key) for problem, _ in problems}
        problems += [
            (problem, _line(problem))
            for problem in discover(place.workspace.root).problems
            if (problem.path, problem.key) not in seen
        ]
    elif not files:
        raise UsageError(f"{path} contains no {MANIFEST}")
    if as_json:
        print_json(
            {
                "checked": [str(file) for file in files],
                "problems": [
                    {"path": str(problem.path), "line": line, "key": problem.key, "reason": problem.reason}
                    for problem, line in problems
                ],
            }
        )
    else:
        for problem, line in problems:
            location = f"{problem.path}:{line}" if line else str(problem.path)
            print(f"{location}: {problem.key}: {problem.reason}" if problem.key else f"{location}: {problem.reason}")
        print(f"{len(files)} manifests checked, {len(problems)} problems")
    return 2 if problems else 0


@command.command()
@click.argument("benchmark", metavar="ID|MANIFEST")
@click.option(
    "--result",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="Read this result file.",
)
@json_option
@in_place
def test(place: Place, benchmark: str, result: Path, as_json: bool) -> int:
    """Show what the benchmark ID, or the manifest at a path, reads from a result file.

    Exit code 1 if a run with this result would fail.
    """
    manifest = _manifest(place, benchmark)
    reading = read_file(manifest, result)
    if as_json:
        fields: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(reading, path=None))
        unit = {"unit": manifest.result.unit, "higher_is_better": manifest.result.higher_is_better}
        print_json({**fields, "path": str(result), **unit})
    else:
        print_facts(_facts(manifest, reading))
    return 1 if reading.reason else 0


@command.command()
def schema() -> None:
    """Print the JSON Schema of benchmark.toml, for editors."""
    print_json(manifest_schema())


@command.command()
def catalogue() -> None:
    """Print the catalogue of built-in benchmarks in Markdown."""
    [elizaos] = known_workspaces()
    print(catalogue_page(discover(Path(os.devnull)).adapters.values(), elizaos), end="")


def _manifests(path: Path, *, is_named: bool) -> Iterator[Path]:
    """The manifests at a path. A folder that the user named and that has none gives all its TOML files."""
    if path.is_file():
        yield path
        return
    own = path / MANIFEST
    if own.is_file():
        yield own
        return
    below = [path / name / MANIFEST for name in discover(path).directories]
    manifests = [file for file in below if file.is_file()]
    yield from manifests or (sorted(path.glob("*.toml")) if is_named else ())


def _faults(file: Path) -> list[ManifestError]:
    # A file of another name is in a catalogue, where a manifest names its directory.
    return find_faults(file, file.absolute().parent.name if file.name == MANIFEST else None)


def _line(problem: ManifestError) -> int | None:
    """The line of the key; None if the error has no key, such as a TOML error, which names its own line."""
    if not problem.key or not problem.path.is_file() or problem.path.name == WORKSPACE_FILE:
        return None
    return line_of(problem.path.read_text(encoding="utf-8", errors="replace"), problem.key)


def _manifest(place: Place, benchmark: str) -> Manifest:
    path = Path(benchmark)
    discovery = discover(place.workspace.root)
    # A folder may have the name of a benchmark, such as a suite in a checkout: then it needs a manifest to be used.
    is_known = benchmark in discovery.adapters or benchmark in discovery.broken
    if path.suffix == ".toml" or (path / MANIFEST).is_file() or (path.is_dir() and not is_known):
        file = path / MANIFEST if path.is_dir() else path
        try:
            return load_manifest(file, file.absolute().parent.name if file.name == MANIFEST else None)
        except ManifestError as problem:
            raise UsageError(str(problem)) from problem
    [adapter] = choose([benchmark], discovery.adapters, discovery.broken)
    return adapter.manifest


def _facts(manifest: Manifest, reading: Reading) -> dict[str, str]:
    direction = "higher" if manifest.result.higher_is_better else "lower"
    unit = manifest.result.unit
    shown = run_score(Read(score=reading.score, samples=reading.samples, stderr=reading.stderr, unit=unit))
    return {
        "benchmark": manifest.id,
        "verdict": f"failed: {reading.reason}" if reading.reason else "a valid result",
        "why": reading.error or "",
        "score": f"{shown} {manifest.result.unit} ({direction} is better)" if shown else "none",
        "samples": "" if reading.samples is None else str(reading.samples),
        "metrics": _lines(reading.metrics),
        "usage": _lines(reading.usage),
        "synthetic": "yes: it cannot be a record" if reading.synthetic else "",
    }


def _lines(values: dict[str, Any]) -> str:
    return "\n".join(f"{name} = {msgspec.json.encode(value).decode()}" for name, value in values.items())
