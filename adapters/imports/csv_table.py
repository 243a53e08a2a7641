"""A CSV file with a run in each line, whose columns a mapping names."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from ..regular_file import open_regular
from .found import (
    ForeignRun,
    PassedOver,
    UnreadableResult,
    count,
    direction_of,
    is_share,
    moment,
    number,
    unit_of,
    without_nothing,
)

KIND = "csv"

FIELDS = (
    "benchmark model score metric unit higher_is_better samples stderr agent provider harness version started_at "
    "ended_at duration_seconds input_tokens output_tokens cached_tokens cost_usd"
).split()
"""What a column can be, besides `metrics.NAME` and `config.NAME`."""

_REQUIRED = ("benchmark", "model", "score")
_NUMBERS = ("stderr",)
_AMOUNTS = ("duration_seconds", "cost_usd")
_COUNTS = ("samples", "input_tokens", "output_tokens", "cached_tokens")
_USAGE = ("input_tokens", "output_tokens", "cached_tokens")
_TIMES = ("started_at", "ended_at")
_DATES = ("date", "timestamp")
"""What a column with the time of each line is often called: it counts for `started_at` if nothing else does."""

_CANONICAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]*[1-9])?")
_OF_TIME = ("s", "ms", "us", "µs", "ns", "sec", "min", "h")
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": True}


_MAX_LINES = 100_000
_MAX_CHARACTERS = 64 * 1024 * 1024
_MAX_LINE = 1024 * 1024
"""What is read of a table: all of it is in memory, since one bad line refuses it whole."""


def is_field(name: str) -> bool:
    """Whether a column can be that."""
    return name in FIELDS or name.startswith(("metrics.", "config."))


def read(
    path: Path, columns: Mapping[str, str], constants: Mapping[str, str], metric: str | None = None
) -> list[ForeignRun | PassedOver]:
    """A run for each line. `columns` names the column of a field, if it has another name; `constants` the
    value of a field that has no column. With `metric`, the lines of that metric alone, if the table has metrics.

    Raises UnreadableResult, also for one line that cannot be read: half a table would look like a whole one.
    """
    try:
        with io.TextIOWrapper(open_regular(path), encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(_lines(file, path), strict=True)
            lines: list[tuple[int, dict[str, str]]] = []
            for line in reader:
                if len(lines) == _MAX_LINES:
                    reason = f"it has more than {_MAX_LINES} lines, the maximum for one file; split it"
                    raise UnreadableResult(path, reason)
                lines.append((reader.line_num, line))
    except OSError as problem:
        raise UnreadableResult(path, f"cannot be read: {problem.strerror}") from problem
    except (UnicodeDecodeError, csv.Error) as problem:
        raise UnreadableResult(path, f"is not CSV: {problem}") from problem
    there = list(reader.fieldnames or ())
    sources = _sources(path, there, columns, constants)
    odd_date: list[PassedOver] = []
    if date := _date_column(sources, constants, there):
        odd = next(((number, line[date]) for number, line in lines if line.get(date) and not moment(line[date])), None)
        if odd is None:
            sources["started_at"] = date
        else:
            reason = f"line {odd[0]} has '{odd[1]}', which is not a time such as 2026-11-23; the column is not read"
            odd_date = [PassedOver(f"column {date}", reason)]
    runs = []
    for number_of_line, line in lines:
        if None in line or None in line.values():
            raise UnreadableResult(path, f"line {number_of_line} does not have the {len(there)} cells of the heading")
        values = {field: line[column].strip() for field, column in sources.items()} | dict(constants)
        try:
            runs.append(_run(values, number_of_line))
        except ValueError as problem:
            raise UnreadableResult(path, f"line {number_of_line}: {problem}") from problem
    if not runs:
        raise UnreadableResult(path, "it has a heading and no lines")
    if metric is not None and "metric" in {*sources, *constants}:
        known = sorted({str(run.config.get("metric")) for run in runs})
        runs = [run for run in runs if run.config.get("metric") == metric]
        if not runs:
            raise UnreadableResult(path, f"no line of the metric {metric}; known: {', '.join(known)}")
    unread = [name for name in there if name not in sources.values()]
    return [*runs, *odd_date, *_alike(runs, dict(lines), unread)]


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    """The lines of a file, within the limits of a table that is held in memory."""
    left = _MAX_CHARACTERS
    while line := file.readline(_MAX_LINE + 1):
        left -= len(line)
        if len(line) > _MAX_LINE or left < 0:
            limit = f"{_MAX_LINE} in a line" if len(line) > _MAX_LINE else f"{_MAX_CHARACTERS}"
            raise UnreadableResult(path, f"it has more characters than are read of a table, {limit}")
        yield line


def _alike(runs: list[ForeignRun], lines: Mapping[int, Mapping[str, str]], unread: list[str]) -> Iterator[PassedOver]:
    """The columns that are not read and are the only difference between lines: those lines look like repeated runs."""
    groups: dict[object, list[Mapping[str, str]]] = defaultdict(list)
    for run in runs:
        options = tuple(sorted((name, str(value)) for name, value in run.options.items()))
        key = (run.benchmark, run.harness, run.agent, run.provider, run.model, run.unit, run.started_at, options)
        groups[key].append(lines[run.provenance["line"]])
    for name in unread:
        if any(len({line[name] for line in group}) > 1 for group in groups.values() if len(group) > 1):
            yield PassedOver(
                f"column {name}",
                f"some lines differ in it alone and become one task; --map config.{name}={name} reads it",
            )


def _sources(path: Path, there: list[str], columns: Mapping[str, str], constants: Mapping[str, str]) -> dict[str, str]:
    """The column of each field that has one."""
    for field, column in columns.items():
        if column not in there:
            raise UnreadableResult(path, f"no column {column} for {field}; the columns are {', '.join(there)}")
    same = {name: name for name in there if is_field(name)}
    sources = {field: column for field, column in {**same, **columns}.items() if field not in constants}
    if twice := [column for column in sources.values() if there.count(column) > 1]:
        raise UnreadableResult(path, f"{there.count(twice[0])} columns are called {twice[0]}: which one is meant?")
    if lacking := [field for field in _REQUIRED if field not in sources and field not in constants]:
        reason = " ".join(f"--map {field}=COLUMN" for field in lacking)
        raise UnreadableResult(
            path, f"which column is {', '.join(lacking)}? Give {reason}. The columns are {', '.join(there)}"
        )
    return sources


def _date_column(sources: Mapping[str, str], constants: Mapping[str, str], there: list[str]) -> str | None:
    """A column that is called as times often are, if no field says when the runs were."""
    if set(_TIMES) & {*sources, *constants}:
        return None
    return next((name for name in there if name.lower() in _DATES and name not in sources.values()), None)


def _run(values: Mapping[str, str], line: int) -> ForeignRun:
    score = number(values["score"])
    if score is None:
        comma = "; a decimal point is wanted" if re.fullmatch(r"-?[0-9]+,[0-9]+", values["score"]) else ""
        raise ValueError(f"the score '{values['score']}' is not a number{comma}")
    if not values["benchmark"] or not values["model"]:
        raise ValueError("the benchmark or the model is empty")
    direction = values.get("higher_is_better", "").lower()
    if direction not in _TRUTH:
        raise ValueError(f"higher_is_better is '{direction}', neither true nor false")
    metric = values.get("metric", "")
    unit = values.get("unit") or (unit_of(metric) if metric else "score")
    if unit == "ratio" and not is_share(score):
        raise ValueError(f"the score {score:g} is not a ratio between 0 and 1; its unit may be percent")
    for fields, read, wanted in (
        (_TIMES, moment, "time such as 2026-11-23T10:00:00Z"),
        (_NUMBERS, number, "number"),
        (_AMOUNTS, _amount, "number from 0"),
        (_COUNTS, count, "whole number from 0"),
    ):
        for field in fields:
            if values.get(field) and read(values[field]) is None:
                raise ValueError(f"{field} is '{values[field]}', not a {wanted}")
    started, ended = (moment(values.get(field)) for field in _TIMES)
    if started and ended and ended < started:
        raise ValueError(f"ended_at {values['ended_at']} is before started_at {values['started_at']}")
    return ForeignRun(
        name=f"line {line}",
        harness=values.get("harness") or "csv",
        benchmark=values["benchmark"],
        agent=values.get("agent", ""),
        provider=values.get("provider", ""),
        model=values["model"],
        score=score,
        unit=unit,
        higher_is_better=_TRUTH[direction] if direction else _is_more_better(metric, unit),
        samples=count(values.get("samples")),
        stderr=number(values.get("stderr")),
        metrics={
            name: text if (value := number(text)) is None else value
            for name, text in _below("metrics.", values).items()
        },
        usage=without_nothing(
            {name: count(values.get(name)) for name in _USAGE} | {"cost_usd": _amount(values.get("cost_usd"))}
        ),
        config=_options(values) | ({"metric": metric} if metric else {}),
        started_at=started,
        ended_at=ended,
        duration_seconds=_amount(values.get("duration_seconds")),
        benchmark_version=values.get("version") or None,
        provenance={"line": line},
    )


def _amount(value: object) -> float | None:
    """A number that is not negative."""
    read = number(value)
    return read if read is not None and read >= 0 else None


def _is_more_better(metric: str, unit: str) -> bool:
    """Of a line that does not say it: by what is measured."""
    return unit not in _OF_TIME and direction_of(unit) is not False and direction_of(metric) is not False


def _options(values: Mapping[str, str]) -> dict[str, object]:
    """The options: numbers if they are written as JSON writes them; `007` and `1.10` are names."""
    return {
        name: _as_number(text) if _CANONICAL.fullmatch(text) else text
        for name, text in _below("config.", values).items()
    }


def _as_number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _below(prefix: str, values: Mapping[str, str]) -> dict[str, str]:
    """The fields with that prefix that say something."""
    return {name.removeprefix(prefix): text for name, text in values.items() if name.startswith(prefix) and text}
