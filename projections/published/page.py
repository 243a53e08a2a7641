"""A published table as one HTML file that checks itself in the reader's browser. It needs no server."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import msgspec

from .document import TableDocument

_FOLDER = Path(__file__).with_name("page")

CHECK = (
    *("bytes", "tree", "note", "lines", "quantiles", "uncertainty", "ranks", "attempts", "runs", "rows", "errata"),
    "check",
)
"""The modules that check a document, each after those that it imports."""

PROVING = tuple(_FOLDER / f"{name}.js" for name in ("bytes", "tree", "note", "lines", "runs"))
"""The modules that check proofs, which the viewer's page has too."""

_MODULES = (*CHECK, "view", "main")
_IMPORT = re.compile(r"^import .*?;\n", re.DOTALL | re.MULTILINE)


def page_of(document: TableDocument) -> str:
    """The page. Its policy allows its own script and style by their hashes, and nothing to be loaded or sent."""
    script, style = script_of(_MODULES), _read("table.css")
    # No text of a benchmark can end the element.
    data = msgspec.json.encode(document).decode().replace("<", "\\u003c")
    parts = {
        "script_hash": _hash(script),
        "style_hash": _hash(style),
        "style": style,
        "script": script,
        "data": data,
    }
    page = _read("table.html")
    # The data come last: a name in braces inside of them stays as it is.
    for name in ("script_hash", "style_hash", "style", "script", "data"):
        page = page.replace(f"{{{name}}}", parts[name], 1)
    return page


def script_of(modules: Iterable[str]) -> str:
    """Modules as one script: a page that is one file has nothing to import from."""
    parts = (_IMPORT.sub("", _read(f"{name}.js")).replace("\nexport ", "\n") for name in modules)
    return "\n".join(['"use strict";', *parts])


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}"


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
