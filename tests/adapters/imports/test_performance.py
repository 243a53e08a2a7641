"""Measurements of time: machines and environments stay apart, and each run is as old as its file says."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from benchmarks.adapters.imports.found import UnreadableResult

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture
def tests():
    """A pytest-benchmark document of one test."""
    found = json.loads((SAMPLES / "pytest-benchmark.json").read_text())
    return found | {"benchmarks": found["benchmarks"][:1]}


def test_machines_and_environments_of_asv_are_tasks_of_their_own(find, data):
    runs = find(data / "asv-machines").runs
    options = [json.dumps(run.options, sort_keys=True) for run in runs]
    assert len(set(options)) == 3 and len({run.benchmark_id for run in runs}) == 1
    reported = {(run.options["machine"]["name"], run.options["environment"]["python"]): run.score for run in runs}
    assert reported == {("fast", "3.11"): 0.1, ("slow", "3.11"): 0.9, ("slow", "3.13"): 0.7}


@pytest.mark.parametrize(
    ("change", "is_other"),
    [
        ({"requirements": {"numpy": "2.0"}}, True),
        ({"env_vars": {"OMP_NUM_THREADS": "1"}}, True),
        ({"params": {"cpu": "another"}}, True),
        ({"params": {"machine": "another"}}, True),
        ({"params": {"os": "Linux 7.0", "ram": "9"}}, False),
        ({"commit_hash": "b" * 40, "date": 1, "durations": {"a": 1}}, False),
    ],
)
def test_what_asv_says_of_machine_and_environment(find, document, change, is_other):
    results = document("asv-machines/slow/aaaaaaaa-virtualenv-py3.11.json")
    changed = json.loads(json.dumps(results))
    for name, value in change.items():
        changed[name] = {**changed[name], **value} if isinstance(value, dict) else value
    [before, after] = [find(one).runs[0].options for one in (results, changed)]
    assert (before != after) is is_other


def test_another_version_of_a_benchmark_is_another_task(find, document):
    results = document("asv-machines/slow/aaaaaaaa-virtualenv-py3.11.json")
    before = find(results).runs[0].options
    results["results"]["bench.time_sort"][2] = "v2"
    assert find(results).runs[0].options != before


def test_each_commit_of_asv_has_its_own_time(find, data, document):
    runs = [run for run in find(data / "asv-three-commits").runs if run.name == "bench.time_plain"]
    newest = max(runs, key=lambda run: run.started_at)
    assert newest.benchmark_version.startswith("8d16d509") and newest.score == pytest.approx(0.00408, abs=1e-5)
    results = document("asv-machines/slow/aaaaaaaa-virtualenv-py3.11.json")
    results["results"]["bench.time_sort"][3] = None
    assert find(results).runs[0].started_at == "2025-01-01T00:00:00.000000Z", "the commit's, if that is all it says"
    results["date"] = None
    assert not find(results).runs[0].started_at.startswith("1970")


def test_asv_takes_less_for_better_unless_the_unit_says_otherwise(find, data):
    runs = {run.name: run for run in find(data / "asv-three-commits").runs}
    assert runs["bench.time_plain"].higher_is_better is False
    assert runs["bench.T.track_acc(1, 'b')"].unit == "accuracy"
    assert runs["bench.T.track_acc(1, 'b')"].higher_is_better is True


def test_asv_has_one_value_and_no_metric_to_choose(find, data):
    with pytest.raises(UnreadableResult, match="no metric median: each benchmark of asv has one value"):
        find(data / "asv-machines", metric="median")


def test_nulls_and_nans_of_asv_are_failures_and_skips(find, document):
    results = document("asv-machines/slow/aaaaaaaa-virtualenv-py3.11.json")
    results["results"] = {"a.time_x": [None, [], "1"], "a.time_y": [[math.nan], [], "1"], "a.time_z": [[None], [], "1"]}
    runs = find(results).runs
    assert [(run.name, run.reason) for run in runs] == [("a.time_x", "no_score"), ("a.time_z", "no_score")]


@pytest.mark.parametrize(
    ("change", "is_other"),
    [
        ({"node": "another"}, True),
        ({"cpu": {"brand_raw": "another"}}, True),
        ({"machine": "arm64"}, True),
        ({"python_version": "3.13.1"}, True),
        ({"python_implementation": "PyPy"}, True),
        ({"release": "7.0", "python_version": "3.11.9"}, False),
    ],
)
def test_machine_info_of_pytest_benchmark_distinguishes_tasks(only, tests, change, is_other):
    before = only(tests)
    after = only({**tests, "machine_info": {**tests["machine_info"], **change}})
    assert (before.options != after.options) is is_other
    assert after.provenance["machine"].items() >= {k: v for k, v in change.items() if k != "cpu"}.items()


def test_a_metric_that_no_measurement_has_is_reported_and_can_be_added_later(find, tests):
    assert find(tests, metric="median").runs[0].score == tests["benchmarks"][0]["stats"]["median"]
    with pytest.raises(UnreadableResult, match=r"no metric nope; known: .*median"):
        find(tests, metric="nope")
    with pytest.raises(UnreadableResult, match=r"no metric nope; known: .*mean"):
        find(SAMPLES / "hyperfine.json", metric="nope")


def test_a_nan_is_not_a_time(only, tests):
    tests["benchmarks"][0]["stats"]["mean"] = math.nan
    assert (only(tests).reason, only(tests).score) == ("no_score", None)


def test_a_file_that_does_not_say_when_it_was_is_as_old_as_itself(only, tmp_path):
    path = tmp_path / "old.json"
    path.write_bytes((SAMPLES / "hyperfine.json").read_bytes())
    os.utime(path, (1_600_000_000, 1_600_000_000))
    run = only(path)
    assert run.started_at == "2020-09-13T12:26:40.000000Z" and run.provenance["time"] == "of the file"
    os.utime(path, (4_000_000_000, 4_000_000_000))
    assert only(path).started_at is None, "a time that is still to come is none"


def test_repetitions_of_hyperfine_that_failed_fail_the_run(only):
    row = json.loads((SAMPLES / "hyperfine.json").read_text())["results"][0]
    run = only({"results": [{**row, "exit_codes": [0, 0, 1, 0, 0]}]})
    assert (run.status, run.reason, run.error) == ("failed", "exit_code", "1 of 5 repetitions failed")
    assert only({"results": [{**row, "stddev": -1}]}).stderr is None
