"""What a name means: one thing, several, or nothing."""

from __future__ import annotations

import pytest

from benchmarks.ledger.events import Request, Skipped
from benchmarks.ledger.fold import Group
from benchmarks.projections.scores.selection import ListedCatalogue, SelectionError, find, newest_group, select


def group(run_group_id, skipped=()):
    request = Request(benchmarks=["b"], agent=None, provider="p", model="m")
    return Group(run_group_id=run_group_id, created_at="", request=request, skipped=list(skipped))


@pytest.fixture
def catalogue(make_run):
    runs = [
        make_run(0.1, run_id="run_a_1", run_group_id="rg_1", agent="eliza", provider="groq", model="qwen"),
        make_run(0.2, run_id="run_a_2", run_group_id="rg_1", agent="eliza", provider="openai", model="qwen"),
        make_run(0.4, run_id="run_a_20", run_group_id="rg_1", agent="x", provider="p", model="y"),
        make_run(0.3, run_id="run_b_1", run_group_id="rg_2", agent="hermes", provider="ollama", model="llama:8b"),
        make_run(None, run_id="run_b_2", run_group_id="rg_2", status="failed", agent="hermes", provider="ollama"),
        make_run(
            0.9, run_id="run_c_1", run_group_id="rg_2", doubt="synthetic", agent="mock", provider="mock", model="mock"
        ),
    ]
    skip = Skipped(benchmark_id="b", signature="s", reason="already_succeeded", existing_run_id="run_a_1")
    groups = {name: group(name) for name in ("rg_1", "rg_2")} | {"rg_3": group("rg_3", [skip]), "rg_4": group("rg_4")}

    def past(when):
        if when != "yesterday":
            raise SelectionError(f"'{when}' is not a time")
        return runs[:1]

    return ListedCatalogue(runs=runs, groups=groups, past=past)


@pytest.mark.parametrize(
    ("spec", "kind", "name", "runs"),
    [
        ("run_a_1", "run", "run_a_1", ["run_a_1"]),
        ("run:run_b_1", "run", "run_b_1", ["run_b_1"]),
        ("run_c", "run", "run_c_1", ["run_c_1"]),
        ("run_a_2", "run", "run_a_2", ["run_a_2"]),
        ("rg_1", "group", "rg_1", ["run_a_1", "run_a_2", "run_a_20"]),
        ("rg_3", "group", "rg_3", ["run_a_1"]),
        ("groq:qwen", "model", "groq:qwen", ["run_a_1"]),
        ("model:openai:qwen", "model", "openai:qwen", ["run_a_2"]),
        ("llama:8b", "model", "ollama:llama:8b", ["run_b_1"]),
        ("eliza", "agent", "eliza", ["run_a_1", "run_a_2"]),
        ("agent:hermes", "agent", "hermes", ["run_b_1"]),
        ("eliza with groq:qwen", "contender", "eliza with groq:qwen", ["run_a_1"]),
        ("contender:hermes with ollama:llama:8b", "contender", "hermes with ollama:llama:8b", ["run_b_1"]),
        ("as-of:yesterday", "as-of", "yesterday", ["run_a_1"]),
        ("now", "as-of", "now", ["run_a_1", "run_a_2", "run_a_20", "run_b_1"]),
    ],
)
def test_a_name_selects(catalogue, spec, kind, name, runs):
    selection = select(spec, catalogue)
    assert (selection.kind, selection.name, [run.run_id for run in selection.runs]) == (kind, name, runs)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("qwen", "'qwen' means several things: model:groq:qwen, model:openai:qwen; give one of them"),
        ("run_", "means several things: run:run_a_1, run:run_a_2"),
        ("elza", "unknown run, group, model or agent 'elza'\nhint: did you mean eliza?"),
        ("run_a_9", "did you mean run_a_"),
        ("", "unknown run, group, model or agent ''"),
        ("run_b_2", "run run_b_2 has no score that counts: it has failed"),
        ("agent:mock", "imported, synthetic, late and retracted ones, and reproductions, count with --include"),
        ("as-of:never", "'never' is not a time"),
        ("mock", "means several things: model:mock:mock, agent:mock"),
    ],
)
def test_a_name_that_selects_nothing_says_why(catalogue, spec, told):
    with pytest.raises(SelectionError) as problem:
        select(spec, catalogue)
    assert told in str(problem.value)


def test_what_does_not_count_is_found_all_the_same(catalogue):
    selection = find("rg_2", catalogue)
    assert [run.run_id for run in selection.every()] == ["run_b_1", "run_b_2", "run_c_1"]
    assert [run.run_id for run in selection.runs] == ["run_b_1"]


def test_the_newest_group_is_the_last_with_runs_of_its_own_or_by_reference(catalogue):
    assert newest_group(catalogue).name == "rg_3"
    with pytest.raises(SelectionError, match="no group with runs"):
        newest_group(ListedCatalogue(runs=[], groups={}, past=lambda _: []))
