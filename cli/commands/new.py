"""`new`: a new benchmark that runs as it is."""

from __future__ import annotations

from importlib.resources import files

import click

from ...adapters.discovery import MANIFEST, discover
from ...adapters.manifest import ID_RULE, is_id
from ...orchestrator.errors import UsageError
from ..context import Place, in_place, note

_TEMPLATE = ("benchmark.toml", "run.py", "questions.jsonl")


@click.command()
@click.argument("name")
@in_place
def command(place: Place, name: str) -> None:
    """Create a working benchmark NAME in the workspace: a benchmark.toml, a driver, and sample questions.

    Existing files are never overwritten.
    """
    if not is_id(name):
        raise UsageError(f"'{name}' is not a valid id", f"an id has {ID_RULE}")
    root = place.workspace.root
    folder = root / name
    if folder.exists():
        raise UsageError(f"{folder} already exists", "choose another name")
    if taken := discover(root).adapters.get(name):
        raise UsageError(f"'{name}' is already the id of a benchmark, in {taken.origin}", "choose another name")
    folder.mkdir(parents=True)
    template = files("benchmarks.adapters") / "template"
    for file in _TEMPLATE:
        text = (template / file).read_text(encoding="utf-8")
        (folder / file).write_text(text.replace("NAME", name) if file == MANIFEST else text, encoding="utf-8")
        print(folder / file)
    if name not in discover(root).adapters:
        note(f"the benchmarks.toml of the workspace excludes it\nhint: add '{name}' to its directories")
    note(f"run it:  benchmarks run --benchmarks {name} --provider local --model smollm2-135m")
