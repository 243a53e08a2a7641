"""What a manifest makes of the content of a result: score, samples, metrics, usage; or why it is not valid."""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from ..functions import search_options
from ..manifest import ResultSpec
from ..regular_file import read_at_most
from .storable import storable, well_formed

MAX_BYTES = 64 * 1024 * 1024
"""A result is a summary; a larger file is taken for something else."""
MAX_NOTES, MAX_NOTE = 20, 300
"""What else a result says to a person: at most this number of sentences, each at most this long."""
MAX_COUNT = 2**53
"""From this size on, a number of samples or tokens is garbage."""

_MAX_SHOWN = 80
_MAX_NAME = 200

CHANCE = "chance"
"""The metric that holds the score of guessing, in the unit of the score."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a result says. `reason` is None if it is valid, else one word; `error` says more.

    A score that was found is kept also if the result is not valid, for diagnosis. `notes` are what the result says to a
    person, and which of its values cannot be what they stand for.
    """

    path: Path | None = None
    score: float | None = None
    samples: int | None = None
    stderr: float | None = None
    metrics: dict[str, Any] = {}
    usage: dict[str, Any] = {}
    synthetic: bool = False
    data_revision: str | None = None
    served_model: str | None = None
    reason: str | None = None
    error: str | None = None
    notes: list[str] = []


def read_spec(spec: ResultSpec, path: Path, file: BinaryIO) -> Reading:
    """The same of an opened file, here and now, whatever memory it takes."""
    try:
        document = _load(file)
    except RecursionError:
        return unreadable(path, "it is nested too deeply")
    except (OSError, ValueError) as problem:
        return unreadable(path, in_words(problem))
    return _judge(_extract(spec, document, path), spec, document)


def unreadable(path: Path | None, why: str, name: str = "") -> Reading:
    """A reading of a file that cannot be read, and why. `name` stands for a path that no event can hold."""
    return Reading(path=path, reason="bad_result", error=f"{path.name if path else name}: {well_formed(why)}")


def in_words(problem: Exception) -> str:
    """What an error says. Of one that was not foreseen, its type too."""
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    if isinstance(problem, ValueError) and str(problem):
        return str(problem)
    return f"it cannot be judged: {type(problem).__name__}: {problem}"


def shown_name(path: Path) -> str:
    """A file's name as text; bytes that are not UTF-8 as escapes."""
    return path.name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _load(file: BinaryIO) -> Any:
    content = read_at_most(file, MAX_BYTES)
    if content is None:
        size = os.fstat(file.fileno()).st_size
        raise ValueError(f"{size} bytes are too many for a result, which has at most {MAX_BYTES}")
    document = _decode(content)
    if not isinstance(document, dict | list):
        raise ValueError("neither a JSON object nor a list")
    return document


def _decode(content: bytes) -> Any:
    """The value of a JSON text; null for the NaN and Infinity that Python programs write and no JSON has."""
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError as problem:
        try:
            return json.loads(content, parse_constant=lambda name: None)
        except ValueError:
            raise problem from None


def _extract(spec: ResultSpec, document: Any, path: Path) -> Reading:
    notes = _notes(_search(spec.notes, document))
    chance = _score(spec, spec.chance, document)
    score = _score(spec, spec.score, document)
    if score is not None and spec.unit == "ratio" and not 0 <= score <= 1:
        notes.append(f"the score {score:g} is not between 0 and 1, as a ratio is; its unit may be percent")
    stderr = _number(_search(spec.stderr, document))
    if stderr is not None and stderr < 0:
        notes.append(f"the standard error {stderr:g} is left out: it cannot be negative")
        stderr = None
    return Reading(
        path=path,
        score=score,
        samples=_count(_search(spec.samples, document)),
        stderr=stderr,
        metrics=_table(spec.metrics, document) | ({} if chance is None else {CHANCE: chance}),
        usage=_usage(spec, document, notes),
        synthetic=_search(spec.synthetic, document) is True,
        data_revision=_name(_search(spec.data_revision, document)),
        served_model=_name(_search(spec.served_model, document)),
        notes=notes,
    )


def _usage(spec: ResultSpec, document: Any, notes: list[str]) -> dict[str, Any]:
    """The amounts that were used: no negative one would be an amount, and no text."""
    usage: dict[str, Any] = {}
    for name, expression in spec.usage.items():
        value = _search(expression, document)
        amount = _number(value)
        if amount is not None and 0 <= amount < MAX_COUNT:
            usage[name] = value
        elif value is not None:
            notes.append(f"usage: {name} is left out: {_shown(value)} is not an amount")
    return usage


def _judge(reading: Reading, spec: ResultSpec, document: Any) -> Reading:
    failure = None
    if spec.valid is not None and (valid := _search(spec.valid, document)) is not True:
        # The words of the manifest say more than its expression.
        failure = ("invalid_result", "; ".join([*reading.notes, f"'{spec.valid}' is {_shown(valid)}"]))
    elif reading.score is None:
        failure = ("no_score", _no_score(spec, document))
    elif spec.samples is not None and not reading.samples:
        failure = ("no_samples", f"'{spec.samples}' is {_shown(_search(spec.samples, document))}, no count of samples")
    if failure is None:
        return reading
    assert reading.path is not None  # noqa: S101 - for the type checker: it was read from there
    return msgspec.structs.replace(reading, reason=failure[0], error=f"{reading.path.name}: {failure[1]}")


def _score(spec: ResultSpec, expression: str | None, document: Any) -> float | None:
    score = _number(_search(expression, document))
    if spec.out_of is None or score is None:
        return score
    most = _number(_search(spec.out_of, document))
    return _number(score / most) if most else None


def _no_score(spec: ResultSpec, document: Any) -> str:
    found = _search(spec.score, document)
    if _number(found) is None or spec.out_of is None:
        return f"'{spec.score}' is {_shown(found)}, not a finite number"
    return f"'{spec.out_of}' is {_shown(_search(spec.out_of, document))}, by which no score can be divided"


def _table(expressions: Mapping[str, str], document: Any) -> dict[str, Any]:
    """What is there of the values: a metric that a result does not have is left out."""
    found = {name: _search(expression, document) for name, expression in expressions.items()}
    plain = {name: storable(value) for name, value in found.items()}
    return {name: value for name, value in plain.items() if value is not None}


def _notes(value: Any) -> list[str]:
    """A text, or the texts of a list, each on one line."""
    texts = [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]
    lines = [" ".join(text.split())[:MAX_NOTE] for text in texts[:MAX_NOTES]]
    return [line for line in lines if line]


def _search(expression: str | None, document: Any) -> Any:
    if expression is None:
        return None
    try:
        return _compile(expression).search(document, options=search_options())
    except Exception:  # noqa: BLE001
        # A function met a value of another type, an infinity, a number of 400 digits or a table of 900 levels, each
        # of which ends JMESPath in another way: the result has not what the manifest looks for.
        return None


@functools.cache
def _compile(expression: str) -> Any:
    import jmespath

    return jmespath.compile(expression)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None  # JSON's whole numbers have no end.
    return number if math.isfinite(number) else None


def _name(value: Any) -> str | None:
    """A name or a revision in a result: a short text, or a whole number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = well_formed(str(value)).strip() if not isinstance(value, int) or abs(value) < MAX_COUNT else ""
    return text[:_MAX_NAME] or None


def _count(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and 0 <= number < MAX_COUNT and number.is_integer() else None


def _shown(value: Any) -> str:
    shown: str = msgspec.json.encode(storable(value)).decode()
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]} …"
