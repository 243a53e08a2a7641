"""Tables for people on stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence

STYLES = {"succeeded": "green", "failed": "red", "running": "cyan", "yes": "green", "no": "yellow"}


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[str] = ()) -> None:
    """Rows under their headings; the columns in `right` are set to the right.

    On a terminal with colours; elsewhere plain text with no line cut short.
    """
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        _print_rich(columns, rows, set(right))
    else:
        _print_plain(columns, list(rows), set(right))


def _print_plain(columns: Sequence[str], rows: Sequence[Sequence[str]], right: set[str]) -> None:
    widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(len(columns))]
    for row in (columns, *rows):
        cells = [
            cell.rjust(width) if name in right else cell.ljust(width)
            for cell, width, name in zip(row, widths, columns, strict=True)
        ]
        print("  ".join(cells).rstrip())


def _print_rich(columns: Sequence[str], rows: Iterable[Sequence[str]], right: set[str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    Console(highlight=False).print(table)


def print_facts(facts: Mapping[str, str]) -> None:
    """Names and values, one a line; what is empty is left out."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        if value:
            print(f"{name.ljust(width)}  {value}")
