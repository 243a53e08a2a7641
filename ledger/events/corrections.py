"""What people add to a history: reference scores, remarks, corrections."""

from __future__ import annotations

from typing import ClassVar

from .event import Event, Json


class HighScorePublished(Event, frozen=True, kw_only=True):
    """A reference score for a benchmark, in the unit of its scores. Stream: the benchmark_id.

    `author` is the person who published it; None: the benchmark's manifest.
    """

    type: ClassVar[str] = "high_score_published"
    label: str
    value: float
    unit: str | None = None
    higher_is_better: bool = True
    source: str
    date: str | None = None
    author: str | None = None


class Annotated(Event, frozen=True, kw_only=True):
    """A person's remark on a run. Stream: the run_id."""

    type: ClassVar[str] = "annotated"
    author: str
    note: str
    tags: list[str] = []


class Retracted(Event, frozen=True, kw_only=True):
    """A person retracted a run: it stays in the history and does not count. Stream: the run_id."""

    type: ClassVar[str] = "retracted"
    author: str
    reason: str


class Reinstated(Event, frozen=True, kw_only=True):
    """A person withdrew a retraction: the run counts again. Stream: the run_id."""

    type: ClassVar[str] = "reinstated"
    author: str
    reason: str


class EquivalenceDeclared(Event, frozen=True, kw_only=True):
    """A person declared that two revisions of a benchmark are equivalent. Stream: the benchmark_id.

    `revisions` are two digests; `evidence` is what the person compared.
    """

    type: ClassVar[str] = "equivalence_declared"
    revisions: list[str]
    author: str
    reason: str
    evidence: Json = {}


class EquivalenceWithdrawn(Event, frozen=True, kw_only=True):
    """A person withdrew such a declaration. Stream: the benchmark_id."""

    type: ClassVar[str] = "equivalence_withdrawn"
    revisions: list[str]
    author: str
    reason: str
