"""What changed between two versions of a table: which rows moved, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from ...ledger.events import PublishedRow
from .document import label
from .errata import Erratum

Change = Literal["added", "removed", "moved", "changed"]


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A row that is not the same in two versions; `reasons` say why, as far as it is known."""

    change: Change
    row: str
    reasons: list[str]
    score_before: float | None = None
    score_after: float | None = None
    rank_before: int | None = None
    rank_after: int | None = None


def differences(
    before: Sequence[PublishedRow], after: Sequence[PublishedRow], errata: Sequence[Erratum] = ()
) -> list[Moved]:
    """The rows that differ, in the order of the later version. `errata` are corrections of runs of the earlier one."""
    old, new = _by_key(before), _by_key(after)
    of_run: dict[str, list[Erratum]] = {}
    for one in errata:
        of_run.setdefault(one.run_id, []).append(one)
    found = [*_compared(old, new, of_run)]
    for key, row in old.items():
        if key not in new:
            reasons = [*_corrections(row, of_run)] or ["it is not in the later version"]
            found.append(
                Moved(change="removed", row=label(row), reasons=reasons, score_before=row.score, rank_before=row.rank)
            )
    return found


_Key = tuple[str, str, str, str, bytes]


def _by_key(rows: Sequence[PublishedRow]) -> Mapping[_Key, PublishedRow]:
    """Rows by what they are about: benchmark, contender and options. Of several revisions the last row counts."""
    return {
        (row.benchmark_id, row.agent, row.provider, row.model, msgspec.json.encode(row.config, order="sorted")): row
        for row in rows
    }


def _compared(
    old: Mapping[_Key, PublishedRow], new: Mapping[_Key, PublishedRow], of_run: Mapping[str, list[Erratum]]
) -> Iterator[Moved]:
    for key, row in new.items():
        earlier = old.get(key)
        if earlier is None:
            runs = len(row.runs)
            reasons = [f"{runs} new {'run' if runs == 1 else 'runs'}"]
            yield Moved(change="added", row=label(row), reasons=reasons, score_after=row.score, rank_after=row.rank)
            continue
        if earlier == row:
            continue
        has_moved = (earlier.score, earlier.rank) != (row.score, row.rank)
        yield Moved(
            change="moved" if has_moved else "changed",
            row=label(row),
            reasons=[*_reasons(earlier, row, of_run)] or ["other rows moved"],
            score_before=earlier.score,
            score_after=row.score,
            rank_before=earlier.rank,
            rank_after=row.rank,
        )


def _reasons(before: PublishedRow, after: PublishedRow, of_run: Mapping[str, list[Erratum]]) -> Iterator[str]:
    if before.revision != after.revision:
        yield f"another task revision ({before.revision[:12]}, now {after.revision[:12]})"
    yield from _corrections(before, of_run)
    old, new = {run.run_id: run for run in before.runs}, {run.run_id: run for run in after.runs}
    if added := [name for name in new if name not in old]:
        yield f"new runs: {', '.join(added)}"
    explained = set(of_run)
    if gone := [name for name in old if name not in new and name not in explained]:
        yield f"runs that no longer count: {', '.join(gone)}"
    for name in old.keys() & new.keys():
        if old[name].score != new[name].score and name not in explained:
            yield f"{name} has another score ({old[name].score}, now {new[name].score})"
    if (before.attempts, before.completion) != (after.attempts, after.completion):
        yield f"{after.attempts} attempts instead of {before.attempts}"


def _corrections(row: PublishedRow, of_run: Mapping[str, list[Erratum]]) -> Iterator[str]:
    for run in row.runs:
        for one in of_run.get(run.run_id, ()):
            yield f"{one.run_id} was {one.kind.replace('_', ' ')} by {one.author}: {one.reason}"
