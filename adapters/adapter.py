"""An adapter: a manifest at its place, and the command that it starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from .manifest import ANY_AGENT, EACH_VALUE, LOG_BYTES, Baseline, Check, Manifest, fill
from .options import Option, render

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

        An option's arguments are added if it has a value; for a bool, if it is true. Those of a baseline that the
        agent's label names come last, in place of the agent's own.
        """
        values = dict(placeholders)
        run = self.manifest.run
        agent = values.get("agent", "")
        baseline = self.manifest.baselines.get(agent) or Baseline()
        argv = _filled([*run.argv, *self._arguments_of(agent)], values)
        env = {name: fill(text, values) for name, text in run.env.items()}
        untold = self.manifest.untold(agent, config)
        for name, option in self.manifest.options.items():
            value = secrets.get(name, config.get(name))
            if value is not None and name not in untold:
                argv += _arguments(option, value, values)
                env |= {option.env: render(value)} if option.env is not None else {}
        argv += _filled(baseline.argv, values)
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

    def _arguments_of(self, agent: str) -> list[str]:
        """The further arguments of an agent; a baseline has its own, which come last."""
        by_agent = self.manifest.run.agent_argv
        return [] if agent in self.manifest.baselines else by_agent.get(agent, by_agent.get(ANY_AGENT, []))


def _filled(texts: list[str], placeholders: Mapping[str, str]) -> list[str]:
    return [fill(text, placeholders) for text in texts]


def _arguments(option: Option, value: Any, placeholders: Mapping[str, str]) -> list[str]:
    """The arguments of an option with that value; `{values}` in one repeats it for each item of a list."""
    if value is False:
        return []
    argv = []
    for text in option.argv or ():
        if EACH_VALUE in text:
            items = value if isinstance(value, list) else [value]
            argv += [fill(text, placeholders).replace(EACH_VALUE, render(item)) for item in items]
        else:
            argv.append(fill(text, {**placeholders, "value": render(value)}))
    return argv
