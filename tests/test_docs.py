"""The documentation agrees with the program: its examples run, and it is complete."""

from __future__ import annotations

import functools
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from benchmarks.adapters import manifest
from benchmarks.adapters.options import Option
from benchmarks.cli.main import COMMANDS
from benchmarks.ledger.events import EVENT_TYPES

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


@functools.cache
def help_of(*command: str) -> str:
    argv = [Path(sys.executable).with_name("benchmarks"), *command, "--help"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("damage", [None, (b"ended_at", b"ended_At"), (b'"seq":2', b'"seq":9')])
def test_the_chain_checker_of_the_documentation_checks_the_chain(store, histories, tmp_path, damage):
    from benchmarks.ledger.ledger import Ledger

    ledger = Ledger(store)
    for number in range(3):
        ledger.append(f"run_{number}", histories.started(str(number)))
        ledger.append(f"run_{number}", histories.finished())
    code, _ = blocks(DOCS / "ledger.md", "python")
    assert len(code.strip().splitlines()) <= 20
    [segment] = store.folder.glob("*.jsonl")
    if damage:
        segment.write_bytes(segment.read_bytes().replace(*damage, 1))
    checked = subprocess.run([sys.executable, "-c", code, store.folder], capture_output=True, text=True)
    if damage:
        assert checked.returncode == 1 and "event 2 is not what was written" in checked.stderr
    else:
        assert checked.stdout.startswith("6 events, head ")


def test_every_event_and_every_field_is_documented():
    page = (DOCS / "events.md").read_text()
    for name, event in EVENT_TYPES.items():
        assert f"| `{name}` |" in page
        section = next(part for part in page.split("\n## ") if name in part.splitlines()[0].split(", "))
        for field in event.__struct_fields__:
            assert f"`{field}`" in section, f"{name}.{field}"


def test_every_key_of_a_manifest_is_documented():
    page = (DOCS / "manifest.md").read_text()
    tables = (manifest.Manifest, manifest.RunSpec, manifest.Requires, manifest.ResultSpec, manifest.HighScore, Option)
    for table in tables:
        for field in table.__struct_fields__:
            assert f"`{field}`" in page or f"[{field}" in page, f"{table.__name__}.{field}"
    for name in manifest.PLACEHOLDERS:
        assert f"{{{name}}}" in page


def test_the_smallest_manifest_of_the_documentation_is_one():
    smallest = blocks(DOCS / "manifest.md", "toml")[0]
    parsed = manifest.parse_manifest(tomllib.loads(smallest), Path("benchmark.toml"), "my_benchmark")
    assert parsed.id == "my_benchmark"


@pytest.mark.slow
def test_every_command_that_the_readme_names_exists_with_its_options():
    named = set()
    commands = "".join(blocks(ROOT / "README.md", "sh"))
    for line in re.findall(r"^benchmarks (.*)$", commands, re.MULTILINE):
        words = shlex.split(line, comments=True)
        named.add(words[0])
        assert words[0] in COMMANDS, line
        group = words[:2] if words[0] in ("ledger", "adapters", "environments", "witness") else words[:1]
        help_text = help_of(*group)
        for word in words:
            if word.startswith("--"):
                assert word.partition("=")[0] in help_text, line
    assert named == set(COMMANDS), "the README shows every command"


def test_every_link_of_the_documentation_leads_somewhere():
    for page in (ROOT / "README.md", *DOCS.glob("*.md")):
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_anchor_of_the_documentation_exists():
    for page in (*ROOT.glob("*.md"), *DOCS.glob("*.md")):
        for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", page.read_text()):
            if not target.startswith("http"):
                assert anchor in anchors(page.parent / target if target else page), f"{page.name}: {target}#{anchor}"


def test_every_path_of_the_makefile_exists():
    paths = re.findall(r"\btests/[\w/.]+\b", (ROOT / "Makefile").read_text())
    assert paths and [path for path in paths if not (ROOT / path).exists()] == []


def test_the_architecture_names_every_room():
    page = (DOCS / "architecture.md").read_text()
    for folder in ("ledger", "projections", "adapters", "orchestrator", "viewer", "cli"):
        section = page.partition(f"### `{folder}/`")[2].partition("\n### ")[0]
        named = set(re.findall(r"`([a-z_/]+)/`", "\n".join(re.findall(r"^\| (`.*?) \|", section, re.MULTILINE))))
        inside = {
            file.parent.relative_to(ROOT / folder).as_posix()
            for file in (ROOT / folder).rglob("*.py")
            if not file.is_relative_to(ROOT / folder / "suites")
        } - {"."}
        assert named - {"suites", "catalog", "workspaces", "page"} == inside - {"suites"}, folder


def test_lines_of_prose_are_short():
    """At most 120 characters, as in the code. Tables and blocks of code may be wider."""
    for page in (*ROOT.glob("*.md"), *DOCS.glob("*.md")):
        text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
        prose = [line for line in text.splitlines() if not line.startswith(("|", "    "))]
        assert [line for line in prose if len(line) > 120] == [], page.name
