"""Records of Every Eval Ever, schemas 0.1 to 0.3: a run for each result.

https://github.com/evaleval/every_eval_ever
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .found import (
    Document,
    ForeignRun,
    PassedOver,
    UnreadableResult,
    all_bounded,
    at,
    count,
    decode_json,
    direction_of,
    finite,
    moment,
    number,
    revision,
    rows,
    table,
    without_nothing,
)

KIND = "every-eval-ever"

_NEWEST = (0, 3)
"""The newest schema that is known here."""

_MEASURE = ("metric_id", "metric_name", "metric_kind")
_NOISE = ("execution_command", "sandbox")
_MORE_NOISE = re.compile(
    "connection|timeout|retr|batch|device|path|command|log|cache|comparison_key|concurren", re.IGNORECASE
)
"""Settings that say how an evaluation was carried out, and not what the model was asked."""

_USAGE = ("input_tokens", "output_tokens", "total_tokens", "cached_tokens", "cost_usd")


def fits(document: Document) -> bool:
    """Whether a JSON file is such a record."""
    return "schema_version" in document and "evaluation_results" in document


def fits_older(document: Document) -> bool:
    """Whether it is a record from before schemas had versions."""
    return "schema_version" not in document and "evaluation_results" in document and "model_info" in document


def read(document: Document, path: Path, metric: str | None) -> list[ForeignRun | PassedOver]:
    """A run for each result; with `metric`, for those of that metric alone."""
    results = rows(document["evaluation_results"])
    fitting = [(index, row) for index, row in enumerate(results) if metric in (None, *_names(row))]
    if not fitting:
        raise UnreadableResult(path, f"no result of {metric} in it" if metric else "no result in it")
    taken = {str(row.get("evaluation_name")) for _, row in fitting}
    left = {str(row.get("evaluation_name")) for row in results} - taken
    named = Counter(repr(row.get("evaluation_name")) for row in results)
    return [
        *(_run(document, index, row, named) for index, row in fitting),
        *(PassedOver(name, f"it has no metric {metric}") for name in sorted(left)),
    ]


def _names(row: Document) -> tuple[object, ...]:
    config = table(row.get("metric_config"))
    return config.get("metric_id"), config.get("metric_name"), config.get("metric_kind"), row.get("evaluation_name")


def _run(document: Document, index: int, row: Document, of_name: Counter[str]) -> ForeignRun:
    config, details = table(row.get("metric_config")), table(row.get("score_details"))
    uncertainty = table(details.get("uncertainty"))
    model, source = table(document.get("model_info")), table(document.get("source_metadata"))
    data = table(row.get("source_data")) or table(document.get("source_data"))
    dataset, named = str(data.get("dataset_name") or ""), str(row.get("evaluation_name") or "")
    score = _score(config, details)
    provider, name = _model(model)
    measure = _measure(config)
    lower, known = config.get("lower_is_better"), direction_of(str(measure.get("metric") or named))
    return ForeignRun(
        name=str(row.get("evaluation_result_id") or index),
        harness="every_eval_ever",
        benchmark=dataset or named,
        status="failed" if score is None else "succeeded",
        reason="no_score" if score is None else None,
        error="the record has no score" if score is None else None,
        provider=provider,
        model=name,
        score=score,
        unit=_unit(config),
        higher_is_better=not lower if isinstance(lower, bool) else known is not False,
        samples=count(uncertainty.get("num_samples")) or count(data.get("samples_number")),
        stderr=number(table(uncertainty.get("standard_error")).get("value")),
        usage=_usage(details),
        config=without_nothing(
            {
                "evaluation": named,
                "split": data.get("hf_split"),
                **measure,
                **_asked(table(row.get("generation_config"))),
            }
        ),
        started_at=moment(
            row.get("evaluation_timestamp")
            or document.get("evaluation_timestamp")
            # Some records do not say when: it was before they were made.
            or document.get("retrieved_timestamp")
        ),
        provenance=without_nothing(
            {
                "harness": table(document.get("eval_library")).get("name") or source.get("source_name"),
                "version": table(document.get("eval_library")).get("version"),
                "evaluation_id": document.get("evaluation_id"),
                "organization": source.get("source_organization_name"),
                "relationship": source.get("evaluator_relationship"),
                "dataset": data,
            }
        ),
        notes=list(_notes(document, lower, known, measure.get("metric") or named)),
        task_revision=revision(at(data, "additional_details", "benchmark_version"), data.get("hf_revision")),
        sought=_sought(document, row, of_name),
    )


def _sought(document: Document, row: Document, of_name: Counter[str]) -> dict[str, Any]:
    """What names the rows of a result, and the file that they are in. `of_name` counts the results of each name."""
    details = table(document.get("detailed_evaluation_results"))
    named = row.get("evaluation_name")
    is_sha256 = details.get("hash_algorithm") in (None, "sha256")
    return {
        "result": row.get("evaluation_result_id"),
        "name": named,
        "is_only": of_name[repr(named)] == 1,
        "file": details.get("file_path"),
        "checksum": details.get("checksum") if is_sha256 else None,
    }


def _model(model: Document) -> tuple[str, str]:
    """Provider and model. Of a platform that serves models of others, the model's name keeps its developer."""
    name = str(model.get("id") or model.get("name") or "")
    developer, _, plain = name.rpartition("/")
    platform = str(model.get("inference_platform") or "")
    if platform and developer and platform.lower() != developer.lower():
        return platform, name
    return platform or str(model.get("developer") or developer), plain


def _score(config: Document, details: Document) -> float | None:
    """The score; a metric of levels may say with -1 that it is unknown."""
    score = number(details.get("score"))
    return None if config.get("has_unknown_level") is True and score == -1 else score


def _measure(config: Document) -> dict[str, Any]:
    """What was measured, with all that distinguishes metrics: some records have only a name, or only an id."""
    known = [config[key] for key in _MEASURE if config.get(key)]
    name = config.get("metric_name")
    return {
        "metric": known[0] if known else config.get("evaluation_description"),
        "metric_name": name if known and _plain(name) not in ("", _plain(known[0])) else None,
        "metric_parameters": config.get("metric_parameters"),
    }


def _plain(name: object) -> str:
    return re.sub(r"[^a-z0-9]+", "", str(name or "").lower())


def _asked(generation: Document) -> dict[str, Any]:
    """What the model was asked with."""
    arguments, more = table(generation.get("generation_args")), table(generation.get("additional_details"))
    return {
        "generation": _without(arguments, _NOISE.__contains__),
        "details": _without(more, lambda name: _MORE_NOISE.search(name) is not None),
    }


def _without(settings: Document, is_noise: Callable[[str], bool]) -> dict[str, Any]:
    return all_bounded({name: value for name, value in without_nothing(settings).items() if not is_noise(name)})


def _usage(details: Document) -> dict[str, Any]:
    """Tokens and cost, which the format has no field for: exports of this program write them among the details."""
    try:
        usage = decode_json(str(table(details.get("details")).get("usage") or "{}").encode())
    except ValueError:
        return {}
    return finite({name: value for name, value in table(usage).items() if name in _USAGE})


def _notes(document: Document, lower: object, known: bool | None, measure: object) -> Iterator[str]:
    version = tuple(count(part) or 0 for part in str(document.get("schema_version")).split(".")[:2])
    if version > _NEWEST:
        yield f"the schema is {document.get('schema_version')}, newer than the known 0.3, and was read as that"
    if not isinstance(lower, bool) and known is None:
        yield f"the record does not say whether more or less of {measure} is better: it is taken for more"


def _unit(config: Document) -> str:
    unit = config.get("metric_unit")
    if unit:
        return "ratio" if unit in ("proportion", "fraction") else str(unit)
    return "ratio" if (number(config.get("min_score")), number(config.get("max_score"))) == (0, 1) else "score"
