"""Run LLM and agent benchmarks idempotently, and keep every transition in an append-only, tamper-evident ledger.

>>> import benchmarks
>>> place = benchmarks.open("my-workspace")
>>> for standing in place.leaderboard():
...     print(standing.task.benchmark_id, standing.model, standing.score.mean)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .orchestrator.errors import UsageError
    from .orchestrator.place import Place
    from .orchestrator.place import open_place as open
    from .orchestrator.recorder import AlreadyDone, Cancelled, Recorder, record
    from .projections.analytics.answer import Answer

__all__ = ["AlreadyDone", "Answer", "Cancelled", "Place", "Recorder", "UsageError", "open", "record"]

_HOMES = {
    "AlreadyDone": ("orchestrator.recorder", "AlreadyDone"),
    "Answer": ("projections.analytics.answer", "Answer"),
    "Cancelled": ("orchestrator.recorder", "Cancelled"),
    "Place": ("orchestrator.place", "Place"),
    "Recorder": ("orchestrator.recorder", "Recorder"),
    "UsageError": ("orchestrator.errors", "UsageError"),
    "open": ("orchestrator.place", "open_place"),
    "record": ("orchestrator.recorder", "record"),
}
"""Where each name is defined. It is imported when it is used, so that `import benchmarks` takes no time."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(f".{module}", __name__), attribute)


def __dir__() -> list[str]:
    return __all__
