"""The house itself: which folder may import which, and that everything in the tree is shipped."""

from __future__ import annotations

import ast
import functools
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "ledger": {"ledger"},
    "projections": {"projections", "ledger"},
    "adapters": {"adapters"},
    "orchestrator": {"orchestrator", "ledger", "projections", "adapters"},
    "viewer": {"viewer", "ledger", "projections"},
    "cli": {"cli", "orchestrator", "ledger", "projections", "adapters", "viewer"},
}


PROMISED_NAMES = {"ledger.jsonl", "ledger.contract"}
"""Modules that only keep an import working that the documentation promised. Nothing of ours may use them."""

Graph = dict[str, set[str]]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for folder in MAY_IMPORT for path in sorted((ROOT / folder).rglob("*.py"))}


@functools.cache
def imports_of(name: str) -> set[str]:
    """The modules of this project that a module imports, late imports included."""
    package = MODULES[name].relative_to(ROOT).parent.parts
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.ImportFrom):
            parts: list[str] = (node.module or "").split(".") if node.module else []
            if node.level:
                parts = [*package[: len(package) - node.level + 1], *parts]
            elif parts[:1] == ["benchmarks"]:
                parts = parts[1:]
            else:
                continue
            for alias in node.names:
                submodule = ".".join([*parts, alias.name])
                found.add(submodule if submodule in MODULES else ".".join(parts))
        elif isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("benchmarks.") for alias in node.names if "benchmarks." in alias.name}
    return (found & MODULES.keys()) - {name}


def room_of(name: str) -> str:
    """The room of a module: its folder inside of a top folder, or the module itself if it stands directly there."""
    return ".".join(name.split(".")[:2])


def circles(graph: Graph) -> list[list[str]]:
    """The nodes that can be reached from themselves, those of one circle together."""
    reachable: Graph = {}
    for node in graph:
        seen: set[str] = set()
        waiting = list(graph[node])
        while waiting:
            if (next_one := waiting.pop()) not in seen:
                seen.add(next_one)
                waiting += graph.get(next_one, ())
        reachable[node] = seen
    found = {
        tuple(sorted(other for other in seen if node in reachable.get(other, ())))
        for node, seen in reachable.items()
        if node in seen
    }
    return [list(circle) for circle in sorted(found)]


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_folder_imports_only_what_the_data_flow_allows(folder: str) -> None:
    wrong = {}
    for name in MODULES:
        # `python -m benchmarks.orchestrator` is the command line.
        allowed = MAY_IMPORT[folder] | ({"cli"} if name == "orchestrator.__main__" else set())
        if name.split(".")[0] == folder and (extra := {one.split(".")[0] for one in imports_of(name)} - allowed):
            wrong[name] = extra
    assert not wrong


def test_the_root_holds_the_package_and_no_other_module() -> None:
    assert {path.name for path in ROOT.glob("*.py")} == {"__init__.py"}


def test_modules_import_each_other_in_no_circle() -> None:
    assert circles({name: imports_of(name) for name in MODULES}) == []


def test_rooms_import_each_other_in_no_circle() -> None:
    rooms: Graph = {room_of(name): set() for name in MODULES}
    for name in MODULES:
        rooms[room_of(name)] |= {room_of(one) for one in imports_of(name)} - {room_of(name)}
    assert circles(rooms) == []


def test_nothing_uses_the_names_that_are_only_kept_for_users() -> None:
    assert {name for name in MODULES if imports_of(name) & PROMISED_NAMES} == set()


@pytest.mark.parametrize(
    ("graph", "found"),
    [
        ({"a": {"b"}, "b": set()}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, [["b", "c"]]),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}, [["a", "b", "c"]]),
    ],
)
def test_circles_are_found(graph: Graph, found: list[list[str]]) -> None:
    assert circles(graph) == found


def test_every_package_of_the_tree_is_listed_for_packaging() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    in_tree = {
        ".".join(("benchmarks", *init.parent.relative_to(ROOT).parts))
        for folder in MAY_IMPORT
        for init in (ROOT / folder).rglob("__init__.py")
    }
    assert set(listed) == in_tree | {"benchmarks"}


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_tree(tmp_path: Path) -> None:
    copy = tmp_path / "source"
    files = [
        file
        for folder in MAY_IMPORT
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    ]
    top = [ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE", "py.typed")] + sorted(ROOT.glob("*.py"))
    for file in [*files, *top]:
        target = copy / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(copy)]
    subprocess.run(build, check=True)
    [wheel] = tmp_path.glob("*.whl")
    shipped = set(zipfile.ZipFile(wheel).namelist())
    assert {f"benchmarks/{file.relative_to(ROOT)}" for file in [*files, *ROOT.glob("*.py")]} <= shipped


def test_style_and_types_are_clean() -> None:
    for check in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]):
        done = subprocess.run([sys.executable, "-m", *check], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("npx") and shutil.which("make")), reason="make page needs Node.js")
def test_the_scripts_of_the_page_are_clean_and_pass_their_tests() -> None:
    done = subprocess.run(["make", "--silent", "page"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
