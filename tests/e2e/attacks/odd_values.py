"""Odd JSON values, and documents that have them where a benchmark's result has a sensible value."""

from __future__ import annotations

import json
import random
import re
from typing import Any


class Raw(float):
    """A number as a text that JSON's writers do not write, such as 1e400 or one of 400 digits."""

    def __new__(cls, text: str) -> Raw:
        """A number that is written as `text`."""
        made = super().__new__(cls, 0.0)
        made.text = text
        return made

    text: str

    def __repr__(self) -> str:
        return self.text


def _deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    "",
    "1",
    "1,000",
    "nan",
    "Infinity",
    "Great \ud83d",
    "\udc00",
    {"\ud83d": 1},
    "a\0b",
    "\u202e\u2028\x1b[2J",
    "x" * 100_000,
    Raw("1e400"),
    Raw("-1e400"),
    Raw("NaN"),
    Raw("Infinity"),
    Raw("-Infinity"),
    Raw("1e308"),
    Raw("-1e308"),
    Raw("5e-324"),
    Raw("-0.0"),
    Raw("1" + "0" * 400),
    Raw("-" + "9" * 400),
    Raw("9" * 5000),
    2**63,
    2**64,
    -(2**63) - 1,
    2**53,
    -1,
    0,
    1,
    0.5,
    85,
    [],
    {},
    [1, "a", None],
    [1.5, Raw("1" + "0" * 400)],
    [{"a": 1}, {"a": "b"}, 3],
    {"score": "1"},
    _deep(33),
    _deep(500),
    {str(number): number for number in range(500)},
)

_BROKEN = (
    b"",
    b"{",
    b"[" * 100_000,
    b"\x00" * 100,
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b"{} {}",
    b'{"a": 1, "a": 2}',
    b"null",
    b"5",
    b'"text"',
    b"\x1f\x8b\x08\x00",
)

_encoder = json.JSONEncoder()


def encode(value: Any) -> bytes:
    """JSON with what `Raw` says, and with half surrogates as escapes."""
    return "".join(_pieces(value)).encode()


def _pieces(value: Any) -> Any:
    if isinstance(value, Raw):
        yield value.text
    elif isinstance(value, dict):
        yield "{"
        for number, (key, item) in enumerate(value.items()):
            yield ("," if number else "") + _encoder.encode(key) + ":"
            yield from _pieces(item)
        yield "}"
    elif isinstance(value, list):
        yield "["
        for number, item in enumerate(value):
            yield "," if number else ""
            yield from _pieces(item)
        yield "]"
    else:
        yield _encoder.encode(value)


def mutate(rng: random.Random, document: Any) -> bytes:
    """The text of a document with one to three odd values in it; now and then one that is not JSON."""
    roll = rng.random()
    if roll < 0.02:
        return rng.choice(_BROKEN)
    if roll < 0.05:
        return encode(rng.choice(ODD))
    changed = json.loads(json.dumps(document))
    for _ in range(rng.randint(1, 3)):
        changed = _replaced(rng, changed)
    text = encode(changed)
    if roll > 0.97 and text:
        place = rng.randrange(len(text))
        text = text[:place] + rng.choice((b"", b"\xff", b"\x00", b"1e999", b"]")) + text[place + 1 :]
    return text


def _replaced(rng: random.Random, value: Any) -> Any:
    """The value with an odd one in it: at one place, at all places of a list, or as another key."""
    if isinstance(value, Raw) or not isinstance(value, dict | list) or not value or rng.random() < 0.1:
        return rng.choice(ODD)
    if isinstance(value, list):
        if rng.random() < 0.2:
            return [rng.choice(ODD) for _ in value]
        place = rng.randrange(len(value))
        return [_replaced(rng, item) if number == place else item for number, item in enumerate(value)]
    key = rng.choice(list(value))
    if rng.random() < 0.1:
        return {name: item for name, item in value.items() if name != key} | {rng.choice(("\ud83d", "", "a\0", "ä")): 1}
    return {name: _replaced(rng, item) if name == key else item for name, item in value.items()}


_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


def document_for(rng: random.Random, expressions: list[str]) -> dict[str, Any]:
    """A document that has something at the paths that some JMESPath expressions name."""
    document: dict[str, Any] = {}
    for expression in expressions:
        for path in _PATH.findall(re.sub(r"'[^']*'|`[^`]*`", "", expression)):
            place = document
            *folders, name = path.split(".")
            for folder in folders:
                inside = place.setdefault(folder, {})
                place = inside if isinstance(inside, dict) else {}
            place.setdefault(name, rng.choice((1, 0.5, 10, "text", [1, 2], [{"score": 1}], {"a": {"score": 0.5}})))
    return document
