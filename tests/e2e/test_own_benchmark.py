"""Your own benchmark: from `new` to a score, validation of manifests, and adapters in Python."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "sqlite-speed"


@pytest.fixture
def model():
    """An OpenAI-compatible server whose model knows one answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            knows = "France" in asked["messages"][0]["content"]
            message = {"message": {"content": "It is Paris." if knows else "I do not know."}}
            body = json.dumps({"choices": [message], "usage": {"prompt_tokens": 10, "completion_tokens": 4}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_a_new_benchmark_runs_as_it_is(bench, model):
    bench("new", "mine")
    assert "mine" in bench("list-benchmarks").stdout
    assert "1 manifests checked, 0 problems" in bench("adapters", "validate").stdout
    endpoint = ("--provider", "openai-compatible", "--base-url", model, "--model", "m")
    bench("run", "--benchmarks", "mine", *endpoint)
    bench("run", "--benchmarks", "mine", *endpoint, "--extra", '{"max_samples": 2}')
    all_of_them, two = bench.runs()
    assert (all_of_them["score"], all_of_them["samples"], two["score"], two["samples"]) == (
        pytest.approx(1 / 6),
        6,
        0.5,
        2,
    )
    assert all_of_them["usage"] == {"input_tokens": 60, "output_tokens": 24}
    printed = bench("adapters", "test", "mine", "--result", all_of_them["result_json_path"]).stdout
    assert "0.167 [0.03, 0.56] ratio (higher is better)" in printed and '"capitals":0.33' in printed


def test_new_overwrites_nothing_and_needs_a_valid_id(bench):
    (bench.root / "mine").mkdir()
    (bench.root / "mine" / "run.py").write_text("precious")
    assert "already exists\nhint: choose another name" in bench("new", "mine", code=2).stderr
    assert (bench.root / "mine" / "run.py").read_text() == "precious"
    for name in ("Mine", "../mine", "a b", "-x", ""):
        assert bench("new", "--", name, code=2).stderr
    assert "human_eval' is already the id of a benchmark" in bench("new", "human_eval", code=2).stderr
    assert sorted(path.name for path in bench.root.iterdir()) == ["mine"]


def test_validate_reports_every_problem_with_its_line(bench):
    folder = bench.add("broken")
    manifest = folder / "benchmark.toml"
    text = manifest.read_text().replace('score = "score"', 'score = "score["').replace("{output_dir}", "{output_dri}")
    manifest.write_text(text.replace("default = 1", 'default = "one"'))
    printed = bench("adapters", "validate", str(folder), code=2).stdout
    lines = manifest.read_text().splitlines()

    def at(beginning: str) -> int:
        return 1 + next(number for number, line in enumerate(lines) if line.startswith(beginning))

    assert f"benchmark.toml:{at('argv')}: run.argv: unknown placeholder {{output_dri}}" in printed
    assert f"benchmark.toml:{at('default = ')}: options.seed.default: " in printed
    assert f"benchmark.toml:{at('score')}: result.score: 'score[' is not JMESPath" in printed
    assert "1 manifests checked, 3 problems" in printed
    rows = json.loads(bench("adapters", "validate", "--json", code=2).stdout)["problems"]
    assert [row["key"] for row in rows] == ["run.argv", "options.seed.default", "result.score"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('unit = "ratio"', 'unti = "ratio"', "result.unti: unknown key; did you mean unit?"),
        ('unit = "ratio"', "", "result.unit: is missing"),
        ('unit = "ratio"', "unit = ratio", "is not TOML: Invalid value (at line "),
        ('type = "int"', 'type = "whole"', "options.seed.type: invalid enum value"),
    ],
)
def test_validate_reports_a_file_that_is_not_a_manifest(bench, old, new, message):
    manifest = bench.add("broken") / "benchmark.toml"
    manifest.write_text(manifest.read_text().replace(old, new, 1))
    done = bench("adapters", "validate", str(manifest), code=2)
    assert message in done.stdout


def test_validate_accepts_a_folder_of_manifests(bench):
    catalogue = Path(__file__).parents[2] / "adapters" / "catalog"
    assert "0 problems" in bench("adapters", "validate", str(catalogue)).stdout
    (bench.root / "one.toml").write_text((catalogue / "hyperfine.toml").read_text().replace("id =", "di ="))
    assert "0 manifests checked" in bench("adapters", "validate").stdout, "a workspace may hold other TOML"
    assert "one.toml:3: di: unknown key" in bench("adapters", "validate", str(bench.root), code=2).stdout


def test_validate_finds_a_duplicate_id(bench):
    bench.add("one")
    folder = bench.add("two")
    (folder / "benchmark.toml").write_text((bench.root / "one" / "benchmark.toml").read_text())
    assert "'one' is taken by" in bench("adapters", "validate", code=2).stdout


def test_a_manifest_is_tested_on_a_result_without_a_run(bench, tmp_path):
    bench.add("own_quiz", result='valid = "n > `0`"')
    result = tmp_path / "result.json"
    result.write_text('{"score": 0.25, "n": 4, "usage": {"in": 7}}')
    shown = json.loads(bench("adapters", "test", "own_quiz", "--result", str(result), "--json").stdout)
    assert (shown["score"], shown["samples"], shown["usage"], shown["reason"]) == (0.25, 4, {"input_tokens": 7}, None)
    result.write_text('{"score": 0.25, "n": 0}')
    assert "failed: invalid_result" in bench("adapters", "test", "own_quiz", "--result", str(result), code=1).stdout
    by_path = bench(
        "adapters", "test", str(bench.root / "own_quiz" / "benchmark.toml"), "--result", str(result), code=1
    )
    assert "failed: invalid_result" in by_path.stdout
    assert "did you mean own_quiz?" in bench("adapters", "test", "own_quzi", "--result", str(result), code=2).stderr


def test_an_installed_package_adds_adapters(bench, tmp_path):
    """The example of the documentation, installed as a package into a folder of its own."""
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    source = tmp_path / "source"
    source.mkdir()
    for file in EXAMPLE.iterdir():
        if file.is_file():
            (source / file.name).write_bytes(file.read_bytes())
    subprocess.run([*install, "--target", str(site), str(source)], check=True)
    listed = json.loads(bench("list-benchmarks", "--json", PYTHONPATH=str(site)).stdout)["benchmarks"]
    assert [row["id"] for row in listed if row["source"] == "plugin"] == ["sqlite_delete", "sqlite_wal"]
    extra = ("--extra", '{"seconds": 0.05}')
    bench("run", "--benchmarks", "sqlite_delete", "sqlite_wal", *extra, PYTHONPATH=str(site))
    for run in bench.runs():
        assert (run["status"], run["unit"], run["provider"]) == ("succeeded", "1/s", "none")
        assert run["score"] > 0 and run["samples"] > 0
    assert "sqlite_wal" not in bench("list-benchmarks").stdout, "without the package it is gone"
