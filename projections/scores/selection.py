"""What a person names to compare: a run, a group, a model, an agent, both, or everything as it was at some time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from ...ledger.errors import ExpectedError
from ...ledger.fold import Group, Run
from ...ledger.suggestions import nearest
from .attempts import Sum, Work, is_attempt
from .baselines import Baseline, among, best_before, history_among, last_before, last_run
from .counting import DOUBTFUL, Doubtful, doubts, is_eligible
from .tally import AttemptKey, board_of

Kind = Literal["run", "group", "model", "agent", "contender", "as-of"]
Contender = tuple[str, str, str]
"""An agent, a provider and a model."""

MAX_HISTORY = 2_000
"""The number of a cell's runs from which its noise is known at most."""

BY_HISTORY = "history"
"""The baseline that is each cell's own history."""

_MAX_SHOWN = 5


class SelectionError(ExpectedError):
    """A name that means nothing, several things, or nothing that has a score."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Runs under one name.

    `runs` have scores that count, in the order of the ledger: all `count` of them, or at least those that decide (of
    each repetition of a piece of work the newest, and the best). `every` gives all runs in that order, of any status,
    and `to_check` those that a check is about: of a model, an agent or a time only what was run last. `tried` are the
    attempts: `runs`, and all others that are not doubtful. `has_doubtful`: more of them would count with `include`.
    """

    name: str
    kind: Kind
    runs: list[Run]
    count: int
    has_doubtful: bool
    tried: Mapping[AttemptKey, Sum]
    every: Callable[[], Iterable[Run]]
    to_check: Callable[[], list[Run]]


class Catalogue(Protocol):
    """What can be named. `ListedCatalogue` has all of it in memory, `sqlite.catalogue` asks the tables."""

    @property
    def include(self) -> Collection[Doubtful]:
        """Doubtful kinds of runs that count too."""

    def runs_beginning_with(self, name: str, most: int) -> list[str]:
        """The first ids of runs that begin so."""

    def groups_beginning_with(self, name: str, most: int) -> list[str]:
        """The first ids of groups that begin so."""

    def find_run(self, run_id: str) -> Run | None:
        """The run with that id."""

    def find_group(self, run_group_id: str) -> Group | None:
        """The group with that id."""

    def newest_group(self) -> Group | None:
        """The group that was opened last of those with runs, of its own or by reference."""

    def runs_of(self, group: Group) -> list[Run]:
        """The runs that answer what a group asked for: its own, and the earlier successes that it did not repeat."""

    def contenders(self) -> Collection[Contender]:
        """Who has made runs."""

    def benchmarks(self) -> Collection[str]:
        """The ids of the benchmarks with runs."""

    def ids(self) -> Collection[str]:
        """The ids of all runs and groups, for hints."""

    def of(self, kind: Kind, name: str, contenders: Collection[Contender] | None) -> Selection:
        """The runs of some agents with models, or all, under a name."""

    def scored(self, benchmark_id: str | None = None) -> Iterable[Run]:
        """The runs that count, of one benchmark or of all, in the order of the ledger."""

    def history(self, work: Work) -> Iterable[Run]:
        """The runs of a piece of work that count: at least the newest MAX_HISTORY."""

    def past(self, when: str) -> Catalogue:
        """The catalogue as of a time or a position. Raises SelectionError if it is neither."""

    def best_before(self, *, across: bool) -> Baseline:
        """As `check.best_before`."""

    def last_before(self, *, across: bool) -> Baseline:
        """As `check.last_before`."""


class ListedCatalogue:
    """A catalogue of runs and groups in memory, in the order of the ledger. `past` gives the runs as of a time.

    `past` may raise SelectionError if its text is not a time; `include` as in `leaderboard`.
    """

    def __init__(
        self,
        *,
        runs: Sequence[Run],
        groups: Mapping[str, Group],
        past: Callable[[str], Sequence[Run]],
        include: Collection[Doubtful] = (),
    ) -> None:
        self.include = include
        self._runs = runs
        self._groups = groups
        self._past = past
        self._known = {run.run_id: run for run in runs}

    def runs_beginning_with(self, name: str, most: int) -> list[str]:
        """As the protocol says."""
        return _beginning_with(name, self._known, most)

    def groups_beginning_with(self, name: str, most: int) -> list[str]:
        """As the protocol says."""
        return _beginning_with(name, self._groups, most)

    def find_run(self, run_id: str) -> Run | None:
        """As the protocol says."""
        return self._known.get(run_id)

    def find_group(self, run_group_id: str) -> Group | None:
        """As the protocol says."""
        return self._groups.get(run_group_id)

    def newest_group(self) -> Group | None:
        """As the protocol says."""
        with_runs = {run.run_group_id for run in self._runs}
        opened = sorted(self._groups.values(), key=lambda group: group.created_at)
        return next((group for group in reversed(opened) if _has_runs(group, with_runs)), None)

    def runs_of(self, group: Group) -> list[Run]:
        """As the protocol says."""
        earlier = {skip.existing_run_id for skip in group.skipped}
        return [run for run in self._runs if run.run_group_id == group.run_group_id or run.run_id in earlier]

    def contenders(self) -> Collection[Contender]:
        """As the protocol says."""
        return {_contender(run) for run in self._runs}

    def benchmarks(self) -> Collection[str]:
        """As the protocol says."""
        return {run.benchmark_id for run in self._runs}

    def ids(self) -> Collection[str]:
        """As the protocol says."""
        return [*self._known, *self._groups]

    def of(self, kind: Kind, name: str, contenders: Collection[Contender] | None) -> Selection:
        """As the protocol says."""
        own = [run for run in self._runs if contenders is None or _contender(run) in contenders]
        return selection_of(kind, name, own, self.include)

    def scored(self, benchmark_id: str | None = None) -> Iterable[Run]:
        """As the protocol says."""
        return [run for run in self._counting() if benchmark_id in (None, run.benchmark_id)]

    def history(self, work: Work) -> Iterable[Run]:
        """As the protocol says."""
        return history_among(self._counting())(work)

    def past(self, when: str) -> Catalogue:
        """As the protocol says."""
        return ListedCatalogue(runs=self._past(when), groups={}, past=self._past, include=self.include)

    def best_before(self, *, across: bool) -> Baseline:
        """As the protocol says."""
        return best_before(self._counting(), across=across)

    def last_before(self, *, across: bool) -> Baseline:
        """As the protocol says."""
        return last_before(self._counting(), across=across)

    def _counting(self) -> list[Run]:
        return [run for run in self._runs if is_eligible(run, self.include)]


def select(spec: str, catalogue: Catalogue) -> Selection:
    """The runs that `spec` names: `KIND:NAME`, or the name alone if it means one thing.

    A run or a group: its id, or the beginning of it. A model: its name, or `provider:model`. An agent: its label. A
    contender, which is an agent with a model: `agent with provider:model`.
    `as-of:TIME` (a time or a position of the ledger, `now` for all): the runs of then. A run that is named itself
    counts, of whatever kind, if it has a score; for the others `catalogue.include` decides.

    Raises SelectionError, with the nearest names; also if nothing of it counts.
    """
    selection = find(spec, catalogue)
    if not selection.runs:
        raise SelectionError(f"{selection.kind} {selection.name} has no score that counts{_why(selection)}")
    return selection


def find(spec: str, catalogue: Catalogue) -> Selection:
    """The same, also if none of the runs counts. Raises SelectionError, with the nearest names."""
    kind, _, name = (spec if spec != "now" else "as-of:now").partition(":")
    found = _FINDERS[kind](name, catalogue) if kind in _FINDERS else []
    # A provider may be called `agent`, for example: what looks like a kind may be the name itself.
    found = found or [some for kind, find in _FINDERS.items() if kind != "as-of" for some in find(spec, catalogue)]
    if not found:
        raise SelectionError(f"unknown run, group, model or agent '{spec}'", _hint(spec, catalogue))
    if len(found) > 1:
        shown = ", ".join(f"{some.kind}:{some.name}" for some in found[:_MAX_SHOWN])
        more = ", ..." if len(found) > _MAX_SHOWN else ""
        raise SelectionError(f"'{spec}' means several things: {shown}{more}; give one of them")
    return found[0]


def newest_group(catalogue: Catalogue) -> Selection:
    """The group that was opened last of those with runs, of its own or by reference. Raises SelectionError."""
    group = catalogue.newest_group()
    if group is None:
        raise SelectionError("the ledger has no group with runs yet")
    return _of_group(group, catalogue)


def named_baseline(spec: str, catalogue: Catalogue, *, across: bool = False) -> tuple[Baseline, str]:
    """The baseline that a text names, and its title: `best`, `last`, or what `select` knows.

    With `across`, scores of other agents and models count too. Raises SelectionError.
    """
    whose = "any agent and model" if across else "the same agent and model"
    if spec == "best":
        return catalogue.best_before(across=across), f"the best earlier score of {whose}"
    if spec == BY_HISTORY:
        return catalogue.last_before(across=False), "the history of the same agent and model"
    if spec == "last":
        return catalogue.last_before(across=across), f"the last earlier score of {whose}"
    selection = select(spec, catalogue)
    # A run that is named counts, whatever its agent and model.
    return among(selection.runs, across=across or selection.kind == "run"), f"{selection.kind} {selection.name}"


def selection_of(kind: Kind, name: str, runs: Iterable[Run], include: Collection[Doubtful]) -> Selection:
    """The selection of runs in memory."""
    every = list(runs)
    counting = [run for run in every if is_eligible(run, include)]
    return Selection(
        name=name,
        kind=kind,
        runs=counting,
        count=len(counting),
        has_doubtful=any(is_eligible(run, DOUBTFUL) and not is_eligible(run, include) for run in every),
        tried=board_of(run for run in every if is_attempt(run) or is_eligible(run, include)).attempts,
        every=lambda: every,
        to_check=lambda: sorted(every, key=_place) if kind in ("run", "group") else last_run(every),
    )


def _find_run(name: str, catalogue: Catalogue) -> list[Selection]:
    runs = [catalogue.find_run(run_id) for run_id in catalogue.runs_beginning_with(name, _MAX_SHOWN + 1)]
    return [selection_of("run", run.run_id, [run], doubts(run)) for run in runs if run is not None]


def _find_group(name: str, catalogue: Catalogue) -> list[Selection]:
    groups = [catalogue.find_group(group_id) for group_id in catalogue.groups_beginning_with(name, _MAX_SHOWN + 1)]
    return [_of_group(group, catalogue) for group in groups if group is not None]


def _of_group(group: Group, catalogue: Catalogue) -> Selection:
    return selection_of("group", group.run_group_id, catalogue.runs_of(group), catalogue.include)


def _find_model(name: str, catalogue: Catalogue) -> list[Selection]:
    found: dict[str, list[Contender]] = {}
    for agent, provider, model in catalogue.contenders():
        if name in (model, f"{provider}:{model}"):
            found.setdefault(f"{provider}:{model}", []).append((agent, provider, model))
    return [catalogue.of("model", model, found[model]) for model in sorted(found)]


def _find_agent(name: str, catalogue: Catalogue) -> list[Selection]:
    own = [contender for contender in catalogue.contenders() if contender[0] == name]
    return [catalogue.of("agent", name, own)] if own else []


def _find_contender(name: str, catalogue: Catalogue) -> list[Selection]:
    own = [some for some in catalogue.contenders() if contender_name(*some) == name]
    return [catalogue.of("contender", name, own)] if own else []


def _find_past(name: str, catalogue: Catalogue) -> list[Selection]:
    then = catalogue if name == "now" else catalogue.past(name)
    return [then.of("as-of", name, None)]


_FINDERS: dict[str, Callable[[str, Catalogue], list[Selection]]] = {
    "run": _find_run,
    "group": _find_group,
    "model": _find_model,
    "agent": _find_agent,
    "contender": _find_contender,
    "as-of": _find_past,
}


def contender_name(agent: str, provider: str, model: str) -> str:
    """An agent with a model, as a person writes them."""
    return f"{agent} with {provider}:{model}"


def _contender(run: Run) -> Contender:
    return run.agent, run.provider, run.model


def _place(run: Run) -> int:
    return run.first_seq


def _has_runs(group: Group, with_runs: Collection[str]) -> bool:
    return group.run_group_id in with_runs or any(skip.existing_run_id for skip in group.skipped)


def _beginning_with(name: str, known: Mapping[str, object], most: int) -> list[str]:
    """The id itself, or the first ones that begin so."""
    if name in known or not name:
        return [name] if name else []
    found = (some for some in known if some.startswith(name))
    return [some for some, _ in zip(found, range(most), strict=False)]


def _hint(spec: str, catalogue: Catalogue) -> str:
    contenders = catalogue.contenders()
    if not contenders:
        return "the ledger has no runs yet: benchmarks run makes some"
    names = {name for agent, provider, model in contenders for name in (agent, model, f"{provider}:{model}")}
    near = nearest(spec, sorted(names), limit=3) or nearest(
        spec.removeprefix("run:").removeprefix("group:"), catalogue.ids(), limit=3
    )
    return f"did you mean {' or '.join(near)}?" if near else "name a run, group, model or agent, or as-of:TIME"


def _why(selection: Selection) -> str:
    if selection.kind == "run":
        [run] = selection.every()
        return ": it is under way" if run.status == "running" else f": it has {run.status}"
    if selection.has_doubtful:
        return "; imported, synthetic, late and retracted ones, and reproductions, count with --include"
    return ""
