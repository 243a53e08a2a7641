"""Questions to processes and hosts are asked side by side, and nothing that hangs holds them up."""

from __future__ import annotations

import os
import sys
import threading
import time

import pytest

from benchmarks.adapters.requirements import network
from benchmarks.adapters.requirements.asking import Answer, Question, ask
from benchmarks.ledger.identity import process_start
from tests.waiting import until

ENVIRON = {"PATH": os.environ["PATH"]}


def python(code):
    return Question(argv=(sys.executable, "-c", code))


def test_each_question_gets_its_answer():
    questions = {
        python("pass"): Answer("yes"),
        python("raise SystemExit(3)"): Answer("exit", 3),
        Question(argv=("no-such-command",)): Answer("not_started", 2),
        Question(argv=("true",), folder="/nowhere"): Answer("not_started", 2),
        Question(): Answer("unreachable"),
    }
    assert ask(questions, ENVIRON, limit=60) == {**questions, Question(): Answer("unreachable")}


def test_what_hangs_is_silent_and_its_children_are_ended(tmp_path):
    """A shell that waits for a child is not enough: the child must end too, and it holds all that it inherited."""
    pid = tmp_path / "pid"
    hangs = Question(argv=("sh", "-c", f"sleep 1000 & echo $! > {pid}; wait"))
    answers = ask([hangs, python("pass")], ENVIRON, limit=3)
    assert answers[hangs] == Answer("silent")
    child = int(pid.read_text())
    until(lambda: process_start(child) is None)


def test_many_that_hang_take_no_longer_than_one():
    started = time.monotonic()
    answers = ask([Question(argv=("sleep", str(1000 + number))) for number in range(40)], ENVIRON, limit=1)
    assert set(answers.values()) == {Answer("silent")} and len(answers) == 40
    assert time.monotonic() - started < 30, "one after the other they would take 40 seconds"


def test_a_host_is_asked_once_and_only_if_the_command_fails(monkeypatch):
    asked = []

    def answers_over_https(host):
        asked.append(host)
        return host == "up.example"

    monkeypatch.setattr(network, "answers_over_https", answers_over_https)
    up, down = "up.example", "down.example"
    questions = {
        Question(argv=("true",), host="unneeded.example"): Answer("yes"),
        Question(argv=("false",), host=up): Answer("yes"),
        Question(host=up): Answer("yes"),
        Question(host=down): Answer("unreachable"),
    }
    assert ask(questions, ENVIRON, limit=60) == questions
    assert sorted(asked) == [down, up]


def test_a_look_up_that_hangs_is_silent(monkeypatch):
    goes_on = threading.Event()
    monkeypatch.setattr(network, "answers_over_https", lambda host: goes_on.wait(60))
    try:
        assert ask([Question(host="a.example")], ENVIRON, limit=0.2) == {Question(host="a.example"): Answer("silent")}
    finally:
        goes_on.set()


@pytest.mark.parametrize("host", ["", "a b", "\u2603" * 70, "[", "127.0.0.1:1"])
def test_an_odd_host_does_not_answer(host):
    assert not network.answers_over_https(host)
