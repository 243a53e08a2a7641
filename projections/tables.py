"""Tables of text, and numbers as text: what commands print, and what reports show."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from ..ledger.events import Json

_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKUP = re.compile(r"[\\`*_\[\]<>|~]")


class Table(msgspec.Struct, frozen=True):
    """Rows of text under their headings.

    The columns in `right` are numbers; a narrow place may leave out those in `dispensable`, the first ones first.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Sequence[str] = ()
    dispensable: Sequence[str] = ()


def markdown(table: Table) -> str:
    """A table of GitHub-flavoured Markdown, without a newline at its end."""
    rule = ["---:" if name in table.right else "---" for name in table.columns]
    # A cell may hold what a model or a person said: it must neither end the cell nor become markup of its own.
    cells = [[escape_markdown(cell) for cell in row] for row in table.rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in (table.columns, rule, *cells))


def escape_markdown(text: str) -> str:
    """Text on one line, in which nothing is markup."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(text.split()))


def xml_text(text: str) -> str:
    """Text without what XML 1.0 can't hold, such as control characters (section 2.2 of its specification)."""
    return _NO_XML.sub("?", text)


def format_score(score: float | None, stderr: float | None = None) -> str:
    """A score, with its standard error where there is one."""
    if score is None:
        return ""
    return _number(score) if stderr is None else f"{_number(score)} ± {_number(stderr)}"


def _number(value: float) -> str:
    """Three digits that say something: microseconds must not look like nothing."""
    if 0 < abs(value) < 0.001:
        return f"{value:.3g}"
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.1f}"


def format_p(p_value: float | None) -> str:
    """A p-value; what is below 0.001 is only said to be so."""
    if p_value is None:
        return ""
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def format_unit(unit: str, higher_is_better: bool) -> str:
    """A unit; for one of which less is better, with that."""
    return unit if higher_is_better else f"{unit} (lower is better)".strip()


def format_options(options: Json) -> str:
    """Options as `name=value`, with spaces between."""
    return " ".join(
        f"{name}={value if isinstance(value, str) else msgspec.json.encode(value).decode()}"
        for name, value in options.items()
    )


def format_signed(number: float | None) -> str:
    """A difference, with its sign."""
    # What rounds to nothing has no sign.
    return "" if number is None else f"{round(number, 3) + 0.0:+.3f}"
