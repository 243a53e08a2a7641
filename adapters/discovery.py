"""Discovery: which benchmarks there are, and which folders of a workspace none of them covers.

A manifest in the workspace comes before a plugin's, that before the catalog's, and that before a shipped suite's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatch
from hashlib import sha256
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import msgspec

from .adapter import Adapter, Harnesses, Source
from .git import lists_nothing_of
from .manifest import MAX_MANIFEST_BYTES, Check, Manifest, ManifestError, read_manifest, read_toml
from .manifest.remembered import Remembered
from .regular_file import read_regular

MANIFEST = "benchmark.toml"
WORKSPACE_FILE = "benchmarks.toml"
ENTRY_POINTS = "benchmarks.adapters"

_HERE = Path(__file__).parent
_NEVER = {"benchmark_results", "__pycache__", "node_modules"}
_CACHES = {"__pycache__", "benchmark_results", "node_modules", ".venv", ".tox", ".nox", ".cache", ".hypothesis"}
_CACHE_FILES = (".pyc", ".pyo", ".DS_Store")
_ID_LINE = re.compile(r"""^\s*id\s*=\s*["']([^"'\n]+)["']""", re.MULTILINE)

Broken = Mapping[str, ManifestError]
"""What is wrong with the manifest of a benchmark that cannot be run, by the benchmark's id."""
NONE_BROKEN: Broken = {}


class Discovery(msgspec.Struct, frozen=True):
    """The adapters by id, sorted; what was wrong; the workspace's benchmark directories; those without an adapter.

    `excluded` are the folders that are not benchmarks, each with the reason that was given, or none. `broken` says by
    id, and by the name of its folder, which manifest would have defined a benchmark that is not among the adapters.
    """

    adapters: dict[str, Adapter]
    problems: list[ManifestError]
    directories: list[str]
    uncovered: list[str]
    excluded: dict[str, str]
    broken: Broken = NONE_BROKEN


class WorkspaceFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `benchmarks.toml`: globs of benchmark directories (instead of all), and of names to leave out, or why to.

    `checks` are for agents, made in the workspace. One of ours says what is known of every workspace that has all the
    paths of `recognised_by`; a workspace's own file adds to it, and comes first. `artifacts` are the addresses of
    stores for the files of runs; the first one is the one that runs copy their files to. `endpoints` are the limits of
    calls in flight, which the orchestrator reads.
    """

    directories: list[str] | None = None
    exclude: list[str] | dict[str, str] = []
    recognised_by: list[str] = []
    checks: list[Check] = []
    artifacts: str | list[str] = []
    endpoints: dict[str, Any] = {}

    @property
    def reasons(self) -> dict[str, str]:
        """Why the folders of a glob are left out; empty if no reason is given."""
        return self.exclude if isinstance(self.exclude, dict) else dict.fromkeys(self.exclude, "")

    def reason(self, name: str) -> str | None:
        """Why a folder is left out; None if it is not."""
        matches = (why for glob, why in self.reasons.items() if fnmatch(name, glob) or fnmatch(Path(name).name, glob))
        return next(matches, None)


def artifact_stores(workspace: Path) -> list[str]:
    """The addresses of stores in the workspace's file. A file that is not valid names none; `discover` reports it."""
    named = _read_workspace_file(workspace, []).artifacts
    return [named] if isinstance(named, str) else named


def endpoint_limits(workspace: Path) -> dict[str, Any]:
    """The table `[endpoints]` of the workspace's file. A file that is not valid has none; `discover` reports it."""
    return _read_workspace_file(workspace, []).endpoints


def discover(workspace: Path) -> Discovery:
    """Look at everything that can be run with this workspace, which need not exist. Starts no process.

    A manifest that cannot be used becomes one of `problems`; it does not affect the others.
    """
    problems: list[ManifestError] = []
    choice = _read_workspace_file(workspace, problems)
    names = _folder_names(workspace, choice)
    excluded = {name: why for name in names if (why := choice.reason(name)) is not None}
    directories = [name for name in names if name not in excluded]
    adapters, broken = _adapters(workspace, directories, problems)
    uncovered = _uncovered(directories, adapters.values())
    residue = {name for name in uncovered if _holds_only_caches(workspace / name)}
    return Discovery(
        adapters=_with_harnesses(adapters, Harnesses(workspace, choice.checks)),
        problems=problems,
        directories=[name for name in directories if name not in residue],
        uncovered=[name for name in uncovered if name not in residue],
        excluded=excluded,
        broken=broken,
    )


def _adapters(
    workspace: Path, directories: list[str], problems: list[ManifestError]
) -> tuple[dict[str, Adapter], dict[str, ManifestError]]:
    """The adapters of all sources by id, sorted, and the broken manifests of benchmarks that are not among them."""
    adapters: dict[str, Adapter] = {}
    broken: dict[str, ManifestError] = {}
    own = [workspace / name / MANIFEST for name in directories if (workspace / name / MANIFEST).is_file()]
    shipped = Remembered()
    for found in (
        _from_files(sorted(_HERE.glob(f"suites/*/{MANIFEST}")), "suite", workspace, problems, shipped.read),
        _from_files(sorted(_HERE.glob("catalog/*.toml")), "catalog", workspace, problems, shipped.read),
        _from_plugins(entry_points(group=ENTRY_POINTS), problems),
        _from_files(own, "workspace", workspace, problems),
    ):
        before = len(problems)
        unique = _unique(found, problems)
        for problem in problems[before:]:
            id, folder = _claimed(problem.path)
            broken |= {folder: problem, id: problem}
            # The benchmark that a broken manifest replaces must not run in its place.
            adapters.pop(id, None)
        adapters.update(unique)
    shipped.keep()
    return dict(sorted(adapters.items())), {id: problem for id, problem in broken.items() if id not in adapters}


def _uncovered(directories: list[str], adapters: Iterable[Adapter]) -> list[str]:
    """The benchmark directories that no adapter covers."""
    covered = {adapter.manifest.directory for adapter in adapters if _covers_a_directory(adapter)}
    return [name for name in directories if not {name, Path(name).name} & covered]


def _covers_a_directory(adapter: Adapter) -> bool:
    return adapter.source != "suite" and adapter.manifest.needs_directory


def _with_harnesses(adapters: dict[str, Adapter], harnesses: Harnesses) -> dict[str, Adapter]:
    """The same, with what agents of the workspace need added to the benchmarks of the workspace."""
    if not harnesses.checks:
        return adapters
    return {
        id: msgspec.structs.replace(adapter, harnesses=harnesses) if _covers_a_directory(adapter) else adapter
        for id, adapter in adapters.items()
    }


def without_ignored(discovery: Discovery, workspace: Path) -> Discovery:
    """The same without the uncovered folders that hold only files that git ignores. Asks git, if there are any."""
    ignored = {
        name
        for name in lists_nothing_of(workspace, discovery.uncovered)
        if any(files for *_, files in os.walk(workspace / name))
    }
    return msgspec.structs.replace(
        discovery,
        directories=[name for name in discovery.directories if name not in ignored],
        uncovered=[name for name in discovery.uncovered if name not in ignored],
    )


def known_workspaces() -> Iterator[WorkspaceFile]:
    """What this program knows of the workspaces of others."""
    return (msgspec.convert(read_toml(file), WorkspaceFile) for file in sorted(_HERE.glob("workspaces/*.toml")))


def is_known_checkout(folder: Path) -> bool:
    """Whether a folder is a checkout of a kind that this program knows."""
    return bool(_recognise(folder).recognised_by)


def _recognise(workspace: Path) -> WorkspaceFile:
    """What this program knows of workspaces of that kind."""
    kinds = (one for one in known_workspaces() if all((workspace / path).exists() for path in one.recognised_by))
    return next(kinds, WorkspaceFile())


def _folder_names(workspace: Path, choice: WorkspaceFile) -> list[str]:
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


def _holds_only_caches(folder: Path) -> bool:
    """Whether a folder is not empty, and holds nothing but caches (by their names) that outlived a benchmark."""
    has_cache = False
    for _, folders, files in os.walk(folder):
        if any(not name.endswith(_CACHE_FILES) for name in files):
            return False
        has_cache = has_cache or bool(files) or any(is_cache(name) for name in folders)
        folders[:] = [name for name in folders if not is_cache(name)]
    return has_cache


def is_cache(name: str) -> bool:
    """Whether a folder or file of that name is a cache."""
    return name in _CACHES or name.endswith(_CACHE_FILES) or (name.startswith(".") and name.endswith("_cache"))


def _claimed(path: Path) -> tuple[str, str]:
    """The id that a broken manifest was to define, as far as it can be read, and the name of its folder or file."""
    name = path.parent.name if path.name == MANIFEST else path.stem
    try:
        text = read_regular(path, most=MAX_MANIFEST_BYTES).decode(errors="replace")
    except OSError:
        return name, name
    match = _ID_LINE.search(text)
    return (match[1] if match else name), name


def _read_workspace_file(workspace: Path, problems: list[ManifestError]) -> WorkspaceFile:
    known = _recognise(workspace)
    path = workspace / WORKSPACE_FILE
    if not path.is_file():
        return known
    try:
        own = msgspec.convert(read_toml(path), WorkspaceFile)
        for pattern in own.directories or ():
            if not pattern or pattern.startswith("/") or ".." in pattern.split("/"):
                raise ManifestError(path, "directories", f"'{pattern}' must name folders below the workspace")
    except msgspec.ValidationError as problem:
        reason, _, location = str(problem).partition(" - at `$")
        known_keys = "known: directories, exclude, checks, artifacts, endpoints"
        problems.append(ManifestError(path, location.strip("`."), f"{reason} ({known_keys})"))
    except ManifestError as problem:
        problems.append(problem)
    else:
        return WorkspaceFile(
            directories=known.directories if own.directories is None else own.directories,
            exclude={**own.reasons, **{glob: why for glob, why in known.reasons.items() if glob not in own.reasons}},
            checks=[*known.checks, *own.checks],
            artifacts=own.artifacts,
            endpoints=own.endpoints,
        )
    return known


def _from_files(
    files: Iterable[Path],
    source: Source,
    workspace: Path,
    problems: list[ManifestError],
    read: Callable[[bytes, Path, str | None], Manifest] = read_manifest,
) -> Iterator[Adapter]:
    for file in files:
        # In the catalog a manifest stands alone, so that it must name its directory.
        directory = None if source == "catalog" else file.parent.name
        try:
            content = read_regular(file, most=MAX_MANIFEST_BYTES)
            manifest = read(content, file, directory)
        except ManifestError as problem:
            problems.append(problem)
            continue
        except OSError as problem:
            problems.append(ManifestError(file, "", f"cannot be read: {problem.strerror}"))
            continue
        yield Adapter(
            manifest=manifest,
            source=source,
            origin=file,
            root=_root(workspace, manifest) if source == "catalog" else file.parent,
            sha256=sha256(content).hexdigest(),
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
        except Exception as problem:  # noqa: BLE001 - code of another package, which must not affect the others
            where = Path(point.dist.name if point.dist else point.value)
            problems.append(ManifestError(where, point.name, f"the plugin failed: {type(problem).__name__}: {problem}"))
            continue
        for adapter in made:
            if isinstance(adapter, Adapter):
                yield msgspec.structs.replace(adapter, source="plugin")
            else:
                problems.append(
                    ManifestError(Path(point.value), point.name, f"made {adapter!r}, which is not an Adapter")
                )


def _unique(adapters: Iterable[Adapter], problems: list[ManifestError]) -> dict[str, Adapter]:
    """The adapters of one source by id; the first of two with one id counts, the other is a problem."""
    unique: dict[str, Adapter] = {}
    for adapter in adapters:
        first = unique.setdefault(adapter.id, adapter)
        if first is not adapter:
            problems.append(ManifestError(adapter.origin, "id", f"'{adapter.id}' is taken by {first.origin}"))
    return unique
