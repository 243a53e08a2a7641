"""Removes secrets from a child's output before it is logged, even if a secret arrives in pieces."""

from __future__ import annotations

import re

from ..adapters.secret_shapes import hide_bytes, may_go_on

_MAX_HELD = 16 * 1024
"""Maximum bytes of a possible secret that are held back until its end arrives."""
_FEW = 16
_PEM = b"-----BEGIN "
_PEM_END = re.compile(rb"-----END [A-Z0-9 ]{0,48}-----")
_SCHEME = re.compile(rb"(?i)\b(?:bearer|basic)[ \t]+\Z")


class RedactedStream:
    """Replaces secrets in a stream of bytes, even if a secret is split across pieces.

    `marks` maps known values to their replacements. Text with the shape of a secret is replaced too. Only a possible
    beginning of a secret is held back, so that a log can be followed live.
    """

    def __init__(self, marks: dict[bytes, bytes]) -> None:
        self._values = _Values(marks)
        self._shapes = _Shapes()

    def feed(self, piece: bytes) -> bytes:
        """Take a piece. Returns the bytes that can be written now."""
        return self._shapes.feed(self._values.feed(piece))

    def flush(self) -> bytes:
        """The bytes that are still held back, at the end of the stream."""
        return self._shapes.feed(self._values.flush()) + self._shapes.flush()


class _Values:
    """Replaces known values."""

    def __init__(self, marks: dict[bytes, bytes]) -> None:
        self._marks = marks
        self._forms = sorted(marks, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, self._forms))) if marks else None
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        if self._pattern is None:
            return piece
        text = self._held + piece
        done, out = 0, []
        for match in () if self._is_clean(text) else self._pattern.finditer(text):
            if self._may_grow(text[match.start() :]):
                break  # A longer secret begins with this one, and its rest may still arrive.
            out += [text[done : match.start()], self._marks[match[0]]]
            done = match.end()
        keep = self._unfinished(text[done:])
        out.append(text[done : len(text) - keep])
        self._held = text[len(text) - keep :]
        return b"".join(out)

    def flush(self) -> bytes:
        held, self._held = self._held, b""
        return self._pattern.sub(lambda match: self._marks[match[0]], held) if self._pattern else held

    def _is_clean(self, text: bytes) -> bool:
        """Whether the text holds none of the values. A few values are found faster one by one."""
        return len(self._forms) <= _FEW and not any(form in text for form in self._forms)

    def _may_grow(self, end: bytes) -> bool:
        return any(len(form) > len(end) and form.startswith(end) for form in self._forms)

    def _unfinished(self, text: bytes) -> int:
        """The length of the longest end of `text` that may be the beginning of a secret."""
        longest = 0
        for form in self._forms:
            place = max(0, len(text) - len(form) + 1)
            # The search goes from the left, so the first match is the longest.
            while (place := text.find(form[:1], place)) >= 0 and len(text) - place > longest:
                if form.startswith(text[place:]):
                    longest = len(text) - place
                    break
                place += 1
        return longest


class _Shapes:
    """Replaces text that has the shape of a secret."""

    def __init__(self) -> None:
        self._held = b""
        self._before = b""

    def feed(self, piece: bytes) -> bytes:
        text = self._held + piece
        keep = _unfinished(text)
        ready, self._held = text[: len(text) - keep], text[len(text) - keep :]
        return self._hide(ready)

    def flush(self) -> bytes:
        held, self._held = self._held, b""
        return self._hide(held)

    def _hide(self, text: bytes) -> bytes:
        if not text:
            return text
        # The character before a key decides whether it is a key: `task-…` is not.
        before, self._before = self._before, text[-1:]
        return hide_bytes(before + text)[len(before) :]


def _unfinished(text: bytes) -> int:
    """The length of the end of `text` that may be the beginning of a secret of a known shape."""
    tail = text[-_MAX_HELD:]
    while (begin := tail.find(_PEM)) >= 0:
        end = _PEM_END.search(tail, begin)
        if end is None:
            return len(tail) - begin
        tail = tail[end.end() :]
    word = b"" if tail[-1:].isspace() else (tail.rsplit(None, 1) or [b""])[-1]
    if len(word) == _MAX_HELD:
        return 0  # No secret is that long.
    if scheme := _SCHEME.search(tail[max(0, len(tail) - len(word) - 64) : len(tail) - len(word)]):
        return len(word) + len(scheme[0])
    return len(word) if word and may_go_on(word.decode("latin-1")) else 0
