"""Discovery: which benchmarks there are, and which folders of a workspace none of them covers.

A manifest in the workspace comes before a plugin's, that before the catalog's, and that before a shipped suite's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from hashlib import sha256
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import msgspec

from .adapter import Adapter, Source
from .manifest import Manifest, ManifestError, load_manifest, read_toml

MANIFEST = "benchmark.toml"
WORKSPACE_FILE = "benchmarks.toml"
ENTRY_POINTS = "benchmarks.adapters"

_HERE = Path(__file__).parent
_NEVER = {"benchmark_results", "__pycache__", "node_modules"}


class Discovery(msgspec.Struct, frozen=True):
    """The adapters by id, sorted; what was wrong; the workspace's benchmark directories; those without an adapter.

    `excluded` are the folders that are no benchmarks, each with the reason that was given, or none.
    """

    adapters: dict[str, Adapter]
    problems: list[ManifestError]
    directories: list[str]
    uncovered: list[str]
    excluded: dict[str, str]


class _Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `benchmarks.toml`: globs of benchmark directories (instead of all), and of names to leave out, or why to.

    One of ours stands for a kind of workspace that has all the paths of `recognised_by`, and no such file.
    """

    directories: list[str] | None = None
    exclude: list[str] | dict[str, str] = []
    recognised_by: list[str] = []

    def reason(self, name: str) -> str | None:
        """Why a folder is left out; None where it is not."""
        reasons = self.exclude if isinstance(self.exclude, dict) else dict.fromkeys(self.exclude, "")
        matches = (why for glob, why in reasons.items() if fnmatch(name, glob) or fnmatch(Path(name).name, glob))
        return next(matches, None)


def discover(workspace: Path) -> Discovery:
    """Look at everything that can be run with this workspace, which need not exist. Writes nothing.

    A broken manifest becomes one of `problems` and takes no other down.
    """
    problems: list[ManifestError] = []
    choice = _read_choice(workspace, problems)
    names = _folder_names(workspace, choice)
    excluded = {name: why for name in names if (why := choice.reason(name)) is not None}
    directories = [name for name in names if name not in excluded]
    adapters: dict[str, Adapter] = {}
    for found in (
        _from_files(sorted(_HERE.glob(f"suites/*/{MANIFEST}")), "suite", workspace, problems),
        _from_files(sorted(_HERE.glob("catalog/*.toml")), "catalog", workspace, problems),
        _from_plugins(entry_points(group=ENTRY_POINTS), problems),
        _from_files(
            [workspace / name / MANIFEST for name in directories if (workspace / name / MANIFEST).is_file()],
            "workspace",
            workspace,
            problems,
        ),
    ):
        adapters.update(_unique(found, problems))
    covered = {
        adapter.manifest.directory
        for adapter in adapters.values()
        if adapter.source != "suite" and adapter.manifest.needs_directory
    }
    return Discovery(
        adapters=dict(sorted(adapters.items())),
        problems=problems,
        directories=directories,
        uncovered=[name for name in directories if not {name, Path(name).name} & covered],
        excluded=excluded,
    )


def _folder_names(workspace: Path, choice: _Choice) -> list[str]:
    """Paths relative to the workspace: its folders, and those of its `suites/` instead of that folder itself."""
    if choice.directories is not None:
        found = {path for pattern in choice.directories for path in workspace.glob(pattern) if path.is_dir()}
    else:
        found = {path for path in _folders(workspace) if path.name != "suites"} | {*_folders(workspace / "suites")}
    return sorted(path.relative_to(workspace).as_posix() for path in found if _may_be_benchmark(path))


def _folders(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else iter(())


def _may_be_benchmark(path: Path) -> bool:
    return path.name not in _NEVER and not path.name.startswith(".")


def _read_choice(workspace: Path, problems: list[ManifestError]) -> _Choice:
    path = workspace / WORKSPACE_FILE
    if not path.is_file():
        known = (msgspec.convert(read_toml(file), _Choice) for file in sorted(_HERE.glob("workspaces/*.toml")))
        like = (choice for choice in known if all((workspace / part).exists() for part in choice.recognised_by))
        return next(like, _Choice())
    try:
        choice = msgspec.convert(read_toml(path), _Choice)
        for pattern in choice.directories or ():
            if not pattern or pattern.startswith("/") or ".." in pattern.split("/"):
                raise ManifestError(path, "directories", f"'{pattern}' must name folders below the workspace")
    except msgspec.ValidationError as problem:
        reason, _, location = str(problem).partition(" - at `$")
        problems.append(ManifestError(path, location.strip("`."), f"{reason} (there are: directories, exclude)"))
    except ManifestError as problem:
        problems.append(problem)
    else:
        return choice
    return _Choice()


def _from_files(
    files: Iterable[Path], source: Source, workspace: Path, problems: list[ManifestError]
) -> Iterator[Adapter]:
    for file in files:
        try:
            # In the catalog a manifest stands alone, so that it must name its directory.
            manifest = load_manifest(file, None if source == "catalog" else file.parent.name)
        except ManifestError as problem:
            problems.append(problem)
            continue
        yield Adapter(
            manifest=manifest,
            source=source,
            origin=file,
            root=_root(workspace, manifest) if source == "catalog" else file.parent,
            sha256=sha256(file.read_bytes()).hexdigest(),
        )


def _root(workspace: Path, manifest: Manifest) -> Path | None:
    if not manifest.needs_directory:
        return workspace
    candidates = (workspace / manifest.directory, workspace / "suites" / manifest.directory)
    return next((folder for folder in candidates if folder.is_dir()), None)


def _from_plugins(points: Iterable[EntryPoint], problems: list[ManifestError]) -> Iterator[Adapter]:
    """What installed packages add: an entry point names a callable that returns adapters."""
    for point in points:
        try:
            made: list[Any] = list(point.load()())
        except Exception as problem:  # noqa: BLE001 - somebody else's code, which must not take the others down
            where = Path(point.dist.name if point.dist else point.value)
            problems.append(ManifestError(where, point.name, f"the plugin failed: {type(problem).__name__}: {problem}"))
            continue
        for adapter in made:
            if isinstance(adapter, Adapter):
                yield msgspec.structs.replace(adapter, source="plugin")
            else:
                problems.append(ManifestError(Path(point.value), point.name, f"made {adapter!r}, which is no Adapter"))


def _unique(adapters: Iterable[Adapter], problems: list[ManifestError]) -> dict[str, Adapter]:
    """The adapters of one source by id; the first of two with one id counts, the other is a problem."""
    unique: dict[str, Adapter] = {}
    for adapter in adapters:
        first = unique.setdefault(adapter.id, adapter)
        if first is not adapter:
            problems.append(ManifestError(adapter.origin, "id", f"'{adapter.id}' is taken by {first.origin}"))
    return unique
