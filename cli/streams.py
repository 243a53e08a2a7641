"""All output passes here: control characters are made visible, and a reader that has gone away causes no error.

`VisibleStream` replaces stdout and stderr, so that no text that a command prints can control the terminal.
`open_console` makes consoles of rich that obey our own colours only. A closed pipe or terminal does not end a run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TextIO, cast

from ..projections.render.visible import visible

if TYPE_CHECKING:
    from rich.console import Console


def discard(stream: TextIO) -> None:
    """Send further output of a stream without a reader to /dev/null, also what Python flushes at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def say(text: str) -> None:
    """Print on stderr. Does nothing if the reader has closed it."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        discard(sys.stderr)


def emit(text: str) -> None:
    """Write a document for programs on stdout: unchanged, except on a terminal (JSON stays the same JSON)."""
    stream = _beneath(sys.stdout)
    stream.write(visible(text) if stream.isatty() else text)


def emit_bytes(content: bytes) -> None:
    """The same for bytes."""
    stream = _beneath(sys.stdout)
    if stream.isatty():
        stream.write(visible(content.decode(errors="replace")))
    else:
        stream.flush()
        stream.buffer.write(content)


class VisibleStream:
    """A stream that makes control characters in all text visible."""

    def __init__(self, stream: TextIO) -> None:
        self.beneath = stream

    def write(self, text: str) -> int:
        """Write the text with its control characters visible."""
        self.beneath.write(visible(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each line."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.beneath, name)


def show_only_visible_text() -> None:
    """Replace stdout and stderr by `VisibleStream`. Called once, when the program starts."""
    # If a stream is closed at the start, Python sets it to None.
    if sys.stdout is not None:
        sys.stdout = cast("TextIO", VisibleStream(sys.stdout))
    if sys.stderr is not None:
        sys.stderr = cast("TextIO", VisibleStream(sys.stderr))


def open_console(stream: TextIO) -> Console:
    """A console of rich on a stream. It makes control characters in text visible, and prints only its own colours."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class VisibleConsole(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                text, style, control = segment
                yield segment if control else Segment(visible(text), style)

    return VisibleConsole(file=cast("TextIO", UnfailingStream(_beneath(stream))), highlight=False)


def _beneath(stream: TextIO) -> TextIO:
    return stream.beneath if isinstance(stream, VisibleStream) else stream


class UnfailingStream:
    """A stream whose write and flush never fail."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, unless the reader has closed the stream."""
        try:
            return self._stream.write(text)
        except OSError:
            discard(self._stream)
            return len(text)

    def flush(self) -> None:
        """Flush, unless the reader has closed the stream."""
        try:
            self._stream.flush()
        except OSError:
            discard(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
