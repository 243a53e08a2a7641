"""What git says of a folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_SECONDS = 4


def ask_git(folder: Path, *arguments: str) -> str | None:
    """What git answers about a folder; None if it answers with an error, is missing, or takes too long."""
    # A variable such as GIT_DIR, which hooks set, would let git speak of another repository.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, env=environ, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="surrogateescape").strip() if done.returncode == 0 else None


def lists_nothing_of(folder: Path, names: list[str]) -> list[str]:
    """Those subfolders of which git would keep no file: all that they hold is ignored, or they are empty.

    None of them if git does not keep `folder` itself, or cannot say.
    """
    if not names or ask_git(folder, "rev-parse", "--is-inside-work-tree") != "true":
        return []
    if ask_git(folder, "check-ignore", "--quiet", ".") is not None:
        return []  # A surrounding repository ignores all of it, which says nothing of its folders.
    literal = [f":(literal){name}" for name in names]
    listed = ask_git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *literal)
    if listed is None:
        return []
    seen = [path for path in listed.split("\0") if path]
    return [name for name in names if not any(path == name or path.startswith(f"{name}/") for path in seen)]


def tracked_files(folder: Path) -> list[str]:
    """The paths below a folder that git tracks; none outside of a repository, or if git cannot say."""
    if not any((parent / ".git").exists() for parent in (folder.absolute(), *folder.absolute().parents)):
        return []  # Without a process.
    listed = ask_git(folder, "ls-files", "-z", "--cached", "--", ".")
    return [path for path in (listed or "").split("\0") if path]


def keeps_files_of(folder: Path) -> bool:
    """Whether the repository around a folder has a file of it. A submodule's place is not a file."""
    listed = ask_git(folder, "ls-files", "--stage", "-z", "--", ".") or ""
    return any(entry and not entry.startswith("160000 ") for entry in listed.split("\0"))
