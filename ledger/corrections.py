"""Corrections of runs: each is decided under the ledger's lock and appended as a new event.

The command line and the viewer both write their corrections here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from .errors import ExpectedError
from .events import (
    Annotated,
    Event,
    NewEvent,
    Record,
    Reinstated,
    Retracted,
    SamplesExcluded,
    SamplesIncluded,
    ScoreAnew,
)
from .fold import Run
from .history import History
from .ledger import Ledger
from .suggestions import did_you_mean

MAX_EXCLUDED = 10_000
"""The maximum number of samples of a run that are excluded; beyond it, the run itself is in question."""

ScoreWithout = Callable[[Run, frozenset[str]], ScoreAnew]
"""Computes the score of a run without some samples, by their ids. Raises Refused."""


class Refused(ExpectedError):
    """A correction that makes no sense; nothing was recorded."""


def annotate(ledger: Ledger, run_id: str, *, author: str, note: str, tags: Sequence[str] = ()) -> Record:
    """Record a remark. Raises Refused for an empty one."""
    if not note.strip() and not any(tag.strip() for tag in tags):
        raise Refused("the remark is empty", "give a note or a tag")
    kept = list(dict.fromkeys(tag for tag in tags if tag.strip()))
    return _record(ledger, run_id, lambda _: Annotated(author=_named(author), note=note, tags=kept))


def retract(ledger: Ledger, run_id: str, *, author: str, reason: str) -> Record:
    """Retract a run: it no longer counts, its work can run again, and it stays visible. Raises Refused."""

    def decide(run: Run) -> Event:
        _refuse_running(run)
        if run.retracted is not None:
            raise Refused(f"the run {run_id} is retracted already, by {run.retracted.author}")
        return Retracted(author=_named(author), reason=not_empty(reason))

    return _record(ledger, run_id, decide)


def reinstate(ledger: Ledger, run_id: str, *, author: str, reason: str) -> Record:
    """Reinstate a retracted run: it counts again. Raises Refused."""

    def decide(run: Run) -> Event:
        if run.retracted is None:
            hint = "exclude --undo takes back that samples are excluded" if run.excluded else ""
            raise Refused(f"the run {run_id} is not retracted", hint)
        return Reinstated(author=_named(author), reason=not_empty(reason))

    return _record(ledger, run_id, decide)


def exclude(
    ledger: Ledger, run: Run, samples: Collection[str], *, author: str, reason: str, score: ScoreWithout
) -> Record | None:
    """Exclude samples of a run, with all details, from its score; None if all of them are excluded already.

    Raises Refused.
    """
    _refuse_without_score(run)
    if not samples:
        raise Refused("no samples are named")
    fresh = frozenset(samples) - frozenset(run.excluded)
    if not fresh:
        return None
    now = frozenset(run.excluded) | fresh
    if len(now) > MAX_EXCLUDED:
        raise Refused(f"more than {MAX_EXCLUDED} samples would be excluded", "retract the run instead")
    reason, author = not_empty(reason), _named(author)
    event = SamplesExcluded(author=author, reason=reason, samples=sorted(fresh), anew=score(run, now))
    return _record(ledger, run.run_id, lambda found: _unless_changed(run, found, event))


def include(
    ledger: Ledger, run: Run, samples: Collection[str], *, author: str, reason: str, score: ScoreWithout
) -> Record:
    """Take back that samples of a run, with all details, are excluded: those named, or all. Raises Refused."""
    _refuse_without_score(run)
    if not run.excluded:
        raise Refused(f"no samples of {run.run_id} are excluded")
    if unknown := sorted(frozenset(samples).difference(run.excluded)):
        hint = did_you_mean(unknown[0], run.excluded, "show-run lists the excluded samples")
        raise Refused(f"the sample '{unknown[0]}' of {run.run_id} is not excluded", hint)
    back = frozenset(samples) or frozenset(run.excluded)
    anew = score(run, frozenset(run.excluded) - back)
    reason, author = not_empty(reason), _named(author)
    event = SamplesIncluded(author=author, reason=reason, samples=sorted(back), anew=anew)
    return _record(ledger, run.run_id, lambda found: _unless_changed(run, found, event))


def not_empty(reason: str) -> str:
    """The reason. Raises Refused for an empty one."""
    if not reason.strip():
        raise Refused("the reason is empty", "say why")
    return reason


def _named(author: str) -> str:
    if not author.strip():
        raise Refused("the author is empty", "say who corrects")
    return author


def _refuse_running(run: Run) -> None:
    if run.status == "running":
        raise Refused(f"the run {run.run_id} is still running", "interrupt it first, or wait for its end")


def _refuse_without_score(run: Run) -> None:
    _refuse_running(run)
    if run.status != "succeeded" or run.score is None:
        raise Refused(f"the run {run.run_id} has {run.status}: it has no score that counts")


def _unless_changed(known: Run, found: Run, event: Event) -> Event:
    """The event, if the score that it is computed from still stands."""
    if (known.score, known.excluded, known.scorer) != (found.score, found.excluded, found.scorer):
        raise Refused(f"the run {known.run_id} was corrected by another process meanwhile", "look at it, and try again")
    return event


def _record(ledger: Ledger, run_id: str, event_of: Callable[[Run], Event]) -> Record:
    """Decide under the ledger's lock, so that two people cannot both retract the same run."""

    def decision(history: History) -> list[NewEvent]:
        run = history.runs.get(run_id)
        if run is None:
            raise Refused(f"the ledger has no run '{run_id}'", "benchmarks show-runs lists the runs")
        return [NewEvent(run_id, event_of(run))]

    return ledger.decide(decision).records[0]
