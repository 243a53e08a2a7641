"""Model-written code is judged from outside, and reaches nothing: no score, no file, no key, no process, no network."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.adapters import suites
from benchmarks.adapters.suites.suitekit.command import SuiteError
from benchmarks.adapters.suites.suitekit.sandbox import checking
from benchmarks.adapters.suites.suitekit.sandbox.checking import Sandbox, Task, find_sandbox
from benchmarks.adapters.suites.suitekit.sandbox.isolation import Isolation
from benchmarks.adapters.suites.suitekit.sandbox.plain import NotPlain, pack, unpack

from .forgeries import ANSWERS, TRICKS

pytestmark = pytest.mark.slow

PROMPT = 'from typing import List\n\n\ndef add(a: int, b: int) -> int:\n    """Add."""\n'
TEST = "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(2, 5) == 7\n"
RIGHT = "    return a + b\n"
STRONG = [isolation for isolation in Isolation if isolation is not Isolation.LIMITS]
ADAPTERS = Path(suites.__file__).parent.parent


@pytest.fixture(scope="module", params=STRONG)
def sandbox(request) -> Sandbox:
    """Every isolation that works on this machine."""
    reported = checking._judge(checking._PROBE, request.param, 10)
    if reported.get("error") != "":
        pytest.skip(f"{request.param.value} does not work here: {reported}")
    return Sandbox(request.param, reported["held"])


@pytest.fixture(scope="module")
def best() -> Sandbox:
    return find_sandbox()


def judge(sandbox: Sandbox, code: str, seconds: float = 3.0, test: str = TEST):
    return sandbox.check(Task(PROMPT + code, "add", test, PROMPT), seconds)


def said(sandbox: Sandbox, code: str) -> str:
    """What a program says, by an exception, of what it found."""
    lines = "".join(f"    {line}\n" for line in code.splitlines())
    verdict = judge(sandbox, f"def add(a, b):\n{lines}", seconds=10)
    assert not verdict.passed
    return verdict.error


def test_a_right_program_passes_and_a_wrong_one_does_not(sandbox):
    assert judge(sandbox, RIGHT).passed
    assert judge(sandbox, "def add(a: List[int], b: int) -> int:\n    return a + b\n").passed
    assert judge(sandbox, "    return a - b\n").error == "AssertionError"
    assert judge(sandbox, "    return a +\n").error.startswith("SyntaxError")
    assert judge(sandbox, "    raise KeyError('x')\n").error == "KeyError: 'x'"


@pytest.mark.parametrize("name", ANSWERS | TRICKS)
def test_no_forgery_passes(best, name):
    verdict = judge(best, (ANSWERS | TRICKS)[name], seconds=2)
    assert not verdict.passed and verdict.error


@pytest.mark.parametrize("name", ["a verdict is written into every pipe", "a child process outlives the function"])
def test_no_isolation_lets_a_trick_pass(sandbox, name):
    assert not judge(sandbox, TRICKS[name]).passed


def test_tests_that_catch_a_failure_of_the_candidate_have_not_passed(best):
    test = "def check(candidate):\n    try:\n        candidate(1, 2)\n    except BaseException:\n        pass\n"
    assert judge(best, RIGHT, test=test).passed
    assert judge(best, "    raise ValueError('no')\n", test=test).error == "ValueError: no"


def test_functions_of_the_prompt_are_not_those_of_the_program(best):
    helpers = "def double(x):\n    return 2 * x\n\ndef half(x):\n    pass\n"
    test = "def check(candidate):\n    assert candidate(double(4)) == 4\n"
    right, forged = "def half(x):\n    return x // 2\n", "def double(x):\n    return 4\ndef half(x):\n    return x\n"
    assert best.check(Task(helpers + right, "half", test, helpers), 3).passed
    assert not best.check(Task(helpers + forged, "half", test, helpers), 3).passed


def test_a_program_changes_its_own_copy_of_the_arguments(best):
    test = "def check(candidate):\n    given = [1]\n    assert candidate(given, 2) is None and given == [1]\n"
    assert judge(best, "def add(a, b):\n    a.append(b)\n", test=test).passed


def test_a_data_class_of_the_program_works_inside_it(best):
    code = "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: 'int'\ndef add(a, b): return P(a + b).x\n"
    assert judge(best, code).passed


def test_a_program_sees_no_file_of_ours(sandbox, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("precious")
    for path in (secret, ADAPTERS / "catalog" / "osworld.toml", Path("/etc/passwd"), Path("/proc/self/environ")):
        error = said(sandbox, f"raise ValueError(open({str(path)!r}, 'rb').read())")
        assert error.startswith(("FileNotFoundError", "PermissionError"))
    for folder in (tmp_path, Path.home(), ADAPTERS / "catalog", Path("/etc"), Path("/proc")):
        error = said(sandbox, f"import os; raise ValueError(len(os.listdir({str(folder)!r})))")
        # A folder on the way to the interpreter's library is there, and holds only the way.
        assert error.startswith(("FileNotFoundError", "PermissionError")) or error == "ValueError: 1"
    for mode in ("w", "r+", "a"):
        assert "Error" in said(sandbox, f"open({str(secret)!r}, {mode!r}).write('x')")
        assert "Error" in said(sandbox, f"open('/tmp/made-by-a-program', {mode!r}).write('x')")
    assert secret.read_text() == "precious" and not Path("/tmp/made-by-a-program").exists()


def test_the_standard_library_is_there(sandbox):
    code = """
import datetime, decimal, hashlib, re
def add(a, b):
    assert hashlib.md5(b"x").hexdigest() and re.sub("a", "b", "a") and decimal.Decimal(1)
    return datetime.datetime.strptime(str(a + b), "%d").day
"""
    assert judge(sandbox, code).error == ""


def test_a_program_sees_no_installed_package(sandbox):
    folder = Path(pytest.__file__).parent.parent
    error = said(sandbox, f"import sys; sys.path.append({str(folder)!r}); import pytest; raise ValueError(pytest)")
    assert error.startswith("ModuleNotFoundError")


def test_a_program_sees_no_environment_and_no_key(sandbox, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-driver")
    assert said(sandbox, "import os; raise ValueError(dict(os.environ))") in (
        "ValueError: {}",
        "ValueError: {'PWD': '/'}",
        "ValueError: {'LC_CTYPE': 'C.UTF-8'}",
        "ValueError: {'LC_CTYPE': 'C.UTF-8', 'PWD': '/'}",
        "ValueError: {'PWD': '/', 'LC_CTYPE': 'C.UTF-8'}",
    )
    looks = """
import os
found = []
for pid in [str(n) for n in range(1, 70000)]:
    try:
        found.append(open(f'/proc/{pid}/environ', 'rb').read())
    except OSError:
        pass
raise ValueError(found)
"""
    assert said(sandbox, looks) == "ValueError: []"


def test_a_program_does_not_reach_the_network(sandbox):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(0.2)
        address = listening.getsockname()
        assert "PermissionError" in said(sandbox, f"import socket; socket.create_connection({address!r}, 1)")
        with pytest.raises(TimeoutError):
            listening.accept()


def test_a_program_reaches_no_other_process(sandbox):
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        for code in (
            f"import os; os.kill({other.pid}, 9); raise ValueError('killed')",
            "import subprocess; subprocess.run(['/bin/true']); raise ValueError('started')",
            "import os; os.fork(); raise ValueError('forked')",
            "import os; os.execv('/bin/true', ['true']); raise ValueError('replaced')",
            f"import resource; raise ValueError(resource.prlimit({other.pid}, resource.RLIMIT_CORE, (0, 0)))",
        ):
            error = said(sandbox, code)
            assert error.startswith(("PermissionError", "ProcessLookupError", "FileNotFoundError", "BlockingIOError"))
        assert other.poll() is None
    finally:
        other.kill()
        other.communicate()


def test_a_program_holds_only_its_own_pipes(sandbox):
    looks = """
import os
found = []
for handle in range(64):
    try:
        os.fstat(handle)
        found.append(handle)
    except OSError:
        pass
raise ValueError(len(found))
"""
    assert said(sandbox, looks) == "ValueError: 6", "three times the null device and once by itself, and two pipes"


def test_checks_can_run_at_once(best):
    results = []
    threads = [threading.Thread(target=lambda: results.append(judge(best, RIGHT, 20))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.passed for result in results] == [True] * 4


def test_without_user_namespaces_another_isolation_is_found():
    script = (
        "from pathlib import Path; Path('/proc/sys/user/max_user_namespaces').write_text('0')\n"
        "from suites.suitekit.sandbox.checking import find_sandbox; print(find_sandbox().held)"
    )
    done = subprocess.run(
        ["unshare", "-Ur", sys.executable, "-c", script],
        env={"PYTHONPATH": str(ADAPTERS), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    if "unshare failed" in done.stderr:
        pytest.skip("this machine has no user namespaces to be without")
    assert done.stdout.strip() in ("bubblewrap, seccomp", "landlock, seccomp", "seccomp"), done.stderr


def test_root_runs_nothing_that_is_not_isolated_unless_asked_to(monkeypatch):
    real = checking._judge
    only_limits = lambda task, isolation, seconds: (  # noqa: E731
        real(task, isolation, seconds) if isolation is Isolation.LIMITS else {"refused": "not here"}
    )
    monkeypatch.setattr(checking, "_judge", only_limits)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(SuiteError, match=r"this is root \(namespaces: not here; .*\n *hint: .*unsafe") as reported:
        find_sandbox()
    assert "bubblewrap: not here" in str(reported.value)
    unsafe = find_sandbox(allow_none=True)
    assert unsafe.held == "limits" and judge(unsafe, RIGHT).passed
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert find_sandbox().held == "limits"


def test_a_sandbox_that_stops_working_judges_no_model(monkeypatch, best):
    monkeypatch.setattr(checking, "_judge", lambda *_: {"refused": "no more processes"})
    with pytest.raises(SuiteError, match="does not work any more: no more processes"):
        judge(best, RIGHT)
    with pytest.raises(SuiteError, match="no sandbox works here"):
        find_sandbox(allow_none=True)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text()
    | st.characters(categories=["Cs"])
    | st.binary(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(), inner),
)


def same(one, other) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, set | frozenset):
        return same(sorted(one, key=repr), sorted(other, key=repr))
    return one == other and repr(one) == repr(other)


@given(PLAIN | st.sets(st.integers() | st.text()) | st.frozensets(st.floats(allow_nan=False)))
def test_plain_data_cross_as_they_are(value):
    assert same(unpack(pack(value)), value)


@given(st.text() | st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_text_is_a_value_or_is_not_plain(text):
    with contextlib.suppress(NotPlain):
        unpack(text)


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '["i"]', '["i", "zz"]', '["d", 1]', '["s", ["l"]]', '["q"]', "{}", "1.5", "NaN", "[]", "9" * 9000],
)
def test_odd_text_is_not_plain(text):
    with pytest.raises(NotPlain):
        unpack(text)
