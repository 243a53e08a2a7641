"""The house itself: which folder may import which, and that everything in the tree is shipped."""

from __future__ import annotations

import ast
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


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported_folders(module: Path) -> set[str]:
    """The folders of this project that a module imports, late imports included."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                package = module.relative_to(ROOT).parent.parts
                parts = package[: len(package) - node.level + 1]
                names = [node.module] if node.module else [alias.name for alias in node.names]
                found |= {(*parts, *name.split("."))[0] for name in names}
            elif node.module and node.module.split(".")[0] == "benchmarks":
                found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("benchmarks.")}
    return found & MAY_IMPORT.keys()


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_folder_imports_only_what_the_data_flow_allows(folder: str) -> None:
    wrong = {}
    for module in modules(folder):
        # `python -m benchmarks.orchestrator` is the command line.
        is_entry_point = module == ROOT / "orchestrator" / "__main__.py"
        allowed = MAY_IMPORT[folder] | ({"cli"} if is_entry_point else set())
        if extra := imported_folders(module) - allowed:
            wrong[str(module.relative_to(ROOT))] = extra
    assert not wrong


def test_every_package_of_the_tree_is_listed_for_packaging() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    in_tree = {
        ".".join(("benchmarks", *init.parent.relative_to(ROOT).parts))
        for folder in MAY_IMPORT
        for init in (ROOT / folder).rglob("__init__.py")
    }
    assert set(listed) == in_tree | {"benchmarks"}


def test_the_wheel_holds_every_file_of_the_tree(tmp_path: Path) -> None:
    copy = tmp_path / "source"
    files = [
        file
        for folder in MAY_IMPORT
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    ]
    top = [ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE", "__init__.py", "py.typed")]
    for file in [*files, *top]:
        target = copy / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(copy)]
    subprocess.run(build, check=True)
    [wheel] = tmp_path.glob("*.whl")
    shipped = set(zipfile.ZipFile(wheel).namelist())
    assert {f"benchmarks/{file.relative_to(ROOT)}" for file in files} <= shipped


def test_style_and_types_are_clean() -> None:
    for check in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]):
        done = subprocess.run([sys.executable, "-m", *check], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not (shutil.which("npx") and shutil.which("make")), reason="make types needs Node.js")
def test_types_in_the_scripts_of_the_page_are_clean() -> None:
    done = subprocess.run(["make", "--silent", "types"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
