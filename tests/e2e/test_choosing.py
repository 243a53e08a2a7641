"""Which benchmarks and agents a command selects, with which options: lists, profiles, mocks, broken manifests."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

NO_KEY = ("--provider", "groq", "--model", "m")
HARNESSES = 'agents = ["eliza", "hermes"]\ndefault_agent = "eliza"'

MOCKED = """
id = "{id}"
name = "{id}"
{head}
[run]
argv = ["{{python}}", "{{suite_dir}}/suite.py", "{{output_dir}}", "{{model}}"]
[options.{option}]
{spec}
[result]
files = ["result.json"]
score = "score"
unit = "ratio"
metrics = {{ model = "model" }}
"""

SUITE = """
import json, pathlib, sys
pathlib.Path(sys.argv[1], "result.json").write_text(json.dumps({"score": 0.5, "model": sys.argv[2]}))
"""


def add(
    bench, id: str, *, option: str = "mock", spec: str = 'type = "bool"\nargv = ["--mock"]', head: str = ""
) -> Path:
    folder = bench.root / id
    folder.mkdir()
    (folder / "suite.py").write_text(SUITE)
    (folder / "benchmark.toml").write_text(MOCKED.format(id=id, option=option, spec=spec, head=head))
    return folder


@pytest.mark.parametrize(
    "benchmarks",
    [
        ["a, b"],
        [" a ,", "b\t"],
        ["a b,a"],
    ],
)
def test_benchmarks_are_accepted_in_any_kind_of_list(bench, benchmarks):
    bench.add("a")
    bench.add("b")
    bench("run", "--provider", "ollama", "--benchmarks", *benchmarks)
    assert [run["benchmark_id"] for run in bench.runs()] == ["a", "b"]


def test_a_list_may_follow_an_equals_sign(bench):
    bench.add("a")
    bench.add("b")
    bench("run", "--provider", "ollama", "--benchmarks=a", "b")
    assert [run["benchmark_id"] for run in bench.runs()] == ["a", "b"]


def test_an_empty_list_is_an_error(bench):
    bench.add("a")
    assert "no benchmarks given" in bench("run", "--benchmarks", " , ", code=2).stderr
    assert "--agents is empty" in bench("run", "--benchmarks", "a", "--agents", ",", code=2).stderr


def test_all_overrides_a_list_with_a_note(bench):
    bench.add("a")
    bench.add("b")
    done = bench("run", "--all", "--benchmarks", "a", "--provider", "ollama", "--dry-run", "--json")
    assert {"a", "b", "human_eval"} <= {row["benchmark_id"] for row in json.loads(done.stdout)["work"]}
    assert "--all runs every benchmark, so --benchmarks has no effect" in done.stderr


@pytest.mark.parametrize("option", ["--agents", "--harnesses"])
@pytest.mark.parametrize("labels", [["eliza,hermes, unknown_agent"], ["eliza", "hermes", "unknown_agent"]])
def test_several_agents_run_in_one_group(bench, option, labels):
    add(bench, "a", head=HARNESSES)
    add(bench, "b")
    bench("run", "--benchmarks", "a", "b", option, *labels, "--provider", "ollama", "--model", "m")
    runs = bench.runs()
    assert [(run["benchmark_id"], run["agent"]) for run in runs] == [
        ("a", "eliza"),
        ("a", "hermes"),
        ("b", "eliza"),
        ("b", "hermes"),
        ("b", "unknown_agent"),
    ]
    assert len({run["run_group_id"] for run in runs}) == 1
    assert len({run["comparison_key"] for run in runs if run["benchmark_id"] == "a"}) == 1
    [opened] = bench.events("group_opened")
    assert opened["data"]["request"]["agent"] == "eliza, hermes, unknown_agent"
    [undone] = json.loads(bench("show-runs", "--status", "incompatible", "--json").stdout)
    assert (undone["benchmark_id"], undone["agent"]) == ("a", "unknown_agent")


@pytest.mark.parametrize("option", ["--all-agents", "--all-harnesses"])
def test_all_agents_means_those_that_a_benchmark_names(bench, option):
    add(bench, "a", head=HARNESSES)
    add(bench, "b")
    bench("run", "--benchmarks", "a,b", option, "--provider", "ollama", "--model", "m")
    assert [(run["benchmark_id"], run["agent"]) for run in bench.runs()] == [
        ("a", "eliza"),
        ("a", "hermes"),
        ("b", "eliza"),
    ]
    printed = bench("run", "--benchmarks", "a", option, "--agent", "eliza", code=2).stderr
    assert "--agent, --agents and --all-agents exclude each other" in printed


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ('type = "bool"\nargv = ["--mock"]\nsynthetic = [true]', True),
        ('type = "str"\nargv = ["{value}"]\nwithout_model = ["stub"]', "stub"),
        ('type = "str"\nenv = "MODE"\ndefault = "stub"\nwithout_model = ["stub"]', None),
    ],
)
@pytest.mark.parametrize("option", ["mock", "anything"])
def test_a_player_needs_no_key_and_records_no_model(bench, option, spec, value):
    add(bench, "a", option=option, spec=spec)
    extra = json.dumps({} if value is None else {option: value})
    bench("run", "--benchmarks", "a", *NO_KEY, "--extra", extra)
    [run] = bench.runs()
    assert (run["status"], run["synthetic"]) == ("succeeded", True)
    assert (run["provider"], run["model"], run["metrics"]["model"]) == ("none", "none", "none")
    for model in ("other", "third"):
        assert "skipped" in bench("run", "--benchmarks", "a", "--model", model, "--extra", extra).stderr
    assert len(bench.runs()) == 1, "whichever model is named, it is the same work"


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ('type = "bool"\nargv = ["--mock"]\nsynthetic = [true]', False),
        ('type = "bool"\nargv = ["--sample"]\nsynthetic = [true]\nwithout_model = []', True),
        ('type = "str"\nargv = ["{value}"]\nsynthetic = ["sample"]', "sample"),
        ('type = "str"\nargv = ["{value}"]\nwithout_model = ["stub"]', "full"),
    ],
)
def test_a_benchmark_that_calls_a_model_needs_a_key(bench, spec, value):
    add(bench, "a", spec=spec)
    bench("run", "--benchmarks", "a", *NO_KEY, "--extra", json.dumps({"mock": value}))
    [event] = bench.events("incompatible")
    assert event["data"]["missing"] == ["environment variable GROQ_API_KEY (the key of provider groq)"]


def test_a_profile_applies_to_the_benchmarks_that_exist_here(bench):
    bench.add("good")
    profile = {"per_benchmark": {"good": {"seed": 7}, "evm": {"max_messages": 5}, "goood": {"seed": 8}}}
    printed = bench.run("good", more=("--extra", json.dumps(profile)))
    assert "per_benchmark.evm is skipped: unknown benchmark 'evm'" in printed
    assert "per_benchmark.goood is skipped: unknown benchmark 'goood'\nhint: did you mean good?" in printed
    assert bench.runs()[0]["extra_config"] == {"seed": 7}
    [opened] = bench.events("group_opened")
    assert opened["data"]["request"]["extra"] == {"per_benchmark": {"good": {"seed": 7}}}


def test_a_profile_without_any_known_benchmark_is_an_error(bench):
    bench.add("good")
    printed = bench.run("good", more=("--extra", '{"per_benchmark": {"goood": {"seed": 8}}}'), code=2)
    assert "unknown benchmark 'goood'\nhint: did you mean good?" in printed


BROKEN = 'id = "mine"\nname = "mine"\nunknown_key = 1\n'


@pytest.mark.parametrize("content", [BROKEN, 'id = "mine"\nname = ', "no TOML at all"])
@pytest.mark.parametrize(
    "command",
    [
        ["run", "--benchmarks", "mine", "--provider", "ollama"],
        ["run", "--benchmarks", "good", "--provider", "ollama", "--extra", '{"per_benchmark": {"mine": {}}}'],
        ["adapters", "test", "mine", "--result", "result.json"],
        ["high-scores", "set", "mine", "--value", "1", "--label", "l", "--source", "s"],
        ["environments", "build", "mine"],
    ],
)
def test_a_broken_manifest_is_reported_as_broken(bench, content, command, tmp_path):
    bench.add("good")
    (bench.root / "mine").mkdir()
    file = bench.root / "mine" / "benchmark.toml"
    file.write_text(content)
    (tmp_path / "result.json").write_text("{}")
    done = subprocess.run(bench.command(*command), capture_output=True, text=True, cwd=tmp_path, env=bench.environ)
    assert done.returncode == 2
    assert f"the manifest of 'mine' is broken: {file}: " in done.stderr
    assert "unknown benchmark" not in done.stderr


def test_a_shipped_suite_does_not_run_in_place_of_a_broken_manifest(bench):
    (bench.root / "mine").mkdir()
    (bench.root / "mine" / "benchmark.toml").write_text('id = "human_eval"\nname = 5\n')
    printed = bench("run", "--benchmarks", "human_eval", "--provider", "ollama", "--dry-run", code=2).stderr
    assert "the manifest of 'human_eval' is broken" in printed


def test_a_folder_with_a_benchmarks_name_does_not_hide_it(bench, tmp_path):
    """In a checkout's `suites/`, there is a folder for each benchmark, and a manifest in none of them."""
    (tmp_path / "bfcl").mkdir()
    result = tmp_path / "result.json"
    result.write_text('{"metrics": {"overall_score": 0.25, "total_tests": 4}}')

    def test(name, code=0):
        command = bench.command("adapters", "test", name, "--result", str(result), "--json")
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=bench.environ)
        assert done.returncode == code, done.stderr
        return done

    assert json.loads(test("bfcl").stdout)["score"] == 0.25
    assert "no such" in test("./bfcl", 2).stderr.lower()
    add(bench, "other")
    (tmp_path / "bfcl" / "benchmark.toml").write_text((bench.root / "other" / "benchmark.toml").read_text())
    assert json.loads(test("bfcl", 1).stdout)["reason"] == "no_score", "a folder that has a manifest is meant"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (("--provider", "openai"), None),
        (("--provider", "openai", "--base-url", "http://127.0.0.1:9/v1"), "the base URL https://api.openai"),
        (("--provider", "ollama"), "provider openai or groq (agent 'llm' cannot use another one)"),
    ],
)
def test_an_agent_with_a_fixed_provider_does_not_run_on_another(bench, model, message):
    folder = add(bench, "a", head='agents = ["llm", "any"]\ndefault_agent = "llm"')
    text = (folder / "benchmark.toml").read_text()
    fixed = '[run.fixed_providers]\nllm = ["openai", "groq"]\n[options.mock]'
    (folder / "benchmark.toml").write_text(text.replace("[options.mock]", fixed))
    bench("run", "--benchmarks", "a", "--model", "m", *model, OPENAI_API_KEY="sk-of-not-a-real-key")
    missing = [text for event in bench.events("incompatible") for text in event["data"]["missing"]]
    assert (message is None) is (missing == []) and all(message in text for text in missing)
    bench("run", "--benchmarks", "a", "--agent", "any", "--model", "m", *model, OPENAI_API_KEY="sk-of-not-a-real-key")
    assert bench.runs()[-1]["agent"] == "any"
