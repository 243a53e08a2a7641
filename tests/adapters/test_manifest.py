"""A manifest is read as a whole, or its faults are named."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path

import pytest

from benchmarks.adapters.manifest import ManifestError, fill, find_faults, load_manifest, parse_manifest, parse_size

WHOLE = """
id = "osworld"
name = "OSWorld"
directory = "OSWorld"
agents = ["eliza"]
default_agent = "eliza"
[run]
argv = ["{python}", "run.py", "--model", "{model}"]
timeout_seconds = 60
env = { MODEL_NAME = "{model}" }
ok_exit_codes = [0, 2]
[requires]
env = ["X"]
commands = ["docker"]
python = ["six==1.17.0"]
checks = [{ name = "a daemon", argv = ["docker", "info"], unless = "dry_run" }]
[options.max_tasks]
type = "int"
default = 1
argv = ["--max_tasks", "{value}"]
help = "number of tasks"
[options.dry_run]
type = "bool"
argv = ["--dry_run"]
[result]
files = ["result.json", "**/summary*.json"]
score = "metrics.accuracy"
unit = "ratio"
samples = "n"
stderr = "metrics.stderr"
valid = "n > `0`"
synthetic = "mock"
metrics = { accuracy = "metrics.accuracy" }
usage = { input_tokens = "usage.prompt_tokens" }
[high_score]
label = "A team"
value = 0.5
source = "https://example.org"
"""


def changed(key: str, value: object) -> dict:
    tables = copy.deepcopy(tomllib.loads(WHOLE))
    *path, last = key.split(".")
    table = tables
    for part in path:
        table = table.setdefault(part, {})
    if value is None:
        del table[last]
    else:
        table[last] = value
    return tables


def test_every_part_is_read(tmp_path):
    path = tmp_path / "osworld.toml"
    path.write_text(WHOLE)
    manifest = load_manifest(path)
    assert (manifest.id, manifest.run.timeout_seconds, manifest.options["max_tasks"].default) == ("osworld", 60, 1)
    assert manifest.requires.checks[0].unless == "dry_run"
    assert manifest.high_score.value == 0.5


def test_optional_keys_have_the_defaults_of_the_contract():
    tables = {"id": "a", "name": "A", "run": {"argv": ["x"]}, "result": {"files": ["r"], "score": "s", "unit": "u"}}
    manifest = parse_manifest(tables, Path("benchmark.toml"), "folder")
    assert (manifest.directory, manifest.agents, manifest.default_agent) == ("folder", ["*"], "eliza")
    assert (manifest.run.timeout_seconds, manifest.run.ok_exit_codes, manifest.run.cwd) == (3600, [0], ".")
    assert manifest.result.higher_is_better is True


@pytest.mark.parametrize(
    ("key", "value", "where", "why"),
    [
        ("id", None, "id", "is missing"),
        ("id", "Not An Id", "id", "is not an id"),
        ("directory", None, "directory", "is missing"),
        ("directory", "../other", "directory", "not a benchmark directory"),
        ("nme", "x", "nme", "did you mean name?"),
        ("run.argv", [], "run.argv", "is empty"),
        ("run.argv", "run.py", "run.argv", "xpected `array`"),
        ("run.argv", ["{ouput_dir}"], "run.argv", "did you mean {output_dir}?"),
        ("run.argv", ["{value}"], "run.argv", "only an option has a value"),
        ("run.env", {"A": "{modell}"}, "run.env.A", "did you mean {model}?"),
        ("run.timeout_seconds", -1, "run.timeout_seconds", "must be more than 0, got -1"),
        ("run.timeout", 5, "run.timeout", "did you mean timeout_seconds?"),
        ("run.ok_exit_codes", [], "run.ok_exit_codes", "is empty"),
        ("run.ok_exit_codes", [0, 300], "run.ok_exit_codes", "must be at most 255, got 300"),
        ("run.timeout_seconds", float("inf"), "run.timeout_seconds", "must be at most 3153600000, got inf"),
        ("run.timeout_seconds", float("nan"), "run.timeout_seconds", "must be more than 0, got nan"),
        ("run.stall_seconds", 0, "run.stall_seconds", "must be more than 0, got 0"),
        ("run.log_bytes", -1, "run.log_bytes", "must be at least 0, got -1"),
        ("run.log_bytes", "1", "run.log_bytes", "expected `int`, got `str`"),
        ("run.env", {"A": 1}, "run.env.A", "expected `str`, got `int`"),
        ("run.agent_argv", {"x": [], "y": [1]}, "run.agent_argv.y", "expected `str`, got `int`"),
        ("run.cwd", "{ouput_dir}", "run.cwd", "did you mean {output_dir}?"),
        ("run.transient_errors", ["("], "run.transient_errors", "not a regular expression"),
        ("resources", {"gpus": -1}, "resources.gpus", "must be at least 0, got -1"),
        ("resources", {"cpus": float("inf")}, "resources.cpus", "must be at most 1000000, got inf"),
        ("resources", {"memory": "9" * 400 + " TB"}, "resources.memory", "not a size"),
        ("resources", {"memroy": 1}, "resources.memroy", "did you mean memory?"),
        ("requires.checks", [{"name": "x", "host": "a b"}], "requires.checks[0].host", "is not the name of a host"),
        ("requires.checks", [{"name": "x"}], "requires.checks", "can never be met"),
        ("requires.checks", [{"name": "x", "path": ["a"]}], "requires.checks[0].path", "did you mean paths?"),
        ("run.transient_exit_codes", [-9], "run.transient_exit_codes", "must be at least 0, got -9"),
        ("run.argv", ["a\0b"], "run.argv", "NUL character"),
        ("run.env", {"A=B": "1"}, "run.env.A=B", "'A=B' is not the name of a variable"),
        ("options.seed", {"type": "int", "env": ""}, "options.seed.env", "is not the name of a variable"),
        ("options.max_tasks.argv", ["--max-tasks"], "options.max_tasks.argv", "one of its texts must contain {value}"),
        (
            "options.max_tasks.type",
            "integer",
            "options.max_tasks.type",
            "known: int, float, bool, str, list, object",
        ),
        ("options.max_tasks.defualt", 1, "options.max_tasks.defualt", "did you mean default?"),
        ("options.max_tasks.default", "one", "options.max_tasks.default", "not a whole number"),
        ("options.max_tasks.choices", [1, "x"], "options.max_tasks.choices", "not a whole number"),
        ("options.max_tasks.env", "MAX", "options.max_tasks", "either argv or env"),
        ("options.max_tasks.argv", None, "options.max_tasks", "either argv or env"),
        ("options.repeat", {"type": "int", "env": "R"}, "options.repeat", "meaning of its own"),
        ("options.api_key", {"type": "str", "env": "K", "default": "s"}, "options.api_key.default", "no default"),
        (
            "requires.checks",
            [{"name": "x", "argv": ["x"], "unless": "nope"}],
            "requires.checks",
            "this option does not exist",
        ),
        (
            "requires.checks",
            [{"name": "x", "argv": ["x"], "unless": "max_tasks"}],
            "requires.checks",
            "it always has a value",
        ),
        ("run.package", "my-package", "run.package", "not the name of a Python package"),
        ("run.agent_argv", {"x": ["{modell}"]}, "run.agent_argv.x", "did you mean {model}?"),
        ("options.max_tasks.argv", ["{values}"], "options.max_tasks.argv", "did you mean {value}?"),
        ("options.max_tasks.synthetic", ["all"], "options.max_tasks.synthetic", "not a whole number"),
        ("baselines", {"random": {}}, "baselines.random", "like any other agent"),
        ("baselines", {"random": {"score": "["}}, "baselines.random.score", "is not JMESPath"),
        ("baselines", {"random": {"arg": ["x"]}}, "baselines.random.arg", "did you mean argv?"),
        ("baselines", {"random": {"env": {"A\0": "x"}}}, "baselines.random.env.A\0", "is not the name of a variable"),
        ("baselines", {"eliza": {"argv": ["x"]}}, "baselines.eliza", "all its runs would count as synthetic"),
        ("requires.checks", [{"name": "x", "argv": ["\0"]}], "requires.checks", "NUL character"),
        ("result.out_of", "[", "result.out_of", "is not JMESPath"),
        ("result.score", "metrics..x", "result.score", "is not JMESPath"),
        ("result.metrics", {"a": "["}, "result.metrics.a", "is not JMESPath"),
        ("result.valid", "n && !m.mock && o", "result.valid", "is always null"),
        ("result.valid", "!rows[?error]", "result.valid", "is always null"),
        ("result.valid", "!rows[]", "result.valid", "is always null"),
        ("result.files", [], "result.files", "is empty"),
        ("result.files", ["../x.json"], "result.files", "below the output folder"),
        ("result.files", ["a**b"], "result.files", "is not a pattern of file names"),
        ("result.unit", " ", "result.unit", "is empty"),
        ("name", "", "name", "is empty"),
        ("id", "a" * 81, "id", "at most 80"),
        ("agents", [""], "agents", "is empty"),
        ("agents", ["hermes"], "default_agent", "not one of agents"),
        ("high_score.value", 53.0, "high_score.value", "not a ratio between 0 and 1"),
        ("high_score.unit", "percent", "high_score.unit", "not the unit of the score"),
    ],
)
def test_a_fault_is_reported_with_file_key_and_reason(key, value, where, why):
    with pytest.raises(ManifestError) as error:
        parse_manifest(changed(key, value), Path("some/benchmark.toml"))
    assert error.value.key == where
    assert why in error.value.reason
    assert str(error.value).startswith(f"some/benchmark.toml: {where}: ") and "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"id = ", b"\xff\xfe", b'id = "a"\nid = "b"'])
def test_a_file_that_is_not_toml_is_reported(tmp_path, content):
    path = tmp_path / "benchmark.toml"
    path.write_bytes(content)
    with pytest.raises(ManifestError, match="is not TOML"):
        load_manifest(path)
    with pytest.raises(ManifestError, match="cannot be read"):
        load_manifest(tmp_path / "nowhere.toml")


def test_only_placeholders_are_replaced_and_other_braces_stay():
    values = {"model": "m", "output_dir": "/o"}
    assert fill('{"a": {"b": "{model}"}} ${HOME} {x} {{model}} {output_dir}', values) == (
        '{"a": {"b": "m"}} ${HOME} {x} {model} /o'
    )


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        ({"options": {"x": {"type": "str", "env": "X", "required": True, "default": "a"}}}, "it has a default"),
        ({"options": {"token": {"type": "str", "env": "X", "required": True}}}, "a secret cannot be required"),
        ({"requires": {"python": ["x"], "python_version": "three"}}, "'three' is not a version such as 3.12"),
        ({"requires": {"python_version": "3.12"}}, "requires.python names no package"),
    ],
)
def test_requirements_that_contradict_each_other_are_refused(tables, reason):
    base = {
        "id": "b",
        "name": "B",
        "run": {"argv": ["x"]},
        "result": {"files": ["r.json"], "score": "s", "unit": "ratio"},
    }
    with pytest.raises(ManifestError, match=reason):
        parse_manifest({**base, **tables}, Path("x.toml"), "b")


def test_all_faults_of_a_file_are_found_at_once(tmp_path):
    path = tmp_path / "benchmark.toml"
    text = WHOLE.replace("timeout_seconds = 60", "timeout_seconds = -1").replace('id = "osworld"', 'id = "No Id"')
    text = text.replace("[0, 2]", "[0, 900]").replace("[high_score]", '[high_score]\nlable = "x"')
    path.write_text(text)
    found = {problem.key: problem.reason for problem in find_faults(path)}
    assert set(found) == {"id", "run.timeout_seconds", "run.ok_exit_codes", "high_score.lable"}
    path.write_text(
        WHOLE.replace('argv = ["{python}"', 'argvs = ["{python}"').replace('score = "metrics.accuracy"', "")
    )
    assert {problem.key for problem in find_faults(path)} == {"run.argvs", "run.argv"}
    path.write_text(
        WHOLE.replace("max_tasks]", "repeat]").replace("value = 0.5", "value = 5").replace('"n > `0`"', '"["')
    )
    assert {problem.key for problem in find_faults(path)} == {"options.repeat", "high_score.value", "result.valid"}
    path.write_text(WHOLE)
    assert find_faults(path) == []


@pytest.mark.parametrize(
    ("text", "size"), [("4 GiB", 4 * 1024**3), ("500 MB", 500_000_000), (7, 7), ("1.5kb", 1500), ("2 b", 2), ("3", 3)]
)
def test_a_size_has_a_unit_or_is_in_bytes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1", "1 XB", "4 g", "1e3", "9" * 16, "nan"])
def test_any_other_text_is_not_a_size(text):
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)
