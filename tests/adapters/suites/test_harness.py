"""What drivers share: a harness is judged by the file that it leaves, and results say who answered."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.adapters.suites.asv.__main__ import commit_of
from benchmarks.adapters.suites.asv.measurements import summarize
from benchmarks.adapters.suites.helm.stats import choose_metric, means, tokens
from benchmarks.adapters.suites.suitekit.command import SuiteError
from benchmarks.adapters.suites.suitekit.harness import json_object, need_success, only_file, run_harness, served_model


def test_a_harness_does_not_get_our_import_path_and_its_exit_code_is_reported(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", "/ours")
    code = "import os, pathlib, sys; pathlib.Path('reported').write_text(str('PYTHONPATH' in os.environ)); sys.exit(3)"
    assert run_harness([sys.executable, "-c", code], cwd=tmp_path, environ={"MORE": "1"}) == 3
    assert (tmp_path / "reported").read_text() == "False"
    with pytest.raises(SuiteError, match="it ended with exit code 3"):
        need_success(3, "it")


def test_no_file_is_a_failure_and_so_are_two(tmp_path):
    with pytest.raises(SuiteError, match=r"X left no \*.json: it has failed, whatever its exit code"):
        only_file(tmp_path, "*.json", "X")
    (tmp_path / "a.json").touch()
    assert only_file(tmp_path, "*.json", "X").name == "a.json"
    (tmp_path / "b.json").touch()
    with pytest.raises(SuiteError, match=r"X left 2 files \*.json: a.json, b.json"):
        only_file(tmp_path, "*.json", "X")


@pytest.mark.parametrize("text", ["{", "[]", "5"])
def test_an_argument_that_is_not_an_object_is_reported(text):
    with pytest.raises(SuiteError, match=r"is not (a )?JSON"):
        json_object(text)


@pytest.fixture
def models(monkeypatch):
    """A server whose /v1/models answers with that."""
    answer: list[bytes] = [b""]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/v1/models"
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer[0])))
            self.end_headers()
            self.wfile.write(answer[0])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    yield answer
    server.shutdown()
    server.server_close()


def test_the_model_is_the_one_that_the_server_names(models):
    models[0] = json.dumps({"data": [{"id": "a"}, {"id": "b"}]}).encode()
    assert served_model("b") == "b"
    assert served_model("gpt-5") == "a, b", "a label does not prove which model answered"
    for broken in (b"no json", b"{}", b'{"data": 5}'):
        models[0] = broken
        with pytest.raises(SuiteError, match="/models does not say what is served"):
            served_model("a")


ASV = {"result_columns": ["result", "params"], "results": {}, "commit_hash": "c"}


def test_asv_says_in_one_line_that_a_project_has_no_such_commit(tmp_path):
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    with pytest.raises(SuiteError, match=r"has no commit nowhere: fatal: .*") as reported:
        commit_of(tmp_path, "nowhere")
    assert "\n" not in str(reported.value)


def test_asv_adds_up_times_alone_and_a_failure_is_one():
    units = {"m.time_a": {"unit": "seconds"}, "m.mem_b": {"unit": "bytes"}}
    results = {"m.time_a": [[0.25, float("nan"), 0.5], [["1", "2", "3"]]], "m.mem_b": [[8000], []]}
    found = summarize({**ASV, "results": results}, units)
    assert (found["score"], found["n"]) == (0.75, 2)
    assert [row["name"] for row in found["benchmarks"]] == ["m.time_a(1)", "m.time_a(3)", "m.mem_b"]
    for broken in ({"m.time_a": [None, [["1", "2"]]]}, {"m.time_a": [[0.5, None], [["1", "2"]]]}):
        with pytest.raises(SuiteError, match=r"benchmarks failed: m\.time_a"):
            summarize({**ASV, "results": broken}, units)
    with pytest.raises(SuiteError, match="none of the 1 benchmarks measures time"):
        summarize({**ASV, "results": {"m.mem_b": [[8000], []]}}, units)


def test_helm_takes_the_test_split_without_perturbations():
    def stat(name, mean, **more):
        return {"name": {"name": name, "split": "test", **more}, "mean": mean}

    values = means(
        [
            stat("f1", 0.1, split="valid"),
            stat("f1", 0.5),
            stat("f1", 0.9, perturbation={"name": "typos"}),
            stat("nan", float("nan")),
            stat("nothing", None),
            stat("num_instances", 4.0),
            stat("num_prompt_tokens", 10.5),
            stat("exact_match", 0.25),
        ]
    )
    assert values == {"f1": 0.5, "num_instances": 4.0, "num_prompt_tokens": 10.5, "exact_match": 0.25}
    assert tokens(values) == {"input_tokens": 42}
    assert choose_metric({"metric_specs": [{"args": {"names": ["f1"]}}]}, values, None) == "f1"
    assert choose_metric({}, values, None) == "exact_match"
    assert choose_metric({}, values, "nothing") is None
