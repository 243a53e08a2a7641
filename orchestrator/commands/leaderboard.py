"""`leaderboard`: what each agent with each model scored on each benchmark, and who is ahead."""

from __future__ import annotations

import click
import msgspec

from ...ledger.events import Json
from ...projections.database import read_runs, read_state
from ...projections.high_scores import holding, read_history
from ...projections.leaderboard import Doubtful, Standing, leaderboard
from ..display import format_score
from ..usage import UsageError, nearest
from .history import include_option, open_as_of
from .place import Place, as_of_option, in_place, json_option, print_json
from .table import markdown_table, print_table

COLUMNS = (
    "benchmark options rank agent provider model mean unit repeats runs latest best high_score delta latest_run".split()
)
RIGHT = ("rank", "mean", "repeats", "runs", "latest", "best", "high_score", "delta")
DISPENSABLE = ("latest_run", "runs", "provider", "high_score", "latest", "unit", "repeats", "best", "options")


@click.command()
@click.option("--benchmark", help="Only this benchmark.")
@click.option("--agent", help="Only this agent.")
@click.option("--provider", help="Only this provider.")
@click.option("--model", help="Only this model.")
@include_option
@as_of_option("The standings as of then.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print a Markdown table.")
@json_option
@in_place
def command(
    place: Place,
    benchmark: str | None,
    agent: str | None,
    provider: str | None,
    model: str | None,
    include: frozenset[Doubtful],
    as_of: str | None,
    as_markdown: bool,
    as_json: bool,
) -> None:
    """Show each agent and model on each benchmark: mean score of its repeats, latest, best, rank and reference.

    Runs count that succeeded, and were neither imported, synthetic, late nor retracted. Scores with other options,
    units or directions stand apart. The rank is that among all, whatever is filtered.
    """
    with open_as_of(place, as_of) as history:
        standings = leaderboard(read_runs(history), holding(read_history(history)), include=include)
        state = read_state(history)
    for option, value in {"benchmark": benchmark, "agent": agent, "provider": provider, "model": model}.items():
        if value is not None:
            standings = _only(standings, option, value)
    if as_json:
        head = {"position": state.position, "hash": state.head_hash, "at": state.at} if state else None
        print_json({"standings": standings, "head": head})
    elif as_markdown:
        print(markdown_table(COLUMNS, map(_cells, standings), right=RIGHT))
    elif not standings:
        print(
            "no scores yet; make one: benchmarks run --benchmarks context_recall --provider local --model smollm2-135m"
        )
    else:
        print_table(COLUMNS, map(_cells, standings), right=RIGHT, dispensable=DISPENSABLE)


def _only(standings: list[Standing], option: str, value: str) -> list[Standing]:
    def of(standing: Standing) -> str:
        return standing.task.benchmark_id if option == "benchmark" else str(getattr(standing, option))

    chosen = [standing for standing in standings if of(standing) == value]
    if not chosen and standings:
        known = sorted({of(standing) for standing in standings})
        hint = nearest(value, known) or f"; there are {', '.join(known)}"
        raise UsageError(f"no score of {option} '{value}'{hint}")
    return chosen


def _cells(standing: Standing) -> list[str]:
    delta = standing.delta_to_high_score
    return [
        standing.task.benchmark_id,
        format_options(standing.task_options),
        str(standing.rank),
        standing.agent,
        standing.provider,
        standing.model,
        format_score(standing.score.mean, standing.score.stderr),
        format_unit(standing.task.unit, standing.task.higher_is_better),
        str(standing.score.repeats),
        str(standing.runs),
        format_score(standing.latest_score),
        format_score(standing.best_score),
        format_score(standing.high_score.value if standing.high_score else None),
        "" if delta is None else f"{delta:+.3f}",
        standing.latest_run_id,
    ]


def format_options(options: Json) -> str:
    """Options as `name=value`, with spaces between."""
    return " ".join(
        f"{name}={value if isinstance(value, str) else msgspec.json.encode(value).decode()}"
        for name, value in options.items()
    )


def format_unit(unit: str, higher_is_better: bool) -> str:
    """A unit; for one of which less is better, with that."""
    return unit if higher_is_better else f"{unit} (lower is better)".strip()
