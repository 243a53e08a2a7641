"""Old shapes of events, and how each becomes the one of today. What is stored never changes; only what is read does.

A field that was added with a default needs nothing here. A field that was renamed, split or given another meaning does:
its type gets an upcaster, which is tried where the data can't be read as it stands. `tests/golden/` holds a ledger of
every shape there ever was, so that each goes on to be read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Upcaster = Callable[[Any], Any]
"""From the JSON of some older shape to the JSON of the current one. Raises LookupError or TypeError for another."""

UPCASTERS: dict[str, Upcaster] = {}
"""By event type."""
