"""A failed run quotes the lines that say why, wherever they stand."""

from __future__ import annotations

import pytest

from benchmarks.orchestrator.running.last_words import LINES, in_a_line, with_last_words

BUN = """\
 8 | const answer = await ask(question);
 9 | if (!answer) throw new Error("the model gave no answer");
                        ^
error: the model gave no answer
      at run (/srv/bench/src/run.ts:9:24)
      at main (/srv/bench/src/run.ts:31:9)
      at async /srv/bench/src/index.ts:5:7

Bun v1.4.5 (Linux x64)
"""
NODE = (
    """\
/srv/bench/index.js:3
    throw new TypeError("model is not a function");
    ^

TypeError: model is not a function
"""
    + "".join(f"    at frame{number} (node:internal/modules/cjs/loader:{number}:14)\n" for number in range(12))
    + """
Node.js v20.11.1
"""
)
NPM = """\
Error: Cannot find module 'undici'
npm ERR! code ELIFECYCLE
npm ERR! errno 1
npm ERR! A complete log of this run can be found in:
npm ERR!     /srv/npm/_logs/2026-11-28-debug.log
"""
PYTHON = """\
Traceback (most recent call last):
  File "run.py", line 4, in <module>
    main()
KeyError: 'GROQ_API_KEY'
100%|##########| 3/3 [00:00<00:00, 9.1it/s]
"""
WARNED = "warning: 0 errors\nloading the weights\nFATAL: out of memory\nclosing the pool\nbye\n"


@pytest.mark.parametrize(
    ("stderr", "told"),
    [
        (BUN, "error: the model gave no answer"),
        (NODE, "TypeError: model is not a function"),
        (NPM, "Error: Cannot find module 'undici'"),
        (PYTHON, "KeyError: 'GROQ_API_KEY'"),
        (WARNED, "FATAL: out of memory"),
        ("first\nthe reason\n", "the reason"),
    ],
)
def test_the_line_that_says_why_is_shown_and_kept(tmp_path, stderr, told):
    (tmp_path / "stderr.log").write_text(stderr)
    (tmp_path / "stdout.log").write_text("task 1 done\n")
    error = with_last_words("exit code 1", tmp_path, with_stdout=True)
    assert error.startswith("exit code 1; the last of stderr:\n")
    assert told in error.splitlines() and len(error.splitlines()) <= 1 + LINES
    assert in_a_line(error, quotes_child=True) == f"exit code 1: {told}"
    assert in_a_line(error, quotes_child=False) == "exit code 1"


@pytest.mark.parametrize("stderr", ["", "\n\n", "Bun v1.4.5 (Linux x64)\n", "$ bun run bench\n", "3 files\n"])
def test_stdout_is_quoted_if_only_it_says_why(tmp_path, stderr):
    (tmp_path / "stderr.log").write_text(stderr)
    (tmp_path / "stdout.log").write_text("task 1 done\nERROR: the dataset is missing\n-----\n")
    error = with_last_words("exit code 1", tmp_path, with_stdout=True)
    assert in_a_line(error, quotes_child=True) == "exit code 1: ERROR: the dataset is missing"
    assert "the last of stdout:" in error


def test_stderr_without_a_reason_is_better_than_stdout_without_one(tmp_path):
    (tmp_path / "stderr.log").write_text("going down\n")
    (tmp_path / "stdout.log").write_text("task 1 done\n")
    assert with_last_words("exit code 1", tmp_path, with_stdout=True).endswith("the last of stderr:\ngoing down")
    (tmp_path / "stderr.log").unlink()
    assert with_last_words("exit code 1", tmp_path, with_stdout=True).endswith("the last of stdout:\ntask 1 done")
    assert with_last_words("exit code 1", tmp_path) == "exit code 1"
    (tmp_path / "stdout.log").unlink()
    assert with_last_words("exit code 1", tmp_path, with_stdout=True) == "exit code 1"


def test_a_special_file_in_place_of_a_log_is_named(tmp_path):
    (tmp_path / "stderr.log").symlink_to("/dev/zero")
    assert "stderr.log is a link that leads out of the run's folder" in with_last_words("exit code 1", tmp_path)


def test_all_that_uv_said_is_shown_as_far_as_it_fits():
    error = "the environment cannot be built:\nno solution\nfor x==1"
    assert in_a_line(error, quotes_child=True) == "the environment cannot be built: no solution for x==1"
    assert in_a_line("", quotes_child=True) == ""
    assert len(in_a_line("a:\n" + "x" * 1000, quotes_child=True)) < 250
