"""The samples of an Inspect log, each epoch as a sample of its own: https://inspect.aisi.org.uk/eval-logs.html

An archive has a file for each sample and epoch, and a summary of all; a JSON log has a list. Long texts are kept apart
from a sample as attachments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from .found import Document, ForeignRun, at, number, rows, table
from .inspect_log import BROKEN, MAX_MEMBER_BYTES, open_archive, read_member
from .instances import (
    MAX_LOG_BYTES,
    MAX_SAMPLES,
    Remark,
    Row,
    UnreadableSamples,
    object_in,
    objects_of,
    read_file,
    sample,
    text_of,
)

_MAX_ATTACHMENT = 64 * 1024
_ATTACHMENT = "attachment://"
_WORDS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
"""How Inspect's metrics read the value of a score: correct, partial, incorrect, no answer."""


def read_archive(path: Path, run: ForeignRun) -> Iterator[Row | Remark]:
    """The samples of an `.eval` file. Raises UnreadableSamples."""
    try:
        with open_archive(path) as archive:
            names = archive.namelist()
            members = [name for name in names if name.startswith("samples/") and name.endswith(".json")]
            summaries = _summaries(archive, names)
            reduced = _reduced(read_member(archive, "reductions.json"), run) if "reductions.json" in names else {}
            yield from _rows(_members(archive, sorted(members, key=_in_order), summaries), run, reduced)
    except BROKEN as problem:
        raise UnreadableSamples(f"the samples of the log cannot be read: {problem}") from problem


def read_json(path: Path, run: ForeignRun) -> Iterator[Row | Remark]:
    """The samples of a log that is one JSON file. Raises UnreadableSamples."""
    content = read_file(path)
    try:
        parts = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        parts = {name: msgspec.Raw(msgspec.json.encode(part)) for name, part in object_in(content, path.name).items()}
    if "samples" not in parts:
        return
    reduced = _reduced(list(objects_of(bytes(parts["reductions"]), "reductions")), run) if "reductions" in parts else {}
    yield from _rows(objects_of(bytes(parts["samples"]), "samples"), run, reduced)


def _summaries(archive: Any, names: Iterable[str]) -> dict[tuple[str, object], Document]:
    """What the archive says of each sample in short, by id and epoch."""
    names = list(names)
    wanted = ["summaries.json"] if "summaries.json" in names else [n for n in names if "_journal/summaries/" in n]
    found = [summary for name in wanted for summary in rows(read_member(archive, name))]
    return {(str(one.get("id")), one.get("epoch")): one for one in found[:MAX_SAMPLES]}


def _members(
    archive: Any, names: Iterable[str], summaries: dict[tuple[str, object], Document]
) -> Iterator[Document | Remark]:
    """Each sample; one that is too large by its summary, without its transcript."""
    left, seen, large = MAX_LOG_BYTES, set(), 0
    for name in names:
        size = archive.getinfo(name).file_size
        if size > min(left, MAX_MEMBER_BYTES):
            large += 1
            continue
        left -= size
        document = table(read_member(archive, name))
        seen.add((str(document.get("id")), document.get("epoch")))
        yield document
    yield from (summary for key, summary in summaries.items() if key not in seen)
    if large:
        yield Remark(f"{large} samples are too large: their scores are taken from the summary, without transcripts")


def _in_order(name: str) -> list[object]:
    """Of `samples/10_epoch_2.json`, numbers by their value."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"([0-9]{1,18})", name)]


def _reduced(entries: Any, run: ForeignRun) -> dict[str, object]:
    """The value of each sample over its epochs, if they are reduced by something else than their mean."""
    reducer = run.sought.get("reducer")
    if reducer in (None, "mean"):
        return {}
    wanted = {run.sought.get("score"), run.sought.get("scorer")}
    for entry in rows(entries):
        if entry.get("scorer") in wanted and entry.get("reducer") == reducer:
            return {str(one.get("sample_id")): one.get("value") for one in rows(entry.get("samples"))}
    return {}


def _rows(
    samples: Iterable[Document | Remark], run: ForeignRun, reduced: Mapping[str, object]
) -> Iterator[Row | Remark]:
    """The samples as rows. If epochs are reduced, a sample has one row, with the reduced value."""
    done: set[str] = set()
    for one in samples:
        if isinstance(one, Remark):
            yield one
            continue
        id = str(one.get("id"))
        if reduced and id in done:
            continue
        done.add(id)
        yield _row(one, run, {"value": reduced[id]} if id in reduced else None)


def _row(one: Document, run: ForeignRun, reduced: Document | None) -> Row:
    score = _score(one, run)
    resolve = _resolver(table(one.get("attachments")))
    messages = [_message(message, resolve) for message in rows(one.get("messages"))]
    given, output = resolve(one.get("input")), table(one.get("output"))
    choices = rows(output.get("choices"))
    answered = text_of(resolve(at(choices[0], "message", "content"))) if choices else output.get("completion")
    usage = [table(used) for used in table(one.get("model_usage")).values()]
    error = one.get("error")
    return sample(
        one.get("id"),
        epoch=one.get("epoch") if not reduced else None,
        input=given if isinstance(given, str) else "\n\n".join(text_of(part.get("content")) for part in rows(given)),
        expected=resolve(one.get("target")),
        output=resolve(answered) or score.get("answer"),
        score=_value((reduced or score).get("value"), run),
        answer=score.get("answer"),
        explanation=resolve(score.get("explanation")),
        error=(at(error, "message") or str(error)) if error else None,
        limit=at(one, "limit", "type"),
        messages=messages,
        input_tokens=_sum(usage, "input_tokens"),
        output_tokens=_sum(usage, "output_tokens"),
        duration_seconds=number(one.get("total_time")),
    )


def _score(one: Document, run: ForeignRun) -> Document:
    """What the scorer of the run says of a sample. Logs of version 1 have one score."""
    scores = table(one.get("scores")) or {"": one.get("score")}
    for name in (run.sought.get("score"), run.sought.get("scorer"), ""):
        if isinstance(found := scores.get(str(name or "")), dict):
            return found
    return {}


def _value(value: object, run: ForeignRun) -> object:
    """The value of a score as Inspect's metrics read it."""
    if isinstance(value, dict):
        value = value.get(str(run.sought.get("score")))
    if isinstance(value, str):
        known = _WORDS.get(value, _WORDS.get(value.lower()))
        return known if known is not None else number(value)
    return value


def _resolver(attachments: Document) -> Any:
    """A function that puts attachments in their places."""

    def resolve(value: Any) -> Any:
        if isinstance(value, str) and value.startswith(_ATTACHMENT):
            found = attachments.get(value.removeprefix(_ATTACHMENT))
            if isinstance(found, str):
                return found if len(found) <= _MAX_ATTACHMENT else f"[left out: {len(found)} characters]"
        if isinstance(value, list):
            return [resolve(part) for part in value]
        if isinstance(value, dict) and any(isinstance(part, str) for part in value.values()):
            return {name: resolve(part) if isinstance(part, str) else part for name, part in value.items()}
        return value

    return resolve


def _message(message: Document, resolve: Any) -> Row:
    content = resolve(message.get("content"))
    reasoning = [part.get("reasoning") for part in rows(content) if part.get("type") == "reasoning"]
    if isinstance(content, list):
        content = [part for part in content if not (isinstance(part, dict) and part.get("type") == "reasoning")]
    calls = [
        {"id": call.get("id"), "name": call.get("function"), "arguments": resolve(call.get("arguments"))}
        for call in rows(message.get("tool_calls"))
    ]
    row = {"role": message.get("role"), "content": text_of(content), "tool_calls": calls}
    row |= {"tool_call_id": message.get("tool_call_id"), "name": message.get("function")}
    row |= {"reasoning": "\n".join(str(part) for part in reasoning if part), "error": at(message, "error", "message")}
    return {name: value for name, value in row.items() if name in ("role", "content") or value not in (None, "", [])}


def _sum(usage: Sequence[Document], name: str) -> int | None:
    counts = [count for used in usage if isinstance(count := used.get(name), int)]
    return sum(counts) if counts else None
