"""`calibrate`: players of known quality show whether a benchmark measures anything."""

from __future__ import annotations

import json

import pytest

FED = """
player = os.environ.get("BENCHMARK_CALIBRATION", "model")
score = {scores}[player]
output.joinpath("result.json").write_text(json.dumps({{"score": score, "n": 4}}))
"""
DECLARED = "[calibration]"


def add(bench, id="mine", declared=DECLARED, **scores):
    bench.add(
        id, FED.format(scores={"perfect": 1.0, "half": 0.5, "random": 0.25, "wrong": 0.0, **scores}), more=declared
    )


def calibrate(bench, *arguments, code=0):
    return json.loads(bench("calibrate", *arguments, "--json", code=code).stdout)


def test_a_benchmark_that_tells_right_from_wrong_is_sound(bench):
    add(bench)
    [row] = calibrate(bench, "mine")
    assert row["scores"] == {"perfect": 1.0, "half": 0.5, "random": 0.25, "wrong": 0.0}
    assert row["verdict"] == {"judgement": "sound", "findings": []}
    runs = bench.runs()
    assert {run["agent"] for run in runs} == {"perfect", "half", "random", "wrong"}
    assert all(run["synthetic"] and run["model"] == run["provider"] == "none" for run in runs)
    assert len({run["comparison_key"] for run in runs}) == len({run["run_group_id"] for run in runs}) == 1
    assert calibrate(bench, "mine") == [row]
    assert len(bench.runs()) == 4, "what was played once is not played again"
    calibrate(bench, "mine", "--force")
    assert len(bench.runs()) == 8
    assert "sound" in bench("calibrate", "mine").stdout


def test_a_scorer_that_accepts_everything_is_not_sound(bench):
    add(bench, half=1.0, random=1.0)
    add(bench, "zero", perfect=0.0, half=0.0, random=0.0)
    mine, zero = calibrate(bench, "mine", "zero", code=1)
    assert mine["verdict"]["judgement"] == zero["verdict"]["judgement"] == "measures_nothing"
    assert "perfect equals half: this benchmark measures nothing" in mine["verdict"]["findings"]
    table = bench("calibrate", "mine", code=1).stdout
    assert "measures nothing" in table


def test_if_a_player_fails_the_verdict_is_open(bench):
    add(bench, half="no score")
    [row] = calibrate(bench, "mine", code=1)
    assert (row["verdict"]["judgement"], row["verdict"]["findings"]) == ("unclear", ["half has no valid score"])


def test_only_declared_players_run_and_get_their_name_by_argv(bench):
    code = """
    player = sys.argv[sys.argv.index("--play") + 1]
    score = {"perfect": 1.0, "wrong": 0.0}[player]
    output.joinpath("result.json").write_text(json.dumps({"score": score, "n": 4}))
    """
    declared = '[calibration]\nplayers = ["perfect", "wrong"]\nargv = ["--play", "{agent}"]'
    bench.add("mine", code, more=declared.replace("\\\n", "\n"))
    [row] = calibrate(bench, "mine")
    assert row["scores"] == {"perfect": 1.0, "wrong": 0.0}


def test_other_options_are_another_task(bench):
    add(bench)
    calibrate(bench, "mine")
    calibrate(bench, "mine", "--extra", '{"seed": 5}')
    assert len({run["comparison_key"] for run in bench.runs()}) == 2
    assert "no option 'sed'" in bench("calibrate", "mine", "--extra", '{"sed": 5}', code=2).stderr


def test_baselines_named_like_players_are_players(bench):
    code = 'output.joinpath("result.json").write_text(json.dumps({"score": float(sys.argv[2]), "n": 4}))'
    declared = '[baselines.perfect]\nargv = ["1"]\n[baselines.wrong]\nargv = ["0"]\n[baselines.other]\nargv = ["5"]'
    bench.add("mine", code, more=declared.replace("\\\n", "\n"))
    [row] = calibrate(bench, "mine")
    assert row["scores"] == {"perfect": 1.0, "wrong": 0.0}


def test_bad_usage_is_an_error_and_starts_nothing(bench):
    bench.add("plain")
    for arguments, message in (
        ([], "no benchmarks given\nhint: name benchmarks, or use --all"),
        (["plain"], "plain has fewer than two of the players"),
        (["plain", "--all"], "benchmarks and --all exclude each other"),
        (["nope"], "unknown benchmark 'nope'"),
    ):
        assert message in bench("calibrate", *arguments, code=2).stderr
    assert not bench.results.exists()


@pytest.mark.parametrize("suite", ["context_recall", "action_calling"])
def test_shipped_suites_are_sound(bench, suite):
    [row] = calibrate(bench, suite)
    assert (row["scores"]["perfect"], row["scores"]["half"], row["scores"]["wrong"]) == (1.0, 0.5, 0.0)
    assert row["scores"]["random"] < 0.5


def test_a_new_benchmark_is_sound(bench):
    bench("new", "capitals")
    [row] = calibrate(bench, "capitals")
    assert row["verdict"]["judgement"] == "sound"
    assert [run["notes"] for run in bench.runs()] == [[]] * 4, "its samples can be used"
