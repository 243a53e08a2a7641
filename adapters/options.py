"""Options: what `--extra` may set for a benchmark, checked and brought into one form."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Literal

import msgspec

from .secret_names import names_a_secret
from .secret_shapes import hide_in

Kind = Literal["int", "float", "bool", "str", "list", "object"]

VARIABLE = r"^[^=\x00]+\Z"
Variable = Annotated[str, msgspec.Meta(pattern=VARIABLE)]
"""The name of an environment variable."""

_PER_BENCHMARK = "per_benchmark"


class OptionError(ValueError):
    """A value that does not fit its option, or an option that the benchmark does not have."""


class UnknownOption(OptionError):
    """An option that the benchmark does not have: its name, and the names that the benchmark has."""

    def __init__(self, benchmark_id: str, name: str, known: Collection[str]) -> None:
        self.name, self.known = name, known
        super().__init__(f"{benchmark_id} has no option '{name}'")


class Option(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `--extra` may set, and how the benchmark gets it: by arguments with `{value}`, or a variable.

    Without a value for one that is `required` the benchmark cannot run. With one of the values in `synthetic`, such as
    a mock in place of the model, a run measures nothing, and counts as synthetic. With one of `without_model` no
    model is asked either; a switch that makes runs synthetic is taken for one of those unless it says otherwise.
    While it is on (true, or with a value), the suite does not get the options in `untold`, which contradict it.
    """

    type: Kind
    default: Any = None
    required: bool = False
    argv: list[str] | None = None
    env: Variable | None = None
    help: str = ""
    secret: bool = False
    choices: list[Any] | None = None
    synthetic: list[Any] = []
    without_model: list[Any] | None = None
    untold: list[str] = []

    @property
    def replaces_model(self) -> list[Any]:
        """The values with which something else plays in the model's place."""
        if self.without_model is not None:
            return self.without_model
        return [True] if self.type == "bool" and True in self.synthetic else []

    def secret_as(self, name: str) -> bool:
        """Whether the option is a secret: because it says so, or by its name, unless it is a number or a bool."""
        return self.secret or (self.type in ("str", "list", "object") and names_a_secret(name))


class EffectiveConfig(msgspec.Struct, frozen=True):
    """What a benchmark runs with: `config` for everyone to see, `secrets` for the benchmark alone.

    An option that is a secret is in `secrets` only. One that holds a secret, such as an object with a header, is in
    both: whole in `secrets`, and without the secret in `config`.
    `unknown` are the names in `--extra` that the benchmark does not have; another one may.
    """

    config: dict[str, Any]
    secrets: dict[str, Any]
    unknown: list[str]


def effective_config(
    benchmark_id: str,
    options: Mapping[str, Option],
    extra: Mapping[str, Any],
    hide: Callable[[Any], Any] = hide_in,
) -> EffectiveConfig:
    """The defaults of the options, then `extra`, then `extra["per_benchmark"][benchmark_id]` on top.

    A value of null takes an option's default away. `hide` takes the secrets out of a value. Raises OptionError for a
    value that does not fit, and UnknownOption for an unknown name below `per_benchmark`.
    """
    everyone = {name: value for name, value in extra.items() if name != _PER_BENCHMARK}
    own = extra.get(_PER_BENCHMARK, {}).get(benchmark_id, {})
    if not isinstance(own, dict):
        raise OptionError(f"{_PER_BENCHMARK}.{benchmark_id} is not an object of options")
    for name in own:
        if name not in options:
            raise UnknownOption(benchmark_id, name, options)
    config: dict[str, Any] = {}
    secrets: dict[str, Any] = {}
    for name, option in options.items():
        given = own.get(name, everyone.get(name, option.default))
        try:
            value = coerce(option, given)
        except OptionError as problem:
            # What does not fit is shown, unless it is a secret.
            reason = f"a secret that is not of type {option.type}" if option.secret_as(name) else str(problem)
            raise OptionError(f"{benchmark_id}, option {name}: {reason}") from None
        if value is None:
            continue
        if option.secret_as(name):
            secrets[name] = value
        else:
            config[name] = hide(value)
            if config[name] != value:
                secrets[name] = value
    return EffectiveConfig(config, secrets, [name for name in everyone if name not in options])


def coerce(option: Option, value: Any) -> Any:
    """The value in the one form that equal values share; None stays None. Raises OptionError."""
    if value is None:
        return None
    coerced = _COERCE[option.type](value)
    if option.choices is not None and coerced not in option.choices:
        raise OptionError(f"{_shown(value)} is not one of {', '.join(map(_shown, option.choices))}")
    return coerced


def render(value: Any) -> str:
    """A value as text for a command line or a variable: text as it is, a plain list with commas, all else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return ",".join(render(item) for item in value)
    return msgspec.json.encode(value).decode()


def _shown(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or (isinstance(value, float) and value % 1):
        raise OptionError(f"{_shown(value)} is not a whole number")
    return int(_finite(value))


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OptionError(f"{_shown(value)} is not a number")
    return float(_finite(value))


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise OptionError("is not a finite number")
    return value


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise OptionError(f"{_shown(value)} is neither true nor false")
    return value


def _str(value: Any) -> str:
    if not isinstance(value, str):
        advice = "" if isinstance(value, list | dict) else f'; write "{_shown(value)}"'
        raise OptionError(f"{_shown(value)} is not a text{advice}")
    return _without_nul(value)


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise OptionError(f"{_shown(text)} contains a NUL character, which neither a command nor a variable can have")
    return text


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise OptionError(f"{_shown(value)} is not a list; write [{_shown(value)}]")
    return [_inner(item) for item in value]


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise OptionError(f"{_shown(value)} is not an object")
    return {str(key): _inner(item) for key, item in value.items()}


def _inner(value: Any) -> Any:
    """A value inside a list or an object, where 2.0 and 2 are one."""
    if isinstance(value, dict):
        return _object(value)
    if isinstance(value, list):
        return _list(value)
    if isinstance(value, str):
        return _without_nul(value)
    if isinstance(value, float) and _finite(value).is_integer():
        return int(value)
    return value


_COERCE = {"int": _int, "float": _float, "bool": _bool, "str": _str, "list": _list, "object": _object}
