"""The samples of lm-evaluation-harness: the files `samples_<task>_<date>.jsonl` that `--log_samples` leaves.

They are beside `results_<date>.json` and have its date. A task with several filters has a line for each filter.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .found import Document, ForeignRun, decode_json, rows, table
from .instances import MAX_LOG_BYTES, Remark, Row, UnreadableSamples, read_objects, sample, score_of, text_of

_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9.-]+"
_MAX_NAMES = 100_000


def read(path: Path, run: ForeignRun) -> Iterator[Row | Remark]:
    """The samples of all tasks of a run. Raises UnreadableSamples."""
    tasks = [str(task) for task in run.sought.get("tasks", ())]
    metric, filter = str(run.sought.get("metric")), run.sought.get("filter")
    files = _files(path, tasks)
    if not files:
        return
    if len(files) < len(tasks):
        missing = ", ".join([task for task in tasks if task not in files][:5])
        yield Remark(f"{len(tasks) - len(files)} of {len(tasks)} tasks have no file of samples: {missing}")
    left = MAX_LOG_BYTES
    for task, file in files.items():
        left -= os.lstat(file).st_size
        filters: set[object] = set()
        scored = False
        for line in read_objects(file, max(0, left + os.lstat(file).st_size)):
            filters.add(line.get("filter"))
            if line.get("filter") in (None, filter):
                scored = scored or score_of(line.get(metric)) is not None
                yield _row(line, metric, f"{task}/" if len(tasks) > 1 else "")
        if not scored:
            yield Remark(f"{file.name} has no sample with a number as {metric}")


def _files(path: Path, tasks: list[str]) -> dict[str, Path]:
    """The file of each task: that with the date of the results, else the only one."""
    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry, _ in zip(entries, range(_MAX_NAMES), strict=False)]
    except OSError as problem:
        raise UnreadableSamples(f"{path.parent.name} cannot be read: {problem.strerror}") from problem
    date = re.search(_DATE + "(?=\\.json$)", path.name)
    found: dict[str, Path] = {}
    for task in tasks:
        own = re.compile(
            rf"samples_(?:{re.escape(task)}|{re.escape(re.sub(r'[^0-9A-Za-z_]', '_', task))})_({_DATE})\.jsonl"
        )
        dates = {match[1]: name for name in names if (match := own.fullmatch(name))}
        if date is not None and date[0] in dates:
            found[task] = path.with_name(dates[date[0]])
        elif date is None and len(dates) == 1:
            found[task] = path.with_name(*dates.values())
    return found


def _row(line: Document, metric: str, prefix: str) -> Row:
    asked = _arguments(line.get("arguments"))
    prompt: Any = asked[0][0] if asked else None
    messages = _messages(prompt)
    answers = line.get("filtered_resps")
    output = answers[0] if isinstance(answers, list) and len(answers) == 1 else answers
    raw = line.get("resps")
    said = raw[0] if isinstance(raw, list) and len(raw) == 1 else raw
    said = said[0] if isinstance(said, list) and len(said) == 1 else said
    is_choice = len(asked) > 1
    if messages and isinstance(said, str):
        messages.append({"role": "assistant", "content": said})
    id = line.get("doc_id")
    return sample(
        None if id is None else f"{prefix}{id}",
        input=messages[-2]["content"] if len(messages) > 1 else prompt,
        expected=line.get("target"),
        output=None if is_choice else output,
        score=line.get(metric),
        messages=messages,
        choices=[one[1] for one in asked if len(one) > 1] if is_choice else None,
        responses=answers if is_choice else None,
        raw_output=said if isinstance(said, str) and said != output else None,
    )


def _arguments(value: object) -> list[list[Any]]:
    """The arguments of each request. Files have them as a table of tables, and older ones as lists."""
    if isinstance(value, dict):
        return [list(table(one).values()) for name, one in value.items() if str(name).startswith("gen_args_")]
    return [one for one in value if isinstance(one, list) and one] if isinstance(value, list) else []


def _messages(prompt: Any) -> list[Row]:
    """The messages of a chat, which the harness writes as JSON in a text; none of a plain prompt."""
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if isinstance(prompt, str) and prompt.startswith("[{"):
        try:
            prompt = decode_json(prompt.encode(errors="replace"))
        except ValueError:
            return []
    return [
        {"role": one["role"], "content": text_of(one.get("content"))}
        for one in rows(prompt)
        if isinstance(one.get("role"), str)
    ]
