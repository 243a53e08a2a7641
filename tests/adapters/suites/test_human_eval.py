"""HumanEval: a program passes only by passing its tests, and can do nothing else."""

from __future__ import annotations

import socket
import threading

import pytest

from benchmarks.adapters.suites.human_eval import sandbox
from benchmarks.adapters.suites.human_eval.completion import ask_for, extract_code, program_of
from benchmarks.adapters.suites.human_eval.sandbox import check, probe
from benchmarks.adapters.suites.suitekit.command import SuiteError

PROBLEM = {
    "task_id": "T/0",
    "prompt": 'from typing import List\n\n\ndef add(a: int, b: int) -> int:\n    """Add."""\n',
    "entry_point": "add",
    "canonical_solution": "    return a + b\n",
    "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
}


def verdict(code: str, seconds: float = 3.0):
    return check(program_of(PROBLEM, code), PROBLEM["test"], "add", seconds)


def body(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines()) + "\n"


def test_the_canonical_solution_passes_as_completion_and_as_whole_function():
    assert verdict(PROBLEM["canonical_solution"]).passed
    whole = "def add(a: List[int], b: int) -> int:\n    return a + b\n"
    assert verdict(whole).passed, "the imports of the prompt are there for it too"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("return a - b", "AssertionError"),
        ("return a +", "SyntaxError"),
        ("raise KeyError('x')", "KeyError"),
        ("import sys; sys.exit(0)", "SystemExit"),
        ("import os; os._exit(0)", "ended with 0 before its tests did"),
        ("print('{\"passed\": true}'); return 0", "AssertionError"),
        ("x = bytearray(3 * 1024**3); return a + b", "MemoryError"),
        ("open('f', 'w').write('x'); return a + b", "PermissionError"),
        ("import pathlib; pathlib.Path('f').touch(); return a + b", ""),
        ("import os; os.fork(); return a + b", "PermissionError"),
        ("import subprocess; subprocess.run(['true']); return a + b", "PermissionError"),
        ("import os; os.system('true'); return a + b", "PermissionError"),
        ("import os; os.kill(os.getppid(), 0); return a + b", "PermissionError"),
        ("import os; return int(os.environ['PATH'] and 3)", "KeyError"),
        ("import os\nwhile True: os.write(3, bytes(100_000))", "ended with 1"),
        ('import os; os.write(3, b\'{"passed": true, "word": ""}\\n\'); os._exit(0)', "ended with 0"),
        ("import ctypes; ctypes.CDLL(None); return a + b", "PermissionError"),
    ],
)
def test_whatever_else_a_program_does_is_a_failure(code, told):
    result = verdict(body(code))
    assert not result.passed
    assert told in result.error


def test_a_program_without_end_is_ended():
    # One that computes meets the limit of processor time, one that sleeps that of time.
    for code in ("while True: pass", "import time; time.sleep(60)"):
        result = verdict(body(code), seconds=0.5)
        assert not result.passed and result.error in ("killed by SIGKILL", "no end after 0.5 s")


def test_a_program_does_not_reach_the_network():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(0.2)
        port = listening.getsockname()[1]
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 1); return a + b"
        result = verdict(body(code))
        assert not result.passed
        with pytest.raises(TimeoutError):
            listening.accept()
    assert verdict(PROBLEM["canonical_solution"]).network in ("namespace", "audit hook")


def test_a_program_does_not_truncate_a_file_that_is_there(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("kept")
    for code in (f"import os; os.open({str(precious)!r}, os.O_RDWR | os.O_TRUNC)", f"open({str(precious)!r}, 'r+')"):
        assert "PermissionError" in verdict(body(code)).error
    assert precious.read_text() == "kept"


def test_the_probe_tells_what_keeps_programs_from_the_network():
    assert probe() in ("namespace", "audit hook")


def test_a_sandbox_that_does_not_work_judges_no_model(monkeypatch, tmp_path):
    broken = tmp_path / "runner.py"
    broken.write_text("raise MemoryError")
    monkeypatch.setattr(sandbox, "_RUNNER", broken)
    with pytest.raises(SuiteError, match=r"the sandbox does not work here: .*ended with 1"):
        probe()


def test_checks_can_run_at_once():
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(verdict(PROBLEM["canonical_solution"]))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.passed for result in results] == [True] * 4


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```python\nx = 1\n```", "x = 1\n"),
        ("Sure!\n```py\nx = 1\n```\nThis sets x.\n```\ny\n```", "x = 1\n"),
        ("```\nx = 1\n```", "x = 1\n"),
        ("```python\nx = 1", "x = 1"),
        ("    return 1", "    return 1"),
    ],
)
def test_code_is_taken_out_of_an_answer(text, code):
    assert extract_code(text) == code


def test_the_question_holds_the_prompt():
    assert PROBLEM["prompt"] in ask_for(PROBLEM)
