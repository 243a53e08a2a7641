"""The samples in the files `samples_<task>_<date>.jsonl` that lm-evaluation-harness leaves with `--log_samples`.

They are beside `results_<date>.json` and have its date. A task with several filters has a line for each filter.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..suitekit.foreign import rows, sample, table, text_of

_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9.-]+"
_MAX_NAMES = 100_000


def read(results: Path, tasks: Sequence[str], metric: str) -> Iterator[dict[str, Any]]:
    """The samples of all tasks beside a results file; `metric` is `<metric>,<filter>`. Raises OSError, ValueError."""
    base, _, filter = metric.partition(",")
    for task, file in files(results, tasks).items():
        with file.open("rb") as lines:
            for text in lines:
                line = table(json.loads(text)) if text.strip() else {}
                if line and line.get("filter") in (None, filter):
                    yield row(line, base, f"{task}/" if len(tasks) > 1 else "")


def files(path: Path, tasks: Sequence[str]) -> dict[str, Path]:
    """The file of each task: that with the date of the results, else the only one. Raises OSError."""
    with os.scandir(path.parent) as entries:
        names = [entry.name for entry, _ in zip(entries, range(_MAX_NAMES), strict=False)]
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


def row(line: dict[str, Any], metric: str, prefix: str) -> dict[str, Any]:
    """A line as a sample in our form. `prefix` stands before its id."""
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


def _messages(prompt: Any) -> list[dict[str, Any]]:
    """The messages of a chat, which the harness writes as JSON in a text; none of a plain prompt."""
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if isinstance(prompt, str) and prompt.startswith("[{"):
        try:
            prompt = json.loads(prompt)
        except (ValueError, RecursionError):
            return []
    return [
        {"role": one["role"], "content": text_of(one.get("content"))}
        for one in rows(prompt)
        if isinstance(one.get("role"), str)
    ]
