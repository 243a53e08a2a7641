"""`run --dry-run`: what would run, why, and the expected time, tokens and cost, based on earlier runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ....ledger.events import Json
from ....ledger.fold import Run
from ....ledger.history import History
from ....ledger.identity import liveness
from ....ledger.ledger import Ledger
from ....ledger.usage import tokens_of
from ....orchestrator.models.prices import Prices, cost_of
from ....orchestrator.planning.addresses import elsewhere, recorded_addresses
from ....orchestrator.planning.claim import Rules, explain
from ....orchestrator.planning.plan import PlannedRun, distinctions
from ....orchestrator.running.schedule import most_like
from ....projections.render.text import format_options
from ...context import print_json
from ...printing import print_table


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What would be done with a planned run: `run`, `skip`, or `incompatible`.

    `options` are those that distinguish it from other planned runs of the benchmark. Seconds, tokens and US dollars are
    those of the most similar earlier run; None if there is none.
    """

    benchmark_id: str
    agent: str
    provider: str
    model: str
    options: Json
    signature: str
    would: str
    why: str
    seconds: float | None = None
    tokens: int | None = None
    cost_usd: float | None = None


def preview(ledger: Ledger, plan: Sequence[PlannedRun], rules: Rules, prices: Prices) -> list[Preview]:
    """What `run` would do now. It would first recover a run whose owner is known to be dead."""
    expected = ledger.look(lambda history: [_expect(history, planned, rules) for planned in plan], details=True)
    addresses = recorded_addresses(ledger, [one.done for one in expected if one.done])
    return [
        _preview(planned, options, one, prices, addresses)
        for planned, options, one in zip(plan, distinctions(plan), expected, strict=True)
    ]


class _Expected(msgspec.Struct, frozen=True):
    """What would be done with a planned run and why, the run that makes it needless, and the most similar run."""

    would: str
    why: str
    done: Run | None = None
    like: Run | None = None


def _expect(history: History, planned: PlannedRun, rules: Rules) -> _Expected:
    expected = _verdict(history, planned, rules)
    if expected.would != "run":
        return expected
    return msgspec.structs.replace(expected, like=most_like(history, planned))


def _preview(
    planned: PlannedRun, options: Json, expected: _Expected, prices: Prices, addresses: Mapping[str, str]
) -> Preview:
    like = expected.like
    asked = addresses.get(expected.done.run_id) if expected.done else None
    return Preview(
        benchmark_id=planned.adapter.id,
        agent=planned.agent,
        provider=planned.provider,
        model=planned.model,
        options=options,
        signature=planned.signature.digest,
        would=expected.would,
        why=expected.why + (elsewhere(planned, asked) if expected.done else ""),
        seconds=like.duration_seconds if like else None,
        tokens=tokens_of(like.usage) if like else None,
        cost_usd=_cost(like, planned, prices),
    )


def _verdict(history: History, planned: PlannedRun, rules: Rules) -> _Expected:
    if planned.missing:
        return _Expected("incompatible", "; ".join(planned.missing))
    live = history.live_run(planned.signature.digest)
    if live and liveness(live.owner, live.last_seen_at) == "dead":
        return _Expected("run", f"{live.run_id} was left open by a dead orchestrator")
    verdict = rules.judge(history, planned)
    why = explain(history, planned, verdict).partition(": ")[2]
    if verdict.run or verdict.decided_by is None:
        return _Expected("run", why)
    return _Expected("skip", why, verdict.decided_by)


def _cost(like: Run | None, planned: PlannedRun, prices: Prices) -> float | None:
    price = prices.find(planned.provider, planned.model)
    return cost_of(like.usage, price) if like and price else None


def show(rows: Sequence[Preview], *, as_json: bool) -> None:
    """Print a preview with its totals."""
    due = [row for row in rows if row.would == "run"]
    if as_json:
        print_json({"work": rows, "would_run": len(due), "expected": _totals(due)})
        return
    columns = ["benchmark", "agent", "model", "options", "would", "time", "tokens", "cost", "why"]
    dispensable = ["agent", "cost", "tokens"]
    print_table(columns, map(_cells, rows), right=["time", "tokens", "cost"], dispensable=dispensable)
    unknown = sum(row.seconds is None for row in due)
    totals = _totals(due)
    expected = [
        *([f"about {_time(totals['seconds'])}"] if totals["seconds"] else []),
        *([f"{totals['tokens']:,.0f} tokens"] if totals["tokens"] else []),
        *([f"${totals['cost_usd']:.4g}"] if totals["cost_usd"] else []),
        *([f"{unknown} without history"] if unknown else []),
    ]
    print(f"\n{len(due)} of {len(rows)} would run" + (f": {', '.join(expected)}" if expected else ""))


def _totals(due: Sequence[Preview]) -> dict[str, float]:
    return {
        "seconds": sum(row.seconds or 0 for row in due),
        "tokens": sum(row.tokens or 0 for row in due),
        "cost_usd": sum(row.cost_usd or 0 for row in due),
    }


def _cells(row: Preview) -> list[str]:
    return [
        row.benchmark_id,
        row.agent,
        f"{row.provider}:{row.model}",
        format_options(row.options),
        row.would,
        "" if row.seconds is None else _time(row.seconds),
        "" if row.tokens is None else f"{row.tokens:,}",
        "" if row.cost_usd is None else f"${row.cost_usd:.4g}",
        row.why,
    ]


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"
