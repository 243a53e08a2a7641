"""What a manifest may hold: its tables as types. Values that no run could use are refused when a manifest is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from ..options import VARIABLE, Option, Variable, render

ANY_AGENT = "*"
ID_RULE = "lower-case letters, digits, - and _, beginning with a letter or digit, at most 80"
LOG_BYTES = 64 * 1024 * 1024
"""What each log of a run may hold, unless its manifest says otherwise."""

_ID = r"^[a-z0-9][a-z0-9_-]{0,79}\Z"
_VERSION = r"^3\.[0-9]{1,3}\Z"
_BELOW = r"^(?![/.])(?!.*(^|/)\.\.(/|\Z))[^\x00]+\Z"
_WITH_INK = r"\S"
_MODULE = r"^[^\W\d]\w*\Z"
_HOST = r"^[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?\Z"
PATTERN_RULES = {
    _ID: f"is not an id: {ID_RULE}",
    _VERSION: "is not a version such as 3.12",
    VARIABLE: "is not the name of a variable",
    _BELOW: "is not a benchmark directory: a name below the workspace",
    _WITH_INK: "is empty",
    _MODULE: "is not the name of a Python package",
    _HOST: "is not the name of a host",
}
"""What it means for a reader that a value does not match a pattern."""

_SECONDS_IN_A_CENTURY = 100 * 365 * 24 * 3600
_Seconds = Annotated[float, Meta(gt=0, le=_SECONDS_IN_A_CENTURY)]
_ExitCode = Annotated[int, Meta(ge=0, le=255)]
_Text = Annotated[str, Meta(pattern=_WITH_INK)]
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)\s*(?:([kmgt])(i?)b|b)?", re.IGNORECASE)


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file. A key that is not one of its fields is an error."""


class RunSpec(_Table, frozen=True, kw_only=True):
    """How to start the benchmark. `cwd` is relative to its directory; the limits say how much it may take.

    `agent_argv` are further arguments by the agent's label; those of "*" are for the agents that it does not name.
    `fixed_providers` are, by the agent's label, the only providers that the agent can ask, each at its public address.
    `files` are globs of the driver's files, if they are others than git tracks in the benchmark's directory.
    `package` is the name under which Python finds the workspace, whatever the workspace's folder is called. `keys` are
    variables with keys that the benchmark may have, besides its provider's.
    """

    argv: Annotated[list[str], Meta(min_length=1)]
    cwd: str = "."
    package: Annotated[str, Meta(pattern=_MODULE)] | None = None
    agent_argv: dict[str, list[str]] = {}
    fixed_providers: dict[str, list[str]] = {}
    files: list[_Text] | None = None
    timeout_seconds: _Seconds = 3600
    stall_seconds: _Seconds | None = None
    log_bytes: Annotated[int, Meta(ge=0)] = LOG_BYTES
    env: dict[Variable, str] = {}
    ok_exit_codes: Annotated[list[_ExitCode], Meta(min_length=1)] = msgspec.field(default_factory=lambda: [0])
    transient_exit_codes: list[_ExitCode] = []
    transient_errors: list[str] = []
    keys: list[str] = []


class Resources(_Table, frozen=True, kw_only=True):
    """How much of the machine a run takes, so that runs which cannot share it do not run side by side.

    `memory` and `disk` are bytes, or texts such as "4 GiB". Of runs that name the same word in `exclusive`, such as
    "docker", one runs at a time. `custom` are resources that a cluster names by itself, such as `{ tpu = 1 }`; only a
    cluster rations them.
    """

    cpus: Annotated[float, Meta(ge=0, le=1_000_000)] = 0.0
    memory: int | str = 0
    gpus: Annotated[int, Meta(ge=0)] = 0
    disk: int | str = 0
    exclusive: list[str] = []
    custom: dict[str, Annotated[float, Meta(gt=0)]] = {}

    @property
    def memory_bytes(self) -> int:
        """`memory` as a number."""
        return parse_size(self.memory)

    @property
    def disk_bytes(self) -> int:
        """`disk` as a number."""
        return parse_size(self.disk)


def parse_size(text: int | str) -> int:
    """Bytes, of "4 GiB", "500 MB" or a number of bytes. Raises ValueError."""
    match = _SIZE.fullmatch(str(text))
    if match is None:
        raise ValueError(f"'{text}' is not a size such as 4 GiB or 500 MB")
    amount, prefix, is_binary = match.groups()
    exponent = "kmgt".index(prefix.lower()) + 1 if prefix else 0
    return int(float(amount) * (1024 if is_binary else 1000) ** exponent)


class Check(_Table, frozen=True, kw_only=True):
    """A requirement with a name. It is met if one of the things that the check lists is there.

    Without a process or the network: a variable of `env` is set, a command of `commands` is on PATH, or a path of
    `paths` exists (relative to the benchmark's directory; a glob in its last part; `~` and `$NAME` are replaced, and a
    path with an unset variable does not exist). Otherwise `argv` exits with 0 in that directory within a few seconds,
    or `host` answers over HTTPS. The check is skipped if an option that `unless` names is true or has a value, or, as
    `name=value`, has that value. `agents` restricts it to those agents.
    """

    name: _Text
    env: list[Variable] = []
    commands: list[_Text] = []
    paths: list[_Text] = []
    argv: list[str] = []
    host: Annotated[str, Meta(pattern=_HOST)] | None = None
    unless: str | list[str] = []
    agents: list[str] = msgspec.field(default_factory=lambda: [ANY_AGENT])

    def is_needless(self, agent: str, config: Mapping[str, Any]) -> bool:
        """Whether a run by that agent with that configuration can do without it."""
        if ANY_AGENT not in self.agents and agent not in self.agents:
            return True
        return any(
            config.get(name) not in (None, False) if value is None else render(config.get(name)) == value
            for name, value in self.waivers
        )

    @property
    def waivers(self) -> list[tuple[str, str | None]]:
        """The options of `unless`, each with the value that it must have, or None for any."""
        names = [self.unless] if isinstance(self.unless, str) else self.unless
        parts = [text.partition("=") for text in names]
        return [(name, value if equals else None) for name, equals, value in parts]


class Requires(_Table, frozen=True, kw_only=True):
    """What must be here: variables, commands, checks; and Python packages for an environment of its own.

    A benchmark with `model` false asks no model: it needs no provider, and its runs name none. `python_version`, such
    as "3.12", is the oldest version that the environment can have.
    """

    model: bool = True
    env: list[Variable] = []
    commands: list[_Text] = []
    python: list[str] = []
    python_version: Annotated[str, Meta(pattern=_VERSION)] | None = None
    checks: list[Check] = []


class Baseline(_Table, frozen=True, kw_only=True):
    """A player whose skill is known: random, constant or perfect answers that the suite itself can give.

    Its name is the label of an agent. It asks no model, and its runs are synthetic. `argv` comes after all other
    arguments. The suite does not get the options in `untold`, which make no sense for this player. `score` replaces the
    path of the score if a result reports all players.
    """

    argv: list[str] = []
    env: dict[Variable, str] = {}
    untold: list[str] = []
    score: str | None = None
    help: str = ""


Player = Literal["perfect", "half", "random", "wrong"]

CALIBRATION = "BENCHMARK_CALIBRATION"
"""The variable that names the player whose answers a suite gives to its scorer."""


class Calibration(_Table, frozen=True, kw_only=True):
    """Says that the suite can give its scorer answers of a known quality, in place of a model's.

    Each of `players` becomes a baseline: it finds its name in BENCHMARK_CALIBRATION, and gets `argv` and `env`, where
    `{agent}` is its name.
    """

    players: list[Player] = msgspec.field(default_factory=lambda: list(get_args(Player)))
    argv: list[str] = []
    env: dict[Variable, str] = {}

    def baselines(self) -> dict[str, Baseline]:
        """The players as baselines."""
        env = {CALIBRATION: "{agent}", **self.env}
        return {
            player: Baseline(argv=self.argv, env=env, help=f"answers for calibration: {player}")
            for player in self.players
        }


_EXPRESSIONS = ("score", "out_of", "samples", "stderr", "chance", "notes", "valid", "synthetic")


class ResultSpec(_Table, frozen=True, kw_only=True):
    """Where the result is, and how to read it. `files` are globs in order of preference, the others JMESPath.

    `data_revision` is the revision of the data that the result reports, and `served_model` the model that answered.
    The score and `chance`, the score of guessing, are divided by `out_of` if it is given.
    """

    files: Annotated[list[str], Meta(min_length=1)]
    score: str
    out_of: str | None = None
    unit: _Text
    higher_is_better: bool = True
    samples: str | None = None
    stderr: str | None = None
    chance: str | None = None
    metrics: dict[str, str] = {}
    usage: dict[str, str] = {}
    notes: str | None = None
    valid: str | None = None
    synthetic: str | None = None
    data_revision: str | None = None
    served_model: str | None = None
    files_in_cwd: bool = False

    def expressions(self) -> Iterator[tuple[str, str]]:
        """Every JMESPath expression, with its key."""
        for key in (*_EXPRESSIONS, "data_revision", "served_model"):
            if (expression := getattr(self, key)) is not None:
                yield f"result.{key}", expression
        for table in ("metrics", "usage"):
            for name, expression in getattr(self, table).items():
                yield f"result.{table}.{name}", expression


class Data(_Table, frozen=True, kw_only=True):
    """The files of the benchmark's data: globs in its directory. Runs with other data have another revision."""

    files: list[_Text] = []


class HighScore(_Table, frozen=True, kw_only=True):
    """A published score to measure against, in the unit of the result's score."""

    label: str
    value: float
    source: str
    unit: str | None = None
    date: str | None = None


class Manifest(_Table, frozen=True, kw_only=True):
    """A benchmark: who may run it, how, with which options, and what its result means.

    With `needs_directory` false it is a harness of the catalogue that works in the workspace itself.
    """

    id: Annotated[str, Meta(pattern=_ID)]
    name: _Text
    directory: Annotated[str, Meta(pattern=_BELOW)]
    needs_directory: bool = True
    description: str = ""
    homepage: str = ""
    version: str = ""
    tags: list[str] = []
    agents: Annotated[list[_Text], Meta(min_length=1)] = msgspec.field(default_factory=lambda: [ANY_AGENT])
    default_agent: str = "eliza"
    run: RunSpec
    requires: Requires = Requires()
    resources: Resources = Resources()
    options: dict[str, Option] = {}
    baselines: dict[str, Baseline] = {}
    calibration: Calibration | None = None
    result: ResultSpec
    data: Data = Data()
    high_score: HighScore | None = None

    def asks_model(self, agent: str, config: Mapping[str, Any]) -> bool:
        """Whether a run by that agent with that configuration needs a provider."""
        return self.requires.model and agent not in self.baselines and not self._replaces_model(config)

    def played_by(self, agent: str) -> Manifest:
        """The same, with the path of that agent's score: a baseline may have its own."""
        baseline = self.baselines.get(agent)
        if baseline is None or baseline.score is None:
            return self
        return msgspec.structs.replace(self, result=msgspec.structs.replace(self.result, score=baseline.score))

    def untold(self, agent: str, config: Mapping[str, Any]) -> set[str]:
        """The options that the suite does not get in a run by that agent: they contradict what it does."""
        baseline = self.baselines.get(agent)
        on = [option for name, option in self.options.items() if config.get(name) not in (None, False)]
        return {*(baseline.untold if baseline else ()), *(name for option in on for name in option.untold)}

    def _replaces_model(self, config: Mapping[str, Any]) -> bool:
        return any(
            config.get(name) is not None and config[name] in option.replaces_model
            for name, option in self.options.items()
        )

    def is_synthetic(self, agent: str, config: Mapping[str, Any]) -> bool:
        """Whether a run by that agent with that configuration counts as synthetic, whatever its result says."""
        return agent in self.baselines or any(
            config.get(name) is not None and config[name] in [*option.synthetic, *option.replaces_model]
            for name, option in self.options.items()
        )


def is_id(text: str) -> bool:
    """Whether a benchmark can have that id."""
    return re.match(_ID, text) is not None
