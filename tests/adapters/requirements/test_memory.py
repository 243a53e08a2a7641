"""Answers are remembered for minutes, whatever the file holds."""

from __future__ import annotations

import os

import msgspec
import pytest

from benchmarks.adapters.requirements import memory
from benchmarks.adapters.requirements.asking import Answer, Question
from benchmarks.adapters.requirements.memory import Memory

ENVIRON = {"PATH": "/usr/bin", "HOME": "/home/a"}
QUESTION = Question(argv=("docker", "info"))
YES, NO, SILENT = Answer("yes"), Answer("exit", 1), Answer("silent")


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(memory, "_seconds_since_boot", lambda: now[0])
    return now


def keep(answer, question=QUESTION, environ=ENVIRON):
    Memory(environ).keep({question: answer})


@pytest.mark.parametrize(("answer", "believed_for"), [(YES, 300), (SILENT, 60), (NO, 0)])
def test_how_long_an_answer_counts_follows_its_cost(clock, answer, believed_for):
    keep(answer)
    assert Memory(ENVIRON).recall(QUESTION) == answer
    clock[0] += believed_for
    assert Memory(ENVIRON).believe(QUESTION) == answer
    clock[0] += 0.1
    assert Memory(ENVIRON).believe(QUESTION) is None
    clock[0] = 1300.1
    assert Memory(ENVIRON).recall(QUESTION) is None


def test_another_environment_folder_or_command_is_another_question(clock):
    keep(YES)
    assert Memory({**ENVIRON, "DOCKER_HOST": "x"}).recall(QUESTION) is None
    assert Memory(ENVIRON).recall(Question(argv=("docker", "info"), folder="/tmp")) is None
    assert Memory({**ENVIRON, "PWD": "/elsewhere", "SHLVL": "3"}).recall(QUESTION) == YES


def test_two_processes_keep_their_answers_beside_each_other(clock):
    one, other = Memory(ENVIRON), Memory(ENVIRON)
    one.keep({QUESTION: YES})
    second = Question(host="a.example")
    other.keep({second: NO})
    assert (Memory(ENVIRON).recall(QUESTION), Memory(ENVIRON).recall(second)) == (YES, NO)


def test_an_answer_of_the_future_or_of_another_boot_does_not_count(clock, monkeypatch):
    keep(YES)
    clock[0] = 999.0
    assert Memory(ENVIRON).recall(QUESTION) is None
    clock[0] = 1000.0
    monkeypatch.setattr(memory, "_boot_id", lambda: "another")
    assert Memory(ENVIRON).recall(QUESTION) is None


def test_a_file_that_is_not_whole_is_written_anew(clock, remembered):
    keep(YES)
    whole = remembered.read_bytes()
    for length in range(len(whole)):
        remembered.write_bytes(whole[:length])
        assert Memory(ENVIRON).recall(QUESTION) is None
    for content in (b"[" * 100_000, b"\xff\xfe", b"null", b'{"version": 2}', b" " * 2_000_000, b'{"version":1e999}'):
        remembered.write_bytes(content)
        assert Memory(ENVIRON).recall(QUESTION) is None
    keep(YES)
    assert Memory(ENVIRON).recall(QUESTION) == YES


def test_a_file_with_other_types_or_more_fields_is_not_believed(clock, remembered):
    keep(YES)
    document = msgspec.json.decode(remembered.read_bytes())
    [key] = document["entries"]
    for entry in ([1000.0, {"outcome": "maybe", "number": 0}], ["1000", {"outcome": "yes"}], [1000.0], 5):
        remembered.write_bytes(msgspec.json.encode({**document, "entries": {key: entry}}))
        assert Memory(ENVIRON).recall(QUESTION) is None


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_a_special_file_in_its_place_costs_nothing(clock, remembered, tmp_path, kind):
    if kind == "folder":
        remembered.mkdir()
    elif kind == "pipe":
        os.mkfifo(remembered)
    else:
        remembered.symlink_to(tmp_path / "elsewhere")
    keep(YES)
    assert Memory(ENVIRON).recall(QUESTION) == (None if kind == "folder" else YES)
    assert not (tmp_path / "elsewhere").exists()


def test_a_cache_that_cannot_be_written_is_not_a_obstacle(clock, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(memory, "cache_folder", lambda: tmp_path / "file")
    keep(YES)
    assert Memory(ENVIRON).recall(QUESTION) is None


def test_the_file_does_not_grow_without_end(clock, remembered):
    for number in range(3):
        Memory(ENVIRON).keep({Question(argv=(str(number), str(one))): YES for one in range(1500)})
    assert len(msgspec.json.decode(remembered.read_bytes())["entries"]) == 2000
    clock[0] += 301
    keep(YES)
    assert len(msgspec.json.decode(remembered.read_bytes())["entries"]) == 1


def test_the_file_shows_no_variable(clock, remembered):
    keep(YES, environ={**ENVIRON, "GROQ_API_KEY": "gsk-not-to-be-seen"})
    assert b"gsk-not" not in remembered.read_bytes() and b"docker" not in remembered.read_bytes()
