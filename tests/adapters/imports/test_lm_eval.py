"""lm-evaluation-harness: groups, models, directions and prompts as its files of all 0.4 versions tell them."""

from __future__ import annotations

import math

import pytest

from benchmarks.adapters.imports.found import UnreadableResult
from benchmarks.adapters.suites.lm_eval.scores import summarize
from benchmarks.adapters.suites.suitekit.command import SuiteError


def scores(findings):
    return {run.name: run.score for run in findings.runs}


def test_a_group_without_a_metric_gives_way_to_its_members(find, data, document):
    runs = find(data / "lm-eval-plain-group.json").runs
    assert [(run.name, run.score, run.config["metric"]) for run in runs] == [
        ("mc_alpha", 0.25, "acc,none"),
        ("mc_beta", 0.25, "acc,none"),
    ]
    # A group of groups, one of which has a metric, and one that the results do not name.
    nested = document("lm-eval-plain-group.json")
    nested["results"]["scored"] = {"alias": "scored", "acc,none": 0.75}
    nested["results"]["third"] = {"acc,none": 0.5}
    nested["group_subtasks"] |= {"top": ["plain_group", "scored", "mc_beta"], "scored": ["third"]}
    assert scores(find(nested)) == {"mc_alpha": 0.25, "mc_beta": 0.25, "scored": 0.75}
    nested["group_subtasks"]["mc_alpha"] = ["top"]
    assert set(scores(find(nested))) >= {"mc_beta"}, "groups in a circle end too"


def test_a_run_of_a_group_without_a_metric_lists_its_tasks(document):
    with pytest.raises(SuiteError, match=r"the group plain_group has no metric of its own: .* mc_alpha, mc_beta"):
        summarize(document("lm-eval-plain-group.json"), "plain_group", None)


def test_a_group_whose_metric_is_not_a_number_has_failed(find, document):
    group = document("lm-eval-plain-group.json")
    group["results"]["plain_group"]["acc,none"] = math.nan
    [run] = find(group).runs
    assert (run.name, run.status, run.reason) == ("plain_group", "failed", "no_score")


def test_a_metric_that_came_out_as_nan_gives_way_to_no_other(only, data, document):
    run = only(data / "lm-eval-nan.json")
    assert (run.status, run.reason, run.score) == ("failed", "no_score", None)
    assert run.error == "acc,none is nan"
    with pytest.raises(SuiteError, match=r"acc,none of mc_alpha is nan, which is not a number"):
        summarize(document("lm-eval-nan.json"), "mc_alpha", None)
    for value in (None, math.inf, "N/A", [1]):
        changed = document("lm-eval-nan.json")
        changed["results"]["mc_alpha"]["acc,none"] = value
        assert only(changed).reason == "no_score"
    assert only(data / "lm-eval-nan.json", metric="acc_norm").score == 0.25


def test_answers_that_were_only_collected_are_not_score(only, document):
    collected = document("lm-eval-nan.json")
    collected["results"]["mc_alpha"] = {"alias": "mc_alpha", "bypass,none": 999, "bypass_stderr,none": 0}
    assert only(collected).reason == "no_score"


def test_results_of_0_4_0_to_0_4_2_tell_their_models_and_directions(find, data):
    runs = find(data / "lm-eval-0.4.2-base-1b.json", data / "lm-eval-0.4.2-other-7b.json").runs
    assert [(run.name, run.model, run.provider) for run in runs] == [
        ("mc_alpha", "org/base-1b", "hf"),
        ("ppl_task", "org/base-1b", "hf"),
        ("mc_alpha", "org/other-7b", "hf"),
        ("ppl_task", "org/other-7b", "hf"),
    ]
    assert [run.higher_is_better for run in runs] == [True, False, True, False]
    assert runs[0].started_at.startswith("2026-11-28T")


@pytest.mark.parametrize(
    ("arguments", "model"),
    [
        ("pretrained=org/m,dtype=float16", "org/m"),
        ({"pretrained": "org/m", "dtype": "float16"}, "org/m"),
        ("model=served,base_url=http://127.0.0.1:1/v1", "served"),
        ("pretrained=org/m,revision=step1000", "org/m (revision=step1000)"),
        ("pretrained=org/m,revision=main", "org/m"),
        ("pretrained=org/m,peft=org/adapter", "org/adapter (base=org/m)"),
        ("pretrained=org/m,load_in_4bit=True", "org/m (load_in_4bit=True)"),
        ("pretrained=org/m,load_in_4bit=False", "org/m"),
        ("weights=a,api_key=hidden", "weights=a"),
        ("", "hf"),
        (None, "hf"),
        (["odd"], "hf"),
    ],
)
def test_the_model_is_known_by_its_arguments(find, document, arguments, model):
    results = document("lm-eval-0.4.2-base-1b.json")
    results["config"]["model_args"] = arguments
    assert {run.model for run in find(results).runs} == {model}


def test_a_direction_comes_from_the_task_else_from_the_name_else_it_is_reported(only, document):
    results = document("lm-eval-0.4.2-base-1b.json")
    del results["results"]["mc_alpha"]
    metrics = results["configs"]["ppl_task"]["metric_list"]
    metrics[0]["higher_is_better"] = True
    assert only(results).higher_is_better is True, "the file's word goes before the name"
    results["results"]["ppl_task"] = {"vibes,none": 3.0}
    run = only(results)
    assert run.higher_is_better is True and "whether more or less of vibes is better" in run.notes[0]
    metrics[0] = {"metric": "vibes", "higher_is_better": False}
    run = only(results)
    assert run.higher_is_better is False and run.notes == []


@pytest.mark.parametrize(
    "change",
    [
        {"fewshot_as_multiturn": True},
        {"chat_template": "{{ messages }}", "chat_template_sha": "ab12"},
        {"system_instruction": "Think.", "system_instruction_sha": "cd34"},
        {"config": {"limit": 10}},
        {"config": {"gen_kwargs": {"temperature": 0.7}}},
        {"config": {"fewshot_seed": 1}},
        {"configs": {"num_fewshot": 5}},
        {"configs": {"generation_kwargs": {"temperature": 1.0}}},
        {"configs": {"description": "Answer with a letter.\n\n"}},
        {"configs": {"doc_to_text": "Q: {{question}}"}},
        {"configs": {"repeats": 8}},
    ],
)
def test_another_prompt_or_sampling_is_another_task(only, document, change):
    results, changed = document("lm-eval-nan.json"), document("lm-eval-nan.json")
    for name, value in change.items():
        if name == "configs":
            changed["configs"]["mc_alpha"] |= value
        elif name == "config":
            changed["config"] |= value
        else:
            changed[name] = value
    assert only(changed).options != only(results).options


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"batch_size": 64, "device": "cpu", "bootstrap_iters": 10, "use_cache": "/cache"}},
        {"date": 1, "git_hash": "other", "total_evaluation_time_seconds": "99"},
        {"fewshot_as_multiturn": False},
    ],
)
def test_how_it_was_carried_out_makes_no_other_task(only, document, change):
    results, changed = document("lm-eval-nan.json"), document("lm-eval-nan.json")
    changed |= {name: value for name, value in change.items() if name != "config"}
    changed["config"] |= change.get("config", {})
    assert only(changed).options == only(results).options


def test_models_with_chat_templates_of_their_own_share_a_task_and_one_model_with_two_is_two_contenders(only, document):
    results, other = document("lm-eval-nan.json"), document("lm-eval-nan.json")
    results |= {"chat_template": "a", "chat_template_sha": "ab12"}
    other |= {"chat_template": "b", "chat_template_sha": "cd34"}
    assert only(results).options == only(other).options
    assert only(results).model == only(other).model and only(results).provider != only(other).provider


def test_an_address_of_python_is_not_a_other_prompt(only, document):
    results, other = document("lm-eval-nan.json"), document("lm-eval-nan.json")
    results["configs"]["mc_alpha"]["doc_to_text"] = "<function doc_to_text at 0x7f0123456789>"
    other["configs"]["mc_alpha"]["doc_to_text"] = "<function doc_to_text at 0x55aabbccdd00>"
    assert only(results).options == only(other).options


def test_metric_takes_the_tasks_that_have_it_and_the_others_are_reported(find, data):
    findings = find(data / "lm-eval-mixed.json", metric="acc_norm")
    assert scores(findings) == {"mc_alpha": 0.25}
    assert [text.partition(":")[0] for text in findings.remarks] == ["ppl_task", "gen_two"]
    assert find(data / "lm-eval-plain-group.json", metric="acc_norm").remarks == []
    with pytest.raises(UnreadableResult, match="no task in it has a metric nope; known: acc,none"):
        find(data / "lm-eval-mixed.json", metric="nope")


def test_a_percent_is_not_a_ratio_and_is_reported(only, data):
    run = only(data / "lm-eval-percent.json", metric="f1")
    assert (run.score, run.unit) == (45.25, None)
    assert "the score 45.25 is not a ratio between 0 and 1; its unit may be percent" in run.notes[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["configs"]["mc_alpha"].update(dataset_path="org/other"),
        lambda d: d["configs"]["mc_alpha"].update(dataset_name="hard"),
        lambda d: d["configs"]["mc_alpha"].update(test_split="validation"),
        lambda d: d["n-samples"]["mc_alpha"].update(effective=2),
        lambda d: d["config"].update(gen_kwargs="temperature=0.5"),
    ],
)
def test_other_data_or_other_sampling_is_another_task(only, document, change):
    plain, changed = document("lm-eval-nan.json"), document("lm-eval-nan.json")
    change(changed)
    assert only(plain).options != only(changed).options and only(plain).model == only(changed).model


def test_one_task_is_the_same_in_versions_that_write_it_differently(only, document):
    plain, changed = document("lm-eval-nan.json"), document("lm-eval-nan.json")
    plain["configs"]["mc_alpha"]["dataset_path"], changed["configs"]["mc_alpha"]["dataset_path"] = "quiz", "org/Quiz"
    plain["config"]["gen_kwargs"] = "temperature=0.7,do_sample=True,until=None,top_k=5"
    changed["config"]["gen_kwargs"] = {"temperature": 0.7, "do_sample": True, "until": None, "top_k": 5}
    assert only(plain).options == only(changed).options
    assert only(plain, metric="acc_norm").config["gen_kwargs"]["top_k"] == 5


@pytest.mark.parametrize("argument", ["enable_thinking", "add_bos_token", "max_length"])
def test_one_model_that_sees_prompts_otherwise_is_another_contender(only, document, argument):
    plain, changed = document("lm-eval-nan.json"), document("lm-eval-nan.json")
    changed["config"]["model_args"] = {**changed["config"]["model_args"], argument: 1, "device_map": "auto"}
    assert only(changed).model == f"{only(plain).model} ({argument}=1)"
    assert only(changed).options == only(plain).options
    changed["config"]["model_args"][argument] = False
    assert (only(changed).model == only(plain).model) == (argument != "enable_thinking"), "models think by themselves"
