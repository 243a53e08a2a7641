"""A CSV file with a run in each line, whose columns a mapping names."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from .found import ForeignRun, UnreadableResult, count, moment, number, slug, without_nothing

KIND = "csv"

FIELDS = (
    "benchmark model score unit higher_is_better samples stderr agent provider harness version started_at ended_at "
    "duration_seconds input_tokens output_tokens"
).split()
"""What a column can be, besides `metrics.NAME` and `config.NAME`."""

_REQUIRED = ("benchmark", "model", "score")
_NUMBERS = ("stderr", "duration_seconds")
_COUNTS = ("samples", "input_tokens", "output_tokens")
_TIMES = ("started_at", "ended_at")
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": True}


def is_field(name: str) -> bool:
    """Whether a column can be that."""
    return name in FIELDS or name.startswith(("metrics.", "config."))


def read(path: Path, columns: Mapping[str, str], constants: Mapping[str, str]) -> list[ForeignRun]:
    """A run for each line. `columns` names the column of a field, where it is not called the same; `constants` the
    value of a field that has no column.

    Raises UnreadableResult, also for one line that cannot be read: half a table would look like a whole one.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        lines = [(reader.line_num, line) for line in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise UnreadableResult(path, f"no CSV: {problem}") from problem
    there = list(reader.fieldnames or ())
    sources = _sources(path, there, columns, constants)
    runs = []
    for number_of_line, line in lines:
        if None in line or None in line.values():
            raise UnreadableResult(path, f"line {number_of_line}: not as many cells as the {len(there)} of the heading")
        values = {field: line[column].strip() for field, column in sources.items()} | dict(constants)
        try:
            runs.append(_run(values, number_of_line))
        except ValueError as problem:
            raise UnreadableResult(path, f"line {number_of_line}: {problem}") from problem
    if not runs:
        raise UnreadableResult(path, "a heading and no line")
    return runs


def _sources(path: Path, there: list[str], columns: Mapping[str, str], constants: Mapping[str, str]) -> dict[str, str]:
    """The column of each field that has one."""
    for field, column in columns.items():
        if column not in there:
            raise UnreadableResult(path, f"no column {column} for {field}: there are {', '.join(there)}")
    same = {name: name for name in there if is_field(name)}
    sources = {field: column for field, column in {**same, **columns}.items() if field not in constants}
    if twice := [column for column in sources.values() if there.count(column) > 1]:
        raise UnreadableResult(path, f"{there.count(twice[0])} columns are called {twice[0]}: which one is meant?")
    if lacking := [field for field in _REQUIRED if field not in sources and field not in constants]:
        told = " ".join(f"--map {field}=COLUMN" for field in lacking)
        raise UnreadableResult(
            path, f"which column is {', '.join(lacking)}? Say it: {told}. There are {', '.join(there)}"
        )
    return sources


def _run(values: Mapping[str, str], line: int) -> ForeignRun:
    score = number(values["score"])
    if score is None:
        raise ValueError(f"the score '{values['score']}' is no number")
    if not values["benchmark"] or not values["model"]:
        raise ValueError("the benchmark or the model is empty")
    direction = values.get("higher_is_better", "").lower()
    if direction not in _TRUTH:
        raise ValueError(f"higher_is_better is '{direction}', neither true nor false")
    unit = values.get("unit") or "score"
    if unit == "ratio" and not 0 <= score <= 1:
        raise ValueError(f"the score {score:g} is no ratio between 0 and 1; its unit may be percent")
    for fields, read, wanted in (
        (_TIMES, moment, "time such as 2026-11-23T10:00:00Z"),
        (_NUMBERS, number, "number"),
        (_COUNTS, count, "whole number from 0"),
    ):
        for field in fields:
            if values.get(field) and read(values[field]) is None:
                raise ValueError(f"{field} is '{values[field]}', no {wanted}")
    return ForeignRun(
        name=f"line {line}",
        harness=values.get("harness") or "csv",
        benchmark_id=slug(values["benchmark"]),
        agent=values.get("agent", ""),
        provider=values.get("provider", ""),
        model=values["model"],
        score=score,
        unit=unit,
        higher_is_better=_TRUTH[direction],
        samples=count(values.get("samples")),
        stderr=number(values.get("stderr")),
        metrics=_below("metrics.", values),
        usage=without_nothing({name: count(values.get(name)) for name in ("input_tokens", "output_tokens")}),
        config=_below("config.", values),
        started_at=moment(values.get("started_at")),
        ended_at=moment(values.get("ended_at")),
        duration_seconds=number(values.get("duration_seconds")),
        benchmark_version=values.get("version") or None,
        provenance={"line": line},
    )


def _below(prefix: str, values: Mapping[str, str]) -> dict[str, object]:
    """The fields with that prefix: numbers where they are some."""
    found = {name.removeprefix(prefix): text for name, text in values.items() if name.startswith(prefix) and text}
    return {name: text if (read := number(text)) is None else read for name, text in found.items()}
