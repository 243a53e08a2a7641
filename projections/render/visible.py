"""Foreign text made harmless to look at: what a terminal obeys, or a reader cannot see, is written as what it is.

Names, notes, errors and results come from benchmarks, models and files of others. A control character in them could
write to the clipboard of a reader, retitle or clear a terminal, or let a line read in another order than it is written.
Every such character becomes its number, as JSON writes it: `\\u001b`. So a JSON text stays the same JSON.
"""

from __future__ import annotations

import re

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f"  # controls, but for tab and newline
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # invisible, or turning the direction
    "\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\ud800-\udfff"  # half a character
    "\U000e0000-\U000e0fff]"  # tags
    "|\r(?!\n)"
)
_LINE_BREAKS = re.compile("[\t\n\v\f\r]+")
_FORMULA = frozenset("=+-@%|\t\r\n＝＋－＠％｜﹦﹢﹣﹫﹪")
_IGNORED_BEFORE = re.compile(
    "[\\s\x00-\x1f\x7f-\xa0\xad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\u3000\ufeff]*"
)


def visible(text: str) -> str:
    """The text with every control and every invisible character written as its number; lines and tabs stay."""
    return text if text.isprintable() else _HIDDEN.sub(_number, text)


def on_a_line(text: str) -> str:
    """The same on one line."""
    return text if text.isprintable() else visible(_LINE_BREAKS.sub(" ", text))


def visible_value(value: object) -> object:
    """A JSON value in which every text is visible."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible(str(name)): visible_value(item) for name, item in value.items()}
    return [visible_value(item) for item in value] if isinstance(value, list) else value


def spreadsheet_cell(value: object) -> object:
    """A value that no spreadsheet takes for a formula, or for a command: an apostrophe stands before such a text.

    A spreadsheet may pass over spaces and invisible characters before the sign (OWASP, "CSV Injection").
    """
    if not isinstance(value, str):
        return value
    begin = _IGNORED_BEFORE.match(value)
    first = value[begin.end() :][:1] if begin else ""
    return f"'{visible(value)}" if {first, value[:1]} & _FORMULA else visible(value)


def _number(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    # A pair of halves, as JSON has it.
    return f"\\u{0xD800 + ((code - 0x10000) >> 10):04x}\\u{0xDC00 + ((code - 0x10000) & 0x3FF):04x}"
