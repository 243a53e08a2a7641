"""The output of a run: pieces of it, also while it grows, and the lines that contain a text."""

from __future__ import annotations

from collections import deque
from typing import BinaryIO

import falcon
import msgspec

from ...ledger.terminal import ESCAPES
from ..api.answers import answer
from ..api.parameters import OFFSET, Form, Parameter, limit
from ..api.run_files import PIECE, open_log, send_piece
from ..api.site import Site
from .run import find_run

LOGS = {"stdout": "stdout.log", "stderr": "stderr.log"}

_MAX_READ = 32 * 1024 * 1024
_MAX_LINE = 64 * 1024
_MAX_SHOWN = 500
_CONTEXT_LINES = 5
_MAX_COUNTED = 256 * 1024 * 1024
_CHUNK = 1024 * 1024


class Log:
    """A run's output as plain text, also while it grows."""

    about = "The output of a run as plain text, in pieces"
    parameters = Form(
        *PIECE,
        Parameter("line", "the number of the first line, instead of `offset`", "number", minimum=1),
        Parameter("number", "1: the header X-Log-Line has the number of the first line", "number", 0, maximum=1),
    )
    answer = "text/plain"

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: str, name: str) -> None:
        """`offset` and `limit` in bytes, a negative `offset` from the end. Headers have the size and next offset.

        Lines are counted in a log that is here, up to 256 MiB: without the header, the number is not known.
        """
        asked = self.parameters.read(req)
        file, size = _open_log(self._site, run_id, name)
        with file:
            number = None
            if asked["line"] is not None:
                asked["offset"], number = _find_line(file, size, asked["line"])
            send_piece(req, resp, file, size, asked)
            if asked["number"] and number is None:
                begin = int(resp.get_header("X-Next-Offset") or 0) - len(resp.data or b"")
                number = _line_at(file, begin)
            if number is not None:
                resp.set_header("X-Log-Line", str(number))

    on_head = on_get


class Match(msgspec.Struct, frozen=True):
    """A line: where it begins in the file, its number counted from where the search began, and its text.

    `lines_before` lines before it begin at `context_offset`.
    """

    offset: int
    line: int
    text: str
    context_offset: int
    lines_before: int


class Matches(msgspec.Struct, frozen=True):
    """Lines that contain a text; `next_offset` continues the search if there may be more."""

    matches: list[Match]
    next_offset: int | None
    size: int


class LogMatches:
    """Search in a log, on the server: a log can be a gigabyte."""

    about = "The lines of a log that contain a text"
    parameters = Form(
        Parameter("q", "the text; letter case makes no difference", is_required=True),
        msgspec.structs.replace(OFFSET, about="the first byte of the search"),
        limit(200, 1000),
    )
    answer = Matches

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: str, name: str) -> None:
        """Lines, from `offset` on, as far as one request may read."""
        asked = self.parameters.read(req)
        file, size = _open_log(self._site, run_id, name)
        with file:
            answer(req, resp, _search(file, size, asked["q"].lower(), asked["offset"], asked["limit"]))

    on_head = on_get


def _open_log(site: Site, run_id: str, name: str) -> tuple[BinaryIO, int]:
    """A log, opened, and its size; an empty one if it does not exist yet. Raises HTTPNotFound."""
    if name not in LOGS:
        raise falcon.HTTPNotFound(title="no such log", description=f"known logs: {', '.join(LOGS)}")
    run = find_run(site, run_id)
    return open_log(run, site.archive.folder(run), LOGS[name], site.archive.workspace.elsewhere)


def _find_line(file: BinaryIO, size: int, line: int) -> tuple[int, int | None]:
    """The offset of a line, and its number; the last line that can be counted if there are fewer."""
    if not _is_here(file):
        return 0, 1
    offset, number = 0, 1
    file.seek(0)
    while number < line and offset < min(size, _MAX_COUNTED):
        text = file.readline(_CHUNK)
        if not text:
            break
        offset += len(text)
        number += text.endswith(b"\n")
    return (offset, number) if offset < size else _find_line(file, size, number - 1) if number > 1 else (0, 1)


def _line_at(file: BinaryIO, offset: int) -> int | None:
    """The number of the line that a byte belongs to; None if that is too far to count."""
    if offset == 0:
        return 1
    if offset > _MAX_COUNTED or not _is_here(file):
        return None
    file.seek(0)
    number = 1
    while offset:
        chunk = file.read(min(_CHUNK, offset))
        if not chunk:
            break
        number += chunk.count(b"\n")
        offset -= len(chunk)
    return number


def _is_here(file: BinaryIO) -> bool:
    """Whether a log is a file of this machine: to count the lines of another one, all of it would be fetched."""
    try:
        file.fileno()
    except OSError:
        return False
    return True


def _search(file: BinaryIO, size: int, wanted: str, offset: int, limit: int) -> Matches:
    begin = place = min(offset, size)
    file.seek(begin)
    matches: list[Match] = []
    starts: deque[int] = deque(maxlen=_CONTEXT_LINES + 1)
    number = 1
    is_start = True
    while line := file.readline(_MAX_LINE):
        text = ESCAPES.sub("", line.decode(errors="replace"))
        if is_start:
            starts.append(place)
        is_start = line.endswith(b"\n")
        if wanted in text.lower():
            matches.append(Match(place, number, text.rstrip("\r\n")[:_MAX_SHOWN], starts[0], len(starts) - 1))
        place += len(line)
        number += is_start
        if len(matches) == limit or place - begin >= _MAX_READ:
            break
    return Matches(matches, place if place < size else None, size)
