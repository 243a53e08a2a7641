"""Tables of text, and numbers as text: what commands print, and what reports show."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import msgspec

from ...ledger.events import Json
from .visible import visible

BENCHMARK_NAME = "benchmark_name"
"""The option of an imported run with the name of its benchmark, if that is not an id."""

_MAX_NAME = 60

_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MAX_DIGITS = 6
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
    return _MARKUP.sub(r"\\\g<0>", visible(" ".join(text.split())))


def xml_text(text: str) -> str:
    """Visible text without what XML 1.0 cannot hold (section 2.2 of its specification)."""
    return _NO_XML.sub("?", visible(text))


def format_score(score: float | None, stderr: float | None = None) -> str:
    """A score, with its standard error if it is known; the viewer's page writes it the same way (`js/format.js`).

    The error has as many digits as the score, and more where it would look like none. An error of 0 is not shown:
    scores that do not spread say nothing about their noise.
    """
    if score is None:
        return ""
    digits = 3 if abs(score) < 10 else 1 if abs(score) < 1000 else 0
    if not stderr:
        return _number(score, digits)
    needed = max(digits, -math.floor(math.log10(abs(stderr))))
    if _is_tiny(score) or needed > _MAX_DIGITS:
        return f"{_number(score, digits)} ± {_number(stderr, digits)}"
    return f"{score:,.{needed}f} ± {stderr:,.{needed}f}"


def format_estimate(
    score: float | None, stderr: float | None, low: float | None = None, high: float | None = None
) -> str:
    """A score with how sure it is: ± its standard error, or its 95% interval if ± would mislead.

    It does near the bounds of a unit, where one arm of the interval is more than twice as long as the other, and where
    the scores show no spread: `0.000 [0, 0.28]`. The viewer's page writes it alike (`js/format.js`).
    """
    if score is None or low is None or high is None:
        return format_score(score, stderr)
    down, up = score - low, high - score
    if stderr and max(down, up) <= 2 * min(down, up):
        return format_score(score, stderr)
    return f"{format_score(score)} [{_bound(low, high - low)}, {_bound(high, high - low)}]"


def _bound(value: float, width: float) -> str:
    """A bound with as many digits as the width of its interval has to say."""
    if value == int(value):
        return f"{value:,.0f}"
    return _number(value, min(_MAX_DIGITS, max(0, 1 - math.floor(math.log10(width)))))


def _number(value: float, digits: int) -> str:
    """Microseconds must not look like nothing."""
    return f"{value:.3g}" if _is_tiny(value) else f"{value:,.{digits}f}"


def _is_tiny(value: float) -> bool:
    return 0 < abs(value) < 0.001


def format_p(p_value: float | None) -> str:
    """A p-value; what is below 0.001 is only said to be so."""
    if p_value is None:
        return ""
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def format_unit(unit: str, higher_is_better: bool) -> str:
    """A unit; for one of which less is better, with that."""
    return unit if higher_is_better else f"{unit} (lower is better)".strip()


def named(benchmark_id: str, options: Json) -> str:
    """A benchmark by its id; with its name, if it comes from elsewhere and the id does not show the name."""
    name = options.get(BENCHMARK_NAME)
    if not isinstance(name, str):
        return benchmark_id
    readable, _, _ = benchmark_id.rpartition("-")
    return benchmark_id if _letters(readable) == _letters(name) else f"{benchmark_id} ({name[:_MAX_NAME]})"


def _letters(name: str) -> str:
    """A name without what ids have an underscore for."""
    return re.sub(r"[\s_./:\[\](),='\"-]+", "", name.lower())


def format_options(options: Json) -> str:
    """Options as `name=value`, with spaces between."""
    return " ".join(
        f"{name}={value if isinstance(value, str) else msgspec.json.encode(value).decode()}"
        for name, value in options.items()
        if name != BENCHMARK_NAME
    )


def format_signed(number: float | None) -> str:
    """A difference, with its sign."""
    # What rounds to nothing has no sign.
    return "" if number is None else f"{round(number, 3) + 0.0:+.3f}"
