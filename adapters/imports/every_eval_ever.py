"""Records of Every Eval Ever, schemas 0.1 to 0.3: a run for each result.

https://github.com/evaleval/every_eval_ever
"""

from __future__ import annotations

from pathlib import Path

from .found import Document, ForeignRun, UnreadableResult, count, moment, number, rows, slug, table, without_nothing

KIND = "every-eval-ever"


def fits(document: Document) -> bool:
    """Whether a JSON file is such a record."""
    return "schema_version" in document and "evaluation_results" in document


def read(document: Document, path: Path, metric: str | None) -> list[ForeignRun]:
    """A run for each result; with `metric`, for those of that metric alone."""
    found = [
        _run(document, index, row)
        for index, row in enumerate(rows(document["evaluation_results"]))
        if metric in (None, *_names(row))
    ]
    if not found:
        raise UnreadableResult(path, f"no result of {metric} in it" if metric else "no result in it")
    return found


def _names(row: Document) -> tuple[object, ...]:
    config = table(row.get("metric_config"))
    return config.get("metric_id"), config.get("metric_name"), config.get("metric_kind"), row.get("evaluation_name")


def _run(document: Document, index: int, row: Document) -> ForeignRun:
    config, details = table(row.get("metric_config")), table(row.get("score_details"))
    uncertainty = table(details.get("uncertainty"))
    model, source = table(document.get("model_info")), table(document.get("source_metadata"))
    data = table(row.get("source_data")) or table(document.get("source_data"))
    dataset, named = str(data.get("dataset_name") or ""), str(row.get("evaluation_name") or "")
    score = number(details.get("score"))
    developer, _, plain = str(model.get("id") or model.get("name") or "").rpartition("/")
    generation = table(row.get("generation_config"))
    return ForeignRun(
        name=str(row.get("evaluation_result_id") or index),
        harness="every_eval_ever",
        benchmark_id=slug(dataset or named),
        status="failed" if score is None else "succeeded",
        reason="no_score" if score is None else None,
        error="the record has no score" if score is None else None,
        provider=str(model.get("inference_platform") or model.get("developer") or developer),
        model=plain,
        score=score,
        unit=_unit(config),
        higher_is_better=config.get("lower_is_better") is not True,
        samples=count(uncertainty.get("num_samples")) or count(data.get("samples_number")),
        stderr=number(table(uncertainty.get("standard_error")).get("value")),
        config=without_nothing(
            {
                "evaluation": named,
                "metric": config.get("metric_id") or config.get("evaluation_description"),
                "generation": table(generation.get("generation_args")),
            }
        ),
        started_at=moment(row.get("evaluation_timestamp") or document.get("evaluation_timestamp")),
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
    )


def _unit(config: Document) -> str:
    unit = config.get("metric_unit")
    if unit:
        return "ratio" if unit in ("proportion", "fraction") else str(unit)
    return "ratio" if (number(config.get("min_score")), number(config.get("max_score"))) == (0, 1) else "score"
