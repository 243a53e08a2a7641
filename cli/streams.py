"""Everything that is printed passes here: made visible, and for somebody who may be gone.

`Shown` stands in the place of stdout and stderr, so that nothing that a command prints can give orders to a terminal.
`open_console` makes consoles of rich whose colours are ours and whose words are visible. A closed pipe or a terminal
that hung up ends no run.
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
    """Lead what is written there to nowhere, since nobody reads it any more: also what Python flushes at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def say(text: str) -> None:
    """Print on stderr, if somebody still reads it."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        discard(sys.stderr)


def emit(text: str) -> None:
    """Write a document for programs on stdout: as it is, but visible on a terminal (JSON stays the same JSON)."""
    stream = _beneath(sys.stdout)
    stream.write(visible(text) if stream.isatty() else text)


def emit_bytes(content: bytes) -> None:
    """The same for the bytes of a file."""
    stream = _beneath(sys.stdout)
    if stream.isatty():
        stream.write(visible(content.decode(errors="replace")))
    else:
        stream.flush()
        stream.buffer.write(content)


class Shown:
    """A stream on which every text is visible, whoever prints it."""

    def __init__(self, stream: TextIO) -> None:
        self.beneath = stream

    def write(self, text: str) -> int:
        """Write the text, made visible."""
        self.beneath.write(visible(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of them."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.beneath, name)


def show_only_visible_text() -> None:
    """From now on, stdout and stderr are `Shown`. Called once, when the program starts."""
    # A stream may be closed: then Python has none.
    if sys.stdout is not None:
        sys.stdout = cast("TextIO", Shown(sys.stdout))
    if sys.stderr is not None:
        sys.stderr = cast("TextIO", Shown(sys.stderr))


def open_console(stream: TextIO) -> Console:
    """A console of rich on a stream; whatever text it is given is visible, and only its own colours are obeyed."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class VisibleConsole(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                text, style, control = segment
                yield segment if control else Segment(visible(text), style)

    return VisibleConsole(file=cast("TextIO", Lasting(_beneath(stream))), highlight=False)


def _beneath(stream: TextIO) -> TextIO:
    return stream.beneath if isinstance(stream, Shown) else stream


class Lasting:
    """A stream as it is, except that writing to it never fails."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, if somebody still reads it."""
        try:
            return self._stream.write(text)
        except OSError:
            discard(self._stream)
            return len(text)

    def flush(self) -> None:
        """Flush, if somebody still reads it."""
        try:
            self._stream.flush()
        except OSError:
            discard(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
