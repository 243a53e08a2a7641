"""What a person names to compare: a run, a group, a model, an agent, or everything as it was at some time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from ...ledger.errors import ExpectedError
from ...ledger.fold import Group, Run
from ...ledger.suggestions import nearest
from .leaderboard import DOUBTFUL, Doubtful, doubts, is_eligible

Kind = Literal["run", "group", "model", "agent", "as-of"]

_MOST_SHOWN = 5


class SelectionError(ExpectedError):
    """A name that means nothing, several things, or nothing that has a score."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Runs under one name, in the order of the ledger: those with a score that counts, and the others."""

    name: str
    kind: Kind
    runs: list[Run]
    others: list[Run] = []


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """What can be named: runs and groups in the order of the ledger, and `past`, which gives the runs as of a time.

    `past` may raise SelectionError for what is no time; `include` as in `leaderboard`.
    """

    runs: Sequence[Run]
    groups: Mapping[str, Group]
    past: Callable[[str], Sequence[Run]]
    include: Collection[Doubtful] = ()


def select(spec: str, catalogue: Catalogue) -> Selection:
    """The runs that `spec` names: `KIND:NAME`, or the name alone where it means one thing.

    A run or a group: its id, or the beginning of it. A model: its name, or `provider:model`. An agent: its label.
    `as-of:TIME` (a time or a position of the ledger, `now` for all): the runs of then. A run that is named itself
    counts, of whatever kind, as long as it has a score; for the others `catalogue.include` decides.

    Raises SelectionError, with the nearest names; also where nothing of it counts.
    """
    selection = find(spec, catalogue)
    if not selection.runs:
        raise SelectionError(f"{selection.kind} {selection.name} has no score that counts{_why(selection)}")
    return selection


def find(spec: str, catalogue: Catalogue) -> Selection:
    """The same, also where none of the runs counts. Raises SelectionError, with the nearest names."""
    kind, _, name = (spec if spec != "now" else "as-of:now").partition(":")
    found = _FINDERS[kind](name, catalogue) if kind in _FINDERS else []
    # A provider may be called `agent`, or so: what looks like a kind may be the name itself.
    found = found or [some for kind, find in _FINDERS.items() if kind != "as-of" for some in find(spec, catalogue)]
    if not found:
        raise SelectionError(f"unknown run, group, model or agent '{spec}'", _hint(spec, catalogue))
    if len(found) > 1:
        shown = ", ".join(f"{some.kind}:{some.name}" for some in found[:_MOST_SHOWN])
        more = ", ..." if len(found) > _MOST_SHOWN else ""
        raise SelectionError(f"'{spec}' means several things: {shown}{more}; give one of them")
    return found[0]


def newest_group(catalogue: Catalogue) -> Selection:
    """The group that was opened last of those with runs, of its own or by reference. Raises SelectionError."""
    with_runs = {run.run_group_id for run in catalogue.runs}
    opened = sorted(catalogue.groups.items(), key=lambda item: item[1].created_at)
    for group_id, group in reversed(opened):
        if group_id in with_runs or any(skip.existing_run_id for skip in group.skipped):
            return _selection("group", group_id, runs_of_group(group, catalogue.runs), catalogue.include)
    raise SelectionError("the ledger has no group with runs yet")


def runs_of_group(group: Group, runs: Iterable[Run]) -> list[Run]:
    """The runs that tell what a group asked for: its own, and the earlier successes that spared it others."""
    earlier = {skip.existing_run_id for skip in group.skipped}
    return [run for run in runs if run.run_group_id == group.run_group_id or run.run_id in earlier]


def _find_run(name: str, catalogue: Catalogue) -> list[Selection]:
    known = {run.run_id: run for run in catalogue.runs}
    runs = [known[run_id] for run_id in _beginning_with(name, known)]
    return [_selection("run", run.run_id, [run], doubts(run)) for run in runs]


def _find_group(name: str, catalogue: Catalogue) -> list[Selection]:
    groups = [catalogue.groups[group_id] for group_id in _beginning_with(name, catalogue.groups)]
    return [
        _selection("group", group.run_group_id, runs_of_group(group, catalogue.runs), catalogue.include)
        for group in groups
    ]


def _find_model(name: str, catalogue: Catalogue) -> list[Selection]:
    models: dict[str, list[Run]] = defaultdict(list)
    for run in catalogue.runs:
        full_name = f"{run.provider}:{run.model}"
        if name in (run.model, full_name):
            models[full_name].append(run)
    return [_selection("model", model, models[model], catalogue.include) for model in sorted(models)]


def _find_agent(name: str, catalogue: Catalogue) -> list[Selection]:
    own = [run for run in catalogue.runs if run.agent == name]
    return [_selection("agent", name, own, catalogue.include)] if own else []


def _find_past(name: str, catalogue: Catalogue) -> list[Selection]:
    runs = catalogue.runs if name == "now" else catalogue.past(name)
    return [_selection("as-of", name, runs, catalogue.include)]


_FINDERS: dict[str, Callable[[str, Catalogue], list[Selection]]] = {
    "run": _find_run,
    "group": _find_group,
    "model": _find_model,
    "agent": _find_agent,
    "as-of": _find_past,
}


def _selection(kind: Kind, name: str, runs: Iterable[Run], include: Collection[Doubtful]) -> Selection:
    counting: list[Run] = []
    others: list[Run] = []
    for run in runs:
        (counting if is_eligible(run, include) else others).append(run)
    return Selection(name=name, kind=kind, runs=counting, others=others)


def _beginning_with(name: str, known: Mapping[str, object]) -> list[str]:
    """The id itself, or those that begin so: as many as anybody wants to be told."""
    if name in known or not name:
        return [name] if name else []
    found = (some for some in known if some.startswith(name))
    return [some for some, _ in zip(found, range(_MOST_SHOWN + 1), strict=False)]


def _hint(spec: str, catalogue: Catalogue) -> str:
    runs = catalogue.runs
    if not runs:
        return "the ledger has no runs yet: benchmarks run makes some"
    names = {run.agent for run in runs} | {run.model for run in runs} | {f"{run.provider}:{run.model}" for run in runs}
    near = nearest(spec, sorted(names), limit=3) or nearest(
        spec.removeprefix("run:").removeprefix("group:"), [*(run.run_id for run in runs), *catalogue.groups], limit=3
    )
    return f"did you mean {' or '.join(near)}?" if near else "name a run, group, model or agent, or as-of:TIME"


def _why(selection: Selection) -> str:
    if selection.kind == "run":
        [run] = selection.others
        return ": it is under way" if run.status == "running" else f": it has {run.status}"
    if any(is_eligible(run, DOUBTFUL) for run in selection.others):
        return "; imported, synthetic, late and retracted ones count with --include"
    return ""
