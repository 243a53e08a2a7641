"""Publishes high scores: once from each manifest, and by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from ...adapters.manifest import HighScore, Manifest, high_score_faults
from ...ledger.events import HighScorePublished, NewEvent
from ...ledger.history import History
from ..errors import UsageError

_PERCENT = ("percent", "%")


def of_manifest(manifest: Manifest) -> HighScorePublished | None:
    """The high score that a manifest names, in the unit and direction of its result."""
    return _published(manifest, manifest.high_score) if manifest.high_score else None


def by_hand(
    manifest: Manifest, *, value: str, label: str, source: str, date: str | None, author: str
) -> HighScorePublished:
    """The high score that a person publishes. Raises UsageError for a value that does not fit the unit of the score."""
    unit = manifest.result.unit
    try:
        number = float(value.removesuffix("%"))
    except ValueError:
        raise UsageError(f"'{value}' is not a number") from None
    if value.endswith("%") and unit not in _PERCENT:
        meant = f"\nhint: did you mean {number / 100:g}?" if unit == "ratio" else ""
        raise UsageError(f"{value} is a percentage, but the score of {manifest.id} is in the unit '{unit}'{meant}")
    reference = HighScore(label=label, value=number, source=source, date=date)
    for _, reason in high_score_faults(msgspec.structs.replace(manifest, high_score=reference)):
        raise UsageError(f"{value} {reason}" if reason.startswith("is ") else reason)
    return msgspec.structs.replace(_published(manifest, reference), author=author)


def newly_published(
    history: History,
    manifests: Iterable[Manifest],
    as_recorded: Callable[[HighScorePublished], HighScorePublished],
) -> list[NewEvent]:
    """An event for each manifest whose high score differs from the one that was last published from a manifest.

    They are compared `as_recorded`, since the ledger holds the source without secrets. So a manifest publishes once,
    and again after a change. A high score that was published by hand holds until then.
    """
    fresh = {}
    for manifest in manifests:
        reference = of_manifest(manifest)
        seeded = [known for known in history.own_high_scores(manifest.id) if known.author is None]
        if reference is not None and (not seeded or seeded[-1] != as_recorded(reference)):
            fresh[manifest.id] = reference
    return [NewEvent(benchmark_id, event) for benchmark_id, event in fresh.items()]


def _published(manifest: Manifest, reference: HighScore) -> HighScorePublished:
    return HighScorePublished(
        label=reference.label,
        value=reference.value,
        unit=manifest.result.unit,
        higher_is_better=manifest.result.higher_is_better,
        source=reference.source,
        date=reference.date,
    )
