"""Plans that are registered before their runs: what belongs to them, what deviates, and the verdict."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks.ledger.proof.checkpoint import parse_note
from tests.e2e.pages import lines_of, shell

SUITE = """
import os
good = os.environ["MODEL_NAME"] == "new"
bad_luck = pathlib.Path(os.environ.get("BROKEN", "/nonexistent"))
if bad_luck.exists():
    bad_luck.unlink()
    sys.exit(3)
seed = int(os.environ.get("SEED", "1"))
rows = [{"id": str(n), "score": float((n * 7 + seed) % 20 < (16 if good else 4))} for n in range(40)]
output.joinpath("samples.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
score = sum(row["score"] for row in rows) / 40
output.joinpath("result.json").write_text(json.dumps({"score": score, "n": 40, "usage": {}}))
"""

PLAN = """
hypothesis = "The new model solves more."
benchmarks = ["sums"]
repeats = 2
n = 40
stopping_rule = "All registered runs have succeeded."

[[contenders]]
name = "new"
model = "ollama:new"

[[contenders]]
name = "old"
model = "ollama:old"

[test]
kind = "better"
contender = "new"
baseline = "old"
"""


@pytest.fixture
def planned(bench):
    """A workspace with a benchmark, and a way to register a plan and to ask for its status."""
    bench.add("sums", SUITE)
    bench.add("others", SUITE)
    plan = bench.root / "plan.toml"

    class Planned:
        def register(self, text=PLAN, code=0):
            plan.write_text(text)
            done = bench("register", str(plan), "--author", "ada", "--json", code=code)
            return json.loads(done.stdout) if code == 0 else done.stderr

        def amend(self, text, code=0):
            plan.write_text(text)
            return bench("registration", "amend", "reg", str(plan), "--reason", "a larger n", code=code)

        def show(self, *more):
            return json.loads(bench("registration", "show", "reg", "--json", *more).stdout)

        def run(self, *models, more=("--repeats", "2"), **environ):
            for model in models:
                bench.run("sums", more=("--model", model, *more), **environ)

    return Planned()


def kinds(status):
    return {one["kind"] for one in status["deviations"]}


def test_runs_of_a_plan_name_it_and_its_verdict_is_that_of_the_registered_test(bench, planned):
    said = planned.register()
    assert parse_note(said["checkpoint"])
    before = planned.show()
    assert (before["state"], before["standing"], before["outcome"]) == ("open", "open", "open")
    planned.run("new")
    assert planned.show()["state"] == "open"
    planned.run("old")
    bench.run("others", more=("--model", "new"))
    planned.run("new", more=("--extra", '{"seed": 9}'))
    assert [row["registration"] for row in bench.runs()] == [said["registration_id"]] * 4 + [None] * 2
    status = planned.show()
    assert (status["state"], status["standing"], status["outcome"]) == ("complete", "confirmatory", "supported")
    assert status["deviations"] == []
    [tested] = status["tests"]
    assert tested["contrast"]["method"] == "mcnemar" and tested["contrast"]["pairs"] == 40
    assert tested["p_value"] == pytest.approx(tested["contrast"]["p_value"] / 2) and tested["passes"]
    text = bench("registration", "show", "reg").stdout
    assert "confirmatory" in text and "supported" in text and "2 of 2" in text
    board = json.loads(bench("leaderboard", "--json").stdout)
    registered = [(row["task"]["benchmark_id"], row["model"], row["score"]["registered"]) for row in board["standings"]]
    assert sorted(registered) == [("others", "new", 0), ("sums", "new", 0), ("sums", "new", 2), ("sums", "old", 2)]
    assert "registered" in bench("show-runs").stdout and "registered" in bench("leaderboard").stdout
    assert len(bench.runs("--registration", said["registration_id"])) == 4
    sql = json.loads(bench("query", "--json", "SELECT registration, count(*) AS runs FROM runs GROUP BY 1").stdout)
    assert dict(map(tuple, sql["rows"])) == {said["registration_id"]: 4, None: 2}


def test_the_verdict_is_as_of_a_time_and_the_wrong_direction_does_not_support(bench, planned):
    planned.register(
        PLAN.replace('contender = "new"', 'contender = "old"').replace('baseline = "old"', 'baseline = "new"')
    )
    planned.run("new", "old")
    status = planned.show()
    assert status["outcome"] == "not_supported" and status["tests"][0]["p_value"] > 0.9
    first = bench.events("finished")[0]["seq"]
    assert planned.show("--as-of", str(first))["state"] == "open"


def test_equivalence_is_tested_with_its_margin(bench, planned):
    plan = PLAN.replace('kind = "better"', 'kind = "equivalent"\nmargin = 0.9')
    planned.register(plan)
    planned.run("new", "old")
    [tested] = planned.show()["tests"]
    assert tested["p_value"] == tested["contrast"]["equivalent_p"] and tested["passes"]


def test_a_failure_that_the_plan_does_not_exclude_cannot_be_repeated_silently(bench, planned, tmp_path):
    planned.register()
    broken = tmp_path / "broken"
    broken.touch()
    bench.run("sums", more=("--model", "new"), code=1, BROKEN=str(broken))
    planned.run("new", "old")
    status = planned.show()
    assert status["standing"] == "exploratory" and kinds(status) == {"repeated"}
    assert [cell["own_failures"] for cell in status["cells"]] == [1, 0]


def test_a_failure_that_the_plan_excludes_may_be_repeated(bench, planned, tmp_path):
    planned.register(PLAN + '\n[exclusions]\nreasons = ["exit_code"]\nrule = "The driver crashed."\n')
    broken = tmp_path / "broken"
    broken.touch()
    bench.run("sums", more=("--model", "new"), code=1, BROKEN=str(broken))
    planned.run("new", "old")
    assert planned.show()["standing"] == "confirmatory"


def test_more_repeats_and_second_tries_do_not_count(bench, planned):
    planned.register()
    planned.run("new", "old", more=("--repeats", "3"))
    first = {row["run_id"] for row in bench.runs()}
    planned.run("new", more=("--force",))
    status = planned.show()
    assert {run_id for cell in status["cells"] for run_id in cell["counted"]} <= first
    assert status["standing"] == "confirmatory" and kinds(status) == {"extra_repeat", "repeated"}
    assert [cell["attempts"] for cell in status["cells"]] == [4, 3]
    assert [len(cell["counted"]) for cell in status["cells"]] == [2, 2]


def test_what_was_seen_before_makes_a_result_exploratory(bench, planned):
    planned.run("new")
    planned.register()
    planned.run("new", more=("--force", "--repeats", "2"))
    planned.run("old")
    status = planned.show()
    assert status["standing"] == "exploratory" and "earlier_run" in kinds(status)
    assert all("_2_" in run_id for run_id in status["cells"][0]["counted"])


def test_retractions_and_other_revisions_are_deviations(bench, planned):
    planned.register()
    planned.run("new", "old")
    bench("retract", bench.runs()[0]["run_id"], "--reason", "wrong key", "--author", "ada")
    assert planned.show()["state"] == "open"
    manifest = bench.root / "sums" / "suite.py"
    manifest.write_text(manifest.read_text() + "\n# changed\n")
    planned.run("new")
    status = planned.show()
    assert status["standing"] == "exploratory" and {"retracted", "revision"} <= kinds(status)


def test_an_incomplete_plan_is_stopped_early_after_its_deadline(bench, planned):
    planned.register(PLAN.replace("n = 40", "n = 40\ndeadline = 2026-01-01"))
    planned.run("new", "old", more=())
    status = planned.show()
    assert (status["state"], status["standing"]) == ("stopped_early", "exploratory")
    assert "stopped_early" in kinds(status)


def test_an_amendment_is_an_event_and_late_ones_are_told(bench, planned):
    planned.register()
    planned.amend(PLAN.replace("repeats = 2", "repeats = 1"))
    planned.run("new", "old", more=())
    assert planned.show()["standing"] == "confirmatory"
    planned.amend(PLAN.replace("repeats = 2", "repeats = 1").replace("n = 40", "n = 20"))
    status = planned.show()
    assert status["amendments"] == 2 and {"amended_late", "samples"} == kinds(status)
    assert (
        "same" in planned.amend(PLAN.replace("repeats = 2", "repeats = 1").replace("n = 40", "n = 20"), code=2).stderr
    )


def test_seeds_are_runs_of_their_own(bench, planned):
    planned.register(PLAN.replace("repeats = 2", "seeds = [3, 4]"))
    for seed in (3, 4):
        planned.run("new", "old", more=("--extra", json.dumps({"seed": seed})))
    status = planned.show()
    assert [(cell["seed"], cell["contender"]) for cell in status["cells"]] == [
        (3, "new"),
        (3, "old"),
        (4, "new"),
        (4, "old"),
    ]
    assert (status["standing"], status["outcome"]) == ("confirmatory", "supported")
    assert status["tests"][0]["contrast"]["pairs"] == 40


def test_another_metric_is_tested_over_the_repetitions(bench, planned):
    bench.add(
        "sums",
        SUITE.replace('"usage": {}}', '"usage": {}, "speed": (5 if good else 1) + seed / 10}'),
        result='metrics = { speed = "speed" }',
    )
    planned.register(PLAN.replace("n = 40", 'seeds = [1, 2, 3]\nmetric = "speed"').replace("repeats = 2\n", ""))
    for seed in (1, 2, 3):
        planned.run("new", "old", more=("--extra", json.dumps({"seed": seed})))
    status = planned.show()
    assert status["tests"][0]["contrast"]["delta"] == pytest.approx(4.0)
    assert status["outcome"] == "supported"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("hypothesis", "hypotesis"), "unknown key 'hypotesis'"),
        (('["sums"]', '["sum"]'), "did you mean sums?"),
        (('["sums"]', "[]"), "benchmarks is empty"),
        (('["sums"]', '["sums", "sums"]'), "given twice"),
        (("repeats = 2", "repeats = 0"), "repeats must be"),
        (("repeats = 2", "repeats = 2\noptions = { sed = 1 }"), "option 'sed'"),
        (("repeats = 2", 'repeats = 2\noptions = { api_key = "sk-123" }'), "secret"),
        (('baseline = "old"', 'baseline = "odl"'), "did you mean old?"),
        (('baseline = "old"', 'baseline = "new"'), "are the same"),
        (('kind = "better"', 'kind = "equivalent"'), "test.margin is needed"),
        (('kind = "better"', 'kind = "best"'), "test.kind"),
        (("n = 40", "threshold = 2.0"), "threshold must be"),
        (("n = 40", 'deadline = "soon"'), "not a time"),
        (('"ollama:old"', '"ollama:new"'), "are the same"),
        (('"ollama:old"', '"old"'), "does not name a provider"),
        (("hypothesis =", "hypothesis"), "not valid"),
    ],
)
def test_a_bad_plan_is_refused_in_a_sentence_and_nothing_is_recorded(bench, planned, change, reason):
    said = planned.register(PLAN.replace(*change), code=2)
    assert reason in said
    assert not (bench.results / "ledger").exists()


def test_an_equal_plan_is_registered_once_and_an_unknown_one_is_named(bench, planned):
    first = planned.register()
    assert first["registration_id"] in planned.register(code=2)
    near = first["registration_id"][:-1] + "x"
    assert "did you mean" in bench("registration", "show", near, code=2).stderr
    assert len(json.loads(bench("registration", "list", "--json").stdout)["registrations"]) == 1
    assert "register PLAN" not in bench("register", "nothing.toml", code=2).stdout


def test_the_commands_of_the_page_work(bench):
    page = (Path(__file__).parents[2] / "docs" / "registration.md").read_text()
    bench.add("quiz", SUITE.replace('== "new"', '== "large"'))
    (bench.root / "benchmarks.toml").touch()
    (bench.root / "plan.toml").write_text(re.search(r"```toml\n(.*?)```", page, re.DOTALL)[1])
    said = []
    with shell(bench) as run:
        for line in lines_of(page):
            if "amend" in line:
                plan = bench.root / "plan.toml"
                plan.write_text(plan.read_text().replace("2026-12-31", "2027-12-31"))
            said.append(run(line).stdout)
    shown = page[page.index("state          complete") : page.index("An id may be")].rstrip("`\n ")
    assert shown in said[3] and "amended" in said[4]
