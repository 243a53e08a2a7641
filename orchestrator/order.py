"""An order: the options of `run` in one struct, and the cells and the request that they describe."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from ..adapters.adapter import Adapter
from ..adapters.discovery import Discovery
from ..adapters.manifest import ANY_AGENT, Manifest
from ..adapters.secret_shapes import hide_in
from ..ledger.events import Json, Request, Started
from ..ledger.files.address import parse_address
from .errors import UsageError
from .executors.names import LOCAL, RAY, check_executor
from .models.providers import NO_MODEL
from .models.targets import Target, find_target
from .planning.again import extra_of
from .planning.campaign_file import Loaded, cells_of
from .planning.claim import Policy
from .planning.plan import Cell, PlannedRun, choose, parse_extra, without_strangers
from .running.budget import Allowance
from .running.campaign import Limits
from .running.retries import Retries

DEFAULT_PROVIDER = "groq"
_MAX_THREADS = 64
"""Maximum number of parallel runs on this machine."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `run`, with the same names."""

    campaign: Loaded | None = None
    benchmarks: Sequence[str] = ()
    everything: bool = False
    agent: str | None = None
    agents: Sequence[str] = ()
    every_agent: bool = False
    provider: str | None = None
    base_url: str | None = None
    model: str | None = None
    extra: str = "{}"
    rerun_failed: bool = False
    force: bool = False
    rerun_changed: bool = False
    again: str | None = None
    reproduces: str | None = None
    jobs: int | None = None
    executor: str = LOCAL
    ray_address: str | None = None
    repeats: int = 1
    timeout: float | None = None
    stall: float | None = None
    retries: int = 0
    retry_delay: float = 2.0
    max_cost: float | None = None
    max_tokens: int | None = None
    max_minutes: float | None = None
    prices: str | None = None
    artifacts: str | None = None
    explained: bool = False

    def check(self) -> None:
        """Raises UsageError if options exclude each other, or for an unknown executor."""
        check_executor(self.executor)
        if self.ray_address is not None and self.executor != RAY:
            raise UsageError("--ray-address has no effect without --executor ray")
        if self.executor == LOCAL and (self.jobs or 1) > _MAX_THREADS:
            raise UsageError(f"--jobs must be at most {_MAX_THREADS} on this machine, got {self.jobs}")
        if self.rerun_failed and self.force:
            raise UsageError("--rerun-failed and --force exclude each other")
        if sum(self._sets(name) for name in _CONTENDERS) > 1:
            raise UsageError("--agent, --agents and --all-agents exclude each other")
        if self.agents and not _names(self.agents):
            raise UsageError("--agents is empty", "name one or more agents")
        if self.campaign and any(map(self._sets, _OF_A_CAMPAIGN)):
            raise UsageError(
                "--campaign excludes the options that its file sets",
                "leave out --benchmarks, --all, --agent, --agents, --all-agents, --provider, --base-url, --model, "
                "--extra and --again",
            )
        if self.again and any(map(self._sets, _OF_A_RUN)):
            raise UsageError(
                "--again excludes the options that it takes from the run",
                "leave out --benchmarks, --all, --agent, --agents, --all-agents, --extra and --repeats",
            )

    def _sets(self, name: str) -> bool:
        """Whether an option differs from its default."""
        value, default = getattr(self, name), getattr(_DEFAULTS, name)
        return bool(value) if default == () else value != default

    @property
    def policy(self) -> Policy:
        """What counts as done."""
        return "force" if self.force or self.again else "rerun_failed" if self.rerun_failed else "once"

    @property
    def limits(self) -> Limits:
        """The time limits of a run."""
        return Limits(self.timeout, self.stall)

    @property
    def tries(self) -> Retries:
        """How often a failed run is retried."""
        return Retries(self.retries, self.retry_delay)

    @property
    def allowance(self) -> Allowance:
        """What the campaign may spend."""
        return Allowance(self.max_cost, self.max_tokens, self.max_minutes)

    def cells(
        self, original: Started | None, found: Discovery, environ: Mapping[str, str], note: Callable[[str], None]
    ) -> list[Cell]:
        """The cells to run. `original` is the run that --again names; `note` prints what is left out and why.

        Raises UsageError.
        """
        known, broken = found.adapters, found.broken
        if self.campaign:

            def find(provider: str, model: str | None, base_url: str | None) -> Target:
                return find_target(provider, model, base_url=base_url, environ=environ)

            return cells_of(self.campaign, known, find, broken)
        provider, model = self.provider or DEFAULT_PROVIDER, self.model
        if original and original.provider != NO_MODEL:
            provider, model = original.provider, model or original.model
        target = find_target(provider, model, base_url=self.base_url, environ=environ)
        if original:
            [adapter] = choose([original.benchmark_id], known, broken)
            return [Cell(adapter, original.agent, target, extra_of(original))]
        if self.everything and self.benchmarks:
            note("--all runs every benchmark, so --benchmarks has no effect")
        extra, skipped = without_strangers(parse_extra(self.extra), known, broken)
        for reason in skipped:
            note(reason)
        return [
            Cell(adapter, agent, target, extra)
            for adapter in self._chosen(found)
            for agent in self._agents(adapter.manifest)
        ]

    def _agents(self, manifest: Manifest) -> Sequence[str]:
        """The agents that run a benchmark."""
        if self.agents:
            return _names(self.agents)
        if self.every_agent:
            # A benchmark for any agent does not name agents.
            return [agent for agent in manifest.agents if agent != ANY_AGENT] or [manifest.default_agent]
        return [self.agent or manifest.default_agent]

    def request(self, cells: Sequence[Cell], plan: Sequence[PlannedRun]) -> Request:
        """The request as it is recorded in the ledger."""
        options = [item for cell in cells for item in cell.adapter.manifest.options.items()]
        secret = {name for name, option in options if option.secret_as(name)}
        agent, extra = self._requested(cells[0])
        return Request(
            benchmarks=list(dict.fromkeys(planned.adapter.id for planned in plan)),
            agent=agent,
            provider=", ".join(dict.fromkeys(planned.provider for planned in plan)),
            model=", ".join(dict.fromkeys(planned.model for planned in plan)),
            extra=_without_secrets(extra, secret),
            flags=self._flags(secret) | {"planned": len({planned.signature.digest for planned in plan})},
        )

    def _requested(self, first: Cell) -> tuple[str | None, Json]:
        """The requested agents and options."""
        if self.campaign:
            return ", ".join(self.campaign.file.matrix.agents or []) or None, self.campaign.file.options
        return first.agent if self.again else ", ".join(_names(self.agents)) or self.agent, first.extra

    def _flags(self, secret: set[str]) -> Json:
        flags: Json = {"rerun_failed": self.rerun_failed, "force": self.force}
        if self.rerun_changed:
            flags["rerun_changed"] = True
        if self.every_agent:
            flags["all_agents"] = True
        if self.again:
            flags["again"] = self.again
        if self.reproduces:
            flags["reproduces"] = self.reproduces
        if self.executor != LOCAL:
            flags["executor"] = self.executor
        flags |= {
            "jobs": self.jobs or (1 if self.executor == LOCAL else None),
            "repeats": self.repeats,
            "retries": self.retries,
        }
        for name in ("timeout", "stall", "max_cost", "max_tokens", "max_minutes"):
            if (value := getattr(self, name)) is not None:
                flags[name] = value
        if self.artifacts:
            flags["artifacts"] = str(parse_address(self.artifacts))
        if self.campaign:
            flags["campaign"] = {
                "name": self.campaign.name,
                "sha256": self.campaign.sha256,
                "content": _without_secrets(self.campaign.content, secret),
            }
        return flags

    def _chosen(self, found: Discovery) -> list[Adapter]:
        ids = _names(self.benchmarks)
        if not self.everything and not ids:
            raise UsageError(
                "no benchmarks given",
                "name them with --benchmarks, or use --all or --campaign FILE; benchmarks list-benchmarks lists them",
            )
        return list(found.adapters.values()) if self.everything else choose(ids, found.adapters, found.broken)


_DEFAULTS = Order()
_CONTENDERS = ("agent", "agents", "every_agent")
_SELECTION = ("benchmarks", "everything", *_CONTENDERS, "extra")
_OF_A_CAMPAIGN = (*_SELECTION, "provider", "model", "base_url", "again")
"""The options that a campaign file sets."""
_OF_A_RUN = (*_SELECTION, "repeats")
"""The options that are taken from the repeated run."""


def _names(values: Sequence[str]) -> list[str]:
    """The names in the values of an option, separated by commas or spaces; each once."""
    return list(dict.fromkeys(name for value in values for name in re.split(r"[,\s]+", value) if name))


def _without_secrets(options: Json, secret: set[str]) -> Json:
    """Options without secrets, as they are recorded in the ledger."""

    def hide(value: object) -> object:
        if isinstance(value, list):
            return [hide(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {key: f"[redacted:{key}]" if key in secret else hide(item) for key, item in value.items()}

    hidden = hide_in(hide(options))
    assert isinstance(hidden, dict)  # noqa: S101 - for the type checker: an object stays an object
    return hidden
