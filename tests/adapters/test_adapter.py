"""What an adapter starts, and what it misses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.adapters.adapter import Adapter
from benchmarks.adapters.manifest import parse_manifest
from benchmarks.adapters.requirements import network
from benchmarks.adapters.requirements.missing import missing

PLACEHOLDERS = {
    name: f"<{name}>" for name in ("python model provider base_url agent output_dir run_id workspace suite_dir").split()
}


@pytest.fixture
def make(tmp_path):
    def make(**tables) -> Adapter:
        base = {
            "id": "b",
            "name": "B",
            "run": {"argv": ["{python}", "{model}"], "env": {"A": "{agent}"}},
            "result": {"files": ["r"], "score": "s", "unit": "u"},
        }
        manifest = parse_manifest({**base, **tables}, Path("x.toml"), "b")
        return Adapter(manifest=manifest, source="workspace", origin=Path("x.toml"), root=tmp_path, sha256="")

    return make


def test_options_become_arguments_and_variables(make, tmp_path):
    options = {
        "n": {"type": "int", "argv": ["--n", "{value}", "--of={model}"]},
        "flag": {"type": "bool", "argv": ["--flag"]},
        "off": {"type": "bool", "argv": ["--off"]},
        "said": {"type": "bool", "env": "SAID"},
        "key": {"type": "str", "env": "KEY"},
        "unset": {"type": "str", "argv": ["--unset", "{value}"]},
    }
    command = make(options=options).command(
        {"n": 3, "flag": True, "off": False, "said": False}, {"key": "k"}, PLACEHOLDERS
    )
    assert command.argv == ["<python>", "<model>", "--n", "3", "--of=<model>", "--flag"]
    assert command.env == {"A": "<agent>", "SAID": "false", "KEY": "k"}
    assert command.cwd == tmp_path


def test_braces_in_a_value_are_not_placeholders(make):
    options = {"text": {"type": "str", "argv": ["{value}"]}}
    command = make(options=options).command({"text": "{model} {value}"}, {}, PLACEHOLDERS)
    assert command.argv[-1] == "{model} {value}"


def test_a_list_becomes_one_argument_or_many(make):
    options = {
        "ids": {"type": "list", "argv": ["--ids", "{values}"]},
        "lengths": {"type": "list", "argv": ["--lengths", "{value}"]},
    }
    command = make(options=options).command({"ids": ["a", 2], "lengths": [1, 2]}, {}, PLACEHOLDERS)
    assert command.argv[2:] == ["--ids", "a", "2", "--lengths", "1,2"]


def test_arguments_by_agent_and_those_of_a_baseline_instead(make):
    run = {
        "argv": ["x"],
        "agent_argv": {"bare-model": ["--provider", "{provider}"], "*": ["--harness", "{agent}"]},
        "env": {"HARNESS": "{agent}"},
    }
    options = {"n": {"type": "int", "argv": ["--n", "{value}"]}}
    baselines = {"random": {"argv": ["--play", "random"], "env": {"HARNESS": "none"}}}
    adapter = make(run=run, options=options, baselines=baselines)

    def started(agent):
        return adapter.command({"n": 1}, {}, {**PLACEHOLDERS, "agent": agent})

    assert started("bare-model").argv == ["x", "--provider", "<provider>", "--n", "1"]
    assert started("hermes").argv == ["x", "--harness", "hermes", "--n", "1"]
    assert started("random").argv == ["x", "--n", "1", "--play", "random"]
    assert started("random").env["HARNESS"] == "none"


def test_a_baseline_asks_no_model_and_is_synthetic_as_some_values_are(make):
    options = {
        "mock": {"type": "bool", "argv": ["--mock"], "synthetic": [True]},
        "data": {"type": "str", "argv": ["{value}"], "synthetic": ["fixture"]},
    }
    baselines = {"perfect": {"score": "oracle"}}
    adapter = make(agents=["eliza"], options=options, baselines=baselines)
    manifest = adapter.manifest
    assert manifest.asks_model("eliza", {}) and not manifest.asks_model("perfect", {})
    assert manifest.is_synthetic("perfect", {}) and not manifest.is_synthetic("eliza", {"mock": False, "data": "full"})
    assert manifest.is_synthetic("eliza", {"mock": True}) and manifest.is_synthetic("eliza", {"data": "fixture"})
    assert lacking(adapter, agent="perfect") == []
    assert lacking(adapter, agent="other") == ["agent 'other' (this benchmark runs: eliza, perfect)"]
    assert manifest.played_by("perfect").result.score == "oracle" and manifest.played_by("eliza") is manifest


def lacking(adapter, *, agent="eliza", environ=None, config=None):
    return missing(adapter, agent=agent, environ=environ or {"PATH": "/usr/bin:/bin"}, config=config or {})


def test_nothing_is_missing_where_everything_is_there(make):
    assert lacking(make()) == []


def test_every_missing_thing_is_named(make):
    requires = {"env": ["X_VAR"], "commands": ["no-such-command", "sh"]}
    adapter = make(requires=requires, agents=["eliza", "hermes"])
    assert lacking(adapter, agent="other") == [
        "agent 'other' (this benchmark runs: eliza, hermes)",
        "environment variable X_VAR",
        "command no-such-command on PATH",
    ]


def test_a_folder_that_the_workspace_does_not_have_is_named(make):
    from msgspec.structs import replace

    assert lacking(replace(make(), root=None)) == ["directory b (or suites/b) in the workspace"]


def test_a_check_must_succeed_unless_an_option_makes_it_needless(make):
    checks = [
        {"name": "a daemon", "argv": [sys.executable, "-c", "raise SystemExit(3)"], "unless": "dry"},
        {"name": "a folder", "argv": ["test", "-d", "here"]},
        {"name": "a tool", "argv": ["no-such-tool"]},
    ]
    adapter = make(requires={"checks": checks}, options={"dry": {"type": "bool", "argv": ["-d"]}})
    (adapter.root / "here").mkdir()
    reported = lacking(adapter)
    assert len(reported) == 2
    assert reported[0].startswith("a daemon (") and reported[0].endswith("exit 3)")
    assert reported[1] == "a tool (no-such-tool: No such file or directory)"
    assert len(lacking(adapter, config={"dry": True})) == 1


def test_a_check_is_for_some_agents_and_several_options_make_it_needless(make):
    checks = [{"name": "data", "argv": ["false"], "agents": ["eliza"], "unless": ["mock", "file"]}]
    options = {"mock": {"type": "bool", "argv": ["-m"]}, "file": {"type": "str", "argv": ["{value}"]}}
    adapter = make(requires={"checks": checks}, options=options)
    assert len(lacking(adapter, config={"mock": False})) == 1
    assert lacking(adapter, config={"mock": True}) == lacking(adapter, config={"file": "f"}) == []
    assert lacking(adapter, agent="hermes") == []


def test_a_value_of_an_option_makes_a_check_needless(make):
    checks = [{"name": "data", "argv": ["false"], "unless": ["source=sample", "lanes=1,5"]}]
    options = {
        "source": {"type": "str", "default": "hub", "argv": ["{value}"]},
        "lanes": {"type": "list", "default": [1], "argv": ["{value}"]},
    }
    adapter = make(requires={"checks": checks}, options=options)
    assert len(lacking(adapter, config={"source": "hub", "lanes": [1]})) == 1
    assert lacking(adapter, config={"source": "sample"}) == lacking(adapter, config={"lanes": [1, 5]}) == []


def test_a_host_is_asked_unless_a_command_finds_what_is_fetched_from_there(make, monkeypatch):
    asked = []
    monkeypatch.setattr(network, "answers_over_https", lambda host: asked.append(host))
    checks = [{"name": "the data", "argv": ["test", "-e", "copy"], "host": "data.example"}]
    adapter = make(requires={"checks": checks})
    assert lacking(adapter) == ["the data (data.example does not answer)"]
    assert lacking(make(requires={"checks": [{"name": "web", "host": "data.example"}]})) != []
    (adapter.root / "copy").touch()
    asked.clear()
    assert lacking(adapter) == asked == []


def test_an_argument_for_each_item_may_have_text_around_it(make):
    options = {"env": {"type": "list", "argv": ["--env={values}"]}}
    adapter = make(options=options)
    assert adapter.command({"env": ["os", "db"]}, {}, PLACEHOLDERS).argv[-2:] == ["--env=os", "--env=db"]


def test_a_baseline_is_not_told_of_options_that_make_no_sense_for_it(make):
    options = {
        "n": {"type": "int", "argv": ["--n", "{value}"]},
        "clone": {"type": "bool", "argv": ["--clone"]},
    }
    baselines = {"smart": {"argv": ["--mock"], "untold": ["clone"]}}
    adapter = make(options=options, baselines=baselines)

    def started(agent):
        return adapter.command({"n": 1, "clone": True}, {}, {**PLACEHOLDERS, "agent": agent}).argv

    assert started("smart")[-3:] == ["--n", "1", "--mock"]
    options["demo"] = {"type": "bool", "argv": ["--demo"], "untold": ["clone"]}
    demo = make(options=options).command({"clone": True, "demo": True}, {}, PLACEHOLDERS)
    assert demo.argv[-1] == "--demo" and "--clone" not in demo.argv
    assert "--clone" in make(options=options).command({"clone": True, "demo": False}, {}, PLACEHOLDERS).argv
    assert started("eliza")[-3:] == ["--n", "1", "--clone"]
