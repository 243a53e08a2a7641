"""The samples of an imported run, in the form of our own `samples.jsonl`, and their bounds.

Each reader of a format gives rows. `bounded_rows` makes rows of any source fit for a file: it bounds their number and
size, and keeps transcripts as far as they fit. A sample without an answer has an `error` and no score, unless the
harness counts it as 0.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..regular_file import read_regular
from ..result.storable import is_shallow, plain
from ..suites.suitekit.foreign import sample as sample
from ..suites.suitekit.foreign import score_of as score_of
from ..suites.suitekit.foreign import text_of as text_of
from .found import decode_json

Row = dict[str, Any]

MAX_SAMPLES = 50_000
"""The maximum number of samples of a run that are imported."""

MAX_LOG_BYTES = 256 * 1024 * 1024
"""The maximum size of the files, unpacked, that the samples of one run are read from."""

MAX_FILE_BYTES = 256 * 1024 * 1024
"""The maximum size of the file that the samples of one run are stored in. Beyond it, samples keep only their scores."""

MAX_ROW_BYTES = 1024 * 1024
"""The maximum size of a stored sample. A longer transcript loses messages from its middle."""

_MAX_TEXT = 64 * 1024
"""Characters of one text in a sample, such as a message."""

_MAX_DEPTH = 16
_ID_CHARACTERS = 1_000
_SCORES = ("id", "epoch", "cluster", "score", "correct", "error")
"""What stays of a sample that is too large."""


class UnreadableSamples(Exception):
    """Why the samples of a run cannot be read. The run itself can."""


class Remark(msgspec.Struct, frozen=True):
    """A sentence about samples that were left out; it stands among the rows."""

    text: str


def bounded_rows(
    rows: Iterable[Row | Remark], *, is_ratio: bool, clean: Callable[[Row], Row]
) -> Iterator[Row | Remark]:
    """The rows with the bounds of this module. `is_ratio`: a score of 1 is a correct answer, and a lower one is not.

    `clean` removes secrets from a row. A row without an id is left out, and a remark gives the number of these.
    """
    count = size = nameless = shortened = bare = 0
    for row in rows:
        if isinstance(row, Remark):
            yield row
            continue
        if count == MAX_SAMPLES:
            yield Remark(f"samples after the first {MAX_SAMPLES} are left out")
            break
        id = row.get("id")
        if isinstance(id, bool) or not isinstance(id, str | int) or id == "":
            nameless += 1
            continue
        kept, is_whole = _fitting(clean({**_storable(row), "id": str(id)[:_ID_CHARACTERS]}))
        kept = _judged(kept, is_ratio=is_ratio)
        length = len(msgspec.json.encode(kept)) + 1
        if size + length > MAX_FILE_BYTES * 15 // 16:
            kept, bare = _only_scores(kept), bare + 1
            length = len(msgspec.json.encode(kept)) + 1
            if size + length > MAX_FILE_BYTES:
                yield Remark(f"samples after the first {count} are left out: their file is full")
                break
        elif not is_whole:
            shortened += 1
        count, size = count + 1, size + length
        yield kept
    if nameless:
        yield Remark(f"{nameless} samples without an id are left out")
    if shortened:
        yield Remark(f"{shortened} transcripts are shortened: a sample has at most {MAX_ROW_BYTES} bytes")
    if bare:
        yield Remark(f"{bare} samples keep only their scores: their file has at most {MAX_FILE_BYTES} bytes")


def _storable(row: Row) -> Row:
    """The row without what cannot be stored, and with long texts cut off."""
    return {
        str(name): _cut(plain(value)) if is_shallow(value, _MAX_DEPTH) else f"[left out: over {_MAX_DEPTH} levels deep]"
        for name, value in row.items()
    }


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return (
            value if len(value) <= _MAX_TEXT else f"{value[:_MAX_TEXT]}... [{len(value) - _MAX_TEXT} more characters]"
        )
    if isinstance(value, dict):
        return {name: _cut(part) for name, part in value.items()}
    return [_cut(part) for part in value] if isinstance(value, list) else value


def _fitting(row: Row) -> tuple[Row, bool]:
    """The row within MAX_ROW_BYTES, and whether that is all of it."""
    if len(msgspec.json.encode(row)) <= MAX_ROW_BYTES:
        return row, True
    messages = row.get("messages")
    while isinstance(messages, list) and len(messages) > 2:
        # The beginning has the task, and the end the answer.
        left = len(messages) // 3 or 1
        messages = [*messages[:left], *messages[-left:]] if len(messages) > 3 else [messages[0], messages[-1]]
        shorter = {**row, "messages": messages, "messages_left_out": len(row["messages"]) - len(messages)}
        if len(msgspec.json.encode(shorter)) <= MAX_ROW_BYTES:
            return shorter, False
    return _only_scores(row), False


def _only_scores(row: Row) -> Row:
    return {name: row[name] for name in _SCORES if name in row}


def _judged(row: Row, *, is_ratio: bool) -> Row:
    """The row with `correct`, if its score says that. A sample with an error is neither correct nor incorrect."""
    score = row.get("score")
    if "correct" in row or row.get("error") or not is_ratio or score is None:
        return row
    return {**row, "correct": score == 1}


# -- files


def read_file(path: Path, left: int = MAX_LOG_BYTES) -> bytes:
    """The content of a file beside an imported one, which is not a link. Raises UnreadableSamples."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise UnreadableSamples(f"{path.name} is not a regular file")
        return read_regular(path, most=left)
    except OSError as problem:
        raise UnreadableSamples(f"{path.name} cannot be read: {problem.strerror}") from problem


def read_objects(path: Path, left: int = MAX_LOG_BYTES) -> Iterator[Row]:
    """The JSON objects of a file of JSON lines. Raises UnreadableSamples."""
    for place, line in enumerate(read_file(path, left).split(b"\n"), 1):
        if line.strip():
            yield object_in(line, f"line {place} of {path.name}")


def object_in(content: bytes | memoryview | msgspec.Raw, what: str) -> Row:
    """The JSON object of a text. Raises UnreadableSamples, with the name of the text."""
    try:
        value = decode_json(bytes(content))
    except (ValueError, RecursionError) as problem:
        raise UnreadableSamples(f"{what} is not JSON: {problem}") from problem
    if not isinstance(value, dict):
        raise UnreadableSamples(f"{what} is not a JSON object")
    return value


def objects_of(content: bytes, what: str) -> Iterator[Row]:
    """The objects of a JSON list, one by one, so that few are in memory. Raises UnreadableSamples."""
    try:
        parts: Sequence[Any] = msgspec.json.decode(content, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            parts = decode_json(content)
        except (ValueError, RecursionError) as problem:
            raise UnreadableSamples(f"{what} is not JSON: {problem}") from problem
        if not isinstance(parts, list):
            raise UnreadableSamples(f"{what} is not a JSON list") from None
    for place, part in enumerate(parts, 1):
        value = object_in(part, f"entry {place} of {what}") if isinstance(part, msgspec.Raw) else part
        if isinstance(value, Mapping):
            yield dict(value)
