"""Measurements of time: what hyperfine, pytest-benchmark and airspeed velocity export. Less is better in all of them.

A file holds several independent measurements: each is a run, with the mean as its score, in seconds.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec

from ..suites.asv.measurements import measurements
from .found import (
    Document,
    ForeignRun,
    UnreadableResult,
    count,
    finite,
    moment,
    number,
    rows,
    slug,
    table,
    without_nothing,
)

HYPERFINE, PYTEST_BENCHMARK, ASV = "hyperfine", "pytest-benchmark", "asv-results"

_SPREAD = ("median", "stddev", "min", "max")
_UNITS = {"seconds": "s"}


def fits_hyperfine(document: Document) -> bool:
    """Whether a JSON file is what `hyperfine --export-json` writes."""
    results = rows(document.get("results"))
    return bool(results) and all("command" in row and "mean" in row for row in results)


def read_hyperfine(document: Document, path: Path, metric: str | None) -> list[ForeignRun]:
    """A run for each command; one whose command failed in any repetition has failed."""
    return [_command(index, row, metric) for index, row in enumerate(rows(document["results"]))]


def _command(index: int, row: Document, metric: str | None) -> ForeignRun:
    times = row.get("times") if isinstance(row.get("times"), list) else []
    failures = [code for code in row.get("exit_codes") or () if code != 0]
    score = number(row.get(metric or "mean"))
    reason = "exit_code" if failures else None if score is not None else "no_score"
    return ForeignRun(
        name=f"{index}:{row['command']}",
        harness="hyperfine",
        benchmark_id=slug(str(row["command"])),
        status="failed" if reason else "succeeded",
        reason=reason,
        error=f"{len(failures)} of {len(times or ())} repetitions failed" if failures else reason,
        score=score,
        unit="s",
        higher_is_better=False,
        samples=len(times or ()) or None,
        stderr=_standard_error(row.get("stddev"), len(times or ())),
        metrics=finite({name: row.get(name) for name in (*_SPREAD, "user", "system")}),
        config=without_nothing({"command": str(row["command"]), "parameters": row.get("parameters"), "metric": metric}),
        provenance={"harness": "hyperfine"},
    )


def fits_pytest_benchmark(document: Document) -> bool:
    """Whether a JSON file is what `pytest --benchmark-json` writes."""
    return isinstance(document.get("benchmarks"), list) and "machine_info" in document


def read_pytest_benchmark(document: Document, path: Path, metric: str | None) -> list[ForeignRun]:
    """A run for each test, without the times of its rounds."""
    machine, commit = table(document.get("machine_info")), table(document.get("commit_info"))
    found = []
    for row in rows(document["benchmarks"]):
        stats, name = table(row.get("stats")), str(row.get("fullname") or row.get("name"))
        score = number(stats.get(metric or "mean"))
        found.append(
            ForeignRun(
                name=name,
                harness="pytest_benchmark",
                benchmark_id=slug(name),
                status="failed" if score is None else "succeeded",
                reason="no_score" if score is None else None,
                error=f"the test has no {metric or 'mean'}" if score is None else None,
                score=score,
                unit="s",
                higher_is_better=False,
                samples=count(stats.get("rounds")),
                stderr=_standard_error(stats.get("stddev"), count(stats.get("rounds")) or 0),
                metrics=finite({name: stats.get(name) for name in (*_SPREAD, "ops", "iterations")}),
                config=without_nothing({"test": name, "params": row.get("params"), "metric": metric}),
                started_at=moment(document.get("datetime")),
                benchmark_version=str(commit["id"]) if commit.get("id") else None,
                provenance={
                    "harness": "pytest_benchmark",
                    "version": document.get("version"),
                    "machine": {key: machine.get(key) for key in ("machine", "system", "release", "python_version")},
                    "dirty": commit.get("dirty"),
                },
            )
        )
    if not found:
        raise UnreadableResult(path, "no test in it was measured")
    return found


def fits_asv(document: Document) -> bool:
    """Whether a JSON file is a results file of airspeed velocity."""
    return "result_columns" in document and "commit_hash" in document


def read_asv(document: Document, path: Path, metric: str | None) -> list[ForeignRun]:
    """A run for each benchmark with its parameters. Units stand in the `benchmarks.json` one folder above."""
    described = _described(path.parent.parent / "benchmarks.json")
    params = table(document.get("params"))
    machine = {name: params.get(name) for name in ("arch", "cpu", "num_cpu", "os", "ram")}
    found = []
    for row in measurements(document, described):
        name, score, started = row["name"], number(row["value"]), number(row["started_at"])
        unit = row["unit"] or ("seconds" if ".time_" in f".{name}" else "unknown")
        found.append(
            ForeignRun(
                name=name,
                harness="asv",
                benchmark_id=slug(name),
                status="failed" if score is None else "succeeded",
                reason="no_score" if score is None else None,
                error="asv has no value for it: it failed" if score is None else None,
                score=score,
                unit=_UNITS.get(unit, unit),
                higher_is_better=False,
                config={"benchmark": name},
                started_at=moment(started / 1000) if started else moment((number(document.get("date")) or 0) / 1000),
                benchmark_version=str(document["commit_hash"]),
                provenance={
                    "harness": "asv",
                    "environment": document.get("env_name"),
                    "python": document.get("python"),
                    "machine": machine,
                },
            )
        )
    return found


def _described(path: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        return {}  # The file alone was brought along: the unit then is a guess from the name, as asv itself makes it.


def _standard_error(deviation: object, size: int) -> float | None:
    """Of the mean: s / sqrt(n)."""
    spread = number(deviation)
    return spread / math.sqrt(size) if spread is not None and size > 1 else None
