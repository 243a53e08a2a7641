"""The leaderboard by contender, who leads, and what needs a person: on the history of a team."""

from __future__ import annotations

import contextlib
import math
from collections import Counter

import falcon.testing
import msgspec
import pytest

import benchmarks
from benchmarks.ledger.events import NewEvent, Retracted
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.scores.attempts import attempts
from benchmarks.viewer.app import create_app
from tests.viewer.conftest import LOCAL


@pytest.fixture(scope="module")
def ask(team):
    with contextlib.closing(JsonlStore(team.ledger, notice=print)) as store:
        client = falcon.testing.TestClient(create_app(team.root, store), headers=LOCAL)

        def ask(path, **parameters):
            found = client.simulate_get(path, params=parameters)
            assert found.status_code == 200, found.text
            return found.json

        yield ask


def cells_of(board, benchmark, **options):
    """The cells of a task by agent and model."""
    [place] = [
        place
        for place, one in enumerate(board["tasks"])
        if one["task"]["benchmark_id"] == benchmark and options.items() <= one["config"].items()
    ]
    return {
        (one["agent"], one["model"]): one["cells"][place]
        for one in board["contenders"]
        if one["cells"][place] is not None
    }


def test_a_row_is_a_model_with_its_agent(ask):
    board = ask("/api/board")
    repairs = cells_of(board, "swe_mini")
    assert {agent for agent, model in repairs if model == "claude-haiku"} == {"mini-swe", "openhands"}
    assert repairs["mini-swe", "gpt-5-mini"]["score"]["mean"] != repairs["openhands", "gpt-5-mini"]["score"]["mean"]
    assert [one["name"] for one in board["tasks"]][:2] == ["Time to first token", "GSM Hard"]


def test_the_newest_run_stands_for_a_contender_and_weeks_are_never_mixed(ask, team):
    newest = {}
    for run in benchmarks.open(team.root).runs():
        if run.is_success and not run.synthetic and not run.imported and run.benchmark_id == "tool_calling":
            newest[run.agent, run.model] = max(newest.get((run.agent, run.model), ("", 0)), (run.ended_at, run.score))
    cells = cells_of(ask("/api/board"), "tool_calling")
    assert {who: cell["score"]["mean"] for who, cell in cells.items()} == {
        who: score for who, (_, score) in newest.items()
    }
    assert all(cell["score"]["repeats"] == 1 for cell in cells.values())


def test_repeats_are_those_of_one_campaign(ask, team):
    runs = {run.run_id: run for run in benchmarks.open(team.root).runs()}
    cells = cells_of(ask("/api/board", runs="repeats"), "tool_calling")
    repeated = cells["eliza", "claude-haiku"]["score"]
    assert repeated["repeats"] == 3
    assert len({runs[run_id].run_group_id for run_id in repeated["run_ids"]}) == 1
    assert cells["eliza", "smollm2-135m"]["score"]["repeats"] == 1


def test_what_is_not_told_apart_from_the_best_is_tied_sample_by_sample(ask):
    cells = cells_of(ask("/api/board"), "gsm_hard")
    best = min(cells.values(), key=lambda cell: cell["rank"])
    assert best["is_tied"] and best["against_best"] is None
    tests = [cell["against_best"] for cell in cells.values() if cell["against_best"]]
    assert {test["method"] for test in tests} == {"mcnemar"} and all(test["pairs"] == 100 for test in tests)
    assert {cell["is_tied"] for cell in cells.values()} == {True, False}
    for cell in cells.values():
        if cell["against_best"]:
            assert cell["is_tied"] == (cell["against_best"]["adjusted_p"] >= 0.05)


def test_costs_are_per_run_and_per_solved_sample(ask):
    cell = cells_of(ask("/api/board"), "gsm_hard")["bare-model", "gpt-5-mini"]
    assert cell["solved"] == pytest.approx(100 * cell["score"]["mean"])
    assert cell["cost_per_solved"] == pytest.approx(cell["cost_per_run"] / cell["solved"])
    [row] = [one for one in ask("/api/board", benchmark="swe_mini")["contenders"] if one["model"] == "qwen3-32b"]
    assert (row["attempted"], row["failed"]) == (4, 2)
    assert 0 <= row["infrastructure_failures"] <= 2 and row["seconds_lost"] > 0
    local = cells_of(ask("/api/board"), "gsm_hard")["bare-model", "smollm2-135m"]
    assert local["cost_per_run"] is None and local["cost_per_solved"] is None


def test_the_board_has_the_failures_of_the_leaderboard(ask):
    """By kind, with what they took: one count for both tables."""
    standings = ask("/api/leaderboard")["standings"]
    listed = {(one["task"]["comparison_key"], one["agent"], one["model"]): one["attempts"] for one in standings}
    board, failed = ask("/api/board"), 0
    for row in board["contenders"]:
        for task, cell in zip(board["tasks"], row["cells"], strict=True):
            if cell is not None:
                known = listed[task["task"]["comparison_key"], row["agent"], row["model"]]
                assert cell["infrastructure_failures"] == known["infrastructure_failures"]
                assert cell["failed"] == known["own_failures"] + known["infrastructure_failures"]
                assert (cell["seconds_lost"], cell["cost_lost"]) == (known["seconds_lost"], known["cost_lost"])
                failed += cell["infrastructure_failures"]
        assert row["failed"] == sum(cell["failed"] for cell in row["cells"] if cell)
    assert failed > 0


def test_earlier_revisions_are_counted_and_not_ranked(ask):
    [task] = [one for one in ask("/api/board")["tasks"] if one["task"]["benchmark_id"] == "refusal_safety"]
    assert (task["earlier_revisions"], task["earlier_runs"]) == (1, 10)


def test_the_board_of_the_past_has_the_scores_of_then(ask):
    now, then = ask("/api/board"), ask("/api/board", as_of="2026-11-15T00:00:00Z")
    who = "eliza", "claude-haiku"
    assert cells_of(now, "tool_calling")[who]["score"]["mean"] < 0.8
    assert cells_of(then, "tool_calling")[who]["score"]["mean"] > 0.9


def test_leaders_name_who_led_before(ask):
    for one in ask("/api/leaders", days=7)["leaders"]:
        assert one["before"] is not None
        who, before = ([side[key] for key in ("agent", "provider", "model")] for side in (one["leader"], one["before"]))
        assert one["moved"] == (who != before)


def test_the_planted_regression_is_open_and_noise_is_not(ask):
    found = ask("/api/attention")
    [one] = found["regressions"]
    assert (one["run"]["benchmark_id"], one["run"]["model"]) == ("tool_calling", "claude-haiku")
    assert one["level"] > 0.9 and one["score"] < 0.8 and one["contrast"]["adjusted_p"] < 0.001
    assert found["looked_at"] > 30 and found["within_noise"] > 5


def test_a_regression_stays_open_until_the_level_is_reached_again(store, histories, workspace, client):
    def run(number, score):
        start = histories.started(f"{number}", run_group_id=f"rg_{number}")
        end = histories.finished(score, samples=400, ended_at=f"2026-11-{number:02d}T10:00:00.000000Z")
        histories.append_anyway(store, [NewEvent(f"run_{number}", start), NewEvent(f"run_{number}", end)])
        return client.simulate_get("/api/attention").json["regressions"]

    assert [run(1, 0.9), run(2, 0.91)] == [[], []]
    [first] = run(3, 0.7)
    # As bad as the one before, and still far below the level: it stays, with the time at which it went down.
    [still] = run(4, 0.71)
    assert still["since"] == first["since"] == "2026-11-03T10:00:00.000000Z"
    assert (still["campaigns"], still["level"], still["score"]) == (2, 0.91, 0.71)
    assert run(5, 0.9) == []
    assert len(run(6, 0.6)) == 1
    histories.append_anyway(store, [NewEvent("run_6", Retracted(author="a", reason="r"))])
    assert client.simulate_get("/api/attention").json["regressions"] == []


def test_failures_are_grouped_by_message_with_the_command_that_retries_them(ask):
    found = ask("/api/attention", days=30)
    assert found["failed"] == 22
    limits = next(one for one in found["failures"] if "429" in one["message"])
    assert limits["models"] == ["groq:qwen3-32b"]
    assert limits["runs"] == 6 and limits["attempted"] > limits["runs"] and limits["open"] == 2
    assert any("--benchmarks tool_calling" in command for command in limits["commands"])
    assert all(command.endswith("--rerun-failed") for command in limits["commands"])
    missing = next(one for one in found["failures"] if "first_token_probe" in one["message"])
    assert missing["open"] == 0 and missing["commands"] == [], "these have succeeded since"


def test_spend_is_summed_by_day(ask, team):
    found = ask("/api/attention", days=30)["spend"]
    runs = [run for run in benchmarks.open(team.root).runs() if run.ended_at and not run.synthetic and not run.imported]
    retracted = {run.run_id for run in runs if run.retracted}
    expected = sum(run.usage.get("cost_usd", 0) for run in runs if run.run_id not in retracted)
    assert sum(day["cost_usd"] for day in found) == pytest.approx(expected)
    assert sum(day["failed"] for day in found) == 22


def test_the_timeline_has_running_and_ended_runs(ask):
    found = ask("/api/timeline", days=1)
    assert {bar["status"] for bar in found["bars"]} >= {"running", "succeeded"}
    assert found["total"] == len(found["bars"])


def test_a_campaign_has_every_cell_also_those_that_were_not_run(ask):
    listed = ask("/api/campaigns")
    assert listed["total"] == len(listed["campaigns"]) == 13
    catch_up = next(one for one in listed["campaigns"] if one["name"] == "catch up")
    found = ask(f"/api/campaigns/{catch_up['run_group_id']}")
    states = [cell["state"] for cell in found["cells"]]
    assert {state: states.count(state) for state in states} == {
        "succeeded": 2,
        "failed": 1,
        "skipped": 21,
        "incompatible": 3,
    }
    assert any("docker" in cell["why"] for cell in found["cells"] if cell["state"] == "incompatible")
    assert found["campaign"]["reason"] == "max_cost" and "cost limit reached" in found["notes"][0]
    assert found["campaign"]["cost_usd"] > found["campaign"]["limits"]["max_cost"] == 0.25
    assert any("first_token" in command for command in found["commands"])
    assert found["campaign"]["planned"] == len(found["cells"]) == 27


def test_a_campaign_says_how_its_attempts_failed_and_what_they_cost(ask, team):
    runs = [run for run in benchmarks.open(team.root).runs() if not run.imported]
    for one in ask("/api/campaigns")["campaigns"]:
        found = ask(f"/api/campaigns/{one['run_group_id']}")
        mine = [run for run in runs if run.run_group_id == one["run_group_id"]]
        failed = Counter(run.reason for run in mine if run.status == "failed")
        assert found["attempts"] == msgspec.to_builtins(attempts(mine))
        assert {some["reason"]: some["runs"] for some in found["failures"]} == failed
        assert sum(some["seconds"] for some in found["failures"]) == pytest.approx(found["attempts"]["seconds_lost"])
        cells = [cell for cell in found["cells"] if cell["attempts"]]
        assert sum(cell["attempts"]["attempts"] for cell in cells) == len(mine)
        assert sum((Counter(cell["failures"]) for cell in cells), Counter()) == failed
        spent = math.fsum(cell["cost_usd"] or 0.0 for cell in cells)
        assert spent == pytest.approx(one["cost_usd"] or 0.0)
        still = sum(cell["state"] == "failed" for cell in cells)
        assert sum(some["open_cells"] for some in found["failures"]) == still


def test_an_open_campaign_has_its_progress(ask):
    [listed] = ask("/api/campaigns", state="open")["campaigns"]
    found = ask(f"/api/campaigns/{listed['run_group_id']}")
    assert found["campaign"]["finished_at"] is None and found["eta_seconds"] is not None
    running = [cell for cell in found["cells"] if cell["state"] == "running"]
    assert len(running) == 2 and all(0 < cell["done"] < cell["total"] for cell in running)
    before = ask(f"/api/campaigns/{listed['run_group_id']}", as_of=found["campaign"]["created_at"])
    assert [cell for cell in before["cells"] if cell["state"] == "succeeded"] == []


def test_the_facets_of_runs_tell_what_is_doubtful(ask):
    facets = ask("/api/runs")["facets"]
    assert facets["kind"]["imported"] == 5 and facets["kind"]["synthetic"] == 2 and facets["kind"]["retracted"] == 1
    assert facets["kind"]["annotated"] == 3 and facets["kind"]["error"] == 22
    assert facets["tag"] == {"judge": 1, "look": 1, "provider": 1, "tokenizer": 1}
    assert "context=128000 seed=42" in facets["options"]
    assert ask("/api/runs", kind=["imported", "synthetic"])["total"] == 7
    assert ask("/api/runs", tag="judge")["total"] == 1
