"""The samples of other harnesses become rows of our own form, each with the score that the harness gave it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.adapters.imports import instances
from benchmarks.adapters.imports.found import UnreadableResult
from benchmarks.adapters.imports.instances import Remark, UnreadableSamples, bounded_rows
from benchmarks.adapters.imports.reading import Choices, find_sources
from benchmarks.projections.scores.samples import look_through

SAMPLES = Path(__file__).parents[2] / "samples"


def rows_of(path: Path, metric: str | None = None, is_ratio: bool = True):
    """The rows of the only run of a path, and the remarks."""

    def fail(problem: UnreadableResult) -> None:
        raise problem

    [source] = find_sources([path], Choices(metric=metric), fail)
    [run] = source.read().runs
    found = list(bounded_rows(source.samples(run), is_ratio=is_ratio, clean=lambda row: row))
    return [row for row in found if not isinstance(row, Remark)], [row.text for row in found if isinstance(row, Remark)]


def scores(rows):
    return [(row["id"], row.get("score")) for row in rows]


def write_lines(path: Path, *lines) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


# -- Inspect


def test_an_inspect_archive_has_samples_with_their_transcripts():
    rows, remarks = rows_of(SAMPLES / "inspect.eval")
    assert scores(rows) == [("1", 0.0), ("2", 0.0), ("3", 1.0), ("4", 0.0), ("5", 1.0)]
    assert [row["correct"] for row in rows] == [False, False, True, False, True]
    assert (rows[2]["input"], rows[2]["expected"]) == ("What is the capital of Japan?", "Tokyo")
    assert rows[2]["output"] == "The capital of Japan is Tokyo."
    assert [message["role"] for message in rows[2]["messages"]] == ["user", "assistant"]
    assert remarks == []


def inspect_log(samples, scores=None, **more):
    scores = scores or [
        {"name": "match", "scorer": "match", "metrics": {"accuracy": {"name": "accuracy", "value": 0.5}}}
    ]
    return {
        "version": 2,
        "status": "success",
        "eval": {"task": "caps", "model": "openai/gpt-x", "created": "2026-11-01T10:00:00Z", "task_version": 3},
        "results": {"total_samples": 2, "completed_samples": 2, "scores": scores},
        "samples": samples,
        **more,
    }


def answered(id, value, epoch=1, **more):
    return {"id": id, "epoch": epoch, "input": f"q{id}", "target": "x", "scores": {"match": {"value": value}}, **more}


@pytest.fixture
def log(tmp_path):
    def log(*arguments, **more) -> Path:
        path = tmp_path / "log.json"
        path.write_text(json.dumps(inspect_log(*arguments, **more)))
        return path

    return log


def test_inspect_words_are_numbers_and_an_error_is_not_a_wrong_answer(log):
    values = ["C", "I", "P", "N", "yes", "False", 0.25, True, "0.75", "maybe", None, float("nan")]
    samples = [answered(number, value) for number, value in enumerate(values)]
    samples.append({"id": "broken", "epoch": 1, "input": "q", "error": {"message": "timeout"}, "scores": None})
    rows, _ = rows_of(log(samples))
    expected = [1, 0, 0.5, 0, 1, 0, 0.25, 1, 0.75, None, None, None, None]
    assert [row.get("score") for row in rows] == expected
    assert rows[-1]["error"] == "timeout" and "correct" not in rows[-1]


def test_epochs_of_inspect_are_repeats_of_one_question(log):
    rows, _ = rows_of(log([answered("a", "C", 1), answered("a", "I", 2), answered("b", "I", 1), answered("b", "I", 2)]))
    assert [(row["id"], row["epoch"], row["score"]) for row in rows] == [
        ("a", 1, 1.0), ("a", 2, 0.0), ("b", 1, 0.0), ("b", 2, 0.0),
    ]  # fmt: skip


def test_epochs_with_another_reducer_give_the_reduced_value(log):
    metrics = {"accuracy": {"name": "accuracy", "value": 0.5}}
    entries = [{"name": "match", "scorer": "match", "reducer": "max", "metrics": metrics}]
    reductions = [
        {
            "scorer": "match",
            "reducer": "max",
            "samples": [{"sample_id": "a", "value": 1.0}, {"sample_id": "b", "value": 0.0}],
        }
    ]
    samples = [answered("a", "C", 1), answered("a", "I", 2), answered("b", "I", 1), answered("b", "I", 2)]
    rows, _ = rows_of(log(samples, entries, reductions=reductions))
    assert scores(rows) == [("a", 1.0), ("b", 0.0)]


def test_a_key_of_a_table_of_scores_and_a_second_scorer_are_found(log):
    entries = [{"name": "style", "scorer": "judge", "metrics": {"mean": {"name": "mean", "value": 0.5}}}]
    samples = [
        {"id": 1, "epoch": 1, "scores": {"match": {"value": "C"}, "judge": {"value": {"style": 0.25, "tone": 1}}}}
    ]
    assert scores(rows_of(log(samples, entries))[0]) == [("1", 0.25)]


def test_attachments_tool_calls_and_reasoning_of_a_transcript_are_kept(log):
    messages = [
        {"role": "user", "content": "attachment://abc"},
        {
            "role": "assistant",
            "content": [
                {"type": "reasoning", "reasoning": "hm"},
                {"type": "text", "text": "I look"},
                {"type": "image"},
            ],
            "tool_calls": [{"id": "c1", "function": "bash", "arguments": {"cmd": "attachment://abc"}}],
        },
        {"role": "tool", "content": "done", "tool_call_id": "c1", "function": "bash"},
    ]
    [row] = rows_of(log([answered(1, "C", messages=messages, attachments={"abc": "a long text"})]))[0]
    assert row["messages"] == [
        {"role": "user", "content": "a long text"},
        {
            "role": "assistant",
            "content": "I look\n[image]",
            "tool_calls": [{"id": "c1", "name": "bash", "arguments": {"cmd": "a long text"}}],
            "reasoning": "hm",
        },
        {"role": "tool", "content": "done", "tool_call_id": "c1", "name": "bash"},
    ]


def test_a_sample_that_is_too_large_keeps_the_score_of_its_summary(monkeypatch):
    from benchmarks.adapters.imports import inspect_samples

    monkeypatch.setattr(inspect_samples, "MAX_MEMBER_BYTES", 8700)
    rows, [remark] = rows_of(SAMPLES / "inspect.eval")
    assert sorted(scores(rows)) == [("1", 0.0), ("2", 0.0), ("3", 1.0), ("4", 0.0), ("5", 1.0)]
    assert remark.startswith("2 samples are too large")
    assert sum("messages" in row for row in rows) == 3


# -- lm-eval


def lm_eval_files(folder: Path, lines, *, tasks=("local_caps",), date="2026-11-23T20-35-01.123456") -> Path:
    document = json.loads((SAMPLES / "lm-eval-results.json").read_text())
    results = folder / f"results_{date}.json"
    results.write_text(json.dumps(document))
    for task in tasks:
        write_lines(folder / f"samples_{task}_{date}.jsonl", *lines)
    return results


def lm_eval_line(id, score, **more):
    chat = json.dumps([{"role": "user", "content": f"question {id}"}])
    return {
        "doc_id": id,
        "target": "Paris",
        "arguments": {"gen_args_0": {"arg_0": [chat], "arg_1": {"until": []}}},
        "resps": [["It is Paris."]],
        "filtered_resps": ["Paris"],
        "exact_match": score,
        **more,
    }


def test_lm_eval_samples_of_the_same_date_and_filter_are_read(tmp_path):
    lines = [lm_eval_line(0, 1.0, filter="none"), lm_eval_line(0, 0.0, filter="flexible"), lm_eval_line(1, 0.0)]
    path = lm_eval_files(tmp_path, lines)
    write_lines(tmp_path / "samples_local_caps_2026-11-24T20-35-01.123456.jsonl", lm_eval_line(9, 1.0))
    rows, remarks = rows_of(path)
    assert scores(rows) == [("0", 1.0), ("1", 0.0)] and remarks == []
    assert rows[0]["input"] == "question 0" and rows[0]["output"] == "Paris" and rows[0]["raw_output"] == "It is Paris."
    assert [message["role"] for message in rows[0]["messages"]] == ["user", "assistant"]


def test_lm_eval_multiple_choice_has_the_choices(tmp_path):
    line = {
        "doc_id": 5,
        "target": 1,
        "arguments": {f"gen_args_{n}": {"arg_0": "2+2=", "arg_1": f" {n}"} for n in range(2)},
        "resps": [[[-1.0, False]], [[-0.5, True]]],
        "filtered_resps": [[-1.0, False], [-0.5, True]],
        "exact_match": True,
    }
    [row] = rows_of(lm_eval_files(tmp_path, [line]))[0]
    assert (row["input"], row["choices"], row["score"]) == ("2+2=", [" 0", " 1"], 1.0)


def test_lm_eval_metrics_of_a_whole_corpus_have_no_scores_of_samples(tmp_path):
    rows, [remark] = rows_of(lm_eval_files(tmp_path, [lm_eval_line(0, ["a reference", "an answer"])]))
    assert scores(rows) == [("0", None)] and "no sample with a number as exact_match" in remark


# -- HELM


def helm_folder(tmp_path: Path, per_instance, states=None) -> Path:
    for name in ("run_spec.json", "stats.json"):
        (tmp_path / name).write_text((SAMPLES / "helm-run" / name).read_text())
    (tmp_path / "per_instance_stats.json").write_text(json.dumps(per_instance))
    if states is not None:
        (tmp_path / "scenario_state.json").write_text(json.dumps({"request_states": states}))
    return tmp_path


def helm_instance(id, mean, split="test", name="exact_match", **more):
    return {
        "instance_id": id,
        "train_trial_index": 0,
        "stats": [{"name": {"name": name, "split": split}, "count": 1, "sum": mean, "mean": mean}],
        **more,
    }


def test_helm_instances_of_the_split_without_perturbations_are_read(tmp_path):
    rows = [
        helm_instance("id1", 1.0),
        helm_instance("id2", 0.0),
        helm_instance("id3", 1.0, split="train"),
        helm_instance("id1", 0.0, perturbation={"name": "typos"}),
        helm_instance("id4", 1.0, name="other"),
    ]
    states = [
        {
            "instance": {
                "id": "id1",
                "input": {"text": "2+2?"},
                "references": [{"output": {"text": "4"}, "tags": ["correct"]}],
            },
            "train_trial_index": 0,
            "request": {"prompt": "Q: 2+2?\nA:"},
            "result": {"success": True, "completions": [{"text": " 4"}]},
        },
        {
            "instance": {"id": "id2", "input": {"text": "3+3?"}, "references": []},
            "result": {"success": False, "error": "rate limit", "completions": []},
        },
    ]
    found, remarks = rows_of(helm_folder(tmp_path, rows, states))
    assert scores(found) == [("id1", 1.0), ("id2", 0.0)] and remarks == []
    assert (found[0]["input"], found[0]["expected"], found[0]["output"]) == ("2+2?", "4", " 4")
    assert found[0]["messages"][0] == {"role": "user", "content": "Q: 2+2?\nA:"}
    assert found[1]["error"] == "rate limit"


def test_helm_without_texts_has_scores(tmp_path):
    (tmp_path / "scenario_state.json").write_text("{")
    found, [remark] = rows_of(helm_folder(tmp_path, [helm_instance("id1", 1.0)]))
    assert scores(found) == [("id1", 1.0)] and "questions and answers are left out" in remark


# -- Harbor


def test_harbor_trials_are_samples_and_a_trial_without_a_reward_is_an_error(tmp_path):
    job = shutil.copytree(SAMPLES / "harbor-job", tmp_path / "job")
    steps = [
        {"step_id": 1, "source": "user", "message": "build it"},
        {
            "step_id": 2,
            "source": "agent",
            "message": "I run make",
            "reasoning_content": "easy",
            "tool_calls": [{"tool_call_id": "t1", "function_name": "bash", "arguments": {"c": "make"}}],
            "observation": {"results": [{"source_call_id": "t1", "content": "done"}]},
        },
    ]
    (job / "hello-world__a1b2c30" / "agent").mkdir()
    (job / "hello-world__a1b2c30" / "agent" / "trajectory.json").write_text(json.dumps({"steps": steps}))
    (job / "fix-git__a1b2c31" / "agent").mkdir()
    (job / "fix-git__a1b2c31" / "agent" / "trajectory.json").symlink_to(job / "config.json")
    rows, [remark] = rows_of(job)
    assert scores(rows) == [("build-kernel", 0.0), ("csv-to-parquet", 1.0), ("fix-git", 0.0), ("hello-world", 1.0)]
    assert rows[0]["error"] == "AgentTimeoutError: too slow" and "correct" not in rows[0]
    assert rows[2]["correct"] is False and "messages" not in rows[2]
    assert [(message["role"], message["content"]) for message in rows[3]["messages"]] == [
        ("user", "build it"), ("assistant", "I run make"), ("tool", "done"),
    ]  # fmt: skip
    assert remark == "1 trajectories cannot be read, and are left out"


# -- Every Eval Ever


def eee_record(tmp_path: Path, rows, *, results=None, details=True) -> Path:
    results = results or [
        {
            "evaluation_result_id": "r1",
            "evaluation_name": "caps",
            "metric_config": {"metric_id": "accuracy", "lower_is_better": False, "min_score": 0, "max_score": 1},
            "score_details": {"score": 0.5},
        }
    ]
    document = {"schema_version": "0.3.0", "evaluation_results": results, "model_info": {"id": "org/model"}}
    file = tmp_path / "abc_samples.jsonl"
    write_lines(file, *rows)
    if details:
        document["detailed_evaluation_results"] = {
            "file_path": "data/caps/org/model/abc_samples.jsonl",
            "checksum": sha256(file.read_bytes()).hexdigest(),
            "hash_algorithm": "sha256",
        }
    path = tmp_path / "abc.json"
    path.write_text(json.dumps(document))
    return path


def eee_row(id, score, correct, **more):
    return {
        "sample_id": id,
        "evaluation_result_id": "r1",
        "evaluation_name": "caps",
        "interaction_type": "single_turn",
        "input": {"raw": "2+2?", "reference": ["4"]},
        "output": {"raw": ["4"]},
        "evaluation": {"score": score, "is_correct": correct},
        **more,
    }


def test_every_eval_ever_rows_of_the_result_are_read(tmp_path):
    rows = [
        eee_row("s1", 1.0, True, token_usage={"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}),
        eee_row("s2", 0.0, False, error="timeout"),
        eee_row("s3", 1.0, True, evaluation_result_id="another"),
    ]
    for details in (True, False):
        found, remarks = rows_of(eee_record(tmp_path, rows, details=details))
        assert scores(found) == [("s1", 1.0), ("s2", 0.0)] and remarks == []
        assert (found[0]["input"], found[0]["expected"], found[0]["output"]) == ("2+2?", "4", "4")
        assert found[0]["input_tokens"] == 3 and found[1]["error"] == "timeout" and "correct" not in found[1]


def test_every_eval_ever_rows_with_another_checksum_are_not_those_of_the_record(tmp_path):
    path = eee_record(tmp_path, [eee_row("s1", 1.0, True)])
    write_lines(tmp_path / "abc_samples.jsonl", eee_row("s1", 0.0, False))
    with pytest.raises(UnreadableSamples, match="does not have the checksum"):
        rows_of(path)


# -- bounds and hostile files


def test_links_and_pipes_in_the_place_of_samples_are_refused(tmp_path):
    secret = tmp_path / "elsewhere.jsonl"
    write_lines(secret, lm_eval_line(0, 1.0))
    (tmp_path / "run").mkdir()
    path = lm_eval_files(tmp_path / "run", [lm_eval_line(0, 1.0)])
    [samples] = (tmp_path / "run").glob("samples_*")
    samples.unlink()
    samples.symlink_to(secret)
    with pytest.raises(UnreadableSamples, match="not a regular file"):
        rows_of(path)
    samples.unlink()
    os.mkfifo(samples)
    with pytest.raises(UnreadableSamples, match="not a regular file"):
        rows_of(path)


def test_the_file_that_a_record_names_is_looked_for_beside_it_only(tmp_path):
    path = eee_record(tmp_path, [eee_row("s1", 1.0, True)])
    document = json.loads(path.read_text())
    document["detailed_evaluation_results"] = {"file_path": "../../../etc/passwd"}
    path.write_text(json.dumps(document))
    with pytest.raises(UnreadableSamples, match="passwd is not beside the record"):
        rows_of(path)


def bounded(rows, **more):
    found = list(bounded_rows(rows, is_ratio=True, clean=lambda row: row, **more))
    return [row for row in found if not isinstance(row, Remark)], [row.text for row in found if isinstance(row, Remark)]


def test_more_samples_than_the_maximum_are_left_out(monkeypatch):
    monkeypatch.setattr(instances, "MAX_SAMPLES", 3)
    rows, remarks = bounded({"id": n, "score": 1.0} for n in range(10))
    assert [row["id"] for row in rows] == ["0", "1", "2"] and remarks == ["samples after the first 3 are left out"]


def test_a_long_transcript_keeps_its_beginning_and_its_end(monkeypatch):
    monkeypatch.setattr(instances, "MAX_ROW_BYTES", 2_000)
    messages = [{"role": "user", "content": f"{n} " + "x" * 100} for n in range(200)]
    [row], [remark] = bounded([{"id": "a", "score": 1.0, "messages": messages}])
    assert row["messages"][0] == messages[0] and row["messages"][-1] == messages[-1]
    assert row["messages_left_out"] + len(row["messages"]) == 200 and row["score"] == 1.0
    assert "1 transcripts are shortened" in remark


def test_a_full_file_keeps_the_scores_of_the_last_samples(monkeypatch):
    monkeypatch.setattr(instances, "MAX_FILE_BYTES", 4_000)
    rows, remarks = bounded({"id": n, "score": 0.0, "input": "x" * 300} for n in range(15))
    assert [row["score"] for row in rows] == [0.0] * 15 and "input" in rows[0] and "input" not in rows[-1]
    assert any("keep only their scores" in text for text in remarks)


def test_rows_without_an_id_are_counted_and_left_out():
    rows, remarks = bounded([{"id": None, "score": 1}, {"id": True, "score": 1}, {"id": 7, "score": 1.0}, {"score": 1}])
    assert [row["id"] for row in rows] == ["7"] and remarks == ["3 samples without an id are left out"]


def nested(depth):
    return {"a": nested(depth - 1)} if depth else 1


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=4)
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["id", "score", "error", "messages", "input", "correct"]), VALUES)))
def test_whatever_rows_hold_can_be_written_and_read_again(given_rows):
    rows, _ = bounded([*given_rows, {"id": "deep", "input": nested(60)}])
    lines = [msgspec.json.encode(row) for row in rows]
    assert all(len(line) <= instances.MAX_ROW_BYTES + 100 for line in lines)
    look_through(lines)
    assert rows[-1]["input"] == "[left out: over 16 levels deep]"
    assert all(isinstance(row["id"], str) for row in rows)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_log_with_odd_values_gives_rows_or_a_reason(tmp_path_factory, data):
    sample = st.fixed_dictionaries(
        {"id": VALUES, "scores": VALUES | st.dictionaries(st.just("match"), VALUES, min_size=1)},
        optional=dict.fromkeys(("epoch", "messages", "output", "error", "attachments", "model_usage", "input"), VALUES),
    )
    path = tmp_path_factory.mktemp("log") / "log.json"
    path.write_text(json.dumps(inspect_log(data.draw(st.lists(sample | VALUES, max_size=5)))))
    with contextlib.suppress(UnreadableSamples):
        rows_of(path)
