"""An adapter: a manifest at its place, which says what is missing here, and what to start."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from .environment import find_python
from .manifest import ANY_AGENT, EACH_VALUE, LOG_BYTES, Check, Manifest, fill
from .network import is_reachable
from .options import render

Source = Literal["suite", "catalog", "workspace", "plugin"]

_CHECK_SECONDS = 5


class Command(msgspec.Struct, frozen=True):
    """What to start: arguments, additional variables, working directory, and what else `[run]` explains."""

    argv: list[str]
    env: dict[str, str]
    cwd: Path
    timeout_seconds: float
    stall_seconds: float | None = None
    log_bytes: int = LOG_BYTES
    package: str | None = None


class Harnesses(msgspec.Struct, frozen=True):
    """What the agents of a workspace need, whichever of its benchmarks they play: checks in its folder."""

    workspace: Path
    checks: list[Check]


class Adapter(msgspec.Struct, frozen=True, kw_only=True):
    """A benchmark that the orchestrator knows. A plugin may override `command`.

    `origin` is the manifest's file, `sha256` the digest of its bytes, `root` the benchmark's directory: None where
    the workspace does not have it. `harnesses` are those of the workspace that it belongs to.
    """

    manifest: Manifest
    source: Source
    origin: Path
    root: Path | None
    sha256: str
    harnesses: Harnesses | None = None

    @property
    def id(self) -> str:
        """The benchmark's id."""
        return self.manifest.id

    def command(
        self, config: Mapping[str, Any], secrets: Mapping[str, Any], placeholders: Mapping[str, str]
    ) -> Command:
        """The command of a run with that configuration; `placeholders` gives every placeholder but `value`.

        An option's arguments are added where it has a value; for a bool, where it is true. Those of a baseline that
        the agent's label names come last, and no other agent's.
        """
        values = dict(placeholders)
        run = self.manifest.run
        agent = values.get("agent", "")
        baseline = self.manifest.baselines.get(agent)
        by_agent = [] if baseline else run.agent_argv.get(agent, run.agent_argv.get(ANY_AGENT, []))
        argv = [fill(text, values) for text in [*run.argv, *by_agent]]
        env = {name: fill(text, values) for name, text in run.env.items()}
        untold = self.manifest.untold(agent, config)
        for name, option in self.manifest.options.items():
            value = secrets.get(name, config.get(name))
            if value is None or (value is False and option.argv is not None) or name in untold:
                continue
            text = render(value)
            for part in option.argv or ():
                if EACH_VALUE in part:
                    each = value if isinstance(value, list) else [value]
                    argv += [fill(part, values).replace(EACH_VALUE, render(item)) for item in each]
                else:
                    argv.append(fill(part, {**values, "value": text}))
            if option.env is not None:
                env[option.env] = text
        if baseline:
            argv += [fill(text, values) for text in baseline.argv]
            env |= {name: fill(text, values) for name, text in baseline.env.items()}
        return Command(
            argv=argv,
            env=env,
            cwd=(self.root or Path()) / fill(run.cwd, values),
            timeout_seconds=run.timeout_seconds,
            stall_seconds=run.stall_seconds,
            log_bytes=run.log_bytes,
            package=run.package,
        )


def missing(adapter: Adapter, *, agent: str, environ: Mapping[str, str], config: Mapping[str, Any]) -> list[str]:
    """Everything that this machine lacks to run the benchmark with that agent and configuration.

    Nothing where it can run. A check whose command is missing is not made: it would say the same again.
    """
    manifest = adapter.manifest
    lacking = []
    if adapter.root is None:
        lacking.append(f"directory {manifest.directory} (or suites/{manifest.directory}) in the workspace")
    able = [*manifest.agents, *manifest.baselines]
    if ANY_AGENT not in able and agent not in able:
        lacking.append(f"agent '{agent}' (this benchmark runs: {', '.join(able)})")
    lacking += [
        f"option {name} (--extra '{{\"{name}\": …}}'): {option.help}".rstrip(": ")
        for name, option in manifest.options.items()
        if option.required and config.get(name) is None
    ]
    requires = manifest.requires
    lacking += [f"environment variable {name}" for name in requires.env if not environ.get(name)]
    absent = [name for name in requires.commands if shutil.which(name, path=environ.get("PATH")) is None]
    lacking += [f"command {name} on PATH" for name in absent]
    if find_python(requires.python_version) is None:
        version = requires.python_version
        lacking.append(f"Python {version} or later, for its environment (uv python install {version})")
    for check, folder in _checks(adapter, agent, config):
        if check.argv[:1] not in [[name] for name in absent] and (failure := _failure(check, folder, environ)):
            lacking.append(failure)
    return lacking


def _checks(adapter: Adapter, agent: str, config: Mapping[str, Any]) -> Iterator[tuple[Check, Path | None]]:
    """The checks to make, each with its folder. A run that asks no model needs no harness either."""
    manifest = adapter.manifest
    for check in manifest.requires.checks:
        if not check.is_needless(agent, config):
            yield check, adapter.root
    if adapter.harnesses is None or not manifest.asks_model(agent, config):
        return
    said = {check.name for check in manifest.requires.checks}
    for check in adapter.harnesses.checks:
        if check.name not in said and not check.is_needless(agent, config):
            yield check, adapter.harnesses.workspace


def _failure(check: Check, root: Path | None, environ: Mapping[str, str]) -> str | None:
    """What a failed check means; None if it succeeds."""
    if check.host is not None:
        is_here = bool(check.argv) and _command_failure(check, root, environ) is None
        return None if is_here or is_reachable(check.host) else f"{check.name} ({check.host} does not answer)"
    return _command_failure(check, root, environ)


def _command_failure(check: Check, root: Path | None, environ: Mapping[str, str]) -> str | None:
    shown = " ".join(check.argv)
    try:
        done = subprocess.run(
            check.argv,
            env=dict(environ),
            cwd=root if root and root.is_dir() else "/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_CHECK_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"{check.name} ({shown}: no answer in {_CHECK_SECONDS} s)"
    except OSError as problem:
        return f"{check.name} ({shown}: {problem.strerror})"
    return None if done.returncode == 0 else f"{check.name} ({shown}: exit {done.returncode})"
