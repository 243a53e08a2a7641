"""`new`: the beginning of a benchmark of one's own, which runs as it is."""

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
    """Write a working benchmark NAME into the workspace: a benchmark.toml, a driver, and questions to replace.

    Nothing that is there already is overwritten.
    """
    if not is_id(name):
        raise UsageError(f"'{name}' is no id: {ID_RULE}")
    root = place.workspace.root
    folder = root / name
    if folder.exists():
        raise UsageError(f"{folder} is there already; choose another name")
    if taken := discover(root).adapters.get(name):
        raise UsageError(f"'{name}' is the id of a benchmark already, of {taken.origin}; choose another name")
    folder.mkdir(parents=True)
    template = files("benchmarks.adapters") / "template"
    for file in _TEMPLATE:
        text = (template / file).read_text(encoding="utf-8")
        (folder / file).write_text(text.replace("NAME", name) if file == MANIFEST else text, encoding="utf-8")
        print(folder / file)
    if name not in discover(root).adapters:
        note(f"benchmarks.toml of the workspace leaves it out: add '{name}' to its directories")
    note(f"run it:  benchmarks run --benchmarks {name} --provider local --model smollm2-135m")
