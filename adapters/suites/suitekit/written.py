"""JSON files that a driver leaves: whole, or not at all. The orchestrator may look at any moment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write the document beside its place, then move it there. Raises OSError."""
    partial = path.with_name(f"{path.name}.part")
    partial.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
