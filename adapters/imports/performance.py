"""Measurements of time: what hyperfine, pytest-benchmark and airspeed velocity export. Less is better in all of them.

A file holds several independent measurements: each is a run, with the mean as its score, in seconds. What a machine
took is compared with nothing that another machine or environment took: they are among the run's options.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec

from ..secret_shapes import hide_named
from ..suites.asv.measurements import measurements
from .found import (
    Document,
    ForeignRun,
    UnreadableResult,
    count,
    direction_of,
    finite,
    moment,
    number,
    rows,
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
    _need(metric, [table(row) for row in rows(document["results"])], path)
    return [_command(index, row, metric) for index, row in enumerate(rows(document["results"]))]


def _command(index: int, row: Document, metric: str | None) -> ForeignRun:
    times = row.get("times") if isinstance(row.get("times"), list) else []
    command = hide_named(str(row["command"]))
    failures = [code for code in row.get("exit_codes") or () if code != 0]
    score = number(row.get(metric or "mean"))
    reason = "exit_code" if failures else None if score is not None else "no_score"
    return ForeignRun(
        name=f"{index}:{row['command']}",
        harness="hyperfine",
        benchmark=command,
        status="failed" if reason else "succeeded",
        reason=reason,
        error=f"{len(failures)} of {len(times or ())} repetitions failed" if failures else reason,
        score=score,
        unit="s",
        higher_is_better=False,
        samples=len(times or ()) or None,
        stderr=_standard_error(row.get("stddev"), len(times or ())),
        metrics=finite({name: row.get(name) for name in (*_SPREAD, "user", "system")}),
        config=without_nothing({"command": command, "parameters": row.get("parameters"), "metric": metric}),
        provenance={"harness": "hyperfine"},
    )


def fits_pytest_benchmark(document: Document) -> bool:
    """Whether a JSON file is what `pytest --benchmark-json` writes."""
    return isinstance(document.get("benchmarks"), list) and "machine_info" in document


def read_pytest_benchmark(document: Document, path: Path, metric: str | None) -> list[ForeignRun]:
    """A run for each test, without the times of its rounds."""
    machine, commit = table(document.get("machine_info")), table(document.get("commit_info"))
    _need(metric, [table(row.get("stats")) for row in rows(document["benchmarks"])], path)
    found = []
    for row in rows(document["benchmarks"]):
        stats, name = table(row.get("stats")), str(row.get("fullname") or row.get("name"))
        score = number(stats.get(metric or "mean"))
        found.append(
            ForeignRun(
                name=name,
                harness="pytest_benchmark",
                benchmark=name,
                status="failed" if score is None else "succeeded",
                reason="no_score" if score is None else None,
                error=f"the test has no {metric or 'mean'}" if score is None else None,
                score=score,
                unit="s",
                higher_is_better=False,
                samples=count(stats.get("rounds")),
                stderr=_standard_error(stats.get("stddev"), count(stats.get("rounds")) or 0),
                metrics=finite({name: stats.get(name) for name in (*_SPREAD, "ops", "iterations")}),
                config=without_nothing(
                    {"test": name, "params": row.get("params"), "metric": metric, **_pytest_machine(machine)}
                ),
                started_at=moment(document.get("datetime")),
                benchmark_version=str(commit["id"]) if commit.get("id") else None,
                provenance={
                    "harness": "pytest_benchmark",
                    "version": document.get("version"),
                    "machine": {name: value for name, value in machine.items() if name != "cpu"},
                    "cpu": {name: value for name, value in table(machine.get("cpu")).items() if name != "flags"},
                    "dirty": commit.get("dirty"),
                },
            )
        )
    if not found:
        raise UnreadableResult(path, "no test in it was measured")
    return found


def fits_older_pytest_benchmark(document: Document) -> bool:
    """Whether it is one of pytest-benchmark before version 3, which did not name the machine."""
    tests = rows(document.get("benchmarks"))
    return bool(tests) and all("stats" in test and "name" in test for test in tests) and "machine_info" not in document


def _pytest_machine(machine: Document) -> dict[str, Any]:
    """What distinguishes machines and Pythons; not the kernel's release, which changes with every update."""
    cpu = machine.get("cpu")
    return {
        "machine": without_nothing(
            {
                "node": machine.get("node"),
                "arch": machine.get("machine"),
                "cpu": table(cpu).get("brand_raw")
                or table(cpu).get("brand")
                or (cpu if isinstance(cpu, str) else None),
                "cores": table(cpu).get("count"),
                "system": machine.get("system"),
            }
        ),
        "environment": without_nothing(
            {
                "python": ".".join(str(machine.get("python_version") or "").split(".")[:2]),
                "implementation": machine.get("python_implementation"),
            }
        ),
    }


def fits_asv(document: Document) -> bool:
    """Whether a JSON file is a results file of airspeed velocity."""
    return "result_columns" in document and "commit_hash" in document


def fits_older_asv(document: Document) -> bool:
    """Whether it is one of version 1."""
    return "result_columns" not in document and "commit_hash" in document and isinstance(document.get("results"), dict)


def is_beside_asv(document: Document) -> bool:
    """Whether it is what asv keeps beside its results: the machine, or the list of benchmarks."""
    return {"arch", "cpu", "machine"} <= document.keys() or (
        "version" in document
        and len(document) > 1
        and all(name == "version" or {"code", "type", "params"} <= table(one).keys() for name, one in document.items())
    )


def read_asv(document: Document, path: Path, metric: str | None) -> list[ForeignRun]:
    """A run for each benchmark with its parameters. Units stand in the `benchmarks.json` one folder above."""
    if metric is not None:
        raise UnreadableResult(path, f"no metric {metric}: each benchmark of asv has one value")
    described = _described(path.parent.parent / "benchmarks.json")
    params = table(document.get("params"))
    committed = moment(document.get("date"))
    options = _asv_machine(document, params)
    versions = _asv_versions(document)
    found = []
    for row in measurements(document, described):
        name, score = row["name"], number(row["value"])
        unit = row["unit"] or ("seconds" if ".time_" in f".{name}" else "unknown")
        found.append(
            ForeignRun(
                name=name,
                harness="asv",
                benchmark=name,
                status="failed" if score is None else "succeeded",
                reason="no_score" if score is None else None,
                error="asv has no value for it: it failed" if score is None else None,
                score=score,
                unit=_UNITS.get(unit, unit),
                # For asv itself less is better of all, but a project may track what it likes.
                higher_is_better=row["unit"] is not None and direction_of(unit) is True,
                config=without_nothing({"benchmark": name, "version": versions.get(name.partition("(")[0]), **options}),
                started_at=moment(row["started_at"]) or committed,
                benchmark_version=str(document["commit_hash"]),
                provenance=without_nothing(
                    {
                        "harness": "asv",
                        "environment": document.get("env_name"),
                        "python": document.get("python"),
                        "machine": params,
                        "committed_at": committed,
                    }
                ),
            )
        )
    return found


def _asv_versions(document: Document) -> dict[str, str]:
    """The version of each benchmark, a digest of its code: asv itself compares no results of two versions."""
    found = {}
    for name, cells in table(document.get("results")).items():
        version = dict(zip(document["result_columns"], cells, strict=False)).get("version")
        if isinstance(version, str):
            found[name] = version[:12]
    return found


def _asv_machine(document: Document, params: Document) -> dict[str, Any]:
    """What tells one machine and environment from another: the environment's name has Python and all requirements."""
    system = str(params.get("os") or "").partition(" ")[0]  # What follows is the kernel's release.
    machine = {"name": params.get("machine"), **{key: params.get(key) for key in ("arch", "cpu", "num_cpu")}}
    environment = {
        "name": document.get("env_name"),
        "python": document.get("python") or params.get("python"),
        "requirements": table(document.get("requirements")),
        "variables": table(document.get("env_vars")),
    }
    return without_nothing(
        {"machine": without_nothing({**machine, "os": system}), "environment": without_nothing(environment)}
    )


def _described(path: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}  # The file alone was brought along: the unit then is a guess from the name, as asv itself makes it.


def _standard_error(deviation: object, size: int) -> float | None:
    """Of the mean: s / sqrt(n)."""
    spread = number(deviation)
    return spread / math.sqrt(size) if spread is not None and size > 1 else None


def _need(metric: str | None, measured: list[Any], path: Path) -> None:
    """Raises UnreadableResult if `metric` is one that nothing in the file has: it would be a failure for ever."""
    if metric is None or any(number(stats.get(metric)) is not None for stats in measured):
        return
    there = sorted({name for stats in measured for name in stats if number(stats[name]) is not None})
    raise UnreadableResult(path, f"no metric {metric}; known: {', '.join(there) or 'none'}")
