"""The provenance of a run: commits, versions and machine. `started` records it, so that a result can be traced back."""

from __future__ import annotations

import functools
import json
import platform
import subprocess
import sys
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from ...adapters.adapter import Adapter
from ...adapters.environment import Environment
from ...adapters.git import ask_git, keeps_files_of
from ...adapters.manifest import Manifest
from ...adapters.regular_file import read_regular
from ...adapters.result.storable import well_formed
from ...ledger.events import Json
from ...ledger.identity import host_name

_SECONDS = 10
_MAX_PACKAGE_BYTES = 1024 * 1024
_MAX_VERSION_LENGTH = 200


@functools.cache
def own_version() -> str:
    """This program's version."""
    try:
        return version("benchmark-orchestrator")
    except PackageNotFoundError:
        return "unknown"


def repository(folder: Path) -> Json:
    """The git commit of a folder and whether it has uncommitted changes; empty if no repository tracks it.

    If a surrounding repository tracks no file of the folder (an ignored folder, or a submodule that was not fetched),
    the result is empty too, because that commit does not describe the folder.
    """
    if not folder.is_dir() or (commit := ask_git(folder, "rev-parse", "HEAD")) is None:
        return {}
    if ask_git(folder, "rev-parse", "--show-prefix") and not keeps_files_of(folder):
        return {}
    status = ask_git(folder, "status", "--porcelain", "--untracked-files=no", ".")
    return {"commit": commit, "dirty": bool(status)} if status is not None else {"commit": commit}


def workspace_provenance(workspace: Path) -> Json:
    """Commits and versions of the workspace, and of its `eliza/` if there is one."""
    eliza = workspace / "eliza"
    inside = eliza.is_dir()
    return {
        "benchmarks": repository(workspace),
        "eliza": repository(eliza) if inside else {},
        "eliza_version": _package_version(eliza / "package.json") if inside else None,
    }


def content_of(manifest: Manifest) -> bytes:
    """A manifest as JSON, with the default of every key that its file leaves out."""
    return msgspec.json.encode(manifest)


def run_provenance(adapter: Adapter, agent: str, environment: Environment | None) -> Json:
    """The manifest, the isolated environment and the machine of a run.

    Name and description are for readers who do not have the manifest, such as the viewer. The manifest's `sha256`
    is the digest of its file, and `content_sha256` that of its content for this agent.
    """
    return {
        "orchestrator": own_version(),
        "manifest": {
            "name": adapter.manifest.name,
            "description": adapter.manifest.description,
            "source": adapter.source,
            "file": adapter.origin.name,
            "sha256": adapter.sha256,
            "content_sha256": sha256(content_of(adapter.manifest.played_by(agent))).hexdigest(),
        },
        "environment": {
            "key": environment.key,
            "packages_sha256": environment.packages_sha256,
            "python": environment.python_version,
        }
        if environment
        else None,
        "packages": environment.packages if environment else [],
        "machine": dict(_machine()),
    }


@functools.cache
def _machine() -> tuple[tuple[str, str | int | tuple[str, ...] | None], ...]:
    import psutil

    return (
        ("host", host_name()),
        ("system", platform.system()),
        ("release", platform.release()),
        ("architecture", platform.machine()),
        ("cpu", _cpu_name()),
        ("cores", psutil.cpu_count(logical=True)),
        ("memory_bytes", psutil.virtual_memory().total),
        ("gpus", _gpu_names()),
        ("python", sys.version.split()[0]),
        ("interpreter", platform.python_implementation()),
    )


def _gpu_names() -> tuple[str, ...]:
    """The GPUs with their memory, from nvidia-smi; empty without a GPU or without that command."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        found = subprocess.run(query, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(found.stdout.strip().splitlines())


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _package_version(file: Path) -> str | None:
    try:
        found = json.loads(read_regular(file, most=_MAX_PACKAGE_BYTES)).get("version")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None  # A package.json without a version.
    return well_formed(found[:_MAX_VERSION_LENGTH]) if isinstance(found, str) else None
