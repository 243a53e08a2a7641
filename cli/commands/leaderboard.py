"""`leaderboard`: the scores of each agent and model on each benchmark, ranked."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

import click

from ...adapters.imports.found import identifier
from ...ledger.suggestions import did_you_mean
from ...orchestrator.errors import UsageError
from ...projections.render.score_tables import standings_table
from ...projections.render.text import markdown
from ...projections.scores.attempts import Work
from ...projections.scores.high_scores import holding, read_history
from ...projections.scores.leaderboard import Doubtful, Standing, leaderboard_of
from ...projections.scores.pass_k import PassRates, pass_rates
from ...projections.scores.revisions import newest_revisions
from ...projections.scores.samples import sample_reader
from ...projections.scores.served import served_changes
from ...projections.scores.standing_runs import RUNS, Runs
from ...projections.sqlite.database import read_runs, read_state
from ...projections.sqlite.reproductions import reproductions_by_work
from ...projections.sqlite.tallies import read_board
from ..context import Place, as_of_option, in_place, json_option, note, print_json
from ..histories import include_option, open_as_of
from ..printing import show
from ..ranges import Number, Whole


@click.command()
@click.option("--benchmark", help="Show only this benchmark: its id, or an imported one's own name.")
@click.option("--agent", help="Show only this agent.")
@click.option("--provider", help="Show only this provider.")
@click.option("--model", help="Show only this model.")
@click.option(
    "--pass-k",
    type=Whole(min=1),
    help="Also show pass@K and pass^K: whether any, or all, of K repetitions of a question are right.",
)
@click.option(
    "--min-completion",
    type=Number(0, 1),
    default=0.0,
    help="Leave out rows with a smaller share of successful attempts.",
)
@click.option(
    "--runs",
    "which",
    type=click.Choice(RUNS),
    default="newest",
    help="Make a score of the newest run with the repeats of its campaign, or of the newest campaign with several.",
)
@click.option(
    "--revision",
    type=click.Choice(["newest", "all"]),
    default="newest",
    help="Show the newest task revision of each benchmark, or all of them.",
)
@include_option
@as_of_option("Show the standings at that time.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print a Markdown table.")
@json_option
@in_place
def command(
    place: Place,
    benchmark: str | None,
    agent: str | None,
    provider: str | None,
    model: str | None,
    pass_k: int | None,
    min_completion: float,
    which: Runs,
    revision: str,
    include: frozenset[Doubtful],
    as_of: str | None,
    as_markdown: bool,
    as_json: bool,
) -> None:
    """Rank agents and models on each benchmark: mean of the repeats, latest and best score, high score.

    A score is never a mean over two campaigns: it is that of the newest run with the repeats of its campaign, or, with
    --runs repeats, that of the newest campaign with several repeats.

    A run counts if it succeeded and is not imported, synthetic, late, retracted or a reproduction. Scores with
    different options, units, directions or task revisions are listed separately. Filters do not change the rank.
    """
    with open_as_of(place, as_of) as history:
        board, held = read_board(history, works=False), holding(read_history(history))
        standings = leaderboard_of(board, held, include=include, min_completion=min_completion, which=which)
        every = leaderboard_of(board, held, include=include, which=which) if min_completion else standings
        left_out = len(every) - len(standings)
        state = read_state(history)
        if revision == "newest":
            standings, sentences = newest_revisions(standings)
            for sentence in sentences:
                note(f"{sentence}\nhint: --revision all shows them")
        reproduced = _reproduced(history, standings)
        rates = _pass_rates(place, history, standings, pass_k) if pass_k else {}
        served = served_changes(history, {(one.provider, one.model) for one in standings})
    if left_out:
        rows = "1 row is" if left_out == 1 else f"{left_out} rows are"
        note(f"{rows} left out: fewer than {min_completion:.0%} of the attempts succeeded")
    for option, value in {"benchmark": benchmark, "agent": agent, "provider": provider, "model": model}.items():
        if value is not None:
            standings = _only(standings, option, value)
    shown = {(one.provider, one.model) for one in standings}
    served = [change for change in served if (change.provider, change.model) in shown]
    for change in served:
        note(change.sentence)
    if as_json:
        head = {"position": state.position, "hash": state.head_hash, "at": state.at} if state else None
        mine = {tuple(one.score.run_ids) for one in standings}
        print_json(
            {
                "standings": standings,
                "runs": which,
                "head": head,
                "served": served,
                "reproductions": [one for ids, one in reproduced.items() if ids in mine],
                **_rates_document(standings, rates, pass_k),
            }
        )
    elif as_markdown:
        print(markdown(standings_table(standings, rates)))
    elif not standings:
        print("no scores yet; benchmarks run makes some (--include also counts imported, synthetic and other runs)")
    else:
        show(standings_table(standings, rates))


def _reproduced(history: sqlite3.Connection, standings: Sequence[Standing]) -> dict[tuple[str, ...], object]:
    """The reproductions of the rows for JSON, by the runs of each row."""
    of = reproductions_by_work(history)
    found: dict[tuple[str, ...], object] = {}
    for one in standings:
        work = Work(one.task.benchmark_id, one.task.comparison_key, one.agent, one.provider, one.model)
        if (some := of.get(work)) is not None:
            found[tuple(one.score.run_ids)] = {
                "run_ids": one.score.run_ids,
                "people": some.people,
                "verdict": some.verdict,
                "reproduced_by": some.run_ids,
            }
    return found


def _pass_rates(
    place: Place, history: sqlite3.Connection, standings: Sequence[Standing], k: int
) -> dict[tuple[str, ...], PassRates]:
    """pass@k and pass^k of the rows that have k repetitions with samples, by the runs of each row."""
    read = sample_reader(place.workspace)
    rates = {}
    for ids in [tuple(one.score.run_ids) for one in standings if one.score.repeats >= k]:
        runs = read_runs(history, f"WHERE run_id IN ({', '.join('?' * len(ids))})", ids)
        samples = [read(run) for run in runs]
        if not any(one.problem for one in samples) and (found := pass_rates(samples, k)):
            rates[ids] = found
    return rates


def _rates_document(
    standings: Sequence[Standing], rates: Mapping[tuple[str, ...], PassRates], k: int | None
) -> dict[str, list[dict[str, object]]]:
    """The rates for JSON, each with the runs that it is of; nothing if they are not asked for."""
    if k is None:
        return {}
    of = [(one, rates[ids]) for one in standings if (ids := tuple(one.score.run_ids)) in rates]
    return {
        "pass_rates": [{"run_ids": one.score.run_ids, "any": any_of, "all": all_of} for one, (any_of, all_of) in of]
    }


def _only(standings: list[Standing], option: str, value: str) -> list[Standing]:
    def of(standing: Standing) -> str:
        return standing.task.benchmark_id if option == "benchmark" else str(getattr(standing, option))

    # A benchmark from elsewhere is found by its own name, too.
    wanted = {value, identifier(value)} if option == "benchmark" else {value}
    chosen = [standing for standing in standings if of(standing) in wanted]
    if not chosen and standings:
        known = sorted({of(standing) for standing in standings})
        hint = did_you_mean(value, known, "leaderboard without filters lists them")
        raise UsageError(f"no scores of the {option} '{value}'", hint)
    return chosen
