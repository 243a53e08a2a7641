"""Tables for people on stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence

from ..projections.render.text import Table
from ..projections.render.visible import on_a_line
from .streams import open_console

STYLES = {"succeeded": "green", "failed": "red", "running": "cyan", "yes": "green", "no": "yellow"}


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Collection[str] = (),
    dispensable: Sequence[str] = (),
) -> None:
    """Print rows under their headings; the columns in `right` are aligned to the right.

    On a terminal the table has colours, and `dispensable` columns are dropped, the first one first, until it fits.
    Elsewhere it is plain text with every column and complete lines.
    """
    columns, right = [on_a_line(name) for name in columns], [on_a_line(name) for name in right]
    rows = [[on_a_line(cell) for cell in row] for row in rows]
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        _print_rich(columns, rows, right, dispensable)
    else:
        _print_plain(columns, rows, right)


def show(table: Table) -> None:
    """Print a table of scores."""
    print_table(table.columns, table.rows, right=table.right, dispensable=table.dispensable)


def _print_plain(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str]) -> None:
    widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(len(columns))]
    for row in (columns, *rows):
        cells = [
            cell.rjust(width) if name in right else cell.ljust(width)
            for cell, width, name in zip(row, widths, columns, strict=True)
        ]
        print("  ".join(cells).rstrip())


def _print_rich(
    columns: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str], dispensable: Sequence[str]
) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    console = open_console(sys.stdout)
    widths = {name: max(len(row[i]) for row in (columns, *rows)) + 2 for i, name in enumerate(columns)}
    hidden = []
    for name in filter(widths.__contains__, dispensable):
        if sum(widths.values()) <= console.width:
            break
        hidden.append(name)
        del widths[name]
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for name in widths:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        cells = [cell for name, cell in zip(columns, row, strict=True) if name in widths]
        table.add_row(*(Text(cell, style=STYLES.get(cell.partition(" ")[0], "")) for cell in cells))
    console.print(table)
    if hidden:
        console.print(f"(a wider terminal also shows {', '.join(hidden)})", style="dim")


def print_facts(facts: Mapping[str, str]) -> None:
    """Print names and values, one on each line; empty values are omitted."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        if value:
            indented = value.replace("\n", "\n" + " " * (width + 2))
            print(f"{name.ljust(width)}  {indented}")
