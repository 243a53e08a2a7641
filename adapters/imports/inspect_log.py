"""Logs of Inspect AI: `.eval`, which is a ZIP of JSON members, and the same as one JSON file; finished or not.

The shape is that of log format version 2: https://inspect.aisi.org.uk/eval-logs.html
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from lzma import LZMAError
from pathlib import Path
from typing import Any

from .found import (
    Document,
    ForeignRun,
    UnreadableResult,
    count,
    decode_json,
    moment,
    number,
    rows,
    seconds_between,
    slug,
    table,
    unit_of,
    without_nothing,
)

# The members are compressed with Zstandard, which the standard library reads from Python 3.14 on.
if sys.version_info >= (3, 14):
    from zipfile import BadZipFile, ZipFile

    from compression.zstd import ZstdError
else:
    from backports.zstd import ZstdError
    from backports.zstd.zipfile import BadZipFile, ZipFile

KIND = "inspect-log"

_LARGEST_MEMBER = 64 * 1024 * 1024
"""What a header or a summary may have, unpacked: an archive of a few kilobytes can hold gigabytes."""

_BROKEN = (BadZipFile, ZstdError, zlib.error, LZMAError, KeyError, EOFError, ValueError, RuntimeError, OSError)
"""What a broken archive raises; RuntimeError is for an encrypted one, and for a compression that is not known."""

_CONFIG = ("limit", "epochs", "sample_id", "message_limit", "token_limit", "time_limit")
_FAILED = {"error": "error", "cancelled": "interrupted", "started": "unfinished"}


def fits(document: Document) -> bool:
    """Whether a JSON file is such a log."""
    return "status" in document and "task" in table(document.get("eval")) and "version" in document


def read_archive(path: Path, metric: str | None) -> list[ForeignRun]:
    """The run of an `.eval` file. Without a header it is that of a process that was killed."""
    try:
        with ZipFile(path) as archive:
            members = set(archive.namelist())
            if "header.json" in members:
                header = _member(archive, "header.json")
            else:
                journal = _member(archive, "_journal/start.json")
                summaries = (name for name in members if "_journal/summaries/" in name)
                done = sum(len(rows(_member(archive, name))) for name in summaries)
                header = {**table(journal), "status": "started", "results": {"completed_samples": done}}
    except _BROKEN as problem:
        raise UnreadableResult(path, f"no whole Inspect log: {problem}") from problem
    return read(header, path, metric)


def read(document: Document, path: Path, metric: str | None) -> list[ForeignRun]:
    """The run of a log or of its header: `metric` names its score, instead of the first metric of the first scorer."""
    eval, results, stats = (table(document.get(name)) for name in ("eval", "results", "stats"))
    scores = list(_scores(results))
    headline = next((score for score in scores if metric in (None, score[1], f"{score[0]}/{score[1]}")), None)
    if metric is not None and scores and headline is None:
        raise UnreadableResult(path, f"no metric {metric}: there are {', '.join(f'{s}/{m}' for s, m, _ in scores)}")
    status = str(document.get("status"))
    reason = "invalid_result" if document.get("invalidated") is True else _FAILED.get(status)
    if reason is None and headline is None:
        reason = "no_score"
    provider, model = _model(str(eval.get("model") or ""))
    started, ended = moment(stats.get("started_at") or eval.get("created")), moment(stats.get("completed_at"))
    task = str(eval.get("task_registry_name") or eval["task"])
    return [
        ForeignRun(
            name=str(eval.get("eval_id") or eval.get("run_id") or task),
            harness="inspect_ai",
            benchmark_id=slug(str(eval["task"])),
            status="failed" if reason else "succeeded",
            reason=reason,
            error=_error(document, reason, status),
            provider=provider,
            model=model,
            score=headline[2] if headline else None,
            unit=unit_of(headline[1]) if headline else None,
            higher_is_better=True if headline else None,
            samples=count(results.get("completed_samples")),
            stderr=next((v for s, m, v in scores if headline and s == headline[0] and m == "stderr"), None),
            metrics={f"{scorer}/{name}": value for scorer, name, value in scores},
            usage=_usage(stats),
            config=without_nothing(
                {
                    "task": task,
                    "task_args": table(eval.get("task_args")),
                    **{name: table(eval.get("config")).get(name) for name in _CONFIG},
                    "metric": metric,
                }
            ),
            synthetic=provider == "mockllm",
            started_at=started,
            ended_at=ended,
            duration_seconds=seconds_between(started, ended),
            benchmark_version=str(eval["task_version"]) if eval.get("task_version") is not None else None,
            provenance=without_nothing(
                {
                    "harness": "inspect_ai",
                    "packages": eval.get("packages"),
                    "revision": eval.get("revision"),
                    "eval_id": eval.get("eval_id"),
                    "total_samples": results.get("total_samples"),
                }
            ),
        )
    ]


def _member(archive: ZipFile, name: str) -> Any:
    with archive.open(name) as member:
        content = member.read(_LARGEST_MEMBER + 1)
    if len(content) > _LARGEST_MEMBER:
        raise ValueError(f"{name} in it has more than {_LARGEST_MEMBER} bytes")
    return decode_json(content)


def _scores(results: Document) -> Iterator[tuple[str, str, float]]:
    """Every value, as (scorer, metric, value), in the order of the log: the first one is the headline."""
    for score in rows(results.get("scores")):
        for name, metric in table(score.get("metrics")).items():
            if (value := number(table(metric).get("value"))) is not None:
                yield str(score.get("name")), name, value


def _usage(stats: Document) -> dict[str, Any]:
    """Inspect counts the tokens of its cache beside the input tokens: here they are among them."""
    sums: dict[str, int] = {}
    for used in table(stats.get("model_usage")).values():
        cached = count(table(used).get("input_tokens_cache_read")) or 0
        written = count(table(used).get("input_tokens_cache_write")) or 0
        counted = {
            "input_tokens": (count(table(used).get("input_tokens")) or 0) + cached + written,
            "output_tokens": count(table(used).get("output_tokens")) or 0,
            "total_tokens": count(table(used).get("total_tokens")) or 0,
            "cached_tokens": cached,
        }
        sums = {name: sums.get(name, 0) + value for name, value in counted.items()}
    return sums


def _model(named: str) -> tuple[str, str]:
    """Provider and model of Inspect's `provider/model`, and of its `openai-api/provider/model`."""
    provider, _, model = named.removeprefix("openai-api/").partition("/")
    return (provider, model) if model else ("", provider)


def _error(document: Document, reason: str | None, status: str) -> str | None:
    if reason is None:
        return None
    told = table(document.get("error")).get("message")
    return (
        str(told) if told else f"the log's status is {status}" + (", invalidated" if reason == "invalid_result" else "")
    )
