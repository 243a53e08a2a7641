"""Standings, comparisons and checks as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ..scores.attempts import Attempts
from ..scores.check import Check, CheckedScore
from ..scores.comparison import Comparison, Contrast, Row
from ..scores.high_scores import HighScore
from ..scores.leaderboard import Score, Standing
from ..scores.noise import Change, ChangedCell
from ..scores.pass_k import PassRates
from ..scores.prospects import Prospect
from ..scores.rescored import Moved, Scorers
from ..scores.uncertainty import Measured, uncertainty
from .text import (
    Table,
    escape_markdown,
    format_estimate,
    format_options,
    format_p,
    format_score,
    format_signed,
    format_unit,
    markdown,
    named,
)


def standings_table(standings: Iterable[Standing], rates: Mapping[tuple[str, ...], PassRates] | None = None) -> Table:
    """The leaderboard; with pass@k and pass^k if `rates` has them, by the runs of each row."""
    return _table(
        (_standing(one) | _rates(one, rates or {}) for one in standings),
        empty="benchmark rank agent provider model mean unit latest_run".split(),
        right=(
            "rank",
            "mean",
            "repeats",
            "runs",
            "done",
            "latest",
            "best",
            "high_score",
            "delta",
            "chance",
            "above chance",
        ),
        dispensable=(
            "latest_run",
            "chance",
            "lost",
            "runs",
            "provider",
            "high_score",
            "latest",
            "unit",
            "repeats",
            "best",
            "options",
            "registered",
        ),
    )


def comparison_table(comparison: Comparison) -> Table:
    """A line for each task and side but the first; B is the side that is compared with the first one, A."""
    several = len(comparison.sides) > 2
    return _table(
        (
            _contrast(row, contrast, place, comparison.sides[place].name if several else "")
            for row in comparison.rows
            for place, contrast in enumerate(row.contrasts)
            if contrast is not None
        ),
        empty="benchmark A B delta verdict".split(),
        right=("done A", "done B", "A", "B", "delta", "could see", "p (Holm)", "samples +/=/-"),
        dispensable=("note", "method", "could see", "done A", "done B", "unit", "options", "95% interval"),
    )


def check_table(check: Check) -> Table:
    """A line for each score that was checked."""
    return _table(
        map(_checked, check.scores),
        empty="result benchmark agent model baseline score reason".split(),
        right=("baseline", "score", "drop", "allowed", "p (Holm)"),
        dispensable=("p (Holm)", "agent", "allowed", "unit", "options", "model"),
    )


def changes_table(cells: Iterable[ChangedCell]) -> Table:
    """A line for each change of each cell, the newest cell first."""
    return _table(
        (_change(cell, change) for cell in cells for change in cell.changes),
        empty="benchmark agent model at before after delta".split(),
        right=("before", "after", "delta"),
        dispensable=("run", "agent", "runs", "unit", "options", "model"),
    )


def scorers_table(scorers: Scorers) -> Table:
    """A line for each contender and task: the scores and ranks by both scorers."""
    return _table(
        map(_moved, scorers.rows),
        empty="benchmark model before after delta rank moved".split(),
        right=("before", "after", "delta"),
        dispensable=("options", "unit", "agent", "model"),
    )


def prospects_table(prospects: Iterable[Prospect], effect: float) -> Table:
    """What each task can see, and what it needs for an effect."""
    return _table(
        (_prospect(prospect, effect) for prospect in prospects),
        empty="benchmark questions sees".split(),
        right=("questions", "sees", f"questions for {effect:g}", f"repeats for {effect:g}"),
        dispensable=("unit", "options"),
    )


def high_scores_table(high_scores: Iterable[HighScore]) -> Table:
    """A line for each reference."""
    return _table(
        map(_high_score, high_scores),
        empty="benchmark value unit label source".split(),
        right=("value",),
        dispensable=("source", "by", "published", "date"),
    )


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """A score that was read from a result, and what the result says of it."""

    score: float | None
    samples: int | None
    stderr: float | None
    unit: str | None


def run_score(run: Measured) -> str:
    """The score of one run, and how sure it is; empty if it has none."""
    if run.score is None:
        return ""
    found = uncertainty([run])
    return format_estimate(run.score, found.stderr, found.low, found.high)


def check_sentence(check: Check) -> str:
    """What a check came to."""
    count = {
        name: sum(score.result == name for score in check.scores)
        for name in ("worse", "failed", "shaky", "no baseline")
    }
    told = ", ".join([f"{check.compared} compared", *(f"{number} {name}" for name, number in count.items() if number)])
    return f"{'passed' if check.passed else 'failed'}: {check.checked} against {check.baseline}: {told}"


GITHUB_MARK = "<!-- benchmarks check -->"
"""The first line of a comment: by it a workflow finds the comment again, to replace it."""


def github_comment(check: Check) -> str:
    """A check as a comment on a pull request: what came of it, what does not stand well, and the rest folded away."""
    bad = [score for score in check.scores if score.result not in ("ok", "no baseline")]
    rest = [score for score in check.scores if score.result in ("ok", "no baseline")]
    parts = [GITHUB_MARK, f"### Benchmarks: {'passed' if check.passed else 'failed'}", ""]
    parts += [escape_markdown(check_sentence(check)), ""]
    if bad:
        parts += [markdown(check_table(msgspec.structs.replace(check, scores=bad))), ""]
    if rest:
        table = markdown(check_table(msgspec.structs.replace(check, scores=rest)))
        parts += [f"<details><summary>{len(rest)} more</summary>", "", table, "", "</details>"]
    return "\n".join(parts).rstrip()


def _table(
    lines: Iterable[dict[str, str]], *, empty: Sequence[str], right: Sequence[str], dispensable: Sequence[str]
) -> Table:
    """Without the columns in which nothing stands; `empty` are those of a table without lines."""
    rows = list(lines)
    columns = [name for name in rows[0] if any(row[name] for row in rows)] if rows else empty
    return Table(columns, [[row[name] for name in columns] for row in rows], right, dispensable)


def _standing(standing: Standing) -> dict[str, str]:
    return {
        "benchmark": named(standing.task.benchmark_id, standing.config),
        "options": format_options(standing.task_options),
        "rank": _rank(standing),
        "agent": standing.agent,
        "provider": standing.provider,
        "model": standing.model,
        "mean": _estimate(standing.score),
        "unit": format_unit(standing.task.unit, standing.task.higher_is_better),
        "repeats": str(standing.score.repeats),
        "runs": str(standing.runs),
        "done": _done(standing.attempts),
        "failures": _failures(standing.attempts),
        "lost": _lost(standing.attempts),
        "picked": _picked(standing),
        "registered": _registered(standing.score),
        "latest": format_score(standing.latest_score),
        "best": format_score(standing.best_score),
        "high_score": format_score(standing.high_score.value if standing.high_score else None),
        "delta": format_signed(standing.delta_to_high_score),
        "chance": format_score(standing.chance),
        "above chance": format_signed(standing.above_chance),
        "latest_run": standing.latest_run_id,
    }


def _estimate(score: Score | None) -> str:
    return format_estimate(score.mean, score.stderr, score.low, score.high) if score else ""


def _rates(standing: Standing, rates: Mapping[tuple[str, ...], PassRates]) -> dict[str, str]:
    if not rates:
        return {}
    k = next(iter(rates.values()))[0].k
    found = rates.get(tuple(standing.score.run_ids))
    names = (f"pass@{k}", f"pass^{k}")
    shown = [format_estimate(one.value, None, one.low, one.high) for one in found] if found else ["", ""]
    return dict(zip(names, shown, strict=True))


def _done(attempts: Attempts | None) -> str:
    """How many of the attempts that have ended succeeded; empty if all of them did, at the first attempt."""
    if attempts is None or (not attempts.failures and attempts.attempts <= 1):
        return ""
    return f"{attempts.successes} of {attempts.successes + attempts.failures}"


def _failures(attempts: Attempts | None) -> str:
    if attempts is None:
        return ""
    kinds = {"own": attempts.own_failures, "infrastructure": attempts.infrastructure_failures}
    return ", ".join(f"{number} {kind}" for kind, number in kinds.items() if number)


def _lost(attempts: Attempts | None) -> str:
    """What the failures cost: dollars as far as they are known, and the time."""
    if attempts is None or not attempts.failures:
        return ""
    cost = f"${attempts.cost_lost:.4g}, " if attempts.unpriced < attempts.failures else ""
    return f"{cost}{attempts.seconds_lost:.1f} s"


def _picked(standing: Standing) -> str:
    """That a score was picked from more attempts than it has repetitions."""
    repeats, attempts = standing.score.repeats, standing.attempts.attempts if standing.attempts else 0
    if attempts <= repeats:
        return ""
    return f"newest of {attempts}" if repeats == 1 else f"newest {repeats} of {attempts}"


def _registered(score: Score) -> str:
    """How many of the repetitions belong to a registered plan; empty if none does."""
    return f"{score.registered} of {score.repeats}" if score.registered else ""


def _rank(standing: Standing) -> str:
    """The ranks that it may have; only its own if nothing is known of the noise."""
    if standing.score.low is None or standing.rank_low == standing.rank_high:
        return str(standing.rank)
    return f"{standing.rank_low} to {standing.rank_high}"


def _change(cell: ChangedCell, change: Change) -> dict[str, str]:
    return {
        "benchmark": cell.task.benchmark_id,
        "options": format_options(cell.task_options),
        "agent": cell.agent,
        "model": f"{cell.provider}:{cell.model}",
        "at": change.at[:19].replace("T", " "),
        "before": format_score(change.before),
        "after": format_score(change.after),
        "delta": format_signed(change.after - change.before),
        "unit": format_unit(cell.task.unit, cell.task.higher_is_better),
        "runs": f"{change.runs_before}, {change.runs_after}",
        "came with": "; ".join(f"{name}: {old} to {new}" for name, (old, new) in change.with_it.items()),
        "run": change.run_id,
    }


def _moved(row: Moved) -> dict[str, str]:
    places = abs(row.moved)
    return {
        "benchmark": row.benchmark_id,
        "options": format_options(row.task_options),
        "agent": row.agent,
        "model": f"{row.provider}:{row.model}",
        "before": _estimate(row.before),
        "after": _estimate(row.after),
        "delta": format_signed(row.delta),
        "unit": row.unit if row.unit == row.unit_before else f"{row.unit_before} -> {row.unit}",
        "rank": f"{row.rank_before} -> {row.rank_after}",
        "moved": "" if not row.moved else f"up {places}" if row.moved > 0 else f"down {places}",
    }


def _prospect(prospect: Prospect, effect: float) -> dict[str, str]:
    repeats = "unknown" if prospect.within is None else "none is enough"
    if prospect.repeats_needed is not None:
        repeats = str(prospect.repeats_needed)
    return {
        "benchmark": prospect.task.benchmark_id,
        "options": format_options(prospect.task_options),
        "unit": format_unit(prospect.task.unit, prospect.task.higher_is_better),
        "questions": str(prospect.questions),
        "sees": f"{prospect.detectable:.3f}",
        f"questions for {effect:g}": str(prospect.questions_needed),
        f"repeats for {effect:g}": repeats,
        "by": prospect.basis,
    }


def _high_score(score: HighScore) -> dict[str, str]:
    return {
        "benchmark": score.benchmark_id,
        "value": format_score(score.value),
        "unit": format_unit(score.unit or "", score.higher_is_better),
        "label": score.label,
        "date": score.date or "",
        "published": score.published_at[:10],
        "by": score.author or "manifest",
        "source": score.source,
    }


def _incomplete(attempts: Attempts | None) -> str:
    return _done(attempts) if attempts and attempts.failures else ""


def _contrast(row: Row, contrast: Contrast, place: int, side: str) -> dict[str, str]:
    first, other = row.scores[0], row.scores[place]
    return {
        "benchmark": row.task.benchmark_id,
        "options": format_options(row.task_options),
        "agent": row.agent or "",
        "model": row.model or "",
        "B is": side,
        "done A": _incomplete(row.attempts[0]),
        "done B": _incomplete(row.attempts[place]),
        "A": _estimate(first),
        "B": _estimate(other),
        "delta": format_signed(contrast.delta),
        "95% interval": ""
        if contrast.low is None
        else f"{format_signed(contrast.low)} to {format_signed(contrast.high)}",
        "could see": "" if contrast.detectable is None else f"{contrast.detectable:.3f}",
        "unit": format_unit(row.task.unit, row.task.higher_is_better),
        "p (Holm)": format_p(contrast.adjusted_p),
        "verdict": _verdict(contrast),
        "samples +/=/-": "" if contrast.pairs is None else f"{contrast.wins}/{contrast.ties}/{contrast.losses}",
        "method": contrast.method or "",
        "note": contrast.note,
    }


def _verdict(contrast: Contrast) -> str:
    """The verdict; of a difference within the margin, that the two are equivalent."""
    if not contrast.is_equivalent:
        return contrast.verdict
    return "equivalent" if contrast.verdict == "no difference" else f"{contrast.verdict}, but equivalent"


def _checked(score: CheckedScore) -> dict[str, str]:
    return {
        "result": score.result,
        "benchmark": score.task.benchmark_id,
        "options": format_options(score.task_options),
        "agent": score.agent,
        "model": f"{score.provider}:{score.model}",
        "baseline": _estimate(score.baseline),
        "score": _estimate(score.score),
        "drop": format_signed(score.drop),
        "allowed": "" if score.allowed is None else f"{score.allowed:.3f}",
        "unit": format_unit(score.task.unit, score.task.higher_is_better),
        "p (Holm)": format_p(score.p_value),
        "reason": score.reason,
    }
