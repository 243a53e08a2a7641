"""What the commands for published tables print and write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..ledger.events import Json
from ..ledger.output_file import written_whole
from ..orchestrator.errors import UsageError
from ..projections.published.difference import Moved
from ..projections.published.document import TableDocument
from ..projections.published.errata import Erratum
from ..projections.published.lint import Finding
from ..projections.published.page import page_of
from ..projections.render.text import format_score
from ..projections.scores.registered import Status
from .context import note
from .publishing import encoded


def print_findings(findings: Sequence[Finding]) -> None:
    """Print the findings of a table as notes."""
    for one in findings:
        note(f"{one.kind}: {one.text}\nhint: {one.hint}")


def summary(status: Status | None) -> Json | None:
    """What a table says of its registered plan."""
    if status is None:
        return None
    return {
        "id": status.registration_id,
        "hypothesis": status.plan.hypothesis,
        "registered_at": status.registered_at,
        "state": status.state,
        "standing": status.standing,
        "outcome": status.outcome,
        "deviations": [one.text for one in status.deviations],
    }


def write_document(document: TableDocument, folder: Path) -> list[Path]:
    """Write the page and the JSON of a document. Raises UsageError if they cannot be written."""
    name = f"{document.name}-{document.version}"
    contents = {folder / f"{name}.html": page_of(document).encode(), folder / f"{name}.json": encoded(document)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in contents.items():
            with written_whole(file) as target:
                target.write_bytes(content)
    except OSError as problem:
        raise UsageError(
            f"{problem.filename or folder} cannot be written: {problem.strerror}. The table is in the ledger",
            f"benchmarks table build {document.name}@{document.version} -o DIR writes it to another folder",
        ) from problem
    return list(contents)


def moved_text(one: Moved) -> str:
    """A row that differs between two versions, in one line."""
    score = f"{_score(one.score_before)} to {_score(one.score_after)}" if one.change == "moved" else ""
    rank = f"rank {one.rank_before} to {one.rank_after}" if one.rank_before != one.rank_after else ""
    figures = ", ".join(part for part in (score, rank if one.change == "moved" else "") if part)
    return f"{one.change}: {one.row}{f': {figures}' if figures else ''} ({'; '.join(one.reasons)})"


def _score(value: float | None) -> str:
    return "none" if value is None else format_score(value)


def erratum_text(one: Erratum) -> str:
    """A correction of a published run, in one line."""
    rows = f"row {one.rows[0]}" if len(one.rows) == 1 else f"rows {', '.join(map(str, one.rows))}"
    score = "" if one.score is None else f", score {format_score(one.score)}"
    return f"erratum, {rows}: {one.run_id} {one.kind.replace('_', ' ')} by {one.author}{score}: {one.reason}"
