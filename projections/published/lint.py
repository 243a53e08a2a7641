"""The rules checker for tables: what a careful reader would object to, each with what to do about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import msgspec

from ..scores.counting import DOUBTFUL, is_eligible
from .document import label
from .rows import Selected, TableRow
from .rules import FindingKind, TableRules


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """An objection to a table. `row` is the number of the row, from 1. `allowed`: the rules accept it by `allow`."""

    kind: FindingKind
    text: str
    hint: str
    row: int | None = None
    allowed: bool = False


def lint(selected: Selected, rules: TableRules, *, is_registered: bool = True) -> list[Finding]:
    """The findings about a table. `is_registered`: the registered plan that the rules name is in the ledger."""
    found = [*_findings(selected, rules, is_registered)]
    return [msgspec.structs.replace(one, allowed=one.kind in rules.allow) for one in found]


def _findings(selected: Selected, rules: TableRules, is_registered: bool) -> Iterator[Finding]:
    if not selected.rows:
        yield Finding(
            kind="no_rows",
            text="the table has no rows",
            hint="run the benchmarks first, or correct the names: benchmarks leaderboard lists the scores",
        )
    yield from _missing(selected, rules)
    if rules.registration is not None and not is_registered:
        yield Finding(
            kind="unregistered",
            text=f"the plan {rules.registration} is not registered in this ledger",
            hint="benchmarks registration list lists the plans",
        )
    yield from _between(selected.rows)
    for number, one in enumerate(selected.rows, 1):
        for finding in _of_row(one, rules):
            text = f"row {number} ({label(one.row)}): {finding.text}"
            yield msgspec.structs.replace(finding, row=number, text=text)


def _missing(selected: Selected, rules: TableRules) -> Iterator[Finding]:
    """Cells of benchmarks and contenders without a row."""
    rows = [one.row for one in selected.rows]
    contenders = {(row.agent, f"{row.provider}:{row.model}") for row in rows}
    wanted = [(one.agent, one.model) for one in rules.contenders] or sorted(contenders)
    for benchmark_id in rules.benchmarks:
        for agent, model in wanted:
            if any(
                row.benchmark_id == benchmark_id
                and f"{row.provider}:{row.model}" == model
                and agent in (None, row.agent)
                for row in rows
            ):
                continue
            who = model if agent is None else f"{agent} with {model}"
            yield Finding(
                kind="missing_row",
                text=f"{benchmark_id} has no row of {who}",
                hint=f"run it: benchmarks run --benchmarks {benchmark_id} --provider {model.partition(':')[0]} "
                f"--model {model.partition(':')[2]}; or name the contenders and benchmarks that you mean",
            )


def _between(rows: list[TableRow]) -> Iterator[Finding]:
    """Rows of one benchmark that do not measure the same."""
    of: dict[str, list[TableRow]] = defaultdict(list)
    for one in rows:
        of[one.row.benchmark_id].append(one)
    for benchmark_id, some in of.items():
        configs = {msgspec.json.encode(one.row.config, order="sorted") for one in some}
        if len(configs) > 1:
            differing = sorted(
                name
                for name in {name for one in some for name in one.row.config}
                if len({msgspec.json.encode(one.row.config.get(name)) for one in some}) > 1
            )
            yield Finding(
                kind="other_options",
                text=f"{benchmark_id} has rows with different options: {', '.join(differing)}",
                hint="fix them under [options] in the table file",
            )
        revisions = {one.row.revision for one in some}
        if len(revisions) > len(configs):
            yield Finding(
                kind="mixed_revisions",
                text=f"{benchmark_id} has rows of {len(revisions)} task revisions",
                hint='run the older ones again, or write revision = "newest" in the table file',
            )
        sizes = {one.row.samples for one in some}
        if len(configs) == 1 and len(sizes) > 1:
            shown = ", ".join(sorted(str(size) for size in sizes))
            yield Finding(
                kind="unequal_samples",
                text=f"{benchmark_id} has rows with different numbers of samples: {shown}",
                hint="run them on the same samples",
            )


def _of_row(one: TableRow, rules: TableRules) -> Iterator[Finding]:
    row = one.row
    if row.low is None or row.high is None:
        yield Finding(
            kind="no_interval",
            text="its score has no interval",
            hint="let the benchmark report its samples, or make several repetitions: benchmarks run --repeats 5",
        )
    if row.repeats < rules.repeats:
        yield Finding(
            kind="too_few_repeats",
            text=f"it has {row.repeats} of {rules.repeats} repetitions",
            hint=f"benchmarks run --repeats {rules.repeats} makes the others",
        )
    dropped = row.attempts - one.running - row.repeats
    if dropped > 0:
        failed = row.own_failures + row.infrastructure_failures
        yield Finding(
            kind="dropped_attempts",
            text=f"{dropped} of {row.attempts} attempts are not in its score ({failed} failed)",
            hint='the page shows them; write allow = ["dropped_attempts"] if readers should accept it',
        )
    if one.running:
        yield Finding(
            kind="running",
            text=f"{one.running} of its attempts have not ended",
            hint="wait for them, or recover them: benchmarks recover-stale-runs",
        )
    for doubt in DOUBTFUL:
        if doubt in row.doubts:
            yield Finding(kind=doubt, text=f"it counts {doubt} runs", hint=f"take '{doubt}' out of include")
    if one.retracted and "retracted" not in row.doubts:
        yield Finding(
            kind="retracted",
            text=f"{len(one.retracted)} runs of this work were retracted",
            hint='readers should know why; write allow = ["retracted"] if the reasons are sound',
        )
    if lacking := sorted({name for run in one.runs if is_eligible(run, DOUBTFUL) for name in _lacking(run)}):
        yield Finding(
            kind="no_provenance",
            text=f"its runs do not record {', '.join(lacking)}",
            hint="run it again with this version, in a workspace that is under version control",
        )
    if rules.registration is not None and row.registered < row.repeats:
        yield Finding(
            kind="unregistered",
            text=f"{row.registered} of its {row.repeats} runs belong to a registered plan",
            hint=f"register the plan before the runs; benchmarks registration show {rules.registration} shows its runs",
        )


def _lacking(run: object) -> Iterator[str]:
    """The parts of a run's provenance that are missing."""
    if getattr(run, "task_revision", None) is None:
        yield "the task revision"
    if not getattr(run, "provenance", None):
        yield "the environment"
