"""The commands that compare scores, on real runs: leaderboard, compare, check and high-scores."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

HIGH_SCORE = '[high_score]\nlabel = "{label}"\nvalue = {value}\nsource = "https://example.org"\n'

ASKED = """
# Ten questions; the first SCORE of them are right.
import random
right = int(os.environ["SCORE"])
scores = [float(i < right) for i in range(10)]
lines = [json.dumps({"id": str(i), "score": score}) for i, score in enumerate(scores)]
output.joinpath("samples.jsonl").write_text("\\n".join(lines))
mean = sum(scores) / 10
output.joinpath("result.json").write_text(json.dumps({"score": mean, "n": 10, "stderr": 0.15}))
"""


@pytest.fixture
def scored(bench):
    """A benchmark `quiz`; the score of its runs is SCORE tenths."""
    bench.add("quiz", ASKED, result='stderr = "stderr"', more=HIGH_SCORE.format(label="somebody", value=0.8))

    def run(tenths, model, *more):
        bench.run("quiz", more=("--model", model, *more), SCORE=str(tenths))
        return bench.runs()[-1]

    bench.score = run
    return bench


def standings(bench, *arguments):
    return json.loads(bench("leaderboard", "--json", *arguments).stdout)["standings"]


def test_the_leaderboard_of_real_runs(scored):
    scored.score(3, "small")
    first = scored.events()[-1]
    scored.score(9, "large", "--repeats", "2")
    scored.score(5, "small", "--force")
    rows = standings(scored)
    assert [(row["rank"], row["model"], row["score"]["mean"], row["best_score"]) for row in rows] == [
        (1, "large", 0.9, 0.9),
        (2, "small", 0.5, 0.5),
    ]
    assert rows[0]["score"]["repeats"] == 2 and rows[1]["runs"] == 2
    assert [round(row["delta_to_high_score"], 3) for row in rows] == [0.1, -0.3]
    then = standings(scored, "--as-of", str(first["seq"]))
    assert [(row["model"], row["score"]["mean"]) for row in then] == [("small", 0.3)]
    assert [row["model"] for row in standings(scored, "--model", "small")] == ["small"]
    assert "did you mean large?" in scored("leaderboard", "--model", "lage", code=2).stderr
    assert "0.900" in scored("leaderboard").stdout
    assert scored("leaderboard", "--markdown").stdout.startswith("| benchmark | rank | agent |")
    assert (
        "--include: unknown kind of runs 'mock'\nhint: known: imported, synthetic"
        in scored("leaderboard", "--include", "mock", code=2).stderr
    )


def test_compare_pairs_the_samples_of_the_runs(scored):
    a, b = scored.score(1, "small"), scored.score(9, "large")
    comparison = json.loads(scored("compare", "small", "large", "--json").stdout)
    [row] = comparison["rows"]
    contrast = row["contrasts"][1]
    # 8 questions gained and none lost: 2 / 2⁸.
    assert (contrast["method"], contrast["wins"], contrast["ties"], contrast["losses"]) == ("mcnemar", 8, 2, 0)
    assert contrast["p_value"] == pytest.approx(2 / 256) and contrast["verdict"] == "better"
    assert json.loads(scored("compare", a["run_id"], b["run_id"], "--json").stdout)["rows"] == comparison["rows"]
    assert "8/2/0" in scored("compare", a["run_group_id"], b["run_group_id"]).stdout
    assert "| quiz |" in scored("compare", "small", "large", "--markdown").stdout
    [samples] = (scored.results / a["run_group_id"]).rglob("samples.jsonl")
    samples.write_text(samples.read_text().replace("1.0", "0.0"))
    [row] = json.loads(scored("compare", "small", "large", "--json").stdout)["rows"]
    assert row["contrasts"][1]["method"] == "t-test"
    assert "samples.jsonl is not the file that was recorded" in row["contrasts"][1]["note"]


def test_compare_accepts_times_in_the_past(scored):
    scored.score(1, "small")
    then = scored.events()[-1]["at"]
    scored.score(9, "small", "--force")
    [row] = json.loads(scored("compare", f"as-of:{then}", "now", "--json").stdout)["rows"]
    assert (row["contrasts"][1]["delta"], row["model"]) == (0.8, "ollama:small")


BAD_INPUT = [
    (["compare", "small"], "two or more things to compare are needed"),
    (
        ["compare", "small", "smal"],
        "unknown run, group, model or agent 'smal'\nhint: did you mean small?",
    ),
    (["compare", "small", "run_"], "means several things: run:run_quiz_"),
    (["compare", "small", "as-of:yesterday"], "neither a time"),
    (["check", "--baseline", "bset"], "unknown run, group, model or agent 'bset'"),
    (
        ["check", "--baseline", "best", "--max-drop", "much"],
        "'much' is not an allowed drop\nhint: write it like 0.02, 5% or human_eval=0.02",
    ),
    (
        ["check", "--baseline", "best", "--max-drop", "quz=1"],
        "the ledger has no scores of the benchmark 'quz'\nhint: did you mean quiz?",
    ),
    (["check", "--baseline", "best", "small"], "has nothing to compare with model ollama:small"),
    (["high-scores", "set", "qiz", "--value", "1", "--label", "x", "--source", "y"], "did you mean quiz?"),
    (["high-scores", "set", "quiz", "--value", "1.2", "--label", "x", "--source", "y"], "is not a ratio"),
    (["high-scores", "set", "quiz", "--value", "nan", "--label", "x", "--source", "y"], "is not a finite number"),
    (["high-scores", "set", "quiz", "--value", "85%", "--label", "x", "--source", "y"], "did you mean 0.85?"),
    (["high-scores", "--benchmark", "qiz"], "did you mean quiz?"),
    (["leaderboard", "--as-of", "never"], "neither a time"),
    (["export", "--format", "csv", "--output", "missing/x.csv"], "missing/x.csv: No such file or directory"),
]


def test_bad_input_is_one_line_with_hints(scored):
    scored.score(1, "small")
    scored.score(2, "large")
    before = len(scored.events())
    for arguments, message in BAD_INPUT:
        done = scored(*arguments, code=2)
        _, *hints = done.stderr.splitlines()
        assert message in done.stderr and all(line.startswith("hint: ") for line in hints) and not done.stdout, (
            arguments
        )
    assert len(scored.events()) == before


def test_check_is_a_gate(scored, tmp_path):
    good = scored.score(9, "small")
    scored.score(7, "small", "--force")
    junit, markdown = tmp_path / "check.xml", tmp_path / "check.md"
    done = scored("check", "--baseline", "best", "--junit", str(junit), "--markdown", str(markdown), code=1)
    assert "worse, but not by more than noise" in done.stdout
    assert ElementTree.parse(junit).find("testsuite").get("failures") == "1"
    assert markdown.read_text().startswith("**failed: group rg")
    result = json.loads(scored("check", "--baseline", "last", "--json", code=1).stdout)
    assert (result["passed"], result["compared"], round(result["scores"][0]["drop"], 3)) == (False, 1, 0.2)
    scored("check", "--baseline", "best", "--max-drop", "0.2")
    scored("check", "--baseline", "best", "--max-drop", "25%")
    scored("check", "--baseline", "best", "--max-drop", "0.1", "--max-drop", "quiz=0.3")
    scored("check", "small", "--baseline", "best", code=1)
    # Two of ten questions lost, none gained: p = 0.5.
    scored("check", "--baseline", "best", "--significant")
    finished = scored.events("finished")[0]["seq"]
    for baseline in (good["run_id"], good["run_group_id"], f"as-of:{finished}"):
        scored("check", "--baseline", baseline, code=1)
    scored("check", good["run_id"], "--baseline", good["run_id"])


def test_a_check_without_anything_to_compare_fails(scored):
    scored.score(9, "small")
    done = scored("check", "--baseline", "best", code=2)
    assert "the best earlier score of the same agent and model) has nothing to compare" in done.stderr
    scored.score(8, "large")
    scored("check", "--baseline", "best", code=2)
    scored("check", "--baseline", "best", "--across", code=1)


def test_a_failure_does_not_pass_the_gate(scored):
    scored.score(9, "small")
    scored.run("quiz", more=("--model", "small", "--force"), code=1, SCORE="x")
    assert "failed (exit_code), where the baseline has a score" in scored("check", "--baseline", "last", code=1).stdout


def test_high_scores_are_a_history(scored):
    scored.score(5, "small")
    done = scored("high-scores", "set", "quiz", "--value", "0.9", "--label", "us", "--source", "lab book", "--json")
    assert json.loads(done.stdout)["published"]["unit"] == "ratio"
    [now] = json.loads(scored("high-scores", "--json").stdout)
    assert (now["label"], now["value"], now["higher_is_better"]) == ("us", 0.9, True) and now["author"]
    then = json.loads(scored("high-scores", "--json", "--as-of", str(scored.events("finished")[0]["seq"])).stdout)
    assert [(score["label"], score["author"]) for score in then] == [("somebody", None)]
    past = json.loads(scored("high-scores", "--benchmark", "quiz", "--json").stdout)
    assert [score["label"] for score in past] == ["somebody", "us"]
    assert scored.score(5, "large")["delta_to_high_score"] == pytest.approx(-0.4)
    assert "lab book" in scored("high-scores").stdout


def test_each_change_of_a_manifest_publishes_its_high_score_once(scored):
    def publish(value):
        scored.add("quiz", ASKED, result='stderr = "stderr"', more=HIGH_SCORE.format(label="somebody", value=value))
        scored.score(5, "small", "--force")
        return [event["data"]["value"] for event in scored.events("high_score_published")]

    assert publish(0.8) == [0.8]
    assert publish(0.8) == [0.8]
    scored("high-scores", "set", "quiz", "--value", "0.95", "--label", "us", "--source", "x")
    assert publish(0.8) == [0.8, 0.95], "what was set by hand stands until the manifest changes"
    assert publish(0.85) == [0.8, 0.95, 0.85]
    assert publish(0.8) == [0.8, 0.95, 0.85, 0.8]
    assert publish(0.8) == [0.8, 0.95, 0.85, 0.8]


def test_an_empty_ledger_has_nothing_to_show(bench):
    assert json.loads(bench("leaderboard", "--json").stdout)["standings"] == []
    assert "no scores yet" in bench("leaderboard").stdout
    assert json.loads(bench("high-scores", "--json").stdout) == []
    assert "no high scores yet" in bench("high-scores").stdout
    bench.add("quiz", ASKED)
    assert "no high score of quiz yet" in bench("high-scores", "--benchmark", "quiz").stdout
    assert json.loads(bench("high-scores", "--benchmark", "quiz", "--json").stdout) == []
    assert "the ledger has no runs yet" in bench("compare", "a", "b", code=2).stderr
    assert "no group with runs" in bench("check", "--baseline", "best", code=2).stderr
    assert not bench.results.exists()


def test_an_older_result_that_is_imported_later_is_not_the_latest(bench, tmp_path):
    for name, row in {"new": "0.9,ratio,2026-06-01T10:00:00Z", "old": "0.2,ratio,2025-01-01T10:00:00Z"}.items():
        file = tmp_path / f"{name}.csv"
        file.write_text(f"benchmark,model,score,unit,started_at\nquiz,m,{row}\n")
        bench("import", str(file))
    standings = json.loads(bench("leaderboard", "--include", "imported", "--json").stdout)["standings"]
    assert [(one["latest_score"], one["score"]["mean"], one["runs"]) for one in standings] == [(0.9, 0.9, 2)]
    document = json.loads((bench.results / "viewer_data.json").read_text())
    assert [row["score"] for row in document["latest_scores"]] == [0.9]
    assert [row["score"] for row in document["runs"]] == [0.9, 0.2]
