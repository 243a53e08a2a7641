"""`report`: the history, or a part of it, as one file."""

from __future__ import annotations

from pathlib import Path

import click

from ...ledger.fold import Run
from ...orchestrator.errors import UsageError
from ...projections.render.report.content import Report, build_report
from ...projections.render.report.drawing import draw_png, draw_svg
from ...projections.render.report.layout import html_page, markdown_page
from ...projections.scores.high_scores import holding, read_history
from ...projections.scores.leaderboard import Doubtful
from ...projections.scores.samples import sample_reader
from ...projections.scores.selection import ListedCatalogue, find
from ...projections.sqlite.database import State, read_groups, read_runs, read_state
from ..context import Place, as_of_option, in_place, json_option, note, print_json
from ..histories import include_option, open_as_of


@click.command()
@click.argument("what", required=False)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file (default: report.html, report.md).",
)
@click.option("--markdown", "as_markdown", is_flag=True, help="Write Markdown without charts instead of HTML.")
@click.option("--title", default="Benchmark report", show_default=True, help="Set the title.")
@click.option(
    "--svg", type=click.Path(path_type=Path, file_okay=False), help="Also write charts as SVG to this folder."
)
@click.option(
    "--png", type=click.Path(path_type=Path, file_okay=False), help="Also write charts as PNG to this folder."
)
@include_option
@as_of_option("Write the report as of that time.")
@json_option
@in_place
def command(
    place: Place,
    what: str | None,
    output: Path | None,
    as_markdown: bool,
    title: str,
    svg: Path | None,
    png: Path | None,
    include: frozenset[Doubtful],
    as_of: str | None,
    as_json: bool,
) -> None:
    """Write a report on the whole history, or on WHAT (a group, run, model or agent, as for compare).

    It is one self-contained HTML file: leaderboard, charts, regressions, failures, and the head of the ledger, with
    which a reader can prove its origin. The same ledger gives the same file.
    """
    report = _report(place, what, title, include, as_of)
    for folder in (svg, png):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    for chart in report.charts:
        if svg is not None:
            (svg / f"{chart.name}.svg").write_text(draw_svg(chart.spec), encoding="utf-8")
        if png is not None:
            (png / f"{chart.name}.png").write_bytes(draw_png(chart.spec))
    if as_json:
        print_json(report)
        return
    path = output or Path("report.md" if as_markdown else "report.html")
    path.write_text(markdown_page(report) if as_markdown else html_page(report), encoding="utf-8")
    note(f"the report has {len(report.standings)} standings and {len(report.charts)} charts")
    print(path)


def _report(place: Place, what: str | None, title: str, include: frozenset[Doubtful], as_of: str | None) -> Report:
    with open_as_of(place, as_of) as connection:
        history = list(read_runs(connection))
        groups = {group.run_group_id: group for group in read_groups(connection)}
        high_scores = holding(read_history(connection))
        head = read_state(connection) or State(0, "", "")

    def past(_: str) -> list[Run]:
        raise UsageError("WHAT cannot be as-of:TIME here", "use the option --as-of TIME")

    scope, runs = "the whole history", history
    if what is not None:
        selection = find(what, ListedCatalogue(runs=history, groups=groups, past=past, include=include))
        scope = f"{selection.kind} {selection.name}"
        runs = list(selection.every())
    return build_report(
        runs,
        title=title,
        scope=scope,
        history=history,
        high_scores=high_scores,
        head=head,
        read_samples=sample_reader(place.workspace),
        include=include,
    )
