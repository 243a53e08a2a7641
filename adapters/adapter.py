"""An adapter: a manifest at its place, and the command that it starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from .manifest import ANY_AGENT, EACH_VALUE, LOG_BYTES, Check, Manifest, fill
from .options import render

Source = Literal["suite", "catalog", "workspace", "plugin"]


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
