"""The schema knows what a manifest may hold, and keys are found in their files."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.adapters import manifest
from benchmarks.adapters.manifest.json_schema import line_of, manifest_schema
from benchmarks.adapters.options import Option

TEXT = """id = "b"   # 1
"name" = "B"
tags = [
  "x",
]
[run]  # 6
argv = ["a = 1"]
env = { A = "1" }
[options.seed]
type = "int"
[options."odd-name"]
type = "int"
[[requires.checks]]
name = "docker"
"""


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("id", 1),
        ("name", 2),
        ("tags", 3),
        ("run", 6),
        ("run.argv", 7),
        ("run.env.A", 8),
        ("run.timeout_seconds", 6),
        ("options.seed.type", 10),
        ("options.odd-name.default", 11),
        ("requires.checks[0].argv", 13),
        ("result.score", None),
    ],
)
def test_a_key_is_found_or_else_the_table_around_it(key, line):
    assert line_of(TEXT, key) == line


def test_the_schema_has_every_key_and_refuses_others():
    schema = manifest_schema()
    structs = {"": manifest.Manifest, "RunSpec": manifest.RunSpec, "Requires": manifest.Requires, "Option": Option}
    structs |= {
        "ResultSpec": manifest.ResultSpec,
        "Resources": manifest.Resources,
        "HighScore": manifest.HighScore,
        "Baseline": manifest.Baseline,
    }
    for name, struct in structs.items():
        table = schema["$defs"][name] if name else schema
        assert set(table["properties"]) == set(struct.__struct_fields__)
        assert table["additionalProperties"] is False
    assert set(schema["required"]) == {"id", "name", "run", "result"}


def test_every_shipped_manifest_fits_the_schema():
    """Checked with the references resolved by hand: nothing here needs more of JSON Schema than types and keys."""
    import tomllib

    schema = manifest_schema()

    def check(value, rule, where):
        if "$ref" in rule:
            rule = schema["$defs"][rule["$ref"].rpartition("/")[2]]
        if "anyOf" in rule:
            return any(check(value, option, where) for option in rule["anyOf"])
        if isinstance(value, dict):
            known = rule.get("properties", {})
            more = rule.get("additionalProperties", True)
            assert set(rule.get("required", ())) <= set(value), where
            for key, inner in value.items():
                assert key in known or more is not False, f"{where}.{key}"
                if key in known or isinstance(more, dict):
                    check(inner, known.get(key, more), f"{where}.{key}")
        return True

    folder = Path(manifest.__file__).parent.parent
    files = [
        *folder.glob("catalog/*.toml"),
        *folder.glob("suites/*/benchmark.toml"),
        folder / "template/benchmark.toml",
    ]
    assert len(files) > 10
    for file in files:
        check(tomllib.loads(file.read_text()), schema, file.name)
