"""The JSON Schema of a manifest, for editors, and the line of a manifest's file where a key stands."""

from __future__ import annotations

import inspect
import re
from typing import Any

from .schema import Manifest

SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"

_HEADER = re.compile(r"\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")


def manifest_schema() -> dict[str, Any]:
    """A JSON Schema (2020-12) of `benchmark.toml`.

    It knows keys and types; placeholders, JMESPath and what belongs together only `adapters validate` checks.
    """
    import msgspec

    [reference], definitions = msgspec.json.schema_components([Manifest], ref_template="#/$defs/{name}")
    name = reference["$ref"].rpartition("/")[2]
    top = definitions.pop(name)
    for table in (top, *definitions.values()):
        table["description"] = inspect.cleandoc(table.get("description", ""))
    # A manifest that stands in the benchmark's own directory need not name it.
    required = [key for key in top["required"] if key != "directory"]
    return {"$schema": SCHEMA_ID, **top, "title": "benchmark.toml", "required": required, "$defs": definitions}


def line_of(text: str, key: str) -> int | None:
    """The line (from 1) where a key such as `options.seed.argv` stands in TOML: it, or the nearest table around it.

    None where not even that is there, as for a table that is missing.
    """
    wanted = [part for part in re.split(r"[.\[\]]+", key) if part and not part.isdigit()]
    found: dict[tuple[str, ...], int] = {}
    table: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.fullmatch(line):
            table = _parts(header[1])
            found.setdefault(tuple(table), number)
        elif assigned := _KEY.match(line):
            found.setdefault((*table, *_parts(assigned[1])), number)
    for length in range(len(wanted), 0, -1):
        if (line_number := found.get(tuple(wanted[:length]))) is not None:
            return line_number
    return None


def _parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]
