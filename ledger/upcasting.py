"""How old shapes of events become the current ones. Stored events never change; they are converted on reading.

A field that was added with a default needs nothing here. A field that was renamed, split or given another meaning does:
its type gets an upcaster, which is tried if the data can't be read as it is. `tests/golden/` holds a ledger of
every old shape, so that each stays readable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Upcaster = Callable[[Any], Any]
"""From the JSON of some older shape to the JSON of the current one. Raises LookupError or TypeError for another."""

UPCASTERS: dict[str, Upcaster] = {}
"""By event type."""
