"""The manifest: what a benchmark says about itself in a `benchmark.toml`, read and checked as a whole."""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from .options import Kind, Option, OptionError, coerce, render
from .regular_file import read_regular
from .suggestions import nearest

PLACEHOLDERS = (
    "python",
    "model",
    "provider",
    "base_url",
    "agent",
    "output_dir",
    "run_id",
    "workspace",
    "suite_dir",
    "value",
)
"""What may stand between braces in a command, its folder and its environment; `value` only in an option."""

EACH_VALUE = "{values}"
"""In an argument of a list option, stands for an item: the argument is repeated for each."""

ANY_AGENT = "*"

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
ID_RULE = "lower-case letters, digits, - and _, beginning with a letter or digit, at most 80"
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}|\{(\w+)\}")
_TYPO_SIMILARITY = 0.75
"""From this likeness on, an unknown name between braces is taken for a slip, and not for text of the command."""
LARGEST_MANIFEST_BYTES = 4 * 1024 * 1024
"""A larger file is taken for something else than a manifest."""
_RESERVED_OPTIONS = {"per_benchmark", "repeat"}


class ManifestError(Exception):
    """A manifest, or a file that says where manifests are, that can't be used: which file, which key, and why."""

    def __init__(self, path: Path, key: str, reason: str) -> None:
        self.path, self.key, self.reason = path, key, reason
        super().__init__(f"{path}: {key}: {reason}" if key else f"{path}: {reason}")


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: a key that is none of its fields is an error."""


LOG_BYTES = 64 * 1024 * 1024
"""What each log of a run may hold."""


class RunSpec(_Table, frozen=True, kw_only=True):
    """How to start the benchmark. `cwd` is relative to its directory; the rest limits what it may take.

    `agent_argv` are further arguments by the agent's label; those of "*" are for the agents that it does not name.
    `fixed_providers` are, by the agent's label, the only providers that it can ask, each at its public address alone.
    `package` is the name under which its Python finds the workspace, whatever the workspace's folder is called. `keys`
    are variables with keys that it may have, besides its provider's.
    """

    argv: list[str]
    cwd: str = "."
    package: str | None = None
    agent_argv: dict[str, list[str]] = {}
    fixed_providers: dict[str, list[str]] = {}
    timeout_seconds: float = 3600
    stall_seconds: float | None = None
    log_bytes: int = LOG_BYTES
    env: dict[str, str] = {}
    ok_exit_codes: list[int] = msgspec.field(default_factory=lambda: [0])
    transient_exit_codes: list[int] = []
    transient_errors: list[str] = []
    keys: list[str] = []


class Resources(_Table, frozen=True, kw_only=True):
    """What a run takes of the machine, so that what cannot share it does not run side by side.

    `memory` and `disk` are bytes, or texts such as "4 GiB". Of runs that name the same word in `exclusive`, such as
    "docker", one runs at a time.
    """

    cpus: float = 0.0
    memory: int | str = 0
    gpus: int = 0
    disk: int | str = 0
    exclusive: list[str] = []

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
        raise ValueError(f"'{text}' is no size such as 4 GiB or 500 MB")
    unit = match[2].lower()
    base = 1024 if "i" in unit else 1000
    return int(float(match[1]) * base ** " kmgt".index(unit[:1].replace("b", "") or " "))


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]i?b|b?)", re.IGNORECASE)


class Check(_Table, frozen=True, kw_only=True):
    """A requirement with a name. It is met if one of the things that the check lists is there.

    Without a process or the network: a variable of `env` is set, a command of `commands` is on PATH, or a path of
    `paths` exists (relative to the benchmark's directory; a glob in its last part; `~` and `$NAME` are replaced, and a
    path with an unset variable does not exist). Otherwise `argv` exits with 0 in that directory within a few seconds,
    or `host` answers over HTTPS. The check is skipped if an option that `unless` names is true or has a value, or, as
    `name=value`, has that value. `agents` restricts it to those agents.
    """

    name: str
    env: list[str] = []
    commands: list[str] = []
    paths: list[str] = []
    argv: list[str] = []
    host: str | None = None
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
        told = [self.unless] if isinstance(self.unless, str) else self.unless
        parts = [text.partition("=") for text in told]
        return [(name, value if equals else None) for name, equals, value in parts]


class Requires(_Table, frozen=True, kw_only=True):
    """What must be here: variables, commands, successful checks; and Python packages for an environment of its own.

    A benchmark with `model` false asks no model: it needs no provider, and its runs name none. `python_version`, such
    as "3.12", is the oldest that the environment can have, where this program's own may be older.
    """

    model: bool = True
    env: list[str] = []
    commands: list[str] = []
    python: list[str] = []
    python_version: str | None = None
    checks: list[Check] = []


class Baseline(_Table, frozen=True, kw_only=True):
    """A player of no skill, or of all skill: random, constant or perfect answers that the suite itself can give.

    Its name is the label of an agent. It asks no model, and its runs are synthetic. `argv` comes after all other
    arguments; the suite is not told of the options in `untold`, which make no sense for it. `score` stands for the
    score's path if a result tells of all players.
    """

    argv: list[str] = []
    env: dict[str, str] = {}
    untold: list[str] = []
    score: str | None = None
    help: str = ""


Player = Literal["perfect", "half", "random", "wrong"]

CALIBRATION = "BENCHMARK_CALIBRATION"
"""The variable that names the player whose answers a suite is to give its scorer."""


class Calibration(_Table, frozen=True, kw_only=True):
    """Says that the suite can feed its scorer with answers of a known quality, in place of a model's.

    Each of `players` becomes a baseline: it finds its name in BENCHMARK_CALIBRATION, and gets `argv` and `env`, where
    `{agent}` is its name.
    """

    players: list[Player] = msgspec.field(default_factory=lambda: list(get_args(Player)))
    argv: list[str] = []
    env: dict[str, str] = {}

    def baselines(self) -> dict[str, Baseline]:
        """The players as baselines."""
        env = {CALIBRATION: "{agent}", **self.env}
        return {
            player: Baseline(argv=self.argv, env=env, help=f"answers for calibration: {player}")
            for player in self.players
        }


class ResultSpec(_Table, frozen=True, kw_only=True):
    """Where the result is, and how to read it. `files` are globs in order of preference, the others JMESPath.

    The score is divided by `out_of`, where there is one; so is `chance`, the score of guessing.
    """

    files: list[str]
    score: str
    out_of: str | None = None
    unit: str
    higher_is_better: bool = True
    samples: str | None = None
    stderr: str | None = None
    chance: str | None = None
    metrics: dict[str, str] = {}
    usage: dict[str, str] = {}
    notes: str | None = None
    valid: str | None = None
    synthetic: str | None = None
    files_in_cwd: bool = False

    def expressions(self) -> Iterator[tuple[str, str]]:
        """Every JMESPath expression, with its key."""
        for key in ("score", "out_of", "samples", "stderr", "chance", "notes", "valid", "synthetic"):
            if (expression := getattr(self, key)) is not None:
                yield f"result.{key}", expression
        for table in ("metrics", "usage"):
            for name, expression in getattr(self, table).items():
                yield f"result.{table}.{name}", expression


class HighScore(_Table, frozen=True, kw_only=True):
    """A published score to measure against, in the unit of the result's score."""

    label: str
    value: float
    source: str
    unit: str | None = None
    date: str | None = None


class Manifest(_Table, frozen=True, kw_only=True):
    """A benchmark: who may run it, how, with which options, and what its result means.

    One of the catalogue with `needs_directory` false is a harness that works in the workspace itself.
    """

    id: str
    name: str
    directory: str
    needs_directory: bool = True
    description: str = ""
    homepage: str = ""
    version: str = ""
    tags: list[str] = []
    agents: list[str] = msgspec.field(default_factory=lambda: [ANY_AGENT])
    default_agent: str = "eliza"
    run: RunSpec
    requires: Requires = Requires()
    resources: Resources = Resources()
    options: dict[str, Option] = {}
    baselines: dict[str, Baseline] = {}
    calibration: Calibration | None = None
    result: ResultSpec
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
        """The options that a run by that agent is not told of: what it does contradicts them."""
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


def load_manifest(path: Path, directory: str | None = None) -> Manifest:
    """Read and check a manifest. `directory` is the benchmark directory where the file does not name one.

    Raises ManifestError with the first thing that is wrong.
    """
    return parse_manifest(read_toml(path), path, directory)


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises ManifestError."""
    try:
        return tomllib.loads(read_regular(path, most=LARGEST_MANIFEST_BYTES).decode())
    except OSError as problem:
        raise ManifestError(path, "", f"cannot be read: {problem.strerror}") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ManifestError(path, "", f"no TOML: {problem}") from problem
    except RecursionError as problem:
        raise ManifestError(path, "", "no TOML: it is nested too deeply") from problem


def is_id(text: str) -> bool:
    """Whether a benchmark can have that id."""
    return _ID.fullmatch(text) is not None


def find_faults(path: Path, directory: str | None = None) -> list[ManifestError]:
    """Everything that is wrong with a manifest's file; of what has the wrong type or no place there, the first."""
    try:
        tables = read_toml(path)
        manifest = _convert(tables, path, directory)
    except ManifestError as problem:
        return [problem]
    return [ManifestError(path, key, reason) for key, reason in _faults(manifest)]


def parse_manifest(tables: dict[str, Any], path: Path, directory: str | None = None) -> Manifest:
    """The manifest in the tables of a file; `path` is for messages. Raises ManifestError."""
    manifest = _convert(tables, path, directory)
    for key, reason in _faults(manifest):
        raise ManifestError(path, key, reason)
    return manifest


def _convert(tables: dict[str, Any], path: Path, directory: str | None) -> Manifest:
    if directory is not None:
        tables = {"directory": directory, **tables}
    try:
        manifest = msgspec.convert(tables, Manifest)
        if manifest.calibration is None:
            return manifest
        # Baselines of that name which the manifest itself declares come first.
        baselines = {**manifest.calibration.baselines(), **manifest.baselines}
        return msgspec.structs.replace(manifest, baselines=baselines)
    except msgspec.ValidationError as problem:
        raise ManifestError(path, *_where(str(problem), tables)) from problem


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with `{name}` replaced by its value; `{{name}}` becomes `{name}`.

    All other braces stay as they are: commands often hold JSON or code.
    """

    def replaced(match: re.Match[str]) -> str:
        escaped, name = match.groups()
        if escaped is not None:
            return f"{{{escaped}}}" if escaped in PLACEHOLDERS else match[0]
        return values.get(name, match[0])

    return _PLACEHOLDER.sub(replaced, text)


def _where(message: str, tables: dict[str, Any]) -> tuple[str, str]:
    """The key and the reason in a message of msgspec, with the nearest known key for one that is unknown."""
    reason, _, location = message.partition(" - at `$")
    key = location.rstrip("`").lstrip(".")
    # A dictionary's key stands as [...] in msgspec's path: find the name by trying.
    key = _name_the_ellipsis(key, reason, tables)
    if match := re.match(r"Object contains unknown field `(.+)`", reason):
        guess = next(iter(nearest(match[1], _fields_at(key))), None)
        return ".".join(filter(None, (key, match[1]))), "unknown key" + (f"; did you mean {guess}?" if guess else "")
    if reason.startswith("Invalid enum value"):
        return key, f"{reason[0].lower() + reason[1:]}: there are {', '.join(get_args(Kind))}"
    if match := re.match(r"Object missing required field `(.+)`", reason):
        return ".".join(filter(None, (key, match[1]))), "is missing"
    return key, reason[0].lower() + reason[1:]


def _name_the_ellipsis(key: str, reason: str, tables: dict[str, Any]) -> str:
    before, ellipsis, after = key.partition("[...]")
    if not ellipsis:
        return key
    table: Any = tables
    for part in before.split("."):
        table = table.get(part, {}) if isinstance(table, dict) else {}
    kind: Any = {"options": Option, "baselines": Baseline}.get(before, str)
    for name, value in table.items() if isinstance(table, dict) else ():
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as problem:
            if str(problem).partition(" - at ")[0] == reason:
                return f"{before}.{name}{after}"
    return before


def _fields_at(key: str) -> tuple[str, ...]:
    kinds = {"": Manifest, "run": RunSpec, "requires": Requires, "result": ResultSpec, "high_score": HighScore}
    kinds |= {"options": Option, "baselines": Baseline, "calibration": Calibration}
    first = key.partition(".")[0]
    kind = Check if key.startswith("requires.checks") else kinds.get(first, Manifest)
    return kind.__struct_fields__


def _faults(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """What msgspec's types can't say: (key, reason)."""
    if not is_id(manifest.id):
        yield "id", f"'{manifest.id}' is no id: {ID_RULE}"
    if not manifest.directory or manifest.directory.startswith(("/", ".")) or ".." in manifest.directory.split("/"):
        yield "directory", f"'{manifest.directory}' is no benchmark directory: a name below the workspace"
    for key, text in (("name", manifest.name), ("result.unit", manifest.result.unit)):
        if not text.strip():
            yield key, "is empty"
    if not manifest.agents or "" in manifest.agents:
        yield "agents", 'names nobody; ["*"] means every agent'
    if ANY_AGENT not in manifest.agents and manifest.default_agent not in manifest.agents:
        yield "default_agent", f"'{manifest.default_agent}' is none of agents ({', '.join(manifest.agents)})"
    yield from _run_faults(manifest.run)
    yield from _resource_faults(manifest.resources)
    for name, option in manifest.options.items():
        yield from _option_faults(name, option)
        for other in option.untold:
            if other not in manifest.options:
                yield f"options.{name}.untold", f"there is no option '{other}'"
    for name, baseline in manifest.baselines.items():
        yield from _baseline_faults(name, baseline, manifest.options)
        if name in manifest.agents:
            yield f"baselines.{name}", "is one of agents too, whose runs would all count as synthetic"
    version = manifest.requires.python_version
    if version is not None and not re.fullmatch(r"3\.\d+", version):
        yield "requires.python_version", f"'{version}' is no version such as 3.12"
    if version is not None and not manifest.requires.python:
        yield "requires.python_version", "there is no environment: requires.python names no package"
    for check in manifest.requires.checks:
        for name, value in check.waivers:
            waiving = manifest.options.get(name)
            if waiving is None:
                yield "requires.checks", f"unless = '{name}': there is no such option"
            elif value is None and waiving.type != "bool" and waiving.default is not None:
                yield "requires.checks", f"unless = '{name}': it always has a value; write '{name}=VALUE'"
        ways = [*check.env, *check.commands, *check.paths, *check.argv, *check.waivers]
        if not ways and check.host is None:
            yield "requires.checks", f"'{check.name}' can never be met: it has none of env, commands, paths, argv, host"
        if "" in (*check.env, *check.commands, *check.paths, check.host):
            yield "requires.checks", f"'{check.name}' has an empty name in env, commands, paths or host"
        for text in (*check.env, *check.commands, *check.paths, *check.argv):
            yield from _argument_faults("requires.checks", text)
    for key, expression in manifest.result.expressions():
        yield from _expression_faults(key, expression)
    if not manifest.result.files:
        yield "result.files", "names no file"
    for pattern in manifest.result.files:
        if pattern.startswith("/") or ".." in pattern.split("/") or not pattern:
            yield "result.files", f"'{pattern}' must stay below the output folder"
        else:
            yield from _glob_faults("result.files", pattern)
    yield from high_score_faults(manifest)


def _run_faults(run: RunSpec) -> Iterator[tuple[str, str]]:
    if not run.argv:
        yield "run.argv", "names no command"
    for text in run.argv:
        yield from _text_faults("run.argv", text)
    for agent, arguments in run.agent_argv.items():
        for text in arguments:
            yield from _text_faults(f"run.agent_argv.{agent}", text)
    yield from _text_faults("run.cwd", run.cwd)
    for name, text in run.env.items():
        yield from _variable_faults(f"run.env.{name}", name)
        yield from _text_faults(f"run.env.{name}", text)
    if run.package is not None and not run.package.isidentifier():
        yield "run.package", f"'{run.package}' is no name of a Python package"
    if not (math.isfinite(run.timeout_seconds) and run.timeout_seconds > 0):
        yield "run.timeout_seconds", "is no positive number of seconds"
    if run.stall_seconds is not None and not (math.isfinite(run.stall_seconds) and run.stall_seconds > 0):
        yield "run.stall_seconds", "is no positive number of seconds"
    if run.log_bytes < 0:
        yield "run.log_bytes", "is no number of bytes"
    for pattern in run.transient_errors:
        try:
            re.compile(pattern)
        except re.error as problem:
            yield "run.transient_errors", f"'{pattern}' is no regular expression: {problem}"
    if not run.ok_exit_codes:
        yield "run.ok_exit_codes", "allows no exit code, so no run could succeed"
    for key, codes in (("ok_exit_codes", run.ok_exit_codes), ("transient_exit_codes", run.transient_exit_codes)):
        for code in codes:
            if not 0 <= code <= 255:
                yield f"run.{key}", f"{code} is no exit code: there are 0 to 255"


def _resource_faults(resources: Resources) -> Iterator[tuple[str, str]]:
    if not (math.isfinite(resources.cpus) and resources.cpus >= 0):
        yield "resources.cpus", "is no number of cores"
    if resources.gpus < 0:
        yield "resources.gpus", "is no number of GPUs"
    for key, size in (("memory", resources.memory), ("disk", resources.disk)):
        try:
            parse_size(size)
        except ValueError as problem:
            yield f"resources.{key}", str(problem)


def _option_faults(name: str, option: Option) -> Iterator[tuple[str, str]]:
    key = f"options.{name}"
    if name in _RESERVED_OPTIONS:
        yield key, "this name has a meaning of its own in --extra; choose another"
    if (option.argv is None) == (option.env is None):
        yield key, "needs either argv or env: how the benchmark is told its value"
    if option.env is not None:
        yield from _variable_faults(f"{key}.env", option.env)
    for text in option.argv or ():
        if EACH_VALUE in text and option.type == "list":
            continue
        yield from _text_faults(f"{key}.argv", text, in_option=True)
    if option.argv is not None and option.type != "bool" and not _tells_value(option):
        yield f"{key}.argv", "does not tell the value: one of its texts must hold {value}"
    parts = (
        ("default", [option.default]),
        ("choices", option.choices or []),
        ("synthetic", option.synthetic),
        ("without_model", option.without_model or []),
    )
    for part, values in parts:
        for value in values:
            try:
                coerce(option, value)
            except OptionError as problem:
                yield f"{key}.{part}", str(problem)
    if option.required and option.default is not None:
        yield f"{key}.required", "it has a default, so that it is never missing"
    if option.required and option.secret_as(name):
        yield f"{key}.required", "a secret cannot be required: name its variable in requires.env"
    if option.secret_as(name) and option.default is not None:
        yield f"{key}.default", "a secret has no default: it would stand in every manifest and signature"


def _tells_value(option: Option) -> bool:
    each = option.type == "list" and any(EACH_VALUE in text for text in option.argv or ())
    return each or any(match[2] == "value" for text in option.argv or () for match in _PLACEHOLDER.finditer(text))


def _baseline_faults(name: str, baseline: Baseline, options: Collection[str]) -> Iterator[tuple[str, str]]:
    key = f"baselines.{name}"
    for option in baseline.untold:
        if option not in options:
            yield f"{key}.untold", f"there is no option '{option}'"
    if not baseline.argv and not baseline.env and baseline.score is None:
        yield key, "has none of argv, env and score, so it would be as any other agent"
    if baseline.score is not None:
        yield from _expression_faults(f"{key}.score", baseline.score)
    for text in baseline.argv:
        yield from _text_faults(f"{key}.argv", text)
    for variable, text in baseline.env.items():
        yield from _variable_faults(f"{key}.env.{variable}", variable)
        yield from _text_faults(f"{key}.env.{variable}", text)


def _text_faults(key: str, text: str, *, in_option: bool = False) -> Iterator[tuple[str, str]]:
    yield from _argument_faults(key, text)
    known = PLACEHOLDERS if in_option else PLACEHOLDERS[:-1]
    for match in _PLACEHOLDER.finditer(text):
        name = match[2]
        if name is None or name in known:
            continue
        if name == "value":
            yield key, f"{{value}} in '{text}': only an option has a value"
        elif guess := next(iter(nearest(name, known, similarity=_TYPO_SIMILARITY)), None):
            yield key, f"unknown placeholder {{{name}}} in '{text}': did you mean {{{guess}}}?"


def _argument_faults(key: str, text: str) -> Iterator[tuple[str, str]]:
    if "\0" in text:
        yield key, "holds a NUL character, which neither a command nor a variable can have"


def _variable_faults(key: str, name: str) -> Iterator[tuple[str, str]]:
    if not name or "=" in name or "\0" in name:
        yield key, f"'{name}' is no name of a variable"


def _glob_faults(key: str, pattern: str) -> Iterator[tuple[str, str]]:
    try:
        any(Path(os.devnull).glob(pattern))
    except (ValueError, IndexError) as problem:
        yield key, f"'{pattern}' is no pattern of file names: {problem}"


def _expression_faults(key: str, expression: str) -> Iterator[tuple[str, str]]:
    import jmespath.exceptions
    import jmespath.parser

    try:
        parsed = jmespath.parser.Parser().parse(expression).parsed
    except jmespath.exceptions.JMESPathError as problem:
        yield key, f"'{expression}' is no JMESPath: {' '.join(str(problem).split())}"
        return
    if _looks_into_a_truth(parsed):
        yield key, f"'{expression}' is always null: JMESPath reads !a.b as (!a).b; write !(a.b)"


def _looks_into_a_truth(node: Any) -> bool:
    """Whether an expression takes a field, or elements, of the true or false that `!` makes: there are none."""
    children = node.get("children", ())
    if node["type"] in _INTO_A_VALUE and children[0]["type"] == "not_expression":
        return True
    return any(_looks_into_a_truth(child) for child in children)


_INTO_A_VALUE = ("subexpression", "index_expression", "projection", "filter_projection", "value_projection", "flatten")


def high_score_faults(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """What is wrong with a manifest's reference score, such as that it is in another unit: (key, reason)."""
    reference = manifest.high_score
    if reference is None:
        return
    if not math.isfinite(reference.value):
        yield "high_score.value", "is no finite number"
    unit: str | Literal[""] = manifest.result.unit
    if reference.unit is not None and reference.unit != unit:
        yield "high_score.unit", f"'{reference.unit}' is not the unit of the score, '{unit}'"
    if unit == "ratio" and not 0 <= reference.value <= 1:
        yield "high_score.value", f"{reference.value:g} is no ratio between 0 and 1, which is the unit of the score"
