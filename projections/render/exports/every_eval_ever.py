"""Every Eval Ever: the EvalEval coalition's common format for results, version 0.3.0, a document for each run.

Source: github.com/evaleval/every_eval_ever, `eval.schema.json` and `instance_level_eval.schema.json`. What a ledger
does not say is not made up: the model's developer is the part of its name before a slash, or left out, and whether its
weights are open is `unknown`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import msgspec

from ....ledger.events import Json
from ....ledger.fold import Run
from ....ledger.identity import parse_utc
from ...scores.distributions import CONFIDENCE
from ...scores.uncertainty import BOUNDS, uncertainty
from ..text import BENCHMARK_NAME

SCHEMA_VERSION = "0.3.0"

Relationship = Literal["first_party", "third_party", "collaborative", "other"]

_UNITS = {"ratio": "proportion"}
_METHODS = {"wilson": "Wilson score", "t": "Student's t", "bootstrap": "bootstrap"}
_NO_BOUNDS = ("-Infinity", "Infinity")
"""How the format writes that a score has no least and no largest value: without any, a document is not valid."""
_OWN_MACHINE = {"local", "ollama", "vllm"}
_NO_FOLDER = re.compile(r'[<>:"\\|?*/\x00-\x1f]')
_RESERVED = re.compile(r"CON|PRN|AUX|NUL|(?:COM|LPT)[1-9]")
_MAX_FOLDER_BYTES = 200


class Evaluator(msgspec.Struct, frozen=True):
    """Who evaluated, and how they stand to the makers of the models."""

    organization: str = "unknown"
    relationship: Relationship = "other"


def documents(runs: Sequence[Run], evaluator: Evaluator) -> list[Json]:
    """A document for each run with a score; the runs must be those that count."""
    return [_document(run, evaluator) for run in runs if run.score is not None]


def write_documents(
    runs: Sequence[Run], evaluator: Evaluator, folder: Path, read_rows: Callable[[Run], Sequence[Json]]
) -> list[Path]:
    """Write each document to `folder`, at the path that the coalition's data store gives it. Raises OSError.

    `data/<benchmark>/<developer>/<model>/<uuid>.json`; the UUID comes from the run's id, so that writing again gives
    the same files. Samples of question and answer (`read_rows` gives them, or none) stand beside it, as
    `<uuid>_samples.jsonl`.
    """
    paths = []
    for run in runs:
        if run.score is None:
            continue
        developer, model = _folders(_model_id(run))
        # The store wants a random UUID (version 4), but the same run must not become another file.
        name = UUID(bytes=sha256(run.run_id.encode()).digest()[:16], version=4)
        path = folder / "data" / _folder(run.benchmark_id) / developer / model / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        document = _document(run, evaluator)
        if instances := _instances(document, read_rows(run)):
            lines = b"".join(msgspec.json.encode(instance) + b"\n" for instance in instances)
            beside = path.with_name(f"{name}_samples.jsonl")
            beside.write_bytes(lines)
            document["detailed_evaluation_results"] = {
                "format": "jsonl",
                "file_path": beside.relative_to(folder).as_posix(),
                "hash_algorithm": "sha256",
                "checksum": sha256(lines).hexdigest(),
                "total_rows": len(instances),
            }
        path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
        paths.append(path)
    return paths


def _document(run: Run, evaluator: Evaluator) -> Json:
    ended = f"{_ended(run).timestamp():.6f}"
    model_id = _model_id(run)
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{run.benchmark_id}/{model_id}/{ended}",
        "evaluation_timestamp": run.started_at,
        "retrieved_timestamp": ended,
        "source_metadata": {
            "source_name": "Benchmark Orchestrator",
            "source_type": "evaluation_run",
            "source_organization_name": evaluator.organization,
            "evaluator_relationship": evaluator.relationship,
            "additional_details": _texts(
                {
                    "run_id": run.run_id,
                    "run_group_id": run.run_group_id,
                    "signature": run.signature,
                    "attempt": run.attempt,
                    "ledger_position": run.last_seq,
                    "imported_from": run.imported,
                    "synthetic": run.synthetic,
                }
            ),
        },
        "eval_library": {
            "name": "benchmark-orchestrator",
            "version": str(run.provenance.get("orchestrator") or "unknown"),
            "additional_details": _texts({"manifest": run.provenance.get("manifest")}),
        },
        "model_info": _model(run, model_id),
        "evaluation_results": [_result(run)],
    }


def _ended(run: Run) -> datetime:
    try:
        return parse_utc(run.ended_at or run.started_at)
    except ValueError:
        return parse_utc(run.created_at)  # Who imports it may have written anything; this is the ledger's own.


def _model(run: Run, model_id: str) -> Json:
    developer = run.model.partition("/")[0] if "/" in run.model else ""
    return {
        "name": run.model,
        "id": model_id,
        **({"developer": developer} if developer else {}),
        "inference_platform": run.provider,
        "additional_details": {
            "deployment_type": "self_deployed" if run.provider in _OWN_MACHINE else "unknown",
            "model_availability": "unknown",
            **_texts({"model_sha256": run.provenance.get("model_sha256")}),
        },
    }


def _result(run: Run) -> Json:
    unit = run.unit or ""
    least, most = _bounds(unit, run.score)
    options = {"options": run.extra_config, "comparison_key": run.comparison_key}
    return {
        "evaluation_result_id": run.run_id,
        "evaluation_name": _benchmark(run),
        "evaluation_timestamp": run.ended_at or run.started_at,
        "source_data": {
            "dataset_name": _benchmark(run),
            "source_type": "other",
            "additional_details": _texts(options | {"benchmark_version": run.benchmark_version}),
        },
        "metric_config": {
            "metric_id": f"{run.benchmark_id}.score",
            "metric_name": "score",
            "metric_unit": _UNITS.get(unit, unit),
            "lower_is_better": run.higher_is_better is False,
            "score_type": "continuous",
            "min_score": least,
            "max_score": most,
        },
        "score_details": {
            "score": run.score,
            "details": _texts({"metrics": run.metrics, "usage": run.usage}),
            **({"uncertainty": uncertainty} if (uncertainty := _uncertainty(run)) else {}),
        },
        "generation_config": {"additional_details": _texts({"agent": run.agent} | options)},
    }


def _bounds(unit: str, score: float | None) -> tuple[float | str, float | str]:
    """The least and the largest score that the unit allows; a score beyond them shows that it has others."""
    least, most = BOUNDS.get(unit, (-math.inf, math.inf))
    return (least, most) if score is not None and math.isfinite(most) and least <= score <= most else _NO_BOUNDS


def _benchmark(run: Run) -> str:
    """The benchmark's own name, if it comes from elsewhere and its id is not that."""
    name = run.extra_config.get(BENCHMARK_NAME)
    return name if isinstance(name, str) and name else run.benchmark_id


def _uncertainty(run: Run) -> Json:
    known: dict[str, Any] = {} if run.samples is None else {"num_samples": run.samples}
    if run.score is None:
        return known
    found = uncertainty([run])
    if found.stderr is not None:
        is_reported = found.stderr == run.stderr
        method = "as reported by the benchmark" if is_reported else "of a proportion of the samples"
        known["standard_error"] = {"value": found.stderr, "method": method}
    if found.low is not None:
        known["confidence_interval"] = {
            "lower": found.low,
            "upper": found.high,
            "confidence_level": CONFIDENCE,
            "method": _METHODS[found.method or "t"],
        }
    return known


def _instances(document: Json, rows: Sequence[Json]) -> list[Json]:
    """The records of samples (`instance_level_eval.schema.json`); none if a sample is not a question with an answer."""
    if not all(isinstance(row.get("input"), str) and isinstance(row.get("output"), str) for row in rows):
        return []
    return [_instance(document, row) for row in rows]


def _instance(document: Json, row: Json) -> Json:
    [result] = document["evaluation_results"]
    reference = [_text(row["expected"])] if row.get("expected") is not None else []
    tokens = [row.get(name) for name in ("input_tokens", "output_tokens")]
    read, written = [count if isinstance(count, int) and count >= 0 else None for count in tokens]
    instance: Json = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": document["evaluation_id"],
        "model_id": document["model_info"]["id"],
        "evaluation_name": result["evaluation_name"],
        "evaluation_result_id": result["evaluation_result_id"],
        "sample_id": str(row["id"]),
        "sample_hash": sha256("".join([row["input"], *reference]).encode(errors="surrogatepass")).hexdigest(),
        "interaction_type": "single_turn",
        "input": {"raw": row["input"], "reference": reference},
        "output": {"raw": [row["output"]]},
        "answer_attribution": [],
        "evaluation": {"score": row["score"], "is_correct": row.get("correct", row["score"] == 1) is True},
    }
    if read is not None and written is not None:
        total = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
        instance["token_usage"] = total
    if isinstance(latency := row.get("latency_ms"), int | float) and latency >= 0:
        instance["performance"] = {"latency_ms": latency}
    return instance


def _model_id(run: Run) -> str:
    """The model as the coalition's data store names it: with its developer, else with its provider."""
    return run.model if "/" in run.model or not run.provider else f"{run.provider}/{run.model}"


def _folders(model_id: str) -> tuple[str, str]:
    """The two folders in which the store looks for a model: the first part of its id, and the rest as one name."""
    first, *rest = [part for part in model_id.split("/") if part] or [""]
    developer, model = (first, "_".join(rest)) if rest else ("unknown", first)
    return _folder(developer), _folder(model)


def _folder(name: str) -> str:
    """A name as one folder on any system, as the store's own tools make it; a name that they refuse has a digest."""
    folder = _NO_FOLDER.sub("_", name).rstrip(". ")
    if folder != name.replace(":", "_") or len(folder.encode()) > _MAX_FOLDER_BYTES:
        digest = sha256(name.encode()).hexdigest()[:10]
        folder = f"{folder.encode()[: _MAX_FOLDER_BYTES - 11].decode(errors='ignore')}-{digest}"
    is_reserved = folder == "data" or _RESERVED.fullmatch(folder.partition(".")[0].upper())
    return f"_{folder}" if is_reserved else folder or "_"


def _texts(facts: Json) -> dict[str, str]:
    """What is known of them, as the texts that the format asks for; what has structure as JSON."""
    return {name: _text(value) for name, value in facts.items() if value not in (None, "", {}, [], False)}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
