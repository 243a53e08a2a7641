"""The styles of the page: all of them are loaded on every page, so one sheet must not change the classes of another."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from benchmarks import viewer

SHEETS = sorted((Path(viewer.__file__).parent / "page" / "css").glob("*.css"))
RULE = re.compile(r"([^{}]+)\{([^{}]*)")
FOR_ALL = "forced-color-adjust: none;"
"""What only a colour says, of every sheet, in one place."""
CLASS = re.compile(r"\.[\w-]+(?:::?[\w-]+)?")


def test_a_class_has_its_rules_in_one_sheet():
    sheets: dict[str, set[str]] = defaultdict(set)
    for sheet in SHEETS:
        text = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
        for selectors, rule in RULE.findall(text):
            if rule.strip() == FOR_ALL:
                continue
            for selector in re.split(r",(?![^(]*\))", selectors):
                if CLASS.fullmatch(selector.strip()):
                    sheets[selector.strip()].add(sheet.name)
    assert len(sheets) > 100
    assert {name: found for name, found in sheets.items() if len(found) > 1} == {}
