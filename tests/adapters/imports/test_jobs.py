"""HELM, Harbor and Every Eval Ever: splits, trials that are gone, costs, and records that share an id."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from benchmarks.adapters.imports.found import UnreadableResult
from benchmarks.adapters.suites.helm.stats import measured

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture
def helm(data, tmp_path):
    """The folder of a run of HELM, with other stats and another spec."""

    def helm(stats, **spec):
        folder = shutil.copytree(data / "helm-valid-split", tmp_path / "run", dirs_exist_ok=True)
        (folder / "stats.json").write_text(json.dumps(stats))
        whole = json.loads((data / "helm-valid-split" / "run_spec.json").read_text())
        for name, value in spec.items():
            whole[name] = {**whole[name], **value} if isinstance(whole.get(name), dict) else value
        (folder / "run_spec.json").write_text(json.dumps(whole))
        return folder

    return helm


def stat(name, mean, split="test", **more):
    return {"name": {"name": name, "split": split, **more}, "count": 1, "mean": mean}


def test_the_valid_split_counts_where_there_is_not_a_test_split(only, data, helm):
    run = only(data / "helm-valid-split")
    assert (run.score, run.samples, run.config["split"]) == (0.3, 10, "valid")
    assert only(data / "helm-valid-split", metric="exact_match").score == 0.3
    both = only(helm([stat("exact_match", 0.3, "valid"), stat("exact_match", 0.5), stat("num_instances", 4)]))
    assert (both.score, both.samples) == (0.5, 4) and "split" not in both.config
    empty = [stat("exact_match", 0.3, "valid"), stat("num_instances", 0), stat("num_instances", 10, "valid")]
    assert (only(helm(empty)).score, only(helm(empty)).samples) == (0.3, 10)
    with pytest.raises(UnreadableResult, match="no metric exact_match"):
        only(helm([stat("exact_match", 0.3, "train")]))


def test_parts_of_a_split_and_perturbations_are_not_the_score():
    stats = [stat("exact_match", 0.5), stat("exact_match", 0.1, sub_split="toxic")]
    stats += [stat("exact_match", 0.2, perturbation={"name": "typos"})]
    assert measured(stats) == {"exact_match": 0.5}


@pytest.mark.parametrize("value", [math.nan, None, math.inf, "0.5", True])
def test_the_metric_that_the_run_names_gives_way_to_no_other(only, helm, value):
    run = only(helm([stat("exact_match", value), stat("quasi_exact_match", 0.75)]))
    assert (run.status, run.reason, run.score) == ("failed", "no_score", None)
    assert run.error == "exact_match has no value"


@pytest.mark.parametrize(
    "change",
    [
        {"instructions": "Think."},
        {"temperature": 0.7},
        {"max_train_instances": 0},
        {"num_trials": 3},
        {"method": "chat"},
    ],
)
def test_another_adapter_is_another_task_and_another_model_is_not(only, helm, change):
    stats = [stat("exact_match", 0.5)]
    before = only(helm(stats)).options
    assert only(helm(stats, adapter_spec=change)).options != before
    same = {"model": "other/m", "model_deployment": "x/m", "num_trials": 1, "num_train_trials": 1, "multi_label": False}
    assert only(helm(stats, adapter_spec=same)).options == before


def test_a_run_of_helm_before_0_2_names_its_parts_otherwise(only, helm, data):
    folder = helm([stat("exact_match", 0.5)])
    spec = json.loads((folder / "run_spec.json").read_text())
    spec |= {"scenario": spec.pop("scenario_spec"), "metrics": spec.pop("metric_specs")}
    (folder / "run_spec.json").write_text(json.dumps(spec))
    run = only(folder)
    assert (run.score, run.config["scenario"]) == (0.5, "helm.CommonSenseScenario")


def test_a_metric_of_which_less_is_better_is_known(only, helm):
    run = only(helm([stat("bits_per_byte", 0.5)], metric_specs=[]))
    assert (run.score, run.higher_is_better) == (0.5, False)


def test_a_job_without_the_folder_of_a_trial_is_unfinished(only, data, tmp_path):
    run = only(data / "harbor-trial-is-gone")
    assert (run.status, run.reason) == ("failed", "unfinished")
    assert run.error == "of 4 trials of the job 3 are here: the folders of the others are gone"
    job = shutil.copytree(SAMPLES / "harbor-job", tmp_path / "job")
    result = json.loads((job / "result.json").read_text())
    del result["n_total_trials"]
    (job / "result.json").write_text(json.dumps(result))
    assert only(job).status == "succeeded"
    shutil.rmtree(next(job.glob("fix-git*")))
    assert only(job).reason == "unfinished", "an older job tells how many trials were completed"


@pytest.fixture
def job(tmp_path):
    """The job of the samples, with every trial changed."""

    def job(change, **config):
        folder = shutil.copytree(SAMPLES / "harbor-job", tmp_path / "job", dirs_exist_ok=True)
        for number, path in enumerate(sorted(folder.glob("*/result.json"))):
            trial = json.loads(path.read_text())
            change(number, trial)
            path.write_text(json.dumps(trial))
        whole = json.loads((folder / "config.json").read_text()) | config
        (folder / "config.json").write_text(json.dumps(whole))
        return folder

    return job


def test_what_the_trials_cost_is_usage(only, job):
    def half(number, trial):
        trial["agent_result"]["cost_usd"] = 0.25 if number % 2 else None

    def none(number, trial):
        trial["agent_result"]["cost_usd"] = None

    def steps(number, trial):
        trial |= {"agent_result": None, "step_results": [{"agent_result": {"cost_usd": 0.5}}] * 2}

    assert only(SAMPLES / "harbor-job").usage["cost_usd"] == 0.04
    assert only(job(half)).usage["cost_usd"] == 0.5
    assert "cost_usd" not in only(job(none)).usage
    assert only(job(steps)).usage == {"cost_usd": 4.0}


def test_a_reward_that_is_not_a_number_leaves_no_score(only, job):
    def odd(number, trial):
        trial["verifier_result"] = {"rewards": {"reward": math.nan if number == 1 else 1.0, "speed": 0.5}}

    run = only(job(odd))
    assert (run.status, run.reason, run.error) == ("failed", "no_score", "reward is nan in 1 trials")
    assert only(job(odd), metric="speed").score == 0.5


def test_the_job_of_another_setting_is_another_task(only, job):
    def same(number, trial):
        trial["exception_info"] = trial.get("exception_info")

    def other(number, trial):
        trial["config"]["agent"]["kwargs"] = {"reasoning_effort": "high"}

    before = only(job(same)).options
    assert only(job(same, agent_timeout_multiplier=2.0)).options != before
    assert only(job(same, extra_instructions=["Be quick."])).options != before
    assert (
        only(job(same, agent_timeout_multiplier=None, extra_instructions=[], quiet=True, n_concurrent_trials=9)).options
        == before
    )
    assert only(job(other)).options != before


def test_metric_takes_the_groups_that_have_the_reward(find, job):
    def split(number, trial):
        trial["source"] = "a" if number < 2 else "b"
        trial["verifier_result"] = {"rewards": {"reward": 1.0} | ({"speed": 0.5} if number < 2 else {})}

    findings = find(job(split), metric="speed")
    assert [(run.benchmark, run.score) for run in findings.runs] == [("a", 0.5)]
    assert "none of its trials has a reward speed" in findings.remarks[0]
    with pytest.raises(UnreadableResult, match="no reward nope; known: reward, speed"):
        find(job(split), metric="nope")


@pytest.fixture
def record():
    """A record of Every Eval Ever with these results, each made of the sample's."""

    def record(*results, **more):
        whole = json.loads((SAMPLES / "every-eval-ever.json").read_text()) | more
        [first] = whole["evaluation_results"]
        whole["evaluation_results"] = [
            {
                **first,
                **one,
                "metric_config": {"metric_unit": "proportion", **one.get("metric_config", {"lower_is_better": False})},
            }
            for one in results
        ]
        return whole

    return record


def test_results_that_share_an_id_are_all_imported(find, record):
    runs = find(record({"score_details": {"score": 0.25}}, {"score_details": {"score": 0.75}}, {})).runs
    assert [run.score for run in runs] == [0.25, 0.75, 0.0]
    assert [run.name for run in runs] == ["exact_match", "exact_match#2", "exact_match#3"], "the first keeps its id"
    names = ["a", "a#2", "a", "a", "a#2", "a#2#2", "b"]
    runs = find(record(*({"evaluation_result_id": name} for name in names))).runs
    assert len({run.name for run in runs}) == len(names) and [run.name for run in runs][:2] == ["a", "a#2"]


@pytest.mark.slow
def test_many_results_of_one_id_are_distinguished(find, record):
    runs = find(record(*[{}] * 20_000)).runs
    assert len({run.name for run in runs}) == 20_000


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"metric_name": "Accuracy"}, {"metric_name": "F1"}),
        ({"metric_kind": "accuracy"}, {"metric_kind": "f1"}),
        ({"metric_id": "acc", "metric_name": "macro"}, {"metric_id": "acc", "metric_name": "micro"}),
        ({"metric_id": "pass", "metric_parameters": {"k": 1}}, {"metric_id": "pass", "metric_parameters": {"k": 5}}),
        ({"evaluation_description": "a"}, {"evaluation_description": "b"}),
    ],
)
def test_results_told_apart_by_the_metric_alone_are_tasks_of_their_own(find, record, first, second):
    one, two = find(record({"metric_config": first}, {"metric_config": second})).runs
    assert one.options != two.options


@pytest.mark.parametrize(
    ("generation", "is_other"),
    [
        ({"generation_args": {"temperature": 0.0}}, True),
        ({"generation_args": {"temperature": 1.0, "prompt_template": "Think." * 100}}, True),
        ({"generation_args": {"temperature": 1.0}, "additional_details": {"num_fewshot": "5"}}, True),
        ({"generation_args": {"temperature": 1.0, "execution_command": "x"}}, False),
        ({"generation_args": {"temperature": 1.0}, "additional_details": {"max_connections": "9"}}, False),
    ],
)
def test_what_a_model_was_asked_with_distinguishes_tasks(find, record, generation, is_other):
    before = {"generation_config": {"generation_args": {"temperature": 1.0}}}
    one, two = find(record(before, {"generation_config": generation})).runs
    assert (one.options != two.options) is is_other


def test_a_direction_that_a_record_leaves_out_comes_from_the_name(find, record):
    names = ["word_perplexity", "accuracy", "vibes"]
    runs = find(record(*({"metric_config": {"metric_name": name}} for name in names))).runs
    assert [run.higher_is_better for run in runs] == [False, True, True]
    assert [bool(run.notes) for run in runs] == [False, False, True]


def test_a_proportion_beyond_one_and_an_unknown_level_are_reported(only, record):
    run = only(record({"score_details": {"score": 85.0, "uncertainty": {"standard_error": {"value": -1}}}}))
    assert (run.score, run.unit, run.stderr) == (85.0, None, None)
    assert "its unit may be percent" in run.notes[0]
    assert run.notes[1] == "the standard error -1 is left out: it cannot be negative"
    levels = {"metric_config": {"has_unknown_level": True}, "score_details": {"score": -1}}
    assert only(record(levels)).reason == "no_score"
    assert only(record({"score_details": {"score": math.nan}})).reason == "no_score"


def test_a_record_is_as_old_as_its_evaluation_else_as_itself(only, record):
    run = only(record({"evaluation_timestamp": None}, evaluation_timestamp=None, retrieved_timestamp="1735689600"))
    assert run.started_at == "2025-01-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("info", "provider", "model"),
    [
        ({"id": "org/m", "developer": "org"}, "org", "m"),
        ({"id": "org/m", "inference_platform": "groq"}, "groq", "org/m"),
        ({"id": "other/m", "inference_platform": "groq"}, "groq", "other/m"),
        ({"id": "openai/m", "inference_platform": "openai"}, "openai", "m"),
        ({"id": "OpenAI/m", "inference_platform": "openai"}, "openai", "m"),
        ({"name": "m"}, "", "m"),
    ],
)
def test_two_models_of_one_platform_are_two_models(only, record, info, provider, model):
    run = only(record({}, model_info=info))
    assert (run.provider, run.model) == (provider, model)


def test_the_usage_that_our_own_export_writes_comes_back(only, record):
    details = {"usage": json.dumps({"input_tokens": 5, "cost_usd": 0.25, "note": "x"})}
    assert only(record({"score_details": {"score": 0.5, "details": details}})).usage == {
        "input_tokens": 5,
        "cost_usd": 0.25,
    }


def test_a_newer_schema_is_reported(only, record):
    assert "the schema is 0.4.0, newer than" in only(record({}, schema_version="0.4.0")).notes[0]
    assert only(record({}, schema_version="0.1.0")).notes == []


def test_metric_takes_the_results_that_have_it(find, record):
    results = (
        {"metric_config": {"metric_name": "f1"}},
        {"evaluation_name": "b", "metric_config": {"metric_name": "acc"}},
    )
    findings = find(record(*results), metric="f1")
    assert len(findings.runs) == 1 and findings.remarks == ["b: it has no metric f1"]


def test_a_reward_has_the_unit_and_direction_of_its_name(only, tmp_path):
    job = shutil.copytree(SAMPLES / "harbor-job", tmp_path / "job")
    for path in job.glob("*/result.json"):
        trial = json.loads(path.read_text())
        trial["verifier_result"] = {"rewards": {"accuracy": 0.5, "error_rate": 0.25}}
        path.write_text(json.dumps(trial))
    run, errors = only(job), only(job, metric="error_rate")
    assert (run.score, run.unit, run.higher_is_better) == (0.5, "ratio", True)
    assert (errors.score, errors.higher_is_better) == (0.25, False)


def test_results_of_two_splits_are_two_tasks(find, record):
    both = [{"source_data": {"dataset_name": "d", "hf_split": split}} for split in ("train", "test")]
    first, second = find(record(*both)).runs
    assert (first.config["split"], second.config["split"]) == ("train", "test")
