"""`calibrate`: whether a benchmark tells right answers from wrong ones."""

from __future__ import annotations

import os
from typing import Any

import click
import msgspec

from ...adapters.adapter import Adapter
from ...adapters.discovery import Discovery, discover
from ...adapters.options import OptionError, effective_config
from ...adapters.requirements.missing import Need, examine
from ...orchestrator.errors import UsageError
from ...orchestrator.planning.plan import choose, parse_extra
from ...orchestrator.planning.signature import sign
from ...projections.render.text import format_score
from ...projections.scores.calibration import PLAYERS, Verdict, judge
from ...projections.sqlite.database import read_runs
from ...projections.sqlite.opening import open_history
from ..context import Place, in_place, json_option, note, print_json
from ..printing import print_table
from ..ranges import Number


class Calibrated(msgspec.Struct, frozen=True):
    """A benchmark with the scores of its reference players, and the verdict."""

    benchmark_id: str
    unit: str
    scores: dict[str, float]
    verdict: Verdict


@click.command()
@click.argument("benchmarks", metavar="ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Calibrate every benchmark that has players and can run here.")
@click.option("--extra", default="{}", metavar="JSON", help="Set options of the benchmarks, as for run.")
@click.option("--force", is_flag=True, help="Run the players again even if the ledger has their scores.")
@click.option(
    "--tolerance",
    metavar="FRACTION",
    type=Number(0, 0.5),
    default=0.02,
    show_default=True,
    help="Treat scores as equal if they differ by less than this fraction of the distance between best and worst.",
)
@json_option
@in_place
@click.pass_context
def command(
    ctx: click.Context,
    /,
    place: Place,
    benchmarks: tuple[str, ...],
    everything: bool,
    extra: str,
    force: bool,
    tolerance: float,
    as_json: bool,
) -> int:
    """Check that benchmarks tell right answers from wrong ones.

    Players of known quality (perfect, half, random, wrong) answer in place of a model, so no model and no key is
    needed. If perfect and half get the same score, the benchmark measures nothing. Their runs are synthetic, and are
    recorded once like all runs. Exit code 1 if a benchmark is not sound.
    """
    discovery = discover(place.workspace.root)
    chosen = _chosen(discovery, benchmarks, everything)
    options = parse_extra(extra)
    by_players: dict[tuple[str, ...], list[str]] = {}
    for adapter in chosen:
        by_players.setdefault(_players(adapter), []).append(adapter.id)
    from .run import command as run

    interrupted = False
    for players, ids in by_players.items():
        code = ctx.invoke(
            run,
            workspace=str(place.workspace.root),
            ledger_url=place.ledger_url,
            benchmarks=ids,
            agents=list(players),
            extra=extra,
            force=force,
            quiet=True,
        )
        interrupted = interrupted or code == 130
    if interrupted:
        return 130
    rows = [_calibrated(place, adapter, options, tolerance) for adapter in chosen]
    if as_json:
        print_json(rows)
    else:
        _show(rows)
    return 0 if all(row.verdict.judgement == "sound" for row in rows) else 1


def _chosen(discovery: Discovery, ids: tuple[str, ...], everything: bool) -> list[Adapter]:
    if everything == bool(ids):
        raise UsageError(
            "no benchmarks given" if not ids else "benchmarks and --all exclude each other",
            "name benchmarks, or use --all",
        )
    if everything:
        able = [adapter for adapter in discovery.adapters.values() if len(_players(adapter)) > 1]
        suitable = [
            adapter
            for adapter, standing in zip(
                able, examine([_need(adapter) for adapter in able], os.environ, ask_now=True), strict=True
            )
            if not standing.missing
        ]
        if not suitable:
            raise UsageError("no benchmark here has players to calibrate it with")
        return suitable
    chosen = choose(ids, discovery.adapters, discovery.broken)
    for adapter in chosen:
        if len(_players(adapter)) < 2:
            raise UsageError(
                f"{adapter.id} has fewer than two of the players {', '.join(PLAYERS)}",
                "declare them in its manifest with [calibration] (docs/own-benchmark.md shows how)",
            )
    return chosen


def _players(adapter: Adapter) -> tuple[str, ...]:
    return tuple(player for player in PLAYERS if player in adapter.manifest.baselines)


def _need(adapter: Adapter) -> Need:
    config = effective_config(adapter.id, adapter.manifest.options, {}).config
    return Need(adapter=adapter, agent=_players(adapter)[0], config=config)


def _calibrated(place: Place, adapter: Adapter, extra: dict[str, Any], tolerance: float) -> Calibrated:
    """The newest valid scores of the players with these options."""
    manifest = adapter.manifest
    try:
        config = effective_config(adapter.id, manifest.options, extra).config
    except OptionError as problem:
        raise UsageError(f"--extra: {problem}") from problem
    players = _players(adapter)
    task = sign(
        benchmark_id=adapter.id,
        benchmark_directory=manifest.directory,
        agent=players[0],
        provider="none",
        model="none",
        extra_config=config,
    ).comparison_key
    scores: dict[str, float] = {}
    with open_history(place.workspace, place.store(), notice=note) as history:
        query = "WHERE benchmark_id = ? AND options_key = ? AND status = 'succeeded' ORDER BY rowid"
        for run in read_runs(history, query, (adapter.id, task)):
            if run.agent in players and run.score is not None and run.retracted is None:
                scores[run.agent] = run.score
    result = manifest.result
    verdict = judge(
        scores,
        higher_is_better=result.higher_is_better,
        unit=result.unit,
        tolerance=tolerance,
        missing=[player for player in players if player not in scores],
    )
    return Calibrated(adapter.id, result.unit, {name: scores[name] for name in PLAYERS if name in scores}, verdict)


def _show(rows: list[Calibrated]) -> None:
    cells = [
        [
            row.benchmark_id,
            *(format_score(row.scores.get(player)) for player in PLAYERS),
            row.unit,
            row.verdict.judgement.replace("_", " "),
            "; ".join(row.verdict.findings),
        ]
        for row in rows
    ]
    columns = ["benchmark", *PLAYERS, "unit", "verdict", "why"]
    print_table(columns, cells, right=PLAYERS, dispensable=["unit"])
