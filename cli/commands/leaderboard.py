"""`leaderboard`: what each agent with each model scored on each benchmark, and who is ahead."""

from __future__ import annotations

import click

from ...orchestrator.errors import UsageError, nearest
from ...projections.render.score_tables import standings_table
from ...projections.render.text import markdown
from ...projections.scores.high_scores import holding, read_history
from ...projections.scores.leaderboard import Doubtful, Standing, leaderboard
from ...projections.sqlite.database import read_runs, read_state
from ..context import Place, as_of_option, in_place, json_option, print_json
from ..histories import include_option, open_as_of
from ..printing import show


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
        print(markdown(standings_table(standings)))
    elif not standings:
        print("no scores yet: run makes them; --include counts imported, synthetic, late and retracted ones")
    else:
        show(standings_table(standings))


def _only(standings: list[Standing], option: str, value: str) -> list[Standing]:
    def of(standing: Standing) -> str:
        return standing.task.benchmark_id if option == "benchmark" else str(getattr(standing, option))

    chosen = [standing for standing in standings if of(standing) == value]
    if not chosen and standings:
        known = sorted({of(standing) for standing in standings})
        hint = nearest(value, known) or f"; there are {', '.join(known)}"
        raise UsageError(f"no score of {option} '{value}'{hint}")
    return chosen
