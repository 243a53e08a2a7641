"""Asks the executor of a run or a group, on any machine, to end, pause or resume it. Each request is an event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ...ledger.events import CancelRequested, Event, NewEvent, Paused, Record, Resumed
from ...ledger.fold import Group, Run
from ...ledger.history import History
from ...ledger.ledger import Ledger
from ...ledger.suggestions import did_you_mean
from ..errors import UsageError

_HINT = "benchmarks status shows what is in progress"


def cancel(ledger: Ledger, name: str, *, author: str, reason: str) -> Record:
    """Ask to end a run or a group; the beginning of an id is enough. Raises UsageError."""

    def event_of(one: Run | Group) -> Event:
        if one.cancel_requested:
            hint = "if its process is gone, benchmarks recover-stale-runs closes it a minute later"
            raise UsageError(f"{_id(one)} is cancelled already, by {one.cancel_requested.author}", hint)
        return CancelRequested(author=author, reason=reason)

    return _ask(ledger, name, event_of, lambda history: [*history.open_groups(), *history.open_runs()])


def pause(ledger: Ledger, name: str, *, author: str, reason: str) -> Record:
    """Ask a group to start no further run. Raises UsageError."""

    def event_of(one: Run | Group) -> Event:
        if isinstance(one, Group) and one.paused:
            raise UsageError(f"{_id(one)} is paused already, by {one.paused.author}")
        return Paused(author=author, reason=reason)

    return _ask(ledger, name, event_of, History.open_groups)


def resume(ledger: Ledger, name: str, *, author: str, reason: str) -> Record:
    """Let a paused group start runs again. Raises UsageError."""

    def event_of(one: Run | Group) -> Event:
        if isinstance(one, Group) and not one.paused:
            raise UsageError(f"{_id(one)} is not paused")
        return Resumed(author=author, reason=reason)

    return _ask(ledger, name, event_of, History.open_groups)


def _ask(
    ledger: Ledger,
    name: str,
    event_of: Callable[[Run | Group], Event],
    candidates: Callable[[History], Iterable[Run | Group] | Iterator[Group]],
) -> Record:
    """Decide under the ledger's lock, so that a run that has just ended is not asked to end."""

    def decide(history: History) -> list[NewEvent]:
        one = _find(history, name, list(candidates(history)))
        if not history.is_ours(one):
            raise UsageError(f"{_id(one)} began in another ledger", "ask there, or recover it there")
        return [NewEvent(_id(one), event_of(one))]

    return ledger.decide(decide).records[0]


def _find(history: History, name: str, known: list[Run | Group]) -> Run | Group:
    """The run or group that a name means, among those in progress. Raises UsageError."""
    ids = {_id(one): one for one in known}
    if name in ids:
        return ids[name]
    _refuse_ended(history, name, is_group_wanted=all(isinstance(one, Group) for one in known))
    found = [one for one in ids if name and one.startswith(name)]
    if len(found) == 1:
        return ids[found[0]]
    if found:
        raise UsageError(f"{len(found)} in progress begin with '{name}', such as {found[0]}", "give more of the id")
    raise UsageError(f"nothing in progress has the id '{name}'", did_you_mean(name, ids, _HINT))


def _refuse_ended(history: History, name: str, *, is_group_wanted: bool) -> None:
    """Raises UsageError if the name is that of a run or a group that has ended, or of a run if a group is wanted."""
    if run := history.runs.get(name):
        if run.status == "running" and is_group_wanted:
            raise UsageError(f"{name} is a run; only a group can be paused", f"its group is {run.run_group_id}")
        raise UsageError(f"the run {name} has {run.status} already", _HINT)
    if (group := history.groups.get(name)) and group.finished_at is not None:
        raise UsageError(f"the group {name} is closed already ({group.reason})", _HINT)


def _id(one: Run | Group) -> str:
    return one.run_id if isinstance(one, Run) else one.run_group_id
