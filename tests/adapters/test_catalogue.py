"""The page of the catalogue says what the manifests say."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.adapters.catalogue import catalogue_page
from benchmarks.adapters.discovery import discover, known_workspaces
from benchmarks.adapters.options import effective_config
from benchmarks.adapters.requirements import network
from benchmarks.adapters.requirements.missing import missing

PAGE = Path(__file__).parent.parent.parent / "docs" / "catalogue.md"


def rows() -> dict[str, list[str]]:
    """The cells of each benchmark's row."""
    lines = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    return {cells[0].strip("`"): cells for cells in lines}


def test_the_page_is_up_to_date(tmp_path):
    [elizaos] = known_workspaces()
    page = catalogue_page(discover(tmp_path).adapters.values(), elizaos)
    assert page == PAGE.read_text(), "run: make catalogue"


def test_every_benchmark_has_a_row(tmp_path):
    adapters = discover(tmp_path).adapters
    assert set(rows()) == set(adapters)
    assert rows()["hyperfine"][3] == "s ↓" and rows()["gauntlet"][3] == "ratio ↑"


def test_what_runs_with_nothing_more_misses_nothing_but_its_folder(tmp_path):
    """On a machine that has nothing, each way that the page names lacks only what comes with the checkout."""
    ways = [(id, way) for id, cells in rows().items() for way in cells[5].split(", ") if way.startswith("`")]
    assert len(ways) > 10
    adapters = discover(tmp_path).adapters
    for id, way in ways:
        adapter = adapters[id]
        name = way.split("`")[1]
        agent = name.removeprefix("--agent ") if name.startswith("--agent ") else adapter.manifest.default_agent
        extra = {} if name.startswith("--agent ") else {name: True}
        config = effective_config(id, adapter.manifest.options, extra).config
        lacking = missing(adapter, agent=agent, environ={"PATH": ""}, config=config)
        assert all(text.startswith("directory ") for text in lacking), (id, way, lacking)


FIRST_DEFAULTS = {
    "abliteration-robustness": {"max_examples": 2, "max_new_tokens": 128},
    "action-calling": {"max_examples": 2, "max_new_tokens": 512},
    "agentbench": {"env": ["os"], "max_tasks": 1, "no_docker": True},
    "bfcl": {"categories": ["multiple", "parallel"], "max_per_category": 1},
    "context_bench": {"quick": True, "context_lengths": [1024], "positions": ["middle"], "tasks_per_position": 1},
    "eliza_replay": {"capture_path": "harnesses/eliza/fixtures/replay", "capture_glob": "*.replay.json"},
    "gauntlet": {"max_scenarios": 3, "clone_mainnet": True},
    "hermes_swe_env": {"max_tasks": 1},
    "hermes_tblite": {"max_tasks": 5},
    "hermes_terminalbench_2": {"max_tasks": 1, "task_filter": "fix-git"},
    "hermes_yc_bench": {"max_tasks": 3},
    "hyperliquid_bench": {
        "max_steps": 1,
        "max_iterations": 2,
        "eliza_bench_http_timeout_s": 90,
        "hl_bench_command_timeout_s": 60,
        "no_demo": True,
        "expand_scenarios": True,
    },
    "lifeops_bench": {"suite": "smoke", "limit": 2, "concurrency": 1, "seeds": 1},
    "multitask_bench": {"lanes": "1,5"},
    "trajectory_replay": {"traj_set": "harnesses/eliza/fixtures/replay", "baseline": "fixture-baseline"},
}


@pytest.mark.parametrize("id", FIRST_DEFAULTS)
def test_defaults_are_those_of_the_first_orchestrator(tmp_path, id):
    """So that a run of everything costs what it did."""
    manifest = discover(tmp_path).adapters[id].manifest
    config = effective_config(id, manifest.options, {}).config
    assert {name: config.get(name) for name in FIRST_DEFAULTS[id]} == FIRST_DEFAULTS[id]


PROFILE = {
    "adhdbench": {"mode": "quick"},
    "agentbench": {"elizaos": True, "max_tasks": 1, "env": ["os"], "no_docker": True},
    "app-eval": {"task": "research-001"},
    "bfcl": {"sample": 10},
    "clawbench": {"scenario": "inbox_triage", "start_server": True},
    "eliza_replay": {"capture_path": "harnesses/eliza/fixtures/replay"},
    "experience": {"mode": "eliza-agent", "experiences": 10, "queries": 2, "learning_cycles": 1},
    "framework": {"flags": "--scenarios=single-message,conversation-10"},
    "mind2web": {"sample": True, "max_tasks": 2},
    "openclaw_bench": {"mode": "conceptual", "task": "setup", "start_server": True},
    "osworld": {"max_tasks": 1, "max_steps": 10, "dry_run": True},
    "rlm_bench": {"mode": "stub", "context_lengths": [1000], "max_iterations": 5, "max_depth": 3},
    "swe_bench_orchestrated": {
        "max_instances": 1,
        "no_docker": True,
        "execution_mode": "orchestrated",
        "providers": ["claude-code", "swe-agent", "codex"],
        "strict_capabilities": True,
    },
    "tau_bench": {"sample": True, "max_tasks": 2},
    "terminal_bench": {"sample": True, "max_tasks": 2},
    "trust": {"handler": "eliza", "categories": ["prompt_injection"], "threshold": 0.0},
    "webshop": {"max_tasks": 1, "sample": True},
}


@pytest.mark.parametrize("id", PROFILE)
def test_options_of_its_profiles_are_known(tmp_path, id):
    manifest = discover(tmp_path).adapters[id].manifest
    config = effective_config(id, manifest.options, {"per_benchmark": {id: PROFILE[id]}}).config
    assert {name: config[name] for name in PROFILE[id]} == PROFILE[id]


@pytest.mark.parametrize(
    ("id", "agent", "without"),
    [
        ("mmlu", "bare-model", {"mock": True}),
        ("gsm8k", "bare-model", {"mock": True}),
        ("humaneval", "eliza", {"mock": True}),
        ("mt_bench", "bare-model", {"mock": True}),
        ("mind2web", "llm", {"source": "sample"}),
        ("visualwebbench", "eliza", {"use_sample_tasks": True}),
        ("mint", "bare-model", {"use_sample_tasks": True}),
        ("tau_bench", "bare-model", {"use_sample_tasks": True}),
        ("bfcl", "eliza", {"local_data": "."}),
        ("abliteration-robustness", "bare-model", {"mock": True}),
        ("mmau", "eliza", {"hf": False}),
    ],
)
def test_what_is_fetched_from_the_network_is_named(tmp_path, monkeypatch, id, agent, without):
    """Without a network they would fail after half a minute."""
    adapter = discover(tmp_path).adapters[id]
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}

    def lacking(extra):
        config = effective_config(id, adapter.manifest.options, extra).config
        reported = missing(adapter, agent=agent, environ=environ, config=config)
        return [text for text in reported if "does not answer" in text]

    monkeypatch.setattr(network, "answers_over_https", lambda host: False)
    [reported] = lacking({})
    assert "huggingface.co" in reported or "raw.githubusercontent.com" in reported
    assert lacking(without) == []
    monkeypatch.setattr(network, "answers_over_https", lambda host: True)
    assert lacking({}) == []
