"""One history with everything in it, and every surface asked for its numbers: they are the same everywhere.

It has revisions that were declared equivalent, a failure, a retracted run, an imported run with samples, and repeats in
two campaigns of one contender.
"""

from __future__ import annotations

import json
import urllib.request

import msgspec

import benchmarks
from tests.adapters.imports.test_instances import answered, inspect_log

CODE = """
import os, pathlib
answers = json.loads((pathlib.Path(__file__).parent.parent / "answers.json").read_text())[os.environ["MODEL_NAME"]]
assert answers, "the suite broke"
lines = [json.dumps({"id": str(number), "score": score}) for number, score in enumerate(answers)]
output.joinpath("samples.jsonl").write_text("\\n".join(lines))
output.joinpath("result.json").write_text(json.dumps({"score": sum(answers) / len(answers), "n": len(answers)}))
"""
SCORE = ("mean", "stderr", "low", "high")
TRIED = ("attempts", "successes", "own_failures", "infrastructure_failures", "completion", "seconds_lost", "cost_lost")


def rounded(values):
    return [round(value, 6) if isinstance(value, float) else value for value in values]


def of(standing):
    score, attempts = standing["score"], standing["attempts"] or {}
    ranks = [standing["rank"], standing["rank_low"], standing["rank_high"], standing["runs"]]
    return rounded([*(score[name] for name in SCORE), *ranks, *(attempts.get(name) for name in TRIED)])


def history(bench) -> tuple[str, str]:
    """The ids of the first run of m1, and of the imported run."""

    def run(model, answers, *more, code=0):
        (bench.root / "answers.json").write_text(json.dumps({model: answers}))
        bench.run("quiz", more=("--model", model, *more), code=code)

    folder = bench.add("quiz", CODE)
    run("m1", [], code=1)
    run("m1", [1, 1, 1, 1, 1, 1, 0, 0, 0, 0])
    run("m2", [0] * 10)
    run("m2", [1] * 10, "--force")
    bench("retract", bench.runs()[-1]["run_id"], "--reason", "the answers leaked")
    (folder / "suite.py").write_text((folder / "suite.py").read_text() + "# another way\n")
    run("m3", [1, 0] * 5, "--repeats", "2")
    run("m3", [1] * 4 + [0] * 6, "--force")
    first = next(row for row in bench.runs() if row["model"] == "m1" and row["status"] == "succeeded")
    values = ["C", "C", "I", "I", "I", "C", "I", "C", "I", "I"]
    log = inspect_log([answered(str(number), value) for number, value in enumerate(values)])
    log["eval"]["model"] = "openai/m4"
    log["results"]["scores"][0]["metrics"]["accuracy"]["value"] = 0.4
    (bench.root / "log.json").write_text(json.dumps(log))
    done = bench("import", "--json", str(bench.root / "log.json"), "--like", first["run_id"])
    [imported] = json.loads(done.stdout)["runs"]
    return first["run_id"], imported["run_id"]


def test_every_surface_says_the_same_of_a_rich_history(bench, serving):
    first, imported = history(bench)
    rows = {row["run_id"]: row for row in bench.runs()}
    alone = json.loads(bench("leaderboard", "--json").stdout)["standings"]
    assert [one["model"] for one in alone] == ["m3"], "the newest revision alone"
    newest = next(row["task_revision"]["digest"] for row in rows.values() if row["model"] == "m3")
    for other in (first, imported):
        revision = rows[other]["task_revision"]["digest"]
        bench("equivalent", "quiz", revision, newest, "--reason", "only a comment has changed")

    by_command = {one["model"]: of(one) for one in json.loads(bench("leaderboard", "--json").stdout)["standings"]}
    assert by_command.keys() == {"m1", "m2", "m3"}
    assert by_command["m1"][4:13] == [1, 1, 2, 1, 2, 1, 1, 0, 0.5], "one of two attempts failed"
    assert by_command["m2"][0] == 0.0 and by_command["m2"][8] == 1, "a retracted run counts nowhere"
    assert by_command["m3"][0] == 0.4 and by_command["m3"][7] == 3, "the repeats are of an earlier campaign"
    repeated = json.loads(bench("leaderboard", "--runs", "repeats", "--json").stdout)["standings"]
    of_repeats = {one["model"]: of(one) for one in repeated}
    assert of_repeats["m3"][0] == 0.5 and of_repeats["m3"][1] is not None, (
        "they are one campaign, apart from the newest"
    )
    assert next(len(one["score"]["run_ids"]) for one in repeated if one["model"] == "m3") == 2
    ways = {"newest": by_command, "repeats": of_repeats}

    place = benchmarks.open(bench.root)
    for runs, expected in ways.items():
        assert {one.model: of(msgspec.to_builtins(one)) for one in place.leaderboard(runs=runs)} == expected

    columns = ", ".join([*SCORE, "rank", "rank_low", "rank_high", "l.runs", *(f"a.{name}" for name in TRIED)])
    join = "JOIN attempts a USING (benchmark_id, comparison_key, agent, provider, model)"
    boards = "(SELECT 'newest' AS way, * FROM leaderboard UNION ALL SELECT 'repeats', * FROM leaderboard_of_repeats)"
    asked = json.loads(bench("query", f"SELECT way, model, {columns} FROM {boards} l {join}", "--json").stdout)["rows"]
    assert len(asked) == 6
    for way, model, *values in asked:
        assert rounded(values) == ways[way][model]

    included = json.loads(bench("leaderboard", "--json", "--include", "imported").stdout)["standings"]
    with serving(bench.root) as url:
        with_imported = {one["model"]: of(one) for one in included}
        queries = {"": by_command, "?include=imported": with_imported, "?runs=repeats": of_repeats}
        for query, expected in queries.items():
            with urllib.request.urlopen(f"{url}api/leaderboard{query}") as answer:
                told = json.loads(answer.read())
            assert {one["model"]: of(one) for one in told["standings"]} == expected and told["left_out"] == []
        for way, expected in ways.items():
            with urllib.request.urlopen(f"{url}api/board?runs={way}") as answer:
                shown = {one["model"]: one["cells"][0]["score"] for one in json.loads(answer.read())["contenders"]}
            assert {model: rounded(score[name] for name in SCORE) for model, score in shown.items()} == {
                model: values[:4] for model, values in expected.items()
            }
        with urllib.request.urlopen(f"{url}api/runs?limit=50") as answer:
            listed = {row["run_id"]: row for row in json.loads(answer.read())["runs"]}
    assert {one["model"] for one in included} == {"m1", "m2", "m3", "m4"}

    exported = json.loads(bench("export", "--format", "json").stdout)
    for row in exported:
        shown = listed[row["run_id"]]
        assert rounded([shown["low"], shown["high"]]) == rounded([row["score_low"], row["score_high"]])
        assert shown["comparison_key"] == row["comparison_key"]
    assert len({row["comparison_key"] for row in exported if row["benchmark_id"] == "quiz"}) == 1

    compared = json.loads(bench("compare", "m1", "m2", "m3", "--json").stdout)
    [row] = compared["rows"]
    for side, score, attempts in zip(compared["sides"], row["scores"], row["attempts"], strict=True):
        expected = by_command[side["name"].rpartition(":")[2]]
        assert rounded(score[name] for name in SCORE) == expected[:4]
        assert rounded(attempts[name] for name in TRIED) == expected[8:]
    [pair] = json.loads(bench("compare", first, imported, "--json").stdout)["rows"]
    assert (pair["contrasts"][1]["method"], pair["contrasts"][1]["pairs"]) == ("mcnemar", 10)

    shown = bench("leaderboard").stdout
    bench("report", "--markdown", "--output", str(bench.root / "report.md"))
    report = (bench.root / "report.md").read_text()
    for text in (shown, report.replace("\\", "")):
        assert "0.000 [0, 0.28]" in text and "1 of 2" in text and "newest of 2" in text

    checked = json.loads(bench("check", "m1", "--baseline", "model:m2", "--across", "--json").stdout)
    [score] = checked["scores"]
    assert rounded(score["score"][name] for name in SCORE) == by_command["m1"][:4]
    assert rounded(score["baseline"][name] for name in SCORE) == by_command["m2"][:4]
