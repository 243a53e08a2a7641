"""A manifest is right as a whole, or the first thing that is wrong is named."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path

import pytest

from benchmarks.adapters.manifest import ManifestError, fill, load_manifest, parse_manifest

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
help = "so many"
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
label = "Somebody"
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


def test_all_of_it_is_read(tmp_path):
    path = tmp_path / "osworld.toml"
    path.write_text(WHOLE)
    manifest = load_manifest(path)
    assert (manifest.id, manifest.run.timeout_seconds, manifest.options["max_tasks"].default) == ("osworld", 60, 1)
    assert manifest.requires.checks[0].unless == "dry_run"
    assert manifest.high_score.value == 0.5


def test_what_may_be_left_out_has_the_defaults_of_the_contract():
    tables = {"id": "a", "name": "A", "run": {"argv": ["x"]}, "result": {"files": ["r"], "score": "s", "unit": "u"}}
    manifest = parse_manifest(tables, Path("benchmark.toml"), "folder")
    assert (manifest.directory, manifest.agents, manifest.default_agent) == ("folder", ["*"], "eliza")
    assert (manifest.run.timeout_seconds, manifest.run.ok_exit_codes, manifest.run.cwd) == (3600, [0], ".")
    assert manifest.result.higher_is_better is True


@pytest.mark.parametrize(
    ("key", "value", "where", "why"),
    [
        ("id", None, "id", "is missing"),
        ("id", "Not An Id", "id", "is no id"),
        ("directory", None, "directory", "is missing"),
        ("directory", "../other", "directory", "no benchmark directory"),
        ("nme", "x", "nme", "did you mean name?"),
        ("run.argv", [], "run.argv", "names no command"),
        ("run.argv", "run.py", "run.argv", "xpected `array`"),
        ("run.argv", ["{ouput_dir}"], "run.argv", "did you mean {output_dir}?"),
        ("run.argv", ["{value}"], "run.argv", "only an option has a value"),
        ("run.env", {"A": "{modell}"}, "run.env.A", "did you mean {model}?"),
        ("run.timeout_seconds", -1, "run.timeout_seconds", "no positive number"),
        ("run.timeout", 5, "run.timeout", "did you mean timeout_seconds?"),
        ("run.ok_exit_codes", [], "run.ok_exit_codes", "no run could succeed"),
        ("run.ok_exit_codes", [0, 300], "run.ok_exit_codes", "300 is no exit code"),
        ("run.transient_exit_codes", [-9], "run.transient_exit_codes", "-9 is no exit code"),
        ("run.argv", ["a\0b"], "run.argv", "NUL character"),
        ("run.env", {"A=B": "1"}, "run.env.A=B", "'A=B' is no name of a variable"),
        ("options.seed", {"type": "int", "env": ""}, "options.seed.env", "is no name of a variable"),
        ("options.max_tasks.argv", ["--max-tasks"], "options.max_tasks.argv", "one of its texts must hold {value}"),
        (
            "options.max_tasks.type",
            "integer",
            "options.max_tasks.type",
            "there are int, float, bool, str, list, object",
        ),
        ("options.max_tasks.defualt", 1, "options.max_tasks.defualt", "did you mean default?"),
        ("options.max_tasks.default", "one", "options.max_tasks.default", "no whole number"),
        ("options.max_tasks.choices", [1, "x"], "options.max_tasks.choices", "no whole number"),
        ("options.max_tasks.env", "MAX", "options.max_tasks", "either argv or env"),
        ("options.max_tasks.argv", None, "options.max_tasks", "either argv or env"),
        ("options.repeat", {"type": "int", "env": "R"}, "options.repeat", "meaning of its own"),
        ("options.api_key", {"type": "str", "env": "K", "default": "s"}, "options.api_key.default", "no default"),
        (
            "requires.checks",
            [{"name": "x", "argv": ["x"], "unless": "nope"}],
            "requires.checks",
            "there is no such option",
        ),
        (
            "requires.checks",
            [{"name": "x", "argv": ["x"], "unless": "max_tasks"}],
            "requires.checks",
            "it always has a value",
        ),
        ("run.package", "my-package", "run.package", "no name of a Python package"),
        ("run.agent_argv", {"x": ["{modell}"]}, "run.agent_argv.x", "did you mean {model}?"),
        ("options.max_tasks.argv", ["{values}"], "options.max_tasks.argv", "did you mean {value}?"),
        ("options.max_tasks.synthetic", ["all"], "options.max_tasks.synthetic", "no whole number"),
        ("baselines", {"random": {}}, "baselines.random", "as any other agent"),
        ("baselines", {"random": {"score": "["}}, "baselines.random.score", "is no JMESPath"),
        ("baselines", {"random": {"arg": ["x"]}}, "baselines.random.arg", "did you mean argv?"),
        ("baselines", {"random": {"env": {"A\0": "x"}}}, "baselines.random.env.A\0", "is no name of a variable"),
        ("baselines", {"eliza": {"argv": ["x"]}}, "baselines.eliza", "all count as synthetic"),
        ("requires.checks", [{"name": "x", "argv": ["\0"]}], "requires.checks", "NUL character"),
        ("result.out_of", "[", "result.out_of", "is no JMESPath"),
        ("result.score", "metrics..x", "result.score", "is no JMESPath"),
        ("result.metrics", {"a": "["}, "result.metrics.a", "is no JMESPath"),
        ("result.valid", "n && !m.mock && o", "result.valid", "is always null"),
        ("result.valid", "!rows[?error]", "result.valid", "is always null"),
        ("result.valid", "!rows[]", "result.valid", "is always null"),
        ("result.files", [], "result.files", "names no file"),
        ("result.files", ["../x.json"], "result.files", "below the output folder"),
        ("result.files", ["a**b"], "result.files", "is no pattern of file names"),
        ("result.unit", " ", "result.unit", "is empty"),
        ("name", "", "name", "is empty"),
        ("id", "a" * 81, "id", "at most 80"),
        ("agents", [""], "agents", "names nobody"),
        ("agents", ["hermes"], "default_agent", "none of agents"),
        ("high_score.value", 53.0, "high_score.value", "no ratio between 0 and 1"),
        ("high_score.unit", "percent", "high_score.unit", "not the unit of the score"),
    ],
)
def test_what_is_wrong_is_told_with_file_key_and_reason(key, value, where, why):
    with pytest.raises(ManifestError) as told:
        parse_manifest(changed(key, value), Path("some/benchmark.toml"))
    assert told.value.key == where
    assert why in told.value.reason
    assert str(told.value).startswith(f"some/benchmark.toml: {where}: ") and "\n" not in str(told.value)


@pytest.mark.parametrize("content", [b"id = ", b"\xff\xfe", b'id = "a"\nid = "b"'])
def test_a_file_that_is_no_toml_is_told(tmp_path, content):
    path = tmp_path / "benchmark.toml"
    path.write_bytes(content)
    with pytest.raises(ManifestError, match="no TOML"):
        load_manifest(path)
    with pytest.raises(ManifestError, match="cannot be read"):
        load_manifest(tmp_path / "nowhere.toml")


def test_only_placeholders_are_replaced_and_other_braces_stay():
    values = {"model": "m", "output_dir": "/o"}
    assert fill('{"a": {"b": "{model}"}} ${HOME} {x} {{model}} {output_dir}', values) == (
        '{"a": {"b": "m"}} ${HOME} {x} {model} /o'
    )


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ({"options": {"x": {"type": "str", "env": "X", "required": True, "default": "a"}}}, "it has a default"),
        ({"options": {"token": {"type": "str", "env": "X", "required": True}}}, "a secret cannot be required"),
        ({"requires": {"python": ["x"], "python_version": "three"}}, "'three' is no version such as 3.12"),
        ({"requires": {"python_version": "3.12"}}, "requires.python names no package"),
    ],
)
def test_what_is_required_makes_sense(tables, told):
    base = {
        "id": "b",
        "name": "B",
        "run": {"argv": ["x"]},
        "result": {"files": ["r.json"], "score": "s", "unit": "ratio"},
    }
    with pytest.raises(ManifestError, match=told):
        parse_manifest({**base, **tables}, Path("x.toml"), "b")
