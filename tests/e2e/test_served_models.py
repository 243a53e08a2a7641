"""A model that the API serves under an old name is named wherever its scores are shown."""

from __future__ import annotations

import json
import urllib.request

import pytest

from tests.conftest import GOOD

SENTENCE = "ollama:gpt-x answered as gpt-x-2026-09-01 before, as gpt-x-2026-11-01 now"
RESULT = GOOD.replace('"n": 4', '"n": 4, "served": "%s"')


@pytest.fixture
def changed(bench):
    for day in ("2026-09-01", "2026-11-01", "2026-11-01"):
        bench.add("quiz", RESULT % f"gpt-x-{day}", result='served_model = "served"')
        bench.run("quiz", more=("--model", "gpt-x", "--force"))
    return bench


def test_every_surface_says_that_another_model_answers(changed, serving):
    assert SENTENCE in changed("leaderboard").stderr
    [change] = json.loads(changed("leaderboard", "--json").stdout)["served"]
    assert (change["before"], change["now"]) == ("gpt-x-2026-09-01", "gpt-x-2026-11-01")
    assert SENTENCE in changed("changes").stderr and SENTENCE in changed("changes", "quiz").stderr
    check = ("check", "--baseline", "last", "--max-drop", "1")
    assert SENTENCE in changed(*check).stdout and SENTENCE in changed(*check, "--format", "github").stdout
    assert json.loads(changed(*check, "--json").stdout)["served"] == [change]
    first, second, third = (run["run_id"] for run in changed.runs())
    shown = changed("show-run", second).stdout
    assert "gpt-x-2026-11-01 (before: gpt-x-2026-09-01)" in shown
    assert "(before:" not in changed("show-run", first).stdout + changed("show-run", third).stdout
    with serving(changed.root) as url, urllib.request.urlopen(f"{url}api/runs/{second}") as answer:
        assert json.loads(answer.read())["served_before"] == "gpt-x-2026-09-01"


def test_one_answer_under_two_names_is_no_change(bench):
    bench.add("quiz", RESULT % "gpt-x-2026-09-01", result='served_model = "served"')
    for model in ("gpt-x", "gpt-y"):
        bench.run("quiz", more=("--model", model))
    assert json.loads(bench("leaderboard", "--json").stdout)["served"] == []
