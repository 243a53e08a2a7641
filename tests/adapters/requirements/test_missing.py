"""What is missing, with and without questions to processes and hosts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.adapters.adapter import Adapter
from benchmarks.adapters.manifest import parse_manifest
from benchmarks.adapters.requirements import asking
from benchmarks.adapters.requirements.missing import Need, Standing, examine

ENVIRON = {"PATH": "/usr/bin:/bin"}


@pytest.fixture
def need(tmp_path):
    def need(*checks, options=None, config=None, **requires):
        tables = {
            "id": "b",
            "name": "B",
            "run": {"argv": ["x"]},
            "requires": {"checks": list(checks), **requires},
            "options": options or {},
            "result": {"files": ["r"], "score": "s", "unit": "u"},
        }
        manifest = parse_manifest(tables, Path("x.toml"), "b")
        adapter = Adapter(manifest=manifest, source="workspace", origin=Path("x.toml"), root=tmp_path, sha256="")
        return Need(adapter=adapter, agent="eliza", config=config or {})

    return need


def look(*needs, environ=ENVIRON):
    return examine(needs, environ, ask_now=False)


def test_one_thing_of_a_check_is_enough(need, tmp_path):
    check = {"name": "data", "env": ["A", "B"], "commands": ["no-such"], "paths": ["here", "~/data", "$DATA/x", "m_*"]}
    one = need(check)
    assert look(one) == [Standing(["data"], [])]
    assert look(one, environ={**ENVIRON, "B": "1"}) == [Standing([], [])]
    assert look(one, environ={**ENVIRON, "B": ""}) == [Standing(["data"], [])]
    (tmp_path / "home" / "data").mkdir(parents=True)
    assert look(one, environ={**ENVIRON, "HOME": str(tmp_path / "home")}) == [Standing([], [])]
    assert look(one, environ={**ENVIRON, "HOME": ""}) == [Standing(["data"], [])]
    (tmp_path / "x").touch()
    assert look(one, environ={**ENVIRON, "DATA": str(tmp_path)}) == [Standing([], [])]
    (tmp_path / "m_1").touch()
    assert look(one) == [Standing([], [])]
    assert look(need({"name": "tool", "commands": ["no-such", "sh"]})) == [Standing([], [])]


def test_a_value_with_a_dollar_is_not_replaced_again(need, tmp_path):
    environ = {**ENVIRON, "DATA": "$OTHER", "OTHER": str(tmp_path)}
    assert look(need({"name": "data", "paths": ["$DATA"]}), environ=environ) == [Standing(["data"], [])]


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "~other/x", "$UNSET", ""])
def test_an_odd_path_is_not_there_or_not_allowed(need, path):
    from benchmarks.adapters.manifest import ManifestError

    try:
        standing = look(need({"name": "data", "paths": [path]}))
    except ManifestError as problem:
        assert "\0" in path or not path, problem
    else:
        assert standing == [Standing(["data"], [])]


def test_without_asking_no_process_is_started(need, monkeypatch):
    monkeypatch.setattr(asking.subprocess, "Popen", None)
    needs = [
        need({"name": "daemon", "argv": ["sh", "-c", "true"]}, {"name": "web", "host": "a.example"}),
        need({"name": "tool", "argv": ["no-such-tool", "--version"]}),
        need(python=["six"], python_version="3.99"),
    ]
    daemon, tool, python = look(*needs)
    assert daemon == Standing([], ["daemon", "web"])
    assert tool == Standing(["tool (no-such-tool --version: No such file or directory)"], [])
    assert python == Standing([], ["Python 3.99 or later, for its environment (uv python install 3.99)"])


def test_what_was_asked_is_known_later(need, tmp_path):
    log = tmp_path / "log"
    needs = [need({"name": "daemon", "argv": ["sh", "-c", f"echo x >> {log}"]}) for _ in range(3)]
    assert examine(needs, ENVIRON, ask_now=True) == [Standing([], [])] * 3
    assert log.read_text() == "x\n", "asked once for all"
    assert look(*needs) == [Standing([], [])] * 3
    assert examine(needs, ENVIRON, ask_now=True) == [Standing([], [])] * 3
    assert log.read_text() == "x\n", "not asked again"


def test_a_check_that_failed_is_made_again(need, tmp_path):
    """Somebody who starts the daemon after the first answer does not have to wait."""
    one = need({"name": "daemon", "argv": ["test", "-e", "socket"]})
    assert examine([one], ENVIRON, ask_now=True)[0].missing == ["daemon (test -e socket: exit 1)"]
    assert look(one)[0].missing == ["daemon (test -e socket: exit 1)"]
    (tmp_path / "socket").touch()
    assert examine([one], ENVIRON, ask_now=True) == look(one) == [Standing([], [])]


def test_a_check_without_a_way_is_met_by_an_option_alone(need):
    options = {"file": {"type": "str", "argv": ["{value}"]}}
    check = {"name": "option file", "unless": "file"}
    assert look(need(check, options=options)) == [Standing(["option file"], [])]
    assert look(need(check, options=options, config={"file": "f"})) == [Standing([], [])]


def test_an_environment_that_needs_a_later_python_asks_uv(need, tmp_path):
    environ = {**os.environ, "PATH": str(tmp_path), "UV_PYTHON_INSTALL_DIR": str(tmp_path)}
    [standing] = examine([need(python=["six"], python_version="3.99")], environ, ask_now=True)
    assert standing.missing == ["Python 3.99 or later, for its environment (uv python install 3.99)"]
