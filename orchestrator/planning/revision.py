"""The task revision: the state of everything that a run measures with, and how two revisions differ."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from ...adapters.adapter import Adapter
from ...adapters.driver_files import digest_of_data, digest_of_driver
from ...adapters.environment import Environment
from ...adapters.manifest import Manifest
from ...ledger.events import Json, TaskRevision

_SUITEKIT = "suitekit"


def revision_of(adapter: Adapter, environment: Environment | None) -> TaskRevision:
    """The revision of a run, as far as it is known before the run starts. It is the same for all agents."""
    manifest = adapter.manifest
    return TaskRevision.of(
        version=manifest.version,
        driver=_driver(adapter),
        data=digest_of_data(adapter.root, manifest.data.files) if adapter.root and manifest.data.files else "",
        packages=environment.packages_sha256 if environment else "",
    )


def with_packages(revision: TaskRevision, environment: Environment | None) -> TaskRevision:
    """The same revision with the packages of an environment."""
    packages = environment.packages_sha256 if environment else ""
    return TaskRevision.of(version=revision.version, driver=revision.driver, data=revision.data, packages=packages)


def with_data(revision: TaskRevision, data: str) -> TaskRevision:
    """The same revision with the data revision that the result reports."""
    return TaskRevision.of(version=revision.version, driver=revision.driver, data=data, packages=revision.packages)


def differences(before: TaskRevision, now: TaskRevision) -> list[str]:
    """Each part that differs, as `driver was 12ab… and is 34cd… now`."""
    names = ("version", "driver", "data", "packages")
    values = [(name, getattr(before, name), getattr(now, name)) for name in names]
    return [f"{name} was {_shown(old)} and is {_shown(new)} now" for name, old, new in values if old != new]


def _shown(value: str) -> str:
    if not value:
        return "none"
    return value[:12] if len(value) == 64 else f"'{value}'"


def _driver(adapter: Adapter) -> str:
    """A digest of the driver's files, and of the manifest's keys about starting a run and reading its result.

    A harness of the catalogue works in the whole workspace, so only the files that it names belong to its driver.
    """
    manifest = adapter.manifest
    files = [""]
    if adapter.root is not None and (manifest.needs_directory or manifest.run.files):
        files = [digest_of_driver(adapter.root, manifest.run.files)]
        if adapter.source == "suite":
            files.append(digest_of_driver(adapter.root.parent / _SUITEKIT, None))
    return sha256(msgspec.json.encode([_meaning(manifest), *files], order="sorted")).hexdigest()


_RUN = ("argv", "cwd", "env", "agent_argv", "package", "ok_exit_codes")
_OPTION = ("type", "argv", "env", "untold")
_BASELINE = ("argv", "env", "untold", "score")
_RESULT = ("files", "score", "out_of", "unit", "higher_is_better", "samples", "stderr", "valid", "synthetic")
"""The keys of a manifest that change what a run measures. Descriptions and limits of time and size do not."""


def _meaning(manifest: Manifest) -> Json:
    """The part of a manifest that changes what a run measures. Defaults are left out, so that keys can be added."""
    return {
        "run": _without_defaults(manifest.run, _RUN),
        "options": {name: _without_defaults(option, _OPTION) for name, option in sorted(manifest.options.items())},
        "baselines": {
            name: _without_defaults(baseline, _BASELINE) for name, baseline in sorted(manifest.baselines.items())
        },
        "result": _without_defaults(manifest.result, _RESULT),
    }


def _without_defaults(table: msgspec.Struct, keys: tuple[str, ...]) -> Json:
    """The values of the given keys, without defaults."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(table)}
    values = {key: getattr(table, key) for key in keys}
    return {key: value for key, value in values.items() if value != defaults[key] and value not in ([], {}, None)}
