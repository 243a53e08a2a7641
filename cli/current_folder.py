"""Warnings about the current folder: another program with our name, or results in another place."""

from __future__ import annotations

import contextlib
import os
from hashlib import sha256
from pathlib import Path

from ..projections.workspace import RESULTS
from .streams import say

_PACKAGE = "benchmarks"
_OURS = Path(__file__).parents[1]


def warn_of_current_folder(here: Path, workspace: Path) -> None:
    """Print the warnings about this folder."""
    if is_shadowed(here) and _is_first_time("shadowed", here):
        say(
            "note: in this folder, `python -m benchmarks.orchestrator` starts the orchestrator of the checkout in "
            "benchmarks/, which changes this program's orchestrator.sqlite\n"
            "hint: use `benchmarks ...` or `python -P -m benchmarks.orchestrator ...` (shown once)"
        )
    if left := _results_left_inside(here, workspace):
        say(
            f"note: this checkout is the workspace now, but earlier results are in {left}\n"
            f"hint: move {left / RESULTS} here, or give --workspace {left.name}"
        )


def _results_left_inside(here: Path, workspace: Path) -> Path | None:
    """The folder `benchmarks/` of a checkout if it holds results from before the checkout itself was the workspace."""
    inside = here / _PACKAGE
    is_other = workspace == here and not (here / RESULTS).is_dir() and not (here / "benchmarks.toml").is_file()
    return inside if is_other and (inside / RESULTS).is_dir() else None


def is_shadowed(here: Path) -> bool:
    """Whether `python -m benchmarks.orchestrator` starts another program here.

    Python looks in the current folder first, so a package called `benchmarks` there hides the installed one.
    """
    package = here / _PACKAGE
    if not (package / "__init__.py").is_file() or package.resolve() == _OURS:
        return False
    is_copy_of_ours = (package / "ledger" / "events.py").is_file() and (package / "orchestrator").is_dir()
    return not is_copy_of_ours and any((package / name).is_dir() for name in ("orchestrator", "suites/orchestrator"))


def _is_first_time(what: str, here: Path) -> bool:
    """Whether this warning was not shown in this folder before; always true if that cannot be stored."""
    from ..adapters.cache import cache_folder

    name = sha256(f"{what}\n".encode() + os.fsencode(here)).hexdigest()[:32]
    marker = cache_folder() / "told" / name
    with contextlib.suppress(OSError):
        if marker.exists():
            return False
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
    return True
