"""Charts as Vega-Lite specifications: plain data, drawn by `drawing`."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from ....ledger.events import Json
from ....ledger.fold import Run
from ...scores.leaderboard import Standing, Task
from ..text import format_options, format_unit, named

_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
# Okabe and Ito's colours, which people of every colour vision can tell apart; without the yellow, too pale on white.
_COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000"]
_WIDTH = 560
_MAX_CONTENDERS = 30
_MAX_LINES = len(_COLOURS)
_CONFIG = {
    "font": "Helvetica, Arial, sans-serif",
    "view": {"stroke": None},
    "axis": {"labelLimit": 320, "grid": True, "gridColor": "#e5e5e5", "domain": False, "ticks": False},
    "legend": {"orient": "bottom", "columns": 2, "labelLimit": 320, "title": None},
    "title": {"anchor": "start", "subtitleColor": "#555555"},
    "range": {"category": _COLOURS},
}


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """A chart: a name for its file, what it shows in words, and its Vega-Lite specification."""

    name: str
    title: str
    description: str
    spec: Json


def score_chart(standings: Sequence[Standing]) -> Chart:
    """The mean scores on one task, the best on top, each with its 95% interval; and the reference as a line."""
    shown = standings[:_MAX_CONTENDERS]
    first = shown[0]
    values = [_score_value(standing) for standing in shown]
    order = list(dict.fromkeys(value["who"] for value in values))
    # Shares of a whole are shown on the whole, so that a small difference looks small.
    scale = {"domain": [0, 1], "clamp": True} if first.task.unit == "ratio" else {"zero": False, "padding": 12}
    score_axis = {"type": "quantitative", "title": _unit_title(first.task), "scale": scale}
    contender = {"field": "who", "type": "nominal", "title": None, "sort": order}
    layers: list[Json] = [
        {
            "transform": [{"filter": "isValid(datum.low)"}],
            "mark": {"type": "rule", "strokeWidth": 2, "color": _COLOURS[0]},
            "encoding": {"x": {"field": "low", **score_axis}, "x2": {"field": "high"}, "y": contender},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1, "color": _COLOURS[0]},
            "encoding": {"x": {"field": "score", **score_axis}, "y": contender},
        },
    ]
    layers += _reference(first, "x", score_axis)
    title = _title(first)
    more = f"; the best {len(shown)} of {len(standings)}" if len(standings) > len(shown) else ""
    told = "; ".join(f"{value['who']}: {value['score']:.3f}" for value in values)
    return Chart(
        name=f"scores-{_slug(title)}-{first.task.comparison_key[:8]}",
        title=title,
        description=f"Mean scores on {title}{more}: {told}",
        spec=_spec(title, f"mean scores with 95% intervals{more}", layers, height={"step": 26}, values=values),
    )


def history_chart(standings: Sequence[Standing], runs: Sequence[Run]) -> Chart:
    """The score of each run of one task over time (UTC), a line for each agent and model; and the reference."""
    shown = standings[:_MAX_LINES]
    first = shown[0]
    names = {_who(standing.agent, standing.provider, standing.model) for standing in shown}
    values: list[Json] = [
        {"at": run.ended_at or run.started_at, "score": run.score, "who": _who(run.agent, run.provider, run.model)}
        for run in runs
        if _who(run.agent, run.provider, run.model) in names
    ]
    score_axis = {"type": "quantitative", "title": _unit_title(first.task), "scale": {"zero": False}}
    encoding = {
        "x": {"field": "at", "type": "temporal", "title": None, "scale": {"type": "utc"}},
        "y": {"field": "score", **score_axis},
        "color": {"field": "who", "type": "nominal"},
    }
    mark = {"type": "line", "strokeWidth": 1.5, "point": {"filled": True, "size": 45}}
    title = _title(first)
    more = f"; the best {len(shown)} of {len(standings)}" if len(standings) > len(shown) else ""
    return Chart(
        name=f"history-{_slug(title)}-{first.task.comparison_key[:8]}",
        title=title,
        description=f"The scores of {len(values)} runs of {title} over time{more}",
        spec=_spec(
            title,
            f"scores over time (UTC){more}",
            [{"mark": mark, "encoding": encoding}, *_reference(first, "y", score_axis)],
            height=220,
            values=values,
        ),
    )


def _spec(title: str, subtitle: str, layers: list[Json], *, height: object, values: list[Json]) -> Json:
    return {
        "$schema": _SCHEMA,
        "title": {"text": title, "subtitle": subtitle},
        "width": _WIDTH,
        "height": height,
        "data": {"values": values},
        "layer": layers,
        "config": _CONFIG,
    }


def _reference(standing: Standing, channel: str, score_axis: Json) -> list[Json]:
    """A dashed line at the reference score, with its label."""
    reference = standing.high_score
    if reference is None:
        return []
    data = {"values": [{"reference": reference.value, "label": reference.label}]}
    at = {channel: {"field": "reference", **score_axis}}
    label = {"align": "right", "dx": -4, "baseline": "bottom", "color": "#555555", "fontSize": 10, "limit": _WIDTH}
    place = {"y": {"value": 10}} if channel == "x" else {"x": {"value": _WIDTH}}
    return [
        {"data": data, "mark": {"type": "rule", "strokeDash": [4, 4], "color": "#555555"}, "encoding": at},
        {"data": data, "mark": {"type": "text", **label}, "encoding": {**at, **place, "text": {"field": "label"}}},
    ]


def _score_value(standing: Standing) -> Json:
    score = standing.score
    return {
        "who": _who(standing.agent, standing.provider, standing.model),
        "score": score.mean,
        "low": score.low,
        "high": score.high,
    }


def _who(agent: str, provider: str, model: str) -> str:
    return f"{model} ({provider}), {agent}"


def _title(standing: Standing) -> str:
    name = named(standing.task.benchmark_id, standing.config)
    return " ".join(filter(None, (name, format_options(standing.task_options))))


def _unit_title(task: Task) -> str:
    return format_unit(task.unit, task.higher_is_better) or "score"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60]
