"""Digests of a run's secrets, in a file beside its logs while it runs.

If its orchestrator is killed, another process recovers the run, perhaps without the same keys in its environment. It
hides a text if the text's digest is one of these. The file holds no secret. Only its owner can read it, its salt is
used once, and it is removed after the run has ended.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from ...ledger.run_files import NotReadable, read_inside
from ...ledger.wording import AnEvent, reword

FILE = "secrets.digests"

_MAX_BYTES = 1024 * 1024
_MAX_SEARCHED = 64 * 1024
"""Up to this length, a text is searched at every position; a longer one only at the beginnings of words."""
_MAX_LENGTHS = 200
_PLACES_AT_ONCE = 64
_UNSEARCHED = "[left out: the time to look for secrets in it was over]"
_WORD_BEGINS = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_+/-]")
_SALT = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[\w .-]{1,100}")


class Fingerprints(msgspec.Struct, frozen=True):
    """Digests of secret texts, each with the name of its secret, and the lengths of these texts."""

    salt: str
    names: dict[str, str] = {}
    lengths: list[int] = []

    def event(self, event: AnEvent, is_over: Callable[[], bool] = lambda: False) -> AnEvent:
        """The event without these secrets in its texts.

        The benchmark could change the file so that the search takes hours. So after `is_over` returns true, a text that
        was not searched to its end is left out.
        """
        return reword(event, lambda _, value: self.value(value, is_over)) if self.names else event

    def value(self, value: Any, is_over: Callable[[], bool] = lambda: False) -> Any:
        """A JSON value without these secrets."""
        if isinstance(value, str):
            return self.text(value, is_over)
        if isinstance(value, dict):
            return {self.text(key, is_over): self.value(item, is_over) for key, item in value.items()}
        return [self.value(item, is_over) for item in value] if isinstance(value, list) else value

    def text(self, text: str, is_over: Callable[[], bool] = lambda: False) -> str:
        """The text without these secrets."""
        if not any(length <= len(text) for length in self.lengths):
            return text
        is_short = len(text) <= _MAX_SEARCHED
        places = range(len(text)) if is_short else [found.start() for found in _WORD_BEGINS.finditer(text)]
        parts, done = [], 0
        for number, place in enumerate(places):
            if number % _PLACES_AT_ONCE == 0 and is_over():
                return _UNSEARCHED
            if place >= done and (found := self._at(text, place)):
                length, name = found
                parts += [text[done:place], f"[redacted:{name}]"]
                done = place + length
        return "".join([*parts, text[done:]])

    def _at(self, text: str, place: int) -> tuple[int, str] | None:
        for length in self.lengths:
            end = place + length
            if end <= len(text) and (name := self.names.get(_digest(self.salt, text[place:end]))):
                return length, name
        return None


NONE = Fingerprints("")


def write_fingerprints(folder: Path, names: Mapping[str, str]) -> None:
    """Write digests of secret texts (the keys of `names`) to a run's folder. Raises OSError."""
    if not names:
        return
    salt = secrets.token_hex(16)
    digests = {_digest(salt, text): name if _NAME.fullmatch(name) else "secret" for text, name in names.items()}
    # Longest first, since a secret may begin with another one.
    fingerprints = Fingerprints(salt, digests, sorted({len(text) for text in names}, reverse=True))
    file = os.open(folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as out:
        out.write(msgspec.json.encode(fingerprints))


def read_fingerprints(folder: Path) -> Fingerprints:
    """Read the digests in a run's folder; NONE if the file is missing or not valid."""
    try:
        fingerprints = msgspec.json.decode(read_inside(folder, FILE, most=_MAX_BYTES), type=Fingerprints)
    except (NotReadable, ValueError, RecursionError):
        return NONE
    is_ours = _SALT.fullmatch(fingerprints.salt) is not None  # BLAKE2 refuses longer keys.
    if not is_ours or len(fingerprints.lengths) > _MAX_LENGTHS or min(fingerprints.lengths, default=1) < 1:
        return NONE
    # The benchmark could change the file, so names are checked.
    return fingerprints if all(_NAME.fullmatch(name) for name in fingerprints.names.values()) else NONE


def remove_fingerprints(folder: Path) -> None:
    """Remove the digests after a run has ended. Raises OSError, but not for a missing file."""
    (folder / FILE).unlink(missing_ok=True)


def _digest(salt: str, text: str) -> str:
    return blake2b(text.encode(errors="surrogatepass"), key=salt.encode(), digest_size=16).hexdigest()
