"""Values in the files of other harnesses, and samples in our form made from them.

Drivers and the readers of imported files share this. Drivers run in the harness's environment, so it needs nothing but
the standard library.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

SAMPLES = "samples.jsonl"

_MAX_ROW_BYTES = 1024 * 1024
"""The maximum size of a sample that a driver writes. A larger one keeps only its scores."""
_SCORES = ("id", "epoch", "cluster", "score", "correct", "error")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def table(value: object) -> dict[str, Any]:
    """The value if it is a JSON object; else an empty one."""
    return value if isinstance(value, dict) else {}


def at(document: object, *names: str) -> Any:
    """The value below those names, one within the other; None if there is none."""
    for name in names:
        document = table(document).get(name)
    return document


def rows(value: object) -> list[dict[str, Any]]:
    """The objects of a JSON list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def number(value: object) -> float | None:
    """A finite number, also one that was written as text in plain digits; None for all else.

    Python would also read `1_000` and the digits of other scripts, which no harness writes for a number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        return None
    return read if math.isfinite(read) else None


def score_of(value: object) -> float | None:
    """A score as a number. True is 1 and False is 0."""
    return float(value) if isinstance(value, bool) else number(value)


def text_of(content: object) -> str:
    """The text of a message's content, which may be a list of parts; parts of other kinds by their names."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return "" if content is None else json.dumps(content, default=str)
    texts = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict):
            kind = str(part.get("type") or "part")
            text = part.get("text")
            texts.append(text if isinstance(text, str) else f"[{kind}]")
    return "\n".join(texts)


def sample(
    id: object,
    *,
    score: object = None,
    input: object = None,
    expected: object = None,
    output: object = None,
    error: object = None,
    messages: Sequence[Mapping[str, Any]] = (),
    **more: object,
) -> dict[str, Any]:
    """A sample in our form, without what is not known. A `score` that is not a finite number is left out.

    `messages` is the transcript: each has a `role`, a `content` and what else it holds.
    """
    row: dict[str, Any] = {"id": id, "input": input, "expected": expected, "output": output, "score": score_of(score)}
    row |= {"error": error, "messages": list(messages), **more}
    return {name: value for name, value in row.items() if name == "id" or value not in (None, "", [], {})}


def write_samples(output_dir: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write samples as `samples.jsonl`, whole or not at all, and return their number. Raises OSError.

    The score is a ratio: 1 is a correct answer. Rows without an id are left out.
    """
    path, count = output_dir / SAMPLES, 0
    partial = path.with_name(f"{SAMPLES}.part")
    with partial.open("w", encoding="utf-8") as file:
        for row in rows:
            if row.get("id") in (None, ""):
                continue
            kept = {**row, "id": str(row["id"])}
            if kept.get("score") is not None and not kept.get("error"):
                kept["correct"] = kept["score"] == 1
            # Plain ASCII: a model may say half a surrogate pair, which UTF-8 cannot hold.
            line = json.dumps(kept, default=str)
            if len(line) > _MAX_ROW_BYTES:
                line = json.dumps({name: kept[name] for name in _SCORES if name in kept}, default=str)
            file.write(line + "\n")
            count += 1
    partial.replace(path)
    return count
