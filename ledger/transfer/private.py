"""Which files of a run can hold samples, so that a bundle without samples leaves them out.

A file stays only if nothing in it can be a sample: a JSON document with the figures of the whole run. A list of records
or texts, a text or an id of one of the samples, or a long text keeps it out, and so does everything that is not JSON:
logs, pictures and archives can hold anything. What the events in the bundle say is public already.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

MAX_BYTES = 16 * 1024 * 1024
"""Maximum size of a document that is looked through."""

_MAX_TEXT = 100
"""Maximum length of a text that can be a name or a setting. A longer one may be a question or an example."""

_MAX_NUMBERS = 2
"""Maximum length of a list of numbers: an interval. A longer one may hold a score or an answer of each sample."""


def is_lines(path: str) -> bool:
    """Whether each line of a file is something of its own: a sample, a trajectory, or a call of the model."""
    return path.endswith(".jsonl")


class Private:
    """What the samples of a run say, apart from what is `public`: hashes of texts."""

    def __init__(self, public: set[int]) -> None:
        self._public = public
        self._texts: set[int] = set()
        self._is_known = True

    def learn(self, file: BinaryIO) -> None:
        """Remember the texts and ids of samples, one on each line."""
        for line in file:
            self._texts.update(hashes_in(line))

    def give_up(self) -> None:
        """The samples cannot be read, so no other file can be compared with them."""
        self._is_known = False

    def reason(self, file: BinaryIO) -> str:
        """Why a file can hold samples; empty if it cannot. The file is then at its beginning."""
        if not self._is_known:
            return "the samples of its run cannot be read, so it cannot be compared with them"
        content = file.read(MAX_BYTES + 1)
        file.seek(0)
        if len(content) > MAX_BYTES:
            return f"it has more than {MAX_BYTES} bytes, so it may hold samples"
        try:
            document = msgspec.json.decode(content)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return "it is not a JSON document, so it may hold samples"
        return next((reason for value in _parts(document) if (reason := self._of(value))), "")

    def _of(self, value: object) -> str:
        if isinstance(value, list):
            return "" if self._is_harmless(value) else "it has a list of records, texts or numbers"
        if not isinstance(value, str) or hash(value) in self._public:
            return ""
        if hash(value) in self._texts:
            return "it has a text or an id of a sample"
        return "it has a long text" if len(value) > _MAX_TEXT else ""

    def _is_harmless(self, values: list[object]) -> bool:
        if all(isinstance(value, int | float) for value in values):
            return len(values) <= _MAX_NUMBERS
        return all(isinstance(value, str) and hash(value) in self._public for value in values)


def hashes_in(line: bytes) -> Iterator[int]:
    """Hashes of all texts in a JSON document, names too, and of an `id` that is a number; none if it is not one."""
    try:
        document = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return
    for value in _parts(document):
        if isinstance(value, str):
            yield hash(value)
        elif isinstance(value, dict) and "id" in value:
            yield hash(str(value["id"]))


def _parts(document: Any) -> Iterator[Any]:
    """A document, everything in it, and the names in its objects."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        yield value
        if isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list):
            waiting += value
