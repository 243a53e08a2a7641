"""A report as one HTML file that needs nothing else, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape as escape_html

from ..score_tables import check_sentence, check_table, high_scores_table, standings_table
from ..text import Table, escape_markdown, markdown
from ..visible import visible
from .content import Report
from .drawing import draw_svg

# No script, nothing from elsewhere: whatever a model or a benchmark is called, opening the file does nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 Helvetica, Arial, sans-serif; color: #1a1a1a; background: #fff; max-width: 75rem;
  margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
.soft, footer { color: #555; } footer { border-top: 1px solid #ccc; margin-top: 3rem; padding-top: 1rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .3rem .7rem; text-align: left; border-bottom: 1px solid #ddd; vertical-align: top; }
th { border-bottom: 2px solid #888; white-space: nowrap; } .right { text-align: right; white-space: nowrap; }
td:first-child { white-space: nowrap; } .bad { color: #a40000; font-weight: bold; } .good { color: #006b3c; }
figure { display: inline-block; margin: 1rem 1.5rem 0 0; vertical-align: top; max-width: 100%; }
svg { max-width: 100%; height: auto; } code { font-size: .9em; overflow-wrap: anywhere; }
@media print { body { margin: 0; max-width: none; } figure, tr { break-inside: avoid; } }
"""
_MARKED = {"worse": "bad", "failed": "bad", "shaky": "bad", "ok": "good"}


def escape(text: str) -> str:
    """Text for HTML in which nothing is markup, and everything can be seen."""
    return escape_html(visible(text))


def html_page(report: Report) -> str:
    """The report as an HTML document with its charts in it."""
    parts = [
        f"<h1>{escape(report.title)}</h1>",
        f'<p class="soft">{escape(_about(report))}</p>',
        "<h2>Leaderboard</h2>",
        _html_table(_leaderboard(report)) if report.standings else "<p>No score counts yet.</p>",
        f'<p class="soft">{escape(_what_counts(report))}</p>',
        f"<h2>High scores</h2>\n{_html_table(high_scores_table(report.high_scores))}" if report.high_scores else "",
        "<h2>Charts</h2>" if report.charts else "",
    ]
    for number, chart in enumerate(report.charts):
        drawn = draw_svg(chart.spec, prefix=f"chart{number}-")
        parts.append(f'<figure role="img" aria-label="{escape(chart.description)}">{drawn}</figure>')
    if report.charts_left_out:
        parts.append(
            f'<p class="soft">{report.charts_left_out} charts of tasks that were run earlier are left out.</p>'
        )
    parts.append("<h2>What got worse</h2>")
    if report.check is None:
        parts.append("<p>Nothing was run twice yet, so nothing can have got worse.</p>")
    else:
        parts += [f"<p>{escape(check_sentence(report.check))}</p>", _html_table(check_table(report.check))]
    if report.failures:
        parts += ["<h2>What failed</h2>", _html_table(_failures_table(report))]
    parts.append(f"<footer><p>{_proof(report, '<code>', '</code>')}</p></footer>")
    body = "\n".join(filter(None, parts))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def markdown_page(report: Report) -> str:
    """The report as GitHub-flavoured Markdown, without its charts."""
    return "\n\n".join(_markdown_parts(report)) + "\n"


def _markdown_parts(report: Report) -> Iterator[str]:
    yield f"# {escape_markdown(report.title)}"
    yield escape_markdown(_about(report))
    yield "## Leaderboard"
    yield markdown(_leaderboard(report)) if report.standings else "No score counts yet."
    yield escape_markdown(_what_counts(report))
    if report.high_scores:
        yield "## High scores"
        yield markdown(high_scores_table(report.high_scores))
    yield "## What got worse"
    if report.check is None:
        yield "Nothing was run twice yet, so nothing can have got worse."
    else:
        yield escape_markdown(check_sentence(report.check))
        yield markdown(check_table(report.check))
    if report.failures:
        yield "## What failed"
        yield markdown(_failures_table(report))
    yield "---"
    yield _proof(report, "`", "`")


def _html_table(table: Table) -> str:
    def cell(tag: str, name: str, text: str) -> str:
        classes = [*(["right"] if name in table.right else []), *([_MARKED[text]] if text in _MARKED else [])]
        of_class = f' class="{" ".join(classes)}"' if classes else ""
        return f"<{tag}{of_class}>{escape(text)}</{tag}>"

    def row(tag: str, cells: list[str]) -> str:
        return f"<tr>{''.join(cell(tag, name, text) for name, text in zip(table.columns, cells, strict=True))}</tr>"

    head = row("th", list(table.columns))
    body = "\n".join(row("td", list(cells)) for cells in table.rows)
    return f'<div class="wide"><table>\n<thead>{head}</thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def _leaderboard(report: Report) -> Table:
    """Without the ids of runs, which are wider than all the rest."""
    table = standings_table(report.standings)
    kept = [place for place, name in enumerate(table.columns) if name != "latest_run"]
    rows = [[row[place] for place in kept] for row in table.rows]
    return Table([table.columns[place] for place in kept], rows, table.right)


def _failures_table(report: Report) -> Table:
    rows = [[some.benchmark_id, some.reason, str(some.runs), some.newest_run_id] for some in report.failures]
    return Table(["benchmark", "reason", "runs", "newest"], rows, right=("runs",))


def _about(report: Report) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in report.statuses.items()) or "no runs"
    when = f", from {_minute(report.first_at)} to {_minute(report.last_at)}" if report.first_at else ""
    return f"{report.scope}: {counts}{when}"


def _minute(at: str | None) -> str:
    return f"{(at or '')[:16].replace('T', ' ')} UTC"


def _what_counts(report: Report) -> str:
    included = f" Counted too: {', '.join(report.included)}." if report.included else ""
    return (
        "Means of the newest run of each repeat ± standard error (repeats of one question count together), or with "
        "the 95% interval in brackets where ± would mislead. Ranks that noise cannot tell apart share a range. "
        "Scores with other options, units or directions stand apart; delta is the difference from the high score. "
        f"Imported, synthetic, late and retracted runs and reproductions do not count unless that is said.{included}"
    )


def _proof(report: Report, begin: str, end: str) -> str:
    """The sentence that ties the report to its ledger."""
    head = report.head
    if not head.position:
        return "The ledger is empty."
    return (
        f"Made from a ledger whose event {head.position}, of {escape(_minute(head.at))}, has the hash "
        f"{begin}{escape(head.head_hash)}{end}, as long as the events before it stay unchanged. "
        f"{begin}benchmarks ledger verify --expect-head {escape(head.head_hash)}{end} "
        "proves that, as long as it is the last; afterwards a checkpoint does."
    )
