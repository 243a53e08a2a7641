"""Control characters and invisible characters are written as numbers; everything else stays as it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.projections.render.text import escape_markdown, xml_text
from benchmarks.projections.render.visible import on_a_line, spreadsheet_cell, visible, visible_value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b]52;c;eA==\x07b", "a\\u001b]52;c;eA==\\u0007b"),
        ("\x1b[2J\x9b2J", "\\u001b[2J\\u009b2J"),
        ("gpt\u202e4\u2028x\u200b\ufeff", "gpt\\u202e4\\u2028x\\u200b\\ufeff"),
        ("half \ud83d", "half \\ud83d"),
        ("\U000e0041", "\\udb40\\udc41"),
        ("over\rwritten\r\n", "over\\u000dwritten\r\n"),
        ("Ünïcode שלום 👩\u200d🔬 日本語\ta\nb", "Ünïcode שלום 👩\u200d🔬 日本語\ta\nb"),
    ],
)
def test_controls_and_invisible_characters_become_their_numbers(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert on_a_line(text) == " ".join(shown.replace("\t", " ").splitlines()) or "\n" in text


@given(st.text(st.characters(exclude_categories=()), max_size=50))
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    shown = visible(text)
    assert not any(
        (ord(c) < 32 and c not in "\t\n\r") or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in shown
    )
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029\u200e\u200f\u061c")
    assert visible(shown) == shown
    shown.encode()
    assert "\n" not in on_a_line(text) and "\r" not in on_a_line(text)
    for written in (xml_text(text), escape_markdown(text)):
        written.encode()


VALUES = st.recursive(
    st.text(max_size=5) | st.integers() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
BEFORE = ["", " ", "\u200b", "\ufeff", "\xa0", "\u3000", "\t", "\r\n", "\x00", "\u2060 \u200e"]


@given(VALUES)
def test_a_json_text_stays_the_same_json(value: object) -> None:
    written = json.dumps(value, ensure_ascii=False)
    assert json.loads(visible(written)) == value
    json.dumps(visible_value(value))


@pytest.mark.parametrize(
    "before", ["", " ", "\u200b", "\ufeff", "\xa0", "\u3000", "\t", "\r\n", "\x00", "\u2060 \u200e"]
)
@pytest.mark.parametrize("sign", list("=+-@%|＝＋－＠"))
def test_no_cell_begins_as_a_formula(before: str, sign: str) -> None:
    cell = spreadsheet_cell(f"{before}{sign}cmd|' /C calc'!A0")
    assert isinstance(cell, str) and cell.startswith("'")
    assert spreadsheet_cell("\tcmd") == "'\tcmd"


def test_other_cells_stay_as_they_are() -> None:
    assert [spreadsheet_cell(value) for value in (-1.5, None, True, "gpt-4", "a=b", "", "日本")] == [
        *(-1.5, None, True, "gpt-4", "a=b", "", "日本")
    ]
