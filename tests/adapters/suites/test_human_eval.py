"""HumanEval: a program passes only by passing its tests, and can do nothing else."""

from __future__ import annotations

import pytest

from benchmarks.adapters.suites.human_eval.completion import ask_for, extract_code, task_of
from benchmarks.adapters.suites.suitekit.sandbox.checking import find_sandbox

PROBLEM = {
    "task_id": "T/0",
    "prompt": 'from typing import List\n\n\ndef add(a: int, b: int) -> int:\n    """Add."""\n',
    "entry_point": "add",
    "canonical_solution": "    return a + b\n",
    "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
}


def verdict(code: str, seconds: float = 3.0):
    return find_sandbox().check(task_of(PROBLEM, code), seconds)


def body(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines()) + "\n"


def test_the_canonical_solution_passes_as_completion_and_as_whole_function():
    assert verdict(PROBLEM["canonical_solution"]).passed
    whole = "def add(a: List[int], b: int) -> int:\n    return a + b\n"
    assert verdict(whole).passed, "the imports of the prompt are there for it too"


@pytest.mark.parametrize(
    ("code", "reported"),
    [
        ("return a - b", "AssertionError"),
        ("return a +", "SyntaxError"),
        ("raise KeyError('x')", "KeyError"),
        ("import sys; sys.exit(0)", "SystemExit"),
        ("import os; os._exit(0)", "ended with 0 before its tests were over"),
        ("print('{\"passed\": true}'); return 0", "AssertionError"),
        ("x = bytearray(3 * 1024**3); return a + b", "MemoryError"),
        ("open('f', 'w').write('x'); return a + b", "PermissionError"),
        ("import pathlib; pathlib.Path('f').touch(); return a + b", "PermissionError"),
        ("import os; os.fork(); return a + b", "PermissionError"),
        ("import subprocess; subprocess.run(['true']); return a + b", "PermissionError"),
        ("import os; os.system('true') and 1 / 0; return a + b", "ZeroDivisionError"),
        ("import os; os.kill(os.getppid(), 0); return a + b", "PermissionError"),
        ("import os; return int(os.environ['PATH'] and 3)", "KeyError"),
        ("import os\nfor handle in range(3, 9):\n while True: os.write(handle, bytes(100_000))", "no end after 3 s"),
    ],
)
def test_whatever_else_a_program_does_is_a_failure(code, reported):
    result = verdict(body(code))
    assert not result.passed
    assert reported in result.error


def test_a_program_without_end_is_ended():
    # One that computes meets the limit of processor time, one that sleeps that of time.
    for code in ("while True: pass", "import time; time.sleep(60)"):
        result = verdict(body(code), seconds=0.5)
        assert not result.passed and result.error in ("killed by SIGKILL", "no end after 0.5 s")


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
