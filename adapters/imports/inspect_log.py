"""Logs of Inspect AI: `.eval`, which is a ZIP of JSON members, and the same as one JSON file; finished or not.

Log formats 1 and 2 are read: https://inspect.aisi.org.uk/eval-logs.html
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterable
from lzma import LZMAError
from pathlib import Path
from typing import Any

import msgspec

from ..suites.inspect_ai.samples import sought_in
from ..suites.inspect_ai.scores import Metric, headline, metrics, notes, samples, unscored
from .found import (
    Document,
    ForeignRun,
    UnreadableResult,
    at,
    bounded,
    count,
    decode_json,
    direction_of,
    moment,
    number,
    revision,
    rows,
    seconds_between,
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

MAX_MEMBER_BYTES = 32 * 1024 * 1024
"""What a header or a summary may have, unpacked: an archive of a few kilobytes can hold gigabytes."""

_MAX_TOTAL_BYTES = 512 * 1024 * 1024
"""What all summaries of a killed run may have together."""

_MAX_DIRECTORY_BYTES = 64 * 1024 * 1024
"""What the list of an archive's members may have: a log has a member for each sample."""

_END_BYTES = 128 * 1024
"""The end of an archive, in which that size stands: after it comes at most a comment of 64 KiB."""

BROKEN = (BadZipFile, ZstdError, zlib.error, LZMAError, KeyError, EOFError, ValueError, RuntimeError, OSError)
"""What a broken archive raises; RuntimeError is for an encrypted one, and for a compression that is not known."""

_NEWEST = 2
"""The newest version of the log format that is known here."""

_CONFIG = (
    "limit epochs sample_id sample_shuffle message_limit token_limit token_limit_type turn_limit time_limit "
    "working_limit cost_limit approval"
).split()
_NOISE = (
    "max_retries timeout attempt_timeout stream_idle_timeout max_connections adaptive_connections cache cache_prompt "
    "batch extra_headers"
).split()
"""Settings of a model's calls that change how long they take, and not what is answered."""

_VARIANTS = ("model_path", "revision", "quantization", "load_in_4bit", "load_in_8bit")

_FAILED = {"error": "error", "cancelled": "interrupted", "started": "unfinished"}


def fits(document: Document) -> bool:
    """Whether a JSON file is such a log."""
    return "status" in document and "task" in table(document.get("eval")) and "version" in document


def fits_older(document: Document) -> bool:
    """Whether it is a log from before logs had versions."""
    return "status" in document and "task" in table(document.get("eval")) and "version" not in document


def read_archive(path: Path, metric: str | None) -> list[ForeignRun]:
    """The run of an `.eval` file. Without a header it is that of a process that was killed."""
    try:
        with open_archive(path) as archive:
            members = set(archive.namelist())
            if "header.json" in members:
                header = read_member(archive, "header.json")
            else:
                journal = read_member(archive, "_journal/start.json")
                summaries = [name for name in members if "_journal/summaries/" in name]
                if sum(archive.getinfo(name).file_size for name in summaries) > _MAX_TOTAL_BYTES:
                    raise ValueError(f"its summaries have more than {_MAX_TOTAL_BYTES} bytes")
                done = sum(len(rows(read_member(archive, name))) for name in summaries)
                header = {**table(journal), "status": "started", "results": {"completed_samples": done}}
    except BROKEN as problem:
        raise UnreadableResult(path, f"not a whole Inspect log: {problem}") from problem
    return read(header, path, metric)


def open_archive(path: Path) -> ZipFile:
    """An archive whose list of members has a sensible size. Raises one of BROKEN."""
    if (size := _directory_bytes(path)) > _MAX_DIRECTORY_BYTES:
        raise ValueError(f"its list of members has {size} bytes, and at most {_MAX_DIRECTORY_BYTES} are read")
    return ZipFile(path)


def read(document: Document, path: Path, metric: str | None) -> list[ForeignRun]:
    """The run of a log or of its header: `metric` names its score, instead of the log's headline."""
    eval, results, stats = (table(document.get(name)) for name in ("eval", "results", "stats"))
    every = metrics(results)
    chosen = _choose(every, metric, path) if metric else headline(results, table(eval.get("headline_metric")))
    reason = _reason(document, chosen)
    provider, model = _model(str(eval.get("model") or ""), table(eval.get("model_args")))
    started, ended = moment(stats.get("started_at") or eval.get("created")), moment(stats.get("completed_at"))
    task = str(eval.get("task_registry_name") or eval["task"])
    run = ForeignRun(
        name=_name(eval, task),
        harness="inspect_ai",
        benchmark=str(eval["task"]),
        status="failed" if reason else "succeeded",
        reason=reason,
        error=_error(document, reason, chosen, every),
        provider=provider,
        model=model,
        samples=samples(document, chosen),
        metrics=_values(every) | _counts(document, chosen),
        usage=_usage(stats),
        config=without_nothing({"task": task, **_options(document), **_measure(eval, chosen)}),
        synthetic=provider == "mockllm",
        started_at=started,
        ended_at=ended,
        duration_seconds=seconds_between(started, ended),
        benchmark_version=_text(eval.get("task_version")),
        provenance=_provenance(eval, results),
        notes=list(_notes(document, chosen)),
        task_revision=revision(eval.get("task_version"), at(eval, "dataset", "revision")),
        sought=sought_in(results, chosen),
    )
    return [run if chosen is None else _with_score(run, chosen)]


def _choose(every: list[Metric], metric: str, path: Path) -> Metric | None:
    """The metric of that name; None of a log without metrics. Raises UnreadableResult."""
    chosen = _chosen(every, metric)
    if every and chosen is None:
        raise UnreadableResult(path, f"no metric {metric}; known: {', '.join(one.name for one in every)}")
    return chosen


def _name(eval: Document, task: str) -> str:
    return str(eval.get("eval_id") or eval.get("run_id") or task)


def _values(every: list[Metric]) -> dict[str, Any]:
    return {one.name: one.value for one in every if one.value is not None}


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _with_score(run: ForeignRun, chosen: Metric) -> ForeignRun:
    return msgspec.structs.replace(
        run,
        score=chosen.value,
        unit=unit_of(chosen.measure),
        higher_is_better=direction_of(chosen.measure) is not False,
        stderr=chosen.stderr,
    )


def _reason(document: Document, chosen: Metric | None) -> str | None:
    """Why the run has failed; None if it has not."""
    if document.get("invalidated") is True:
        return "invalid_result"
    if reason := _FAILED.get(str(document.get("status"))):
        return reason
    return "no_score" if chosen is None or chosen.value is None else None


def _provenance(eval: Document, results: Document) -> dict[str, Any]:
    return without_nothing(
        {
            "harness": "inspect_ai",
            "packages": eval.get("packages"),
            "revision": eval.get("revision"),
            "eval_id": eval.get("eval_id"),
            "total_samples": results.get("total_samples"),
        }
    )


def _chosen(every: Iterable[Metric], metric: str) -> Metric | None:
    """The metric of that name: with its scorer or without, with its reducer or without."""
    return next(
        (one for one in every if metric in (one.metric, one.name, one.name.removeprefix(f"{one.scorer}/"))), None
    ) or next((one for one in every if metric == f"{one.scorer}/{one.metric}"), None)


def _counts(document: Document, chosen: Metric | None) -> dict[str, Any]:
    """How many samples have no score, if there are any."""
    missing = unscored(document, chosen)
    return {"samples_without_score": missing} if missing else {}


def _notes(document: Document, chosen: Metric | None) -> Iterable[str]:
    yield from notes(document, chosen)
    version = number(document.get("version"))
    if version is not None and version > _NEWEST:
        yield f"the log has version {version:g}; versions up to {_NEWEST} are known, and it was read as one of them"


def _options(document: Document) -> dict[str, Any]:
    """What the score depends on besides the model: the task's arguments and limits, the plan, and the sampling."""
    eval, plan = table(document.get("eval")), table(document.get("plan"))
    limits = {name: table(eval.get("config")).get(name) for name in _CONFIG}
    asked = table(eval.get("model_generate_config")) | without_nothing(table(plan.get("config")))
    steps = [
        {"solver": step.get("solver"), **table(step.get("params_passed", step.get("params")))}
        for step in [*rows(plan.get("steps")), *rows([plan.get("finish")])]
    ] or [{"solver": eval.get("solver"), **table(eval.get("solver_args_passed", eval.get("solver_args")))}]
    roles = {name: _role(role) for name, role in table(eval.get("model_roles")).items()}
    return {
        "task_args": table(eval.get("task_args")),
        "dataset": without_nothing({name: table(eval.get("dataset")).get(name) for name in ("name", "samples")}),
        **limits,
        "generation": {name: bounded(value) for name, value in without_nothing(asked).items() if name not in _NOISE},
        "solver": [] if not steps[0]["solver"] else bounded(steps),
        "roles": roles,
    }


def _measure(eval: Document, chosen: Metric | None) -> dict[str, Any]:
    """What the score is: the scorer with its options, the metric and the reducer of epochs."""
    if chosen is None:
        return {}
    scorer = next((one for one in rows(eval.get("scorers")) if one.get("name") == chosen.scorer), {})
    return {
        "scorer": chosen.scorer,
        "scorer_options": bounded(table(scorer.get("options"))),
        "metric": chosen.metric,
        "reducer": chosen.reducer,
    }


def _role(role: object) -> object:
    """The name of the model, or of the models, in a role such as that of the grader."""
    return [_role(one) for one in role] if isinstance(role, list) else table(role).get("model")


def _directory_bytes(path: Path) -> int:
    """The size that a ZIP archive says its list of members has; 0 if it does not say one."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _END_BYTES))
        end = file.read()
    place = end.rfind(b"PK\x05\x06")
    size = int.from_bytes(end[place + 12 : place + 16], "little") if place >= 0 else 0
    if size == 0xFFFFFFFF and (place := end.rfind(b"PK\x06\x06")) >= 0:
        size = int.from_bytes(end[place + 40 : place + 48], "little")
    return size


def read_member(archive: ZipFile, name: str) -> Any:
    """The JSON value of a member. Raises one of BROKEN."""
    with archive.open(name) as member:
        content = member.read(MAX_MEMBER_BYTES + 1)
    if len(content) > MAX_MEMBER_BYTES:
        raise ValueError(f"{name} in it has more than {MAX_MEMBER_BYTES} bytes")
    return decode_json(content)


def _usage(stats: Document) -> dict[str, Any]:
    """Inspect counts the tokens of its cache beside the input tokens: here they are among them.

    Counts that no model reports are left out: they are unknown, not 0.
    """
    used = [table(one) for one in table(stats.get("model_usage")).values()]
    counts: dict[str, Iterable[float | None]] = {
        "input_tokens": [_input(one) for one in used],
        "output_tokens": [count(one.get("output_tokens")) for one in used],
        "total_tokens": [count(one.get("total_tokens")) for one in used],
        "cached_tokens": [
            count(one.get("input_tokens_cache_read")) or 0 for one in used if count(one.get("input_tokens")) is not None
        ],
        "cost_usd": [number(one.get("total_cost")) for one in used],
    }
    known = {name: [value for value in values if value is not None] for name, values in counts.items()}
    return {name: sum(values) for name, values in known.items() if values}


def _input(used: Document) -> int | None:
    read = count(used.get("input_tokens"))
    if read is None:
        return None
    return read + (count(used.get("input_tokens_cache_read")) or 0) + (count(used.get("input_tokens_cache_write")) or 0)


def _model(named: str, arguments: Document) -> tuple[str, str]:
    """Provider and model of Inspect's `provider/model`, and of its `openai-api/provider/model`.

    A model of this machine is called `local`: what distinguishes it from another one belongs to its name.
    """
    provider, _, model = named.removeprefix("openai-api/").partition("/")
    variants = " ".join(
        f"{name}={arguments[name]}" for name in _VARIANTS if arguments.get(name) not in (None, False, "")
    )
    suffix = f" ({variants})" if variants else ""
    return (provider, f"{model}{suffix}") if model else ("", f"{provider}{suffix}")


def _error(document: Document, reason: str | None, chosen: Metric | None, every: list[Metric]) -> str | None:
    if reason is None:
        return None
    if message := at(document, "error", "message"):
        return str(message)
    if reason == "no_score" and chosen is not None:
        return f"{chosen.name} is not a finite number"
    if reason == "no_score" and every:
        names = ", ".join(one.name for one in every)
        return f"no metric of the log is a score of all samples; --metric chooses one of {names}"
    return f"the log's status is {document.get('status')}" + (", invalidated" if reason == "invalid_result" else "")
