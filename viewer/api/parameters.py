"""The parameters of requests: each is described once, for reading it and for the API's own description."""

from __future__ import annotations

from datetime import UTC
from typing import Any, Literal

import falcon
import msgspec

from ...ledger.past import moment_of

MAX_NUMBER = 2**53
MAX_TEXT = 2_000


class Parameter(msgspec.Struct, frozen=True):
    """A parameter of a query string.

    `kind`: `text`, a whole `number` from `minimum` to `maximum`, a `moment` (a time), or a `choice` of `choices`.
    """

    name: str
    about: str
    kind: Literal["text", "number", "moment", "choice"] = "text"
    default: str | int | None = None
    minimum: int = 0
    maximum: int = MAX_NUMBER
    choices: tuple[str, ...] = ()
    is_list: bool = False
    is_required: bool = False


AS_OF = Parameter(
    "as_of",
    "the state at that moment: a position of the ledger up to its last event (400 after it), or a time; for a time in "
    "the future the answer is the current state, and `head.past` is false",
)


def limit(default: int, maximum: int) -> Parameter:
    """The number of results in an answer."""
    return Parameter("limit", "the number of results", "number", default, minimum=1, maximum=maximum)


OFFSET = Parameter("offset", "the number of results to skip", "number", 0)


class BadParameter(falcon.HTTPBadRequest):
    """A parameter has a value that is not allowed; the message names it, and what is allowed."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(title=f"bad parameter {name}", description=f"{name}: {reason}")


class Form:
    """The parameters of a request."""

    def __init__(self, *parameters: Parameter) -> None:
        self.parameters = parameters
        self._known = {parameter.name: parameter for parameter in parameters}
        self._defaults: dict[str, Any] = {
            parameter.name: [] if parameter.is_list else parameter.default for parameter in parameters
        }
        self._required = [parameter.name for parameter in parameters if parameter.is_required]

    def read(self, req: falcon.Request) -> dict[str, Any]:
        """The values by the names of the parameters, each checked; lists for those that may be repeated.

        An unknown name is an error: a filter with a typo must not show everything. Raises BadParameter.
        """
        values: dict[str, Any] = {**self._defaults}
        for name, given in req.params.items():
            if name in self._known:
                values[name] = _value(self._known[name], given)
            elif name != "token":
                known = ", ".join(sorted(self._known)) or "none"
                raise BadParameter(name, f"unknown parameter; known: {known}")
        for name in self._required:
            if name not in req.params:
                raise BadParameter(name, "this parameter is required")
        return values


def _value(parameter: Parameter, given: str | list[str]) -> Any:
    texts = [given] if isinstance(given, str) else given
    for text in texts:
        if len(text) > MAX_TEXT:
            raise BadParameter(parameter.name, f"longer than {MAX_TEXT} characters")
    if parameter.is_list:
        return [_read_one(parameter, text) for text in texts]
    if len(texts) != 1:
        raise BadParameter(parameter.name, "must be given once")
    return _read_one(parameter, texts[0])


def _read_one(parameter: Parameter, text: str) -> str | int:
    name = parameter.name
    if parameter.kind == "number":
        if not text.removeprefix("-").isdecimal() or len(text) > 20:
            raise BadParameter(name, f"'{text}' is not a whole number")
        number = int(text)
        if not parameter.minimum <= number <= parameter.maximum:
            raise BadParameter(name, f"must be from {parameter.minimum} to {parameter.maximum}, got {number}")
        return number
    if parameter.kind == "choice" and text not in parameter.choices:
        raise BadParameter(name, f"must be {' or '.join(parameter.choices)}, got '{text}'")
    if parameter.kind == "moment":
        try:
            return moment_of(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        except (ValueError, OverflowError):
            raise BadParameter(name, f"'{text}' is not a time such as 2026-11-23T10:00:00Z") from None
    return text
