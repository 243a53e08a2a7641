"""What people add to a history: reference scores, remarks, corrections."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from .event import Event, Json
from .runs import Artifact


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


class ScoreAnew(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A score after a correction, with the fields that go with it.

    `samples` is the number of samples behind it, and `stderr` its standard error.
    """

    score: float
    unit: str | None = None
    samples: int | None = None
    stderr: float | None = None
    delta_to_high_score: float | None = None


class SamplesExcluded(Event, frozen=True, kw_only=True):
    """A person excluded samples of a run, by their ids: `anew` is its score without them. Stream: the run_id."""

    type: ClassVar[str] = "samples_excluded"
    author: str
    reason: str
    samples: list[str]
    anew: ScoreAnew


class SamplesIncluded(Event, frozen=True, kw_only=True):
    """A person withdrew the exclusion of samples: `anew` is the score with them. Stream: the run_id."""

    type: ClassVar[str] = "samples_included"
    author: str
    reason: str
    samples: list[str]
    anew: ScoreAnew


class Scorer(msgspec.Struct, frozen=True, gc=False):
    """What gave a run a new score: a name for people, and the digest of the program or of the manifest's section."""

    name: str
    sha256: str


class Rescored(Event, frozen=True, kw_only=True):
    """A new scorer judged the stored outputs of a run. Stream: the run_id.

    The fields of the score are those of `finished`. `artifact` is the file with the new score of each sample, in the
    run's folder; None if the scorer gave only one score.
    """

    type: ClassVar[str] = "rescored"
    scorer: Scorer
    score: float
    unit: str | None = None
    higher_is_better: bool | None = None
    samples: int | None = None
    stderr: float | None = None
    delta_to_high_score: float | None = None
    author: str
    reason: str = ""
    artifact: Artifact | None = None
