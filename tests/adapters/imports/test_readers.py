"""Readers of other harnesses' files: what those harnesses wrote is read as what it says, and as nothing more."""

from __future__ import annotations

import json
import os
import shutil
import tracemalloc
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZipFile

import pytest

from benchmarks.adapters.imports.found import UnreadableResult
from benchmarks.adapters.imports.reading import Choices, find_sources
from benchmarks.adapters.manifest import load_manifest
from benchmarks.adapters.result import read_result
from benchmarks.adapters.suites.lm_eval.scores import summarize

SAMPLES = Path(__file__).parents[2] / "samples"
DATA = Path(__file__).parent / "data"
ADAPTERS = Path(__file__).parents[3] / "adapters"


def read(*paths: Path, metric: str | None = None, **choices):
    """The runs of those paths, by kind; every complaint is an error."""

    def fail(problem: UnreadableResult) -> None:
        raise problem

    sources = find_sources(paths, Choices(metric=metric, **choices), fail)
    return [(source.kind, run) for source in sources for run in source.read().runs]


def one(path: Path, kind: str, **choices):
    [(found, run)] = read(path, **choices)
    assert found == kind
    return run


def document(name: str):
    return json.loads((SAMPLES / name).read_text())


@pytest.fixture
def written(tmp_path):
    def written(content: object, name: str = "result.json") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return written


def test_an_inspect_archive_and_its_json_tell_the_same():
    run = one(SAMPLES / "inspect.eval", "inspect-log")
    assert (run.status, run.score, run.unit, run.samples) == ("succeeded", 0.4, "ratio", 5)
    assert (run.benchmark_id, run.provider, run.model) == ("caps", "local", "smollm2-135m")
    assert run.started_at.startswith("2026-11-23T20:35:0") and run.duration_seconds > 0
    assert run.stderr == pytest.approx(0.245, abs=1e-3)
    assert run.config["task"] == "caps" and run.provenance["packages"]["inspect_ai"] == "0.3.285"
    assert run == one(SAMPLES / "inspect-header.json", "inspect-log")


def test_a_run_of_inspect_and_an_import_of_its_log_are_scored_alike(written, tmp_path):
    header = document("inspect-header.json")
    cached = {"input_tokens": 67, "output_tokens": 156, "total_tokens": 340, "input_tokens_cache_read": 113}
    header["stats"]["model_usage"] = {"m": {**cached, "input_tokens_cache_write": 4}}
    run = one(written(header), "inspect-log")
    assert run.usage == {"input_tokens": 184, "output_tokens": 156, "total_tokens": 340, "cached_tokens": 113}
    manifest = load_manifest(ADAPTERS / "suites" / "inspect_ai" / "benchmark.toml", "inspect_ai")
    reading = read_result(manifest, output_dir=tmp_path, cwd=tmp_path, started_at=0)
    assert (reading.score, reading.stderr, reading.samples) == (run.score, run.stderr, run.samples)
    assert reading.usage == run.usage and manifest.result.unit == run.unit


def test_the_log_of_a_killed_inspect_is_a_failed_run():
    run = one(SAMPLES / "inspect-killed.eval", "inspect-log")
    assert (run.status, run.reason, run.score, run.samples) == ("failed", "unfinished", None, 2)
    assert (run.benchmark_id, run.error) == ("slow", "the log's status is started")
    assert run.synthetic, "Inspect's mockllm is not a model"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "started", "results": None}, "unfinished"),
        ({"status": "cancelled"}, "interrupted"),
        ({"status": "error", "error": {"message": "the sandbox is gone"}}, "error"),
        ({"invalidated": True}, "invalid_result"),
        ({"results": {"total_samples": 5, "completed_samples": 5, "scores": []}}, "no_score"),
    ],
)
def test_an_inspect_log_that_did_not_succeed_is_a_failed_run(written, change, reason):
    run = one(written({**document("inspect-header.json"), **change}), "inspect-log")
    assert (run.status, run.reason) == ("failed", reason)
    assert run.error == change.get("error", {}).get("message", run.error)


def test_the_metric_of_an_inspect_log_can_be_chosen(written):
    header = document("inspect-header.json")
    header["results"]["scores"][0]["metrics"]["mean"] = {"name": "mean", "value": 3.5}
    run = one(written(header), "inspect-log", metric="mean")
    assert (run.score, run.unit, run.config["metric"]) == (3.5, "mean", "mean")
    with pytest.raises(UnreadableResult, match="no metric f1; known: includes/accuracy"):
        read(written(header), metric="f1")


def test_lm_eval():
    run = one(SAMPLES / "lm-eval-results.json", "lm-eval-results")
    assert (run.benchmark_id, run.score, run.unit, run.stderr, run.samples) == ("local_caps", 0.0, "ratio", 0.0, 3)
    assert (run.model, run.benchmark_version, run.config["metric"]) == ("smollm2-135m", "1.0", "exact_match,none")
    reported = summarize(document("lm-eval-results.json"), "local_caps", None)
    assert (reported["score"], reported["n"], reported["metric"]) == (run.score, run.samples, run.config["metric"])


def test_a_group_of_lm_eval_is_one_run_with_its_tasks_as_metrics(written):
    results = document("lm-eval-results.json")
    results["results"] |= {
        "g": {"alias": "g", "acc,none": 0.5, "acc_stderr,none": "N/A"},
        "a": {"alias": "a", "acc,none": 0.25},
        "p": {"alias": "p", "word_perplexity,none": 12.5},
    }
    results["group_subtasks"] = {"g": ["a"]}
    results["n-samples"]["a"] = {"original": 9, "effective": 4}
    results["higher_is_better"]["p"] = {"word_perplexity": False}
    runs = {run.name: run for _, run in read(written(results))}
    assert runs.keys() == {"local_caps", "g", "p"}
    assert (runs["g"].score, runs["g"].stderr, runs["g"].samples) == (0.5, None, 4)
    assert runs["g"].metrics["a"] == {"acc,none": 0.25}
    assert (runs["p"].unit, runs["p"].higher_is_better) == ("word_perplexity", False)


def test_harbor():
    run = one(SAMPLES / "harbor-job", "harbor-job")
    assert (run.benchmark_id, run.agent, run.provider, run.model) == (
        "terminal-bench",
        "terminus-2",
        "openai",
        "gpt-5-mini",
    )
    assert (run.status, run.score, run.samples, run.unit) == ("succeeded", 0.5, 4, "ratio")
    assert run.metrics["errors"] == {"AgentTimeoutError": 1} and run.metrics["unrewarded"] == 1
    assert run.usage == {"input_tokens": 4006, "output_tokens": 400, "cached_tokens": 40, "cost_usd": 0.04}
    assert run.duration_seconds == 8 * 60


@pytest.mark.parametrize("change", [{"n_pending_trials": 2}, {"n_running_trials": 1}])
def test_a_harbor_job_that_was_not_finished_is_a_failed_run(tmp_path, change):
    job = shutil.copytree(SAMPLES / "harbor-job", tmp_path / "job")
    result = json.loads((job / "result.json").read_text())
    result["stats"] |= change
    (job / "result.json").write_text(json.dumps(result))
    run = one(job, "harbor-job")
    assert (run.status, run.reason) == ("failed", "unfinished")
    (job / "result.json").unlink()
    assert "it was killed" in one(job, "harbor-job").error


def test_helm():
    run = one(SAMPLES / "helm-run", "helm-run")
    assert (run.benchmark_id, run.provider, run.model) == ("simple_mcqa", "simple", "model1")
    stats = {row["name"]["name"]: row["mean"] for row in document("helm-run/stats.json") if row["count"]}
    assert (run.status, run.score, run.unit) == ("succeeded", stats["exact_match"], "ratio")
    assert (run.samples, run.config["metric"]) == (stats["num_instances"], "exact_match")
    assert one(SAMPLES / "helm-run", "helm-run", metric="num_instances").score == stats["num_instances"]
    assert one(SAMPLES / "helm-run" / "stats.json", "helm-run") == run, "a file of the folder stands for it"


def test_a_helm_run_without_stats_is_a_failed_run_and_cut_stats_are_reported(tmp_path):
    folder = shutil.copytree(SAMPLES / "helm-run", tmp_path / "run")
    text = (folder / "stats.json").read_text()
    (folder / "stats.json").write_text(text[: len(text) // 2])
    with pytest.raises(UnreadableResult, match=r"stats.json: is not JSON"):
        read(folder)
    (folder / "stats.json").unlink()
    run = one(folder, "helm-run")
    assert (run.status, run.reason, run.score) == ("failed", "unfinished", None)


def test_every_eval_ever():
    run = one(SAMPLES / "every-eval-ever.json", "every-eval-ever")
    assert (run.benchmark_id, run.score, run.unit, run.samples) == ("local_caps", 0.0, "ratio", 3)
    assert (run.provider, run.model) == ("HuggingFaceTB", "SmolLM2-135M-Instruct")
    assert (run.higher_is_better, run.stderr) == (True, 0.0)
    assert run.provenance["organization"] == "example" and run.started_at.startswith("2026-11-23T")


def test_pytest_benchmark_without_the_times_of_its_rounds():
    runs = [run for _, run in read(SAMPLES / "pytest-benchmark.json")]
    assert runs[2].benchmark == "pb/test_b.py::test_sort[100]"
    assert runs[2].benchmark_id.startswith("pb_test_b_py_test_sort_100-")
    stats = document("pytest-benchmark.json")["benchmarks"][0]["stats"]
    assert (runs[0].score, runs[0].unit, runs[0].samples) == (stats["mean"], "s", stats["rounds"])
    assert runs[0].stderr == pytest.approx(stats["stddev"] / stats["rounds"] ** 0.5)
    assert all(run.higher_is_better is False and "data" not in run.metrics for run in runs)


def test_hyperfine(written):
    row = document("hyperfine.json")["results"][0]
    run = one(SAMPLES / "hyperfine.json", "hyperfine")
    assert (run.score, run.samples, run.config) == (row["mean"], 5, {"command": "sleep 0.01"})
    failed = {**row, "exit_codes": [0, 1, 0, 0, 1]}
    runs = [run for _, run in read(written({"results": [row, failed]}))]
    assert [run.status for run in runs] == ["succeeded", "failed"]
    assert runs[1].error == "2 of 5 repetitions failed"


def test_asv_with_parameters_units_and_what_failed_or_was_skipped(tmp_path):
    folder = shutil.copytree(SAMPLES / "asv", tmp_path / "asv")
    runs = {run.name: run for _, run in read(folder)}
    assert {name: run.unit for name, run in runs.items()} == {
        "bench.Suite.time_sum(10)": "s",
        "bench.Suite.time_sum(100)": "s",
        "bench.time_upper": "s",
        "bench.Suite.track_length(10)": "items",
        "bench.Suite.track_length(100)": "items",
        "bench.mem_list": "bytes",
    }
    assert runs["bench.mem_list"].score > 1000 and runs["bench.mem_list"].started_at.startswith("2026-11-23T")
    [file] = folder.glob("*/*.json")
    results = json.loads(file.read_text())
    results["results"]["bench.Suite.time_sum"][0] = [float("nan"), 0.5]
    results["results"]["bench.mem_list"][0] = None
    file.write_text(json.dumps(results))
    runs = {run.name: run for _, run in read(folder)}
    assert "bench.Suite.time_sum(10)" not in runs and runs["bench.Suite.time_sum(100)"].score == 0.5
    assert (runs["bench.mem_list"].status, runs["bench.mem_list"].reason) == ("failed", "no_score")


def test_a_csv_with_a_mapping(written):
    path = written('task,who,"acc, %",size\ngsm8k,m1,81.5,100\nmmlu,m2,60,\n', "table.csv")
    columns = {"benchmark": "task", "model": "who", "score": "acc, %", "samples": "size", "metrics.n": "size"}
    first, second = [run for _, run in read(path, columns=columns, constants={"unit": "percent", "agent": "mine"})]
    assert (first.benchmark_id, first.model, first.score, first.unit) == ("gsm8k", "m1", 81.5, "percent")
    assert (first.samples, first.metrics, first.agent, second.samples) == (100, {"n": 100.0}, "mine", None)


@pytest.mark.parametrize(
    ("text", "choices", "reported"),
    [
        ("a,score\nx,1\n", {}, "which column is benchmark, model.*--map benchmark=COLUMN"),
        ("benchmark,model,score\nx,y,1\n", {"columns": {"score": "nope"}}, "no column nope for score"),
        ("benchmark,model,score\nx,y,1\nx,y,high\n", {}, "line 3: the score 'high' is not a number"),
        ("benchmark,model,score\nx,y\n", {}, "line 2 does not have the 3 cells"),
        ("benchmark,model,score\nx,,1\n", {}, "line 2: the benchmark or the model is empty"),
        ("benchmark,model,score\n", {}, "a heading and no line"),
        ("benchmark,model,score,started_at\nx,y,1,soon\n", {}, "started_at is 'soon'"),
        ("benchmark,model,score,higher_is_better\nx,y,1,up\n", {}, "neither true nor false"),
        ("benchmark,model,score,samples\nx,y,1,many\n", {}, "line 2: samples is 'many', not a whole number from 0"),
        ("benchmark,model,score,stderr\nx,y,1,±1\n", {}, "line 2: stderr is '±1', not a number"),
        ("benchmark,model,score,score\nx,y,1,2\n", {}, "2 columns are called score: which one is meant"),
        ("benchmark,model,score\nx,y,85\n", {"constants": {"unit": "ratio"}}, "85 is not a ratio .* may be percent"),
        ('benchmark,model,score\n"x,y,1\n', {}, "is not CSV"),
    ],
)
def test_a_csv_that_cannot_be_read_whole_is_not_read(written, text, choices, reported):
    with pytest.raises(UnreadableResult, match=reported):
        read(written(text, "table.csv"), **choices)


@pytest.mark.parametrize(
    "name",
    ["inspect-header.json", "lm-eval-results.json", "pytest-benchmark.json", "hyperfine.json", "every-eval-ever.json"],
)
def test_a_truncated_file_is_told_wherever_it_was_cut(written, name):
    text = (SAMPLES / name).read_text()
    for length in range(1, len(text.rstrip()), max(1, len(text) // 40)):
        with pytest.raises(UnreadableResult):
            read(written(text[:length]))


@pytest.mark.parametrize("name", ["inspect.eval", "inspect-killed.eval"])
def test_a_truncated_archive_is_told_wherever_it_was_cut(tmp_path, name):
    content, path = (SAMPLES / name).read_bytes(), tmp_path / "log.eval"
    for length in range(0, len(content), max(1, len(content) // 40)):
        path.write_bytes(content[:length])
        with pytest.raises(UnreadableResult):
            read(path)


@pytest.mark.parametrize("compression", [ZIP_DEFLATED, ZIP_BZIP2, ZIP_LZMA])
def test_a_damaged_archive_is_reported_whatever_compressed_it(tmp_path, compression):
    path = tmp_path / "log.eval"
    with ZipFile(path, "w", compression) as archive:
        archive.write(SAMPLES / "inspect-header.json", "header.json")
    content = path.read_bytes()
    for at in range(100, len(content) - 100, 20):
        path.write_bytes(content[:at] + bytes(20) + content[at + 20 :])
        with pytest.raises(UnreadableResult, match="not a whole Inspect log"):
            read(path)


def test_an_encrypted_archive_and_one_without_a_task_are_reported(tmp_path):
    path = tmp_path / "log.eval"
    with ZipFile(path, "w") as archive:
        archive.writestr("header.json", '{"eval": 5}')
    with pytest.raises(UnreadableResult, match="not of the shape that it seems to be: KeyError: 'task'"):
        read(path)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(UnreadableResult, match="is encrypted"):
        read(path)


def test_an_archive_that_unpacks_to_more_than_a_header_is_not_unpacked_whole(tmp_path, monkeypatch):
    path = tmp_path / "log.eval"
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("header.json", "0" * 100_000_000)
    monkeypatch.setattr("benchmarks.adapters.imports.inspect_log.MAX_MEMBER_BYTES", 1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableResult, match=r"header.json in it has more than 1000000 bytes"):
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["pipe.json", "pipe.eval", "pipe.csv"])
def test_a_pipe_is_told_and_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(UnreadableResult, match="no regular file"):
        read(tmp_path, columns={"model": "model"})


@pytest.mark.slow
def test_a_file_that_no_memory_would_hold_is_reported(tmp_path):
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(2 * 1024**3 + 1)
    with pytest.raises(UnreadableResult, match="it has more than 1073741824 bytes"):
        read(path)


@pytest.mark.parametrize(
    "name", ["inspect-header.json", "lm-eval-results.json", "every-eval-ever.json", "hyperfine.json"]
)
@pytest.mark.parametrize("junk", [None, 5, "text", [], {}, [[]], [None]])
def test_a_value_of_another_type_is_read_around_or_told_and_never_a_traceback(written, name, junk):
    original = document(name)
    for key in original:
        try:
            read(written({**original, key: junk}))
        except UnreadableResult:
            continue


def test_numbers_and_letters_that_no_event_can_hold_are_read_around(written):
    header = document("inspect-header.json")
    header["eval"]["task_args"] = {"half": "a\ud800b", "most": float("inf"), "least": [float("nan")]}
    header["results"]["scores"][0]["metrics"]["odd"] = {"name": "odd", "value": 10**400}
    header["results"]["scores"][0]["metrics"]["none"] = {"name": "none", "value": float("nan")}
    run = one(written(header), "inspect-log")
    assert run.config["task_args"] == {"half": "a?b", "most": None, "least": [None]}
    assert set(run.metrics) == {"includes/accuracy", "includes/stderr"} and run.score == 0.4
    with pytest.raises(UnreadableResult, match="is not JSON"):
        read(written(f'{{"results": [{{"command": "x", "mean": {"9" * 5000}}}]}}'))
    deep = "[" * 100_000 + "]" * 100_000
    with pytest.raises(UnreadableResult, match="is not JSON"):
        read(written(f'{{"status": {deep}}}'))


@pytest.mark.parametrize("levels", [40, 900])
def test_what_is_nested_too_deep_to_be_shown_is_reported(written, levels):
    found = document("pytest-benchmark.json")
    for _ in range(levels):
        found["benchmarks"][0]["params"] = {"a": found["benchmarks"][0]["params"]}
    with pytest.raises(UnreadableResult, match=r"levels deep|nested too deep"):
        read(written(found))


def test_rewards_whose_sum_is_not_a_number_are_reported(tmp_path):
    job = shutil.copytree(SAMPLES / "harbor-job", tmp_path / "job")
    for trial in job.glob("*/result.json"):
        content = json.loads(trial.read_text())
        content["verifier_result"] = {"rewards": {"reward": 1.7e308}}
        trial.write_text(json.dumps(content))
    with pytest.raises(UnreadableResult, match="OverflowError"):
        read(job)


def test_a_config_of_another_program_hides_no_result_beside_it(written, tmp_path):
    shutil.copy(SAMPLES / "hyperfine.json", tmp_path / "a.json")
    written("{ // settings, with comments\n}", "config.json")
    reported: list[UnreadableResult] = []
    assert [source.path.name for source in find_sources([tmp_path], Choices(), reported.append)] == ["a.json"]
    assert [problem.path.name for problem in reported] == ["config.json"]


def test_in_a_folder_other_files_are_passed_over_and_broken_ones_are_reported(written, tmp_path):
    shutil.copy(SAMPLES / "hyperfine.json", tmp_path / "a.json")
    written({"some": "settings"}, "settings.json")
    written('{"a": 1}\n{"a": 2}\n', "lines.json")
    written("[1, 2]", "list.json")
    written('{"results": [', "cut.json")
    written("no zip", "sub/log.eval")
    reported: list[UnreadableResult] = []
    sources = list(find_sources([tmp_path], Choices(), reported.append))
    assert [source.path.name for source in sources] == ["a.json", "log.eval"]
    assert [problem.path.name for problem in reported] == ["cut.json"]
    with pytest.raises(UnreadableResult, match="not a whole Inspect log"):
        read(tmp_path / "sub" / "log.eval")
    with pytest.raises(UnreadableResult, match="of no format that is known"):
        read(tmp_path / "settings.json")


@pytest.mark.parametrize("header", [{"status": "success"}, [1], {"eval": {"task": 5}, "results": {"scores": 3}}, "x"])
def test_an_archive_whose_header_breaks_the_rules_is_reported(tmp_path, header):
    with ZipFile(tmp_path / "odd.eval", "w") as archive:
        archive.writestr("header.json", json.dumps(header))
    try:
        run = one(tmp_path / "odd.eval", "inspect-log")
    except UnreadableResult as problem:
        assert problem.path == tmp_path / "odd.eval"
    else:
        assert run.score is None and run.status == "failed"


OLDER = [
    ("older-formats/lm-eval-0.3.json", "results of lm-eval 0.3 or older"),
    ("older-formats/box/bbbbbbbb-py3.6.json", "results of asv in version 1"),
    ({"benchmarks": [{"name": "t", "stats": {"mean": 1}}]}, "results of pytest-benchmark before 3"),
    (
        {"results": [{"trial_name": "t", "is_resolved": True}], "accuracy": 1.0},
        "results of Terminal-Bench's own harness",
    ),
    ({"status": "success", "eval": {"task": "t"}}, "an Inspect log without a version"),
    ({"evaluation_results": [], "model_info": {}}, "a record of Every Eval Ever without a schema version"),
]


@pytest.mark.parametrize(("given", "reported"), OLDER)
def test_an_older_format_is_told_by_its_name(written, given, reported):
    path = written(given if isinstance(given, dict) else (DATA / given).read_text())
    with pytest.raises(UnreadableResult, match=reported):
        read(path)
    with pytest.raises(UnreadableResult, match=reported):
        read(path.parent)


def test_json_that_is_passed_over_is_counted_and_what_stands_beside_results_of_asv_is_not(written, tmp_path):
    shutil.copytree(DATA / "asv-machines", tmp_path / "asv")
    shutil.copy(DATA / "asv-three-commits" / "vm" / "machine.json", tmp_path / "asv" / "fast")
    passed_over: list[Path] = []
    written({"some": "settings"}, "settings.json")
    written([1], "machine.json")
    written({}, "benchmarks.json")
    list(find_sources([tmp_path], Choices(), pytest.fail, passed_over.append))
    assert sorted(path.relative_to(tmp_path).as_posix() for path in passed_over) == [
        "benchmarks.json",
        "machine.json",
        "settings.json",
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_json_in_another_encoding_is_read(tmp_path, encoding):
    path = tmp_path / "log.json"
    path.write_text((SAMPLES / "inspect-header.json").read_text(), encoding=encoding)
    assert one(path, "inspect-log").score == 0.4


def test_a_group_that_holds_itself_ends(written):
    results = document("lm-eval-results.json")
    results["group_subtasks"] = {"local_caps": ["local_caps"]}
    assert one(written(results), "lm-eval-results").score == 0.0
