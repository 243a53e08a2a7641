"""`results_*.json` of lm-evaluation-harness 0.4: a run for each task or group that is not part of another group."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from ..suites.lm_eval.scores import choose, members, metric_names, metrics_of, stderr_of
from .found import (
    Document,
    ForeignRevision,
    ForeignRun,
    PassedOver,
    UnreadableResult,
    all_bounded,
    at,
    count,
    direction_of,
    moment,
    number,
    revision,
    table,
    unit_of,
    without_nothing,
)

KIND = "lm-eval-results"

_CONFIG = ("num_fewshot", "repeats", "generation_kwargs")
_PROMPT = (
    "description doc_to_text doc_to_choice doc_to_target target_delimiter fewshot_delimiter gen_prefix "
    "fewshot_split filter_list output_type dataset_name test_split validation_split"
).split()
"""What of a task's configuration makes the text that the model sees, and what is taken from its answer."""

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_NAMES_OF_MODELS = ("peft", "delta", "pretrained", "model", "path", "engine")
_SECRET = re.compile("key|token|secret|password|auth", re.IGNORECASE)
_VARIANTS = (
    "revision subfolder gguf_file load_in_4bit load_in_8bit quantization autogptq gptqmodel lora_local_path "
    "add_bos_token enable_thinking think_end_token chat_template_args reasoning_effort max_length max_model_len "
    "max_gen_toks truncation prefix_token_id"
).split()
"""Arguments of a model that change what it is, or what it sees of a prompt and may answer."""


def fits(document: Document) -> bool:
    """Whether a JSON file is such a file."""
    return isinstance(document.get("results"), dict) and "configs" in document and "versions" in document


def fits_older(document: Document) -> bool:
    """Whether it is one of lm-eval 0.3 and before, which named neither filters nor configurations."""
    is_table = isinstance(document.get("results"), dict)
    return is_table and {"versions", "config"} <= document.keys() and "configs" not in document


def read(document: Document, path: Path, metric: str | None) -> list[ForeignRun | PassedOver]:
    """A run for each; `metric` names the score, with or without its filter, instead of each task's first metric.

    A group without such a metric gives way to its members. A task without it is passed over.
    """
    tasks = list(_tasks(document, metric))
    if not tasks:
        raise UnreadableResult(path, "no results in it")
    names = {task: metric_names(_values(document, task)) for task in tasks}
    if metric is not None and not any(choose(some, metric) for some in names.values()):
        there = sorted({name for some in names.values() for name in some})
        raise UnreadableResult(path, f"no task in it has a metric {metric}; known: {', '.join(there) or 'none'}")
    return [
        _run(document, task, choose(some, metric))
        if metric is None or choose(some, metric)
        else PassedOver(task, f"it has no metric {metric}; known: {', '.join(some) or 'none'}")
        for task, some in names.items()
    ]


def _tasks(document: Document, metric: str | None) -> Iterator[str]:
    """The tasks and groups that become runs, each once."""
    below = table(document.get("group_subtasks"))
    inner = {member for some in below.values() for member in some or ()}
    known = dict.fromkeys([*table(document["results"]), *(group for group, some in below.items() if some)])
    seen: set[str] = set()

    def expanded(name: str) -> Iterator[str]:
        if name in seen:
            return
        seen.add(name)
        if below.get(name) and choose(metric_names(_values(document, name)), metric) is None:
            for member in below[name]:
                yield from expanded(str(member))
        elif name in table(document["results"]):
            yield name

    for name in [name for name in known if name not in inner] or known:
        yield from expanded(name)


def _run(document: Document, task: str, metric: str | None) -> ForeignRun:
    """The run of a task or group; `metric` is the key of its score in the task's results, None if it has no metric."""
    row = _values(document, task)
    base = (metric or "").partition(",")[0]
    score = number(row.get(metric)) if metric else None
    leaves = members(document, task)
    direction, notes = _direction(document, task, leaves, base) if metric else (True, [])
    provider, model = _model(document)
    return ForeignRun(
        name=task,
        harness="lm_eval",
        benchmark=task,
        status="failed" if score is None else "succeeded",
        reason="no_score" if score is None else None,
        error=_without_score(task, metric, row) if score is None else None,
        provider=provider,
        model=model,
        score=score,
        unit=unit_of(base) if metric else None,
        higher_is_better=direction,
        samples=_samples(document, leaves),
        stderr=number(row.get(stderr_of(metric))) if metric else None,
        metrics=metrics_of(row) | {leaf: metrics_of(_values(document, leaf)) for leaf in leaves if leaf != task},
        config=without_nothing({"task": task, "metric": metric, **all_bounded(_options(document, leaves))}),
        started_at=moment(document.get("date")),
        ended_at=None,
        duration_seconds=number(document.get("total_evaluation_time_seconds")),
        benchmark_version=_text(at(document, "versions", task)),
        provenance=_provenance(document, task),
        notes=notes,
        task_revision=_revision(document, task, leaves),
        sought={"tasks": leaves, "metric": base, "filter": (metric or "").partition(",")[2]},
    )


def _revision(document: Document, task: str, leaves: list[str]) -> ForeignRevision | None:
    """The versions of the tasks, and the revisions of their data if they are pinned."""
    versions = [at(document, "versions", leaf) for leaf in leaves]
    own = at(document, "versions", task)
    data = [at(document, "configs", leaf, "dataset_kwargs", "revision") for leaf in leaves]
    return revision(
        own if own is not None else _common(versions) if any(versions) else None,
        _common(data) if any(data) else None,
    )


def _without_score(task: str, metric: str | None, row: dict[str, Any]) -> str:
    return f"{metric} is {row[metric]}" if metric else f"{task} has no metric"


def _samples(document: Document, leaves: list[str]) -> int | None:
    """The number of samples of all tasks; None if the file does not say it."""
    return sum(count(at(document, "n-samples", leaf, "effective")) or 0 for leaf in leaves) or None


def _provenance(document: Document, task: str) -> dict[str, Any]:
    return without_nothing(
        {
            "harness": "lm_eval",
            "version": document.get("lm_eval_version"),
            "git_hash": document.get("git_hash"),
            "task_hash": at(document, "task_hashes", task),
        }
    )


def _values(document: Document, task: str) -> dict[str, Any]:
    return table(at(document, "results", task))


def _options(document: Document, leaves: list[str]) -> dict[str, Any]:
    """What the score depends on besides the model: how many samples, and what the model was shown and asked for."""
    given = table(document.get("config"))
    configs = [table(at(document, "configs", leaf)) for leaf in leaves]
    own = {key: _common([config.get(key) for config in configs]) for key in _CONFIG}
    if own["num_fewshot"] is None:
        own["num_fewshot"] = _common([at(document, "n-shot", leaf) for leaf in leaves])
    return own | {
        "limit": given.get("limit"),
        "samples": _chosen_samples(document, leaves),
        "gen_kwargs": _generation(given.get("gen_kwargs")),
        "fewshot_seed": given.get("fewshot_seed"),
        "fewshot_as_multiturn": document.get("fewshot_as_multiturn") or given.get("fewshot_as_multiturn") or None,
        "apply_chat_template": given.get("apply_chat_template") or document.get("chat_template") is not None or None,
        "system_instruction": _short(document.get("system_instruction_sha") or document.get("system_instruction")),
        "prompt": _prompt(configs),
    }


def _chosen_samples(document: Document, leaves: list[str]) -> Any:
    """How many samples of each task were evaluated, if some were chosen without a limit; else None."""
    if at(document, "config", "limit") is not None:
        return None
    numbers = [table(at(document, "n-samples", leaf)) for leaf in leaves]
    some = any(count(one.get("effective")) != count(one.get("original")) for one in numbers)
    return _common([count(one.get("effective")) for one in numbers]) if some else None


def _generation(given: object) -> Any:
    """The settings of answers, which older versions keep as the text of the command line."""
    if not isinstance(given, str):
        return given
    return {name: _value(text) for name, text in _parsed(given).items()} or None


def _value(text: str) -> Any:
    """A setting as the harness reads it."""
    truths = {"true": True, "false": False, "none": None}
    if text.lower() in truths:
        return truths[text.lower()]
    value = number(text)
    return text if value is None else int(value) if re.fullmatch("-?[0-9]+", text) else value


def _common(values: list[Any]) -> Any:
    """What all tasks of a group share, else the list of what they have."""
    return values[0] if all(value == values[0] for value in values) else values


def _short(text: object) -> str | None:
    """A digest of a long text; of a digest, the digest of that."""
    return sha256(str(text).encode()).hexdigest()[:12] if text else None


def _prompt(configs: list[Any]) -> str | None:
    """A digest of what makes the prompt: the same task with another wording is another task."""
    wording = [
        without_nothing(
            {key: config.get(key) for key in _PROMPT} | {"dataset": _dataset(config), "sampler": _sampler(config)}
        )
        for config in configs
    ]
    if not any(wording):
        return None
    # A Python function is written with its address, which says nothing.
    return _short(_ADDRESS.sub("", msgspec.json.encode(wording, order="sorted").decode()))


def _dataset(config: Document) -> str | None:
    """The name of a task's dataset, without the owner: versions differ in it, as in `gsm8k` and `openai/gsm8k`."""
    path = config.get("dataset_path")
    return path.rstrip("/").rpartition("/")[2].lower() if isinstance(path, str) else None


def _sampler(config: Document) -> Any:
    """How examples are chosen for a prompt, if they are not drawn at random; None also if there are none."""
    sampler = table(config.get("fewshot_config")).get("sampler")
    return sampler if config.get("num_fewshot") and sampler not in (None, "default") else None


def _direction(document: Document, task: str, leaves: list[str], base: str) -> tuple[bool, list[str]]:
    """Whether more is better of a metric, and what has to be said of it.

    The file says it from 0.4.3 on. Before that, the task's configuration may, else only the metric's name.
    """
    said = [at(document, "higher_is_better", name, base) for name in (task, *leaves)]
    for leaf in leaves:
        listed = at(document, "configs", leaf, "metric_list")
        for entry in listed if isinstance(listed, list) else ():
            if table(entry).get("metric") == base:
                said.append(table(entry).get("higher_is_better"))
    known = next((value for value in said if isinstance(value, bool)), None)
    if known is None:
        known = direction_of(base)
    if known is None:
        return True, [f"the file does not say whether more or less of {base} is better: it is taken for more"]
    return known, []


def _model(document: Document) -> tuple[str, str]:
    """Provider and model. Two models have two names: what distinguishes variants of one model belongs to its name.

    A chat template comes with each model, so it is not part of the task: models with their own could never be compared.
    It stands with the provider, so that one model with two templates is not one contender.
    """
    given = table(document.get("config"))
    arguments = given.get("model_args")
    parsed = arguments if isinstance(arguments, dict) else _parsed(arguments)
    source = str(document.get("model_source") or given.get("model") or "")
    if template := _short(document.get("chat_template_sha") or document.get("chat_template")):
        source = f"{source} (chat template {template[:8]})"
    named = document.get("model_name") or next((parsed[key] for key in _NAMES_OF_MODELS if parsed.get(key)), None)
    if named is None:
        label = ",".join(f"{key}={value}" for key, value in parsed.items() if not _SECRET.search(key))
        return source, label or str(given.get("model") or "")
    # An option that is off is left out. But models that think do so unless that is switched off.
    usual = ("None", "", "False", "main")
    variants = {
        key: parsed.get(key)
        for key in _VARIANTS
        if str(parsed.get(key)) not in (usual[:2] if key == "enable_thinking" else usual)
    }
    if (base := parsed.get("pretrained")) and base != named:
        variants["base"] = base
    label = " ".join(f"{key}={value}" for key, value in variants.items())
    return source, f"{named} ({label})" if label else str(named)


def _parsed(arguments: object) -> dict[str, str]:
    """`pretrained=org/model,dtype=float16` as a table."""
    pairs = (part.partition("=") for part in arguments.split(",")) if isinstance(arguments, str) else ()
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def _text(value: object) -> str | None:
    return None if value is None else str(value)
