"""What questions may say: each parameter is described once, for reading it and for the API's own description."""

from __future__ import annotations

from datetime import UTC
from typing import Any, Literal

import falcon
import msgspec

from ...ledger.past import moment_of

MOST_NUMBER = 2**53
MOST_TEXT = 2_000


class Parameter(msgspec.Struct, frozen=True):
    """A parameter of a query string.

    `kind`: `text`, a whole `number` between `least` and `most`, a `moment` (a time), or a `choice` of `choices`.
    """

    name: str
    about: str
    kind: Literal["text", "number", "moment", "choice"] = "text"
    default: str | int | None = None
    least: int = 0
    most: int = MOST_NUMBER
    choices: tuple[str, ...] = ()
    is_list: bool = False
    is_needed: bool = False


AS_OF = Parameter(
    "as_of",
    "what was known at that moment: a position of the ledger up to its last event (400 beyond it), or a time; a time "
    "still to come is answered with all that is known, and `head.past` is false",
)


def limit(default: int, most: int) -> Parameter:
    """How many to give."""
    return Parameter("limit", "how many to give", "number", default, least=1, most=most)


OFFSET = Parameter("offset", "how many to pass over", "number", 0)


class NoQuestion(falcon.HTTPBadRequest):
    """A parameter makes no sense; the message names it, and what it could be."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(title=f"bad parameter {name}", description=f"{name}: {reason}")


class Form:
    """The parameters of a question."""

    def __init__(self, *parameters: Parameter) -> None:
        self.parameters = parameters
        self._known = {parameter.name: parameter for parameter in parameters}
        self._defaults: dict[str, Any] = {
            parameter.name: [] if parameter.is_list else parameter.default for parameter in parameters
        }
        self._needed = [parameter.name for parameter in parameters if parameter.is_needed]

    def read(self, req: falcon.Request) -> dict[str, Any]:
        """The values of a question by the names of its parameters, each checked; lists for those that may be repeated.

        A parameter of another name is refused: a filter with a typing error must not show everything. Raises
        NoQuestion.
        """
        asked: dict[str, Any] = {**self._defaults}
        for name, told in req.params.items():
            if name in self._known:
                asked[name] = _value(self._known[name], told)
            elif name != "token":
                there_are = ", ".join(sorted(self._known)) or "none"
                raise NoQuestion(name, f"there is no such parameter; there are {there_are}")
        for name in self._needed:
            if name not in req.params:
                raise NoQuestion(name, "it must be given")
        return asked


def _value(parameter: Parameter, told: str | list[str]) -> Any:
    texts = [told] if isinstance(told, str) else told
    for text in texts:
        if len(text) > MOST_TEXT:
            raise NoQuestion(parameter.name, f"more than {MOST_TEXT} characters")
    if parameter.is_list:
        return [_read_one(parameter, text) for text in texts]
    if len(texts) != 1:
        raise NoQuestion(parameter.name, "given more than once")
    return _read_one(parameter, texts[0])


def _read_one(parameter: Parameter, text: str) -> str | int:
    name = parameter.name
    if parameter.kind == "number":
        if not text.removeprefix("-").isdecimal() or len(text) > 20:
            raise NoQuestion(name, f"'{text}' is not a whole number")
        number = int(text)
        if not parameter.least <= number <= parameter.most:
            raise NoQuestion(name, f"{number} is not between {parameter.least} and {parameter.most}")
        return number
    if parameter.kind == "choice" and text not in parameter.choices:
        some = "neither {} nor {}" if len(parameter.choices) == 2 else "none of " + ", ".join(parameter.choices)
        raise NoQuestion(name, f"'{text}' is {some.format(*parameter.choices)}")
    if parameter.kind == "moment":
        try:
            return moment_of(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        except (ValueError, OverflowError):
            raise NoQuestion(name, f"'{text}' is no time such as 2026-11-23T10:00:00Z") from None
    return text
