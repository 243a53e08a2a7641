"""Answers of checks that are remembered for minutes, in one file of the cache folder.

The file is only believed if it is the user's own, whole, and of this boot of the machine. Times are seconds since boot,
which cannot be set. A file that cannot be read or written costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Literal

import msgspec

from ..atomic_file import write_atomically
from ..cache import cache_folder
from ..regular_file import open_regular, read_at_most
from .asking import Answer, Question

_FILE = "checks.json"
_MAX_BYTES = 1024 * 1024
_MAX_ANSWERS = 2000
SHOWN_SECONDS = 300.0
"""An answer is shown for this long."""
_BELIEVED_SECONDS = {"yes": 300.0, "silent": 60.0}
"""A check is not made again for this long. What fails at once is also asked again at once: it costs little."""
_CHANGING_VARIABLES = {"_", "PWD", "OLDPWD", "SHLVL"}
"""Variables that differ between two commands of one terminal."""


class _Entry(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    at: float
    answer: Answer


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    boot: str
    entries: dict[str, _Entry]


class Memory:
    """The answers that are remembered, as the file had them when it was opened, for questions in that environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._now = _seconds_since_boot()
        self._entries = _read(self._now)
        stable = sorted(f"{name}={value}" for name, value in environ.items() if name not in _CHANGING_VARIABLES)
        self._environ = sha256("\0".join(stable).encode(errors="surrogateescape")).hexdigest()

    def recall(self, question: Question) -> Answer | None:
        """What was answered in the last minutes, to be shown."""
        entry = self._entries.get(self._key(question))
        return entry.answer if entry else None

    def believe(self, question: Question) -> Answer | None:
        """The same, if it is so new that the question need not be asked again."""
        entry = self._entries.get(self._key(question))
        if entry is None or self._now - entry.at > _BELIEVED_SECONDS.get(entry.answer.outcome, 0.0):
            return None
        return entry.answer

    def keep(self, answers: Mapping[Question, Answer]) -> None:
        """Remember new answers, beside what other processes have written meanwhile."""
        now = _seconds_since_boot()
        new = {self._key(question): _Entry(now, answer) for question, answer in answers.items()}
        kept = sorted({**_read(now), **new}.items(), key=lambda item: item[1].at)[-_MAX_ANSWERS:]
        # Without a cache that can be written, checks are made again each time.
        with contextlib.suppress(OSError):
            folder = cache_folder()
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / _FILE, msgspec.json.encode(_File(1, _boot_id(), dict(kept))))

    def _key(self, question: Question) -> str:
        return sha256(msgspec.json.encode([self._environ, os.geteuid(), question])).hexdigest()


def _read(now: float) -> dict[str, _Entry]:
    """What is in the file and not too old; nothing if the file is not to be believed."""
    try:
        with open_regular(cache_folder() / _FILE) as file:
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                return {}
            content = read_at_most(file, _MAX_BYTES)
        found = None if content is None else msgspec.json.decode(content, type=_File)
    except (OSError, ValueError, RecursionError):
        return {}  # It does not exist, or is not ours: it will be written anew.
    if found is None or found.boot != _boot_id():
        return {}
    return {key: entry for key, entry in found.entries.items() if 0 <= now - entry.at <= SHOWN_SECONDS}


def _seconds_since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
