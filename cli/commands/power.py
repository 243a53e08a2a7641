"""`power`: how many questions or repetitions it takes to see an effect."""

from __future__ import annotations

import click

from ...ledger.suggestions import did_you_mean
from ...orchestrator.errors import UsageError
from ...projections.render.score_tables import prospects_table
from ...projections.scores.leaderboard import Doubtful
from ...projections.scores.prospects import prospects
from ...projections.scores.samples import sample_reader
from ..context import Place, in_place, json_option, print_json
from ..histories import include_option
from ..printing import show
from ..ranges import Number


@click.command()
@click.argument("benchmark")
@click.option(
    "--effect",
    type=Number(min=0, min_open=True),
    required=True,
    help="The difference between two scores that is to be found, in their unit.",
)
@include_option
@json_option
@in_place
def command(place: Place, benchmark: str, effect: float, include: frozenset[Doubtful], as_json: bool) -> None:
    """Show how many questions or repetitions of BENCHMARK it takes to find a difference, by the noise in its history.

    A difference is found if its 95% interval does not hold 0. The numbers are for finding it in 80 of 100 cases.
    """
    with place.catalogue(include) as catalogue:
        known = catalogue.benchmarks()
        if benchmark not in known:
            raise UsageError(
                f"the ledger has no runs of the benchmark '{benchmark}'",
                did_you_mean(benchmark, known, "benchmarks show-runs lists the runs"),
            )
        found = prospects(catalogue.scored(benchmark), effect, sample_reader(place.workspace))
    if not found:
        raise UsageError(
            f"nothing is known of the noise of {benchmark}: it needs a score with samples or a standard error",
            f"benchmarks run --benchmarks {benchmark} --repeats 3 measures it",
        )
    if as_json:
        print_json({"effect": effect, "prospects": found})
        return
    show(prospects_table(found, effect))
    if any(one.within is None for one in found):
        print("\nnothing was repeated: run --repeats 3 shows what repetitions would do")
