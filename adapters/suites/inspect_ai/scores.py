"""What the results of an Inspect log say: every metric by its own name, and the one that is the score."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_SPREAD = re.compile(
    r"(?:.*[/_])?(?:stderr|std|stddev|std_dev|var|variance|sem|standard_error|standard_deviation|confidence_interval"
    r"|margin_of_error|ci|ci_\w+)[0-9]*"
)
_AGGREGATE = "all"
"""What Inspect calls the value of all samples, in a group of values, unless the task names it otherwise."""


@dataclass(frozen=True)
class Metric:
    """A metric of a score: `name` is unlike that of any other one of the log; `value` is None for NaN.

    `measure` is what was measured: of `all` of a group of accuracies, and of a second `accuracy2`, it is `accuracy`.
    `is_aggregate` marks the value of all samples in a group of values. `samples` are those that it was computed from,
    with all epochs of one sample as one; None if the log is older.
    """

    name: str
    scorer: str
    metric: str
    measure: str
    reducer: str | None
    value: float | None
    stderr: float | None
    samples: int | None
    unscored: int
    is_spread: bool
    group: str | None
    is_aggregate: bool
    entry: int


def metrics(results: Mapping[str, Any]) -> list[Metric]:
    """Every metric, in the order of the log. Logs of version 1 have one scorer, whose metrics stand beside it."""
    entries = [entry for entry in _list(results.get("scores")) if isinstance(entry, Mapping)]
    if not entries and isinstance(results.get("metrics"), Mapping):
        scorer = results.get("scorer")
        entries = [{**(scorer if isinstance(scorer, Mapping) else {}), "metrics": results["metrics"]}]
    return [metric for place in range(len(entries)) for metric in _metrics(entries, place)]


def headline(results: Mapping[str, Any], declared: Mapping[str, Any] | None = None) -> Metric | None:
    """The metric that is the score: what the log names as its headline, else the first.

    `declared` is what the task itself names (`eval.headline_metric`). Without that, the headline is only the first
    metric, and a measure of spread or one value of a group is passed over. Its value may be None: a metric that came
    out as NaN gives way to none.
    """
    every = metrics(results)
    named = _mapping(results.get("headline")) or _mapping(declared)
    found = _named(every, results, named) if named else None
    if found is not None and not found.is_spread and (found.group is None or _mapping(declared).get("metric")):
        return found
    # A headline that is not a score still says which scorer is meant.
    first = found.entry if found is not None else 0
    plain = [metric for metric in every if not metric.is_spread]
    return next(
        (
            metric
            for fits in (
                lambda metric: metric.group is None and metric.entry == first,
                lambda metric: metric.is_aggregate and metric.entry == first,
                lambda metric: metric.group is None,
                lambda metric: metric.is_aggregate,
            )
            for metric in plain
            if fits(metric)
        ),
        None,
    )


def summary(log: Any) -> dict[str, Any]:
    """The headline of a log or of its header: name, score and stderr (or None), samples, unscored, notes."""
    document = _mapping(log)
    results = _mapping(document.get("results"))
    chosen = headline(results, _mapping(document.get("eval")).get("headline_metric"))
    return {
        "name": chosen.name if chosen else None,
        "score": chosen.value if chosen else None,
        "stderr": chosen.stderr if chosen else None,
        "samples": samples(document, chosen),
        "unscored": unscored(document, chosen),
        "notes": notes(document, chosen),
    }


def notes(log: Mapping[str, Any], chosen: Metric | None) -> list[str]:
    """What people must know beside the score."""
    missing = unscored(log, chosen)
    scored = samples(log, chosen) or 0
    if not missing:
        return []
    note = f"{missing} of {scored + missing} samples have no score"
    return [f"{note}, and the score is of the others" if scored else note]


def samples(log: Mapping[str, Any], chosen: Metric | None) -> int | None:
    """How many samples the score is of; an epoch is not a sample of its own."""
    if chosen is not None and chosen.samples is not None:
        return chosen.samples
    return _per_epoch(log, "completed_samples")


def unscored(log: Mapping[str, Any], chosen: Metric | None) -> int:
    """How many samples have no score: they ended with an error, or nothing could be said of their answer."""
    total, scored = _per_epoch(log, "total_samples"), samples(log, chosen)
    missing = 0 if total is None or scored is None else max(0, total - scored)
    return max(missing, 0 if chosen is None else chosen.unscored)


def _per_epoch(log: Mapping[str, Any], name: str) -> int | None:
    config = _mapping(_mapping(log.get("eval")).get("config"))
    count, epochs = _whole(_mapping(log.get("results")).get(name)), _whole(config.get("epochs")) or 1
    # Part of the last epoch is missing: the samples that were begun.
    return None if count is None else -(-count // epochs)


def _named(every: list[Metric], results: Mapping[str, Any], named: Mapping[str, Any]) -> Metric | None:
    """As Inspect resolves it: each field narrows the scores; a name that fits nothing makes all of it void."""
    entries = [entry for entry in _list(results.get("scores")) if isinstance(entry, Mapping)]
    places = list(range(len(entries)))
    for field, key in (("reducer", "reducer"), ("scorer", "scorer"), ("score", "name")):
        if named.get(field) is not None:
            places = [place for place in places if entries[place].get(key) == named[field]]
    fitting = [metric for place in places for metric in every if metric.entry == place]
    if named.get("metric") is None:
        return next((metric for metric in fitting if not places or metric.entry == places[0]), None)
    return next((metric for metric in fitting if metric.metric == named["metric"]), None)


def _metrics(entries: list[Mapping[str, Any]], place: int) -> Iterator[Metric]:
    entry = entries[place]
    scorer, suffix = _name(entries, place)
    table = {str(key): _mapping(value) for key, value in _mapping(entry.get("metrics")).items()}
    stderr = _number(table.get("stderr", {}).get("value"))
    for key, value in table.items():
        group, params = value.get("group"), _mapping(value.get("params"))
        named = str(value.get("name") or key)
        # Of a group of values, what each of them is; the names are those of the groups.
        measure = str(_mapping(params.get("metric")).get("name") or named).rpartition("/")[2]
        is_spread = any(_SPREAD.fullmatch(text.lower()) for text in (key, named, measure))
        yield Metric(
            name=f"{scorer}/{key}{suffix}",
            scorer=scorer,
            metric=key,
            measure=measure,
            reducer=None if entry.get("reducer") is None else str(entry["reducer"]),
            value=_number(value.get("value")),
            stderr=None if is_spread or group is not None else stderr,
            samples=_whole(entry.get("scored_samples")),
            unscored=_whole(entry.get("unscored_samples")) or 0,
            is_spread=is_spread,
            group=None if group is None else str(group),
            is_aggregate=group is not None and named == str(params.get("all_label") or _AGGREGATE),
            entry=place,
        )


def _name(entries: list[Mapping[str, Any]], place: int) -> tuple[str, str]:
    """The unique name of an entry: its score's name, and what follows the metric: `[<reducer>]` if there are several.

    Two scorers that return tables may share a key: then the scorer stands before it.
    """
    entry = entries[place]
    name, reducer = str(entry.get("name")), entry.get("reducer")
    alike = [other for other in entries if str(other.get("name")) == name]
    if len({str(other.get("scorer")) for other in alike}) > 1:
        name = f"{entry.get('scorer')}.{name}"
        alike = [other for other in alike if other.get("scorer") == entry.get("scorer")]
    if len(alike) == 1:
        return name, ""
    if len({str(other.get("reducer")) for other in alike}) == len(alike):
        return name, f"[{reducer}]"
    number = next(number for number, other in enumerate(alike, 1) if other is entry)
    return name, f"[{reducer or ''}#{number}]"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _whole(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and 0 <= number <= 2**53 and number.is_integer() else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
