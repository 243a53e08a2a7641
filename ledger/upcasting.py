"""Converts old shapes of events to the current ones. Stored events never change; they are converted on reading.

A field that was added with a default needs no upcaster. If a field was renamed, split or given another meaning, its
type gets an upcaster, which is tried if the data cannot be read as it is. `tests/golden/` holds a ledger of
every old shape, so that each stays readable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Upcaster = Callable[[Any], Any]
"""Converts the JSON of an older shape to the current one. Raises LookupError or TypeError for any other JSON."""

UPCASTERS: dict[str, Upcaster] = {}
"""The upcasters by event type."""
