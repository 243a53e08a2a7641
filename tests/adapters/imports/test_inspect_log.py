"""Inspect: which of its many numbers is the score, of how many samples, and what else a log says."""

from __future__ import annotations

import json
import math
from pathlib import Path
from zipfile import ZipFile

import pytest

from benchmarks.adapters.imports.found import UnreadableResult
from benchmarks.adapters.manifest import load_manifest
from benchmarks.adapters.result import read_result
from benchmarks.adapters.suites import inspect_ai


@pytest.fixture
def manifest():
    return load_manifest(Path(inspect_ai.__file__).parent / "benchmark.toml", "inspect_ai")


@pytest.fixture
def both(only, manifest, tmp_path):
    """An import of a log, and a run of the suite that left it: they must say the same."""

    def both(log):
        run = only(log)
        (tmp_path / "result.json").write_text(json.dumps(log))
        reading = read_result(manifest, output_dir=tmp_path, cwd=tmp_path, started_at=0)
        assert (reading.score, reading.stderr) == (run.score, run.stderr)
        assert reading.samples == run.samples and reading.usage == run.usage
        assert [text for text in run.notes if text not in reading.notes] == []
        return run

    return both


def entry(metrics, name="s", **more):
    given = {key: value if isinstance(value, dict) else {"value": value} for key, value in metrics.items()}
    return {"name": name, "scorer": name, "metrics": {k: {"name": k, **v} for k, v in given.items()}, **more}


@pytest.fixture
def log(document):
    """A log with these entries of scores, and with no headline."""

    def log(*entries, headline=None, declared=None, **results):
        header = document("inspect-cost.json")
        header["results"] = {"total_samples": 4, "completed_samples": 4, "scores": list(entries), **results}
        if headline is not None:
            header["results"]["headline"] = headline
        if declared is not None:
            header["eval"]["headline_metric"] = declared
        return header

    return log


def test_the_headline_that_the_log_names_is_the_score(both, document):
    run = both(document("inspect-headline.json"))
    assert (run.score, run.stderr, run.samples, run.unit) == (0.1, None, 4, "mean")
    assert (run.config["scorer"], run.config["metric"]) == ("precision", "mean")
    assert run.metrics["includes/accuracy"] == 0.25


def test_a_headline_that_the_task_declared_counts_for_logs_that_do_not_resolve_it(both, log):
    scores = entry({"accuracy": 0.25}), entry({"mean": 0.75, "stderr": 0.125}, name="other")
    run = both(log(*scores, declared={"scorer": "other"}))
    assert (run.score, run.stderr) == (0.75, 0.125)
    assert both(log(*scores, declared={"metric": "mean"})).score == 0.75
    assert both(log(*scores, declared={"scorer": "gone", "metric": "mean"})).score == 0.25, "it fits nothing"


def test_a_headline_that_is_nan_gives_way_to_no_other_metric(both, only, document, log):
    run = both(document("inspect-nan.json"))
    assert (run.status, run.reason, run.score) == ("failed", "no_score", None)
    assert run.error == "nanmetric/always_nan is not a finite number"
    assert both(log(entry({"accuracy": math.nan, "mean": 0.5}))).reason == "no_score"
    assert both(log(entry({"accuracy": None, "stderr": 0.0}))).reason == "no_score"
    assert both(log(entry({"accuracy": math.inf, "mean": 0.5}), entry({"mean": 0.5}, name="b"))).score is None
    assert only(log(entry({"accuracy": math.nan, "mean": 0.5})), metric="mean").score == 0.5


@pytest.mark.parametrize("first", ["stderr", "bootstrap_stderr", "std", "var", "stderr1", "pkg/stderr"])
def test_a_measure_of_spread_is_never_the_score(both, log, first):
    given = {first: 0.125, "accuracy": 0.75}
    assert both(log(entry(given))).score == 0.75
    named = {"scorer": "s", "score": "s", "metric": first}
    assert both(log(entry(given), headline=named)).score == 0.75, "Inspect names its first metric, whatever it is"
    assert both(log(entry({first: 0.125}), entry({"mean": 0.5}, name="t"))).score == 0.5
    assert both(log(entry({first: 0.125}))).reason == "no_score"


def test_a_metric_by_another_key_that_is_a_standard_error_is_none(both, log):
    given = {"odd": {"value": 0.125, "name": "inspect_ai/stderr"}, "accuracy": 0.75}
    assert both(log(entry(given))).score == 0.75


def test_one_value_of_a_group_is_never_the_score(both, only, log):
    group = {"math": {"value": 1.0, "group": "grouped"}, "art": {"value": 0.0, "group": "grouped"}}
    assert both(log(entry({**group, "accuracy": 0.75}))).score == 0.75
    named = {"scorer": "s", "score": "s", "metric": "math"}
    assert both(log(entry({**group, "accuracy": 0.75}), headline=named)).score == 0.75
    assert both(log(entry({**group, "all": {"value": 0.5, "group": "grouped"}}))).score == 0.5, "of all samples"
    run = both(log(entry(group)))
    assert run.reason == "no_score" and "--metric chooses one" in run.error
    assert only(log(entry(group)), metric="art").score == 0.0
    assert both(log(entry(group), headline=named, declared={"metric": "math"})).score == 1.0, "the task wants it"


def test_samples_without_a_score_are_reported(both, document, log):
    run = both(document("inspect-errors.json"))
    assert (run.score, run.samples, run.metrics["samples_without_score"]) == (1.0, 2, 2)
    assert run.notes == ["2 of 4 samples have no score, and the score is of the others"]
    run = both(log(entry({"accuracy": 1.0}, scored_samples=3, unscored_samples=1)))
    assert run.notes == ["1 of 4 samples have no score, and the score is of the others"]
    older = both(log(entry({"accuracy": 1.0}), completed_samples=1))
    assert older.samples == 1 and "3 of 4 samples" in older.notes[0]
    assert both(log(entry({"accuracy": 1.0}))).notes == []
    assert both(log(completed_samples=0)).notes == ["4 of 4 samples have no score"]


def test_each_reducer_has_a_metric_of_its_own_and_epochs_are_not_samples(both, only, document):
    reducers = document("inspect-reducers.json")
    run = both(reducers)
    assert (run.score, run.samples, run.config["reducer"]) == (pytest.approx(1 / 6), 4, "mean")
    accuracies = {name: value for name, value in run.metrics.items() if "accuracy" in name}
    assert accuracies == {
        "includes/accuracy[mean]": pytest.approx(1 / 6),
        "includes/accuracy[at_least_1]": 0.5,
        "includes/accuracy[mode]": 0.0,
    }
    chosen = only(reducers, metric="accuracy[at_least_1]")
    assert (chosen.score, chosen.stderr) == (0.5, pytest.approx(0.2887, abs=1e-4))
    assert only(reducers, metric="includes/accuracy").score == pytest.approx(1 / 6)
    for one in reducers["results"]["scores"]:
        del one["scored_samples"], one["unscored_samples"]
    assert both(reducers).samples == 4, "of 12 answers in 3 epochs"


def test_scores_of_one_name_are_distinguished(only, log):
    two = only(log(entry({"accuracy": 0.25}), {**entry({"accuracy": 0.75}), "scorer": "other"}))
    assert two.metrics == {"s.s/accuracy": 0.25, "other.s/accuracy": 0.75}
    same = only(log(entry({"accuracy": 0.25}), entry({"accuracy": 0.75}), entry({"accuracy": 1.0})))
    assert set(same.metrics.values()) == {0.25, 0.75, 1.0}


def test_two_scorers_are_two_metrics(both, log):
    run = both(log(entry({"accuracy": 0.25, "stderr": 0.1}), entry({"accuracy": 0.75, "stderr": 0.2}, name="t")))
    assert (run.score, run.stderr) == (0.25, 0.1)
    assert run.metrics["t/accuracy"] == 0.75 and len(run.metrics) == 4


def test_what_the_models_cost_is_usage(both, document):
    log = document("inspect-cost.json")
    assert both(log).usage["cost_usd"] == 1.0
    log["stats"]["model_usage"]["grader"] = {"input_tokens": 1, "output_tokens": 1, "total_cost": 0.5}
    assert both(log).usage["cost_usd"] == 1.5
    log["stats"]["model_usage"] = {"m": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}}
    assert both(log).usage == {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2, "cached_tokens": 0}
    log["stats"]["model_usage"] = {}
    assert both(log).usage == {}


def test_a_log_of_version_1_is_read(only, data, document):
    run = only(data / "inspect-version-1.json")
    assert (run.status, run.score, run.stderr) == ("succeeded", 0.4, pytest.approx(0.245, abs=1e-3))
    assert run.metrics == {"includes/accuracy": 0.4, "includes/stderr": pytest.approx(0.245, abs=1e-3)}
    newer = document("inspect-cost.json") | {"version": 3}
    assert "the log has version 3; versions up to 2 are known" in only(newer).notes[0]
    del newer["version"]
    with pytest.raises(UnreadableResult, match="older than version 1"):
        only(newer)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("eval", {"task_args": {"shots": 5}}),
        ("eval", {"model_generate_config": {"temperature": 0.7}}),
        ("eval", {"model_generate_config": {"system_message": "Think."}}),
        ("eval", {"model_roles": {"grader": {"model": "openai/gpt-4o"}}}),
        ("eval", {"config": {"epochs": 1, "limit": 10}}),
        ("eval", {"config": {"epochs": 3}}),
        ("eval", {"config": {"epochs": 1, "turn_limit": 5}}),
        ("plan", {"config": {"temperature": 0.7}}),
        ("plan", {"steps": [{"solver": "chain_of_thought", "params": {}}]}),
        ("plan", {"steps": [{"solver": "generate", "params": {}, "params_passed": {"max_tokens": 5}}]}),
        ("plan", {"steps": [{"solver": "prompt", "params": {"template": "a" * 5000}}]}),
        ("results", {"scores": [entry({"accuracy": 0.5}, name="model_graded_qa")]}),
    ],
)
def test_another_prompt_plan_or_limit_is_another_task(only, document, part, change):
    log = document("inspect-cost.json")
    before = only(log).options
    log[part] |= change
    assert only(log).options != before


def test_how_a_log_came_about_makes_no_other_task(only, document):
    log = document("inspect-cost.json")
    before = only(log).options
    log["eval"]["model_generate_config"] = {"max_connections": 50, "max_retries": 3, "timeout": 5, "cache": True}
    log["eval"]["config"] |= {"max_samples": 5, "log_images": False, "max_sandboxes": 2, "fail_on_error": False}
    log["eval"] |= {"model_base_url": "http://127.0.0.1:1", "model": "other/model", "task_file": "/elsewhere/task.py"}
    assert only(log).options == before


@pytest.mark.parametrize(
    ("named", "arguments", "provider", "model"),
    [
        ("openai/gpt-4o", {}, "openai", "gpt-4o"),
        ("openrouter/org/m", {"max_tokens": 5}, "openrouter", "org/m"),
        ("openai-api/local/m", {}, "local", "m"),
        ("hf/local", {"model_path": "ckpt/1000"}, "hf", "local (model_path=ckpt/1000)"),
        ("hf/org/m", {"revision": "step1", "load_in_4bit": False}, "hf", "org/m (revision=step1)"),
        ("m", {}, "", "m"),
    ],
)
def test_two_models_have_two_names(only, document, named, arguments, provider, model):
    log = document("inspect-cost.json")
    log["eval"] |= {"model": named, "model_args": arguments}
    assert (only(log).provider, only(log).model) == (provider, model)


def test_an_archive_says_what_its_header_says(only, document, data, tmp_path):
    with ZipFile(tmp_path / "log.eval", "w") as archive:
        archive.write(data / "inspect-reducers.json", "header.json")
    assert only(tmp_path / "log.eval") == only(data / "inspect-reducers.json")


def test_the_value_of_all_samples_in_a_group_has_the_unit_and_direction_of_what_is_grouped(both, log):
    def of(metric, **values):
        params = {"metric": {"type": "metric", "name": metric}, "group_key": "g"}
        return {key: {"value": value, "group": "grouped", "params": params} for key, value in values.items()}

    run = both(log(entry(of("accuracy", math=1.0, all=0.5))))
    assert (run.score, run.unit, run.higher_is_better) == (0.5, "ratio", True)
    assert both(log(entry(of("pkg/mae", math=1.0, all=0.5)))).higher_is_better is False
    spread_first = {**of("inspect_ai/stderr", math=0.1, all=0.2), "accuracy": 0.75}
    assert both(log(entry(spread_first))).score == 0.75, "a standard error of all samples is not a score either"
    renamed = of("accuracy", math=1.0, overall=0.25)
    for value in renamed.values():
        value["params"]["all_label"] = "overall"
    assert both(log(entry(renamed))).score == 0.25


def test_a_second_metric_of_one_name_has_the_unit_of_the_first(both, log):
    run = both(log(entry({"accuracy2": {"value": 0.5, "name": "accuracy"}})))
    assert (run.unit, run.config["metric"]) == ("ratio", "accuracy2")


def test_two_datasets_are_two_tasks(only, log):
    header = log(entry({"accuracy": 0.5}))
    smaller = {**header, "eval": {**header["eval"], "dataset": {"name": None, "samples": 3, "shuffled": False}}}
    assert only(header).config["dataset"] != only(smaller).config["dataset"] == {"samples": 3}
