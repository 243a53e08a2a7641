"""`import`: add results of runs that were made elsewhere to the ledger."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from ...adapters.imports.csv_table import FIELDS, is_field
from ...adapters.imports.found import UnreadableResult
from ...adapters.imports.reading import Choices, Source, find_sources
from ...ledger.fold import Run
from ...ledger.suggestions import did_you_mean
from ...orchestrator.errors import UsageError
from ...orchestrator.recording.imported_samples import staging
from ...orchestrator.recording.importing import (
    Comparison,
    Found,
    compare,
    filed_like,
    read_source,
    take_in,
    with_samples,
)
from ...orchestrator.redaction import Redactor
from ...projections.render.score_tables import run_score
from ...projections.render.text import named
from ...projections.scores.selection import find
from ...projections.sqlite.refresh import update_all
from ..context import Place, in_place, json_option, note, print_json
from ..printing import print_table


@click.command("import")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--metric", help="Use this metric as the score (default: the first one of the file).")
@click.option(
    "--map",
    "columns",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="CSV: the column of benchmark, model, score, …",
)
@click.option("--set", "constants", multiple=True, metavar="FIELD=VALUE", help="CSV: a value for every line.")
@click.option(
    "--like",
    metavar="RUN",
    help="File the runs under the benchmark and options of RUN, which measured the same task.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be imported, and import nothing.")
@json_option
@in_place
def command(
    place: Place,
    paths: tuple[Path, ...],
    metric: str | None,
    columns: tuple[str, ...],
    constants: tuple[str, ...],
    like: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Import results of runs that were made elsewhere, from files and folders. Importing again adds nothing.

    Known formats: logs of Inspect (.eval, .json), results of lm-eval, run folders of HELM, job folders of Harbor,
    documents of Every Eval Ever, exports of pytest-benchmark and hyperfine, results of asv, and CSV. Imported runs are
    marked as imported and cannot be records. Exit code 1 if a file cannot be read; the others are still imported.
    """
    choices = Choices(metric, _fields("--map", columns), _fields("--set", constants))
    problems: list[UnreadableResult] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} does not exist")
    store = place.store()
    ledger, redactor = place.ledger(store)
    filed = None if like is None else _find(like, place)
    ignored: list[Path] = []
    imported: list[Found] = []
    remarks: list[str] = []
    with staging(place.workspace, is_dry=dry_run) as folder:
        for source in find_sources(paths, choices, problems.append, ignored.append):
            read, left = _read(source, redactor, folder, filed, problems)
            imported += read
            remarks += [f"{source.path}: {text}" for text in left]
        if not imported and not problems and not remarks:
            raise UsageError(
                f"nothing to import in {', '.join(map(str, paths))}: no file has a known format",
                "benchmarks import --help lists the formats",
            )
        if dry_run:
            before = ledger.look(partial(compare, imported, with_samples(imported, ledger)))
        else:
            before = take_in(imported, ledger, place.workspace)
    if not dry_run and before.fresh | before.completed:
        update_all(place.workspace.database, place.workspace.viewer_data, store, notice=note)
    distinct = {one.run_id: one for one in imported}
    if as_json:
        print_json(
            {
                "runs": [_row(one, before) for one in distinct.values()],
                "remarks": remarks,
                "passed_over": [str(path) for path in ignored],
                "problems": [{"path": str(problem.path), "reason": problem.reason} for problem in problems],
            }
        )
    else:
        _show(list(distinct.values()), before, dry_run, len(ignored))
    for one in distinct.values():
        for text in one.run.notes:
            note(f"{one.source.path}: {one.run.benchmark}: {text}")
    for text in remarks:
        note(text)
    if before.different:
        note(
            f"{len(before.different)} runs that were imported before have another score, unit or option in the ledger "
            "and keep it: a file is imported once, with the --metric, --map and --set of that time, by the version of "
            "this program at that time"
        )
    for problem in problems:
        note(f"not imported: {problem}")
    return 1 if problems else 0


def _read(
    source: Source, redactor: Redactor, folder: Path, like: Run | None, problems: list[UnreadableResult]
) -> tuple[list[Found], list[str]]:
    try:
        found, left = read_source(source, redactor, folder)
        return [one if like is None else filed_like(one, like) for one in found], left
    except UnreadableResult as problem:
        problems.append(problem)
    except OSError as problem:
        problems.append(UnreadableResult(source.path, f"cannot be read: {problem.strerror}"))
    return [], []


def _find(name: str, place: Place) -> Run:
    """The run with that id. Raises SelectionError, with the nearest ids."""
    with place.catalogue() as catalogue:
        found = find(f"run:{name}", catalogue)
        if found.kind != "run":
            raise UsageError(f"--like: {name} is a {found.kind}, not a run")
        [run] = found.every()
    return run


def _fields(option: str, texts: tuple[str, ...]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"{option}: '{text}' does not have the form FIELD=…", f"for example: {option} model=…")
        if not is_field(name):
            known = f"the fields are {', '.join(FIELDS)}, metrics.NAME, config.NAME"
            raise UsageError(f"{option}: unknown field '{name}'", did_you_mean(name, FIELDS, known))
        if name in fields:
            raise UsageError(f"{option} names {name} twice")
        fields[name] = value
    return fields


def _row(one: Found, before: Comparison) -> dict[str, Any]:
    return {
        "run_id": one.run_id,
        "new": one.run_id in before.fresh,
        "sample_rows": one.samples.count,
        "new_samples": bool(one.samples.count) and one.run_id in before.fresh | before.completed,
        "kind": one.source.kind,
        "path": one.source.path,
        "sha256": one.source.sha256,
        "benchmark_id": one.run.benchmark_id,
        "benchmark": one.run.benchmark,
        "status": one.run.status,
        "reason": one.run.reason,
        "model": one.run.model,
        "score": one.run.score,
        "unit": one.run.unit,
        "notes": one.run.notes,
    }


def _show(imported: list[Found], before: Comparison, dry_run: bool, ignored: int) -> None:
    if imported:
        print_table(
            ["benchmark", "status", "model", "score", "unit", "samples", "kind", "new", "run_id"],
            [
                [
                    named(one.run.benchmark_id, one.run.options),
                    one.run.status + (f" ({one.run.reason})" if one.run.reason else ""),
                    one.run.model,
                    run_score(one.run),
                    one.run.unit or "",
                    str(one.run.samples or ""),
                    one.source.kind,
                    "yes" if one.run_id in before.fresh else "samples" if one.run_id in before.completed else "no",
                    one.run_id,
                ]
                for one in imported
            ],
            right={"score", "samples"},
            dispensable=["kind", "samples", "unit"],
        )
        print()
    verb = "would be imported" if dry_run else "imported"
    files = f"{ignored} JSON file{'s' if ignored > 1 else ''}"
    left = f"; {files} of unknown format ignored" if ignored else ""
    added = f"; the samples of {len(before.completed)} of them {verb}" if before.completed else ""
    fresh = len(before.fresh)
    print(f"{fresh} runs {verb}, {len(imported) - fresh} were already in the ledger{added}{left}")
