"""What a results file of asv holds, together with the benchmarks.json beside it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..suitekit.command import SuiteError

_SECONDS = "seconds"


def summarize(document: Mapping[str, Any], benchmarks: Mapping[str, Any]) -> dict[str, Any]:
    """The sum of all timings (s), how many they are, and every value with its unit.

    Raises SuiteError if a benchmark failed or nothing was timed.
    """
    rows = list(measurements(document, benchmarks))
    failed = [row["name"] for row in rows if row["value"] is None]
    if failed:
        raise SuiteError(f"{len(failed)} of {len(rows)} benchmarks failed: {', '.join(failed[:4])}")
    timings = [row["value"] for row in rows if row["unit"] == _SECONDS]
    if not timings:
        raise SuiteError(f"none of the {len(rows)} benchmarks measures time")
    return {
        "score": math.fsum(timings),
        "n": len(timings),
        "benchmarks": rows,
        "commit": document.get("commit_hash"),
        "python": document.get("python"),
    }


def measurements(document: Mapping[str, Any], benchmarks: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Each value: `name` with its parameters, `value` (None if it failed), `unit`, `started_at` (Unix ms).

    What was skipped is left out.

    Raises ValueError if there are not as many values as combinations of parameters.
    """
    columns = document["result_columns"]
    for name, cells in document["results"].items():
        row = dict(zip(columns, cells, strict=False))
        combinations = list(itertools.product(*(row.get("params") or [])))
        unit = (benchmarks.get(name) or {}).get("unit")
        # A benchmark that failed as a whole has one null instead of its values.
        values = row["result"] if row["result"] is not None else [None] * len(combinations)
        for combination, value in zip(combinations, values, strict=True):
            if isinstance(value, float) and math.isnan(value):
                continue
            shown = f"{name}({', '.join(combination)})" if combination else name
            yield {"name": shown, "value": value, "unit": unit, "started_at": row.get("started_at")}
