"""The beginning of a benchmark of one's own."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from benchmarks import adapters


@pytest.fixture(scope="module")
def template():
    path = Path(adapters.__file__).parent / "template" / "run.py"
    spec = importlib.util.spec_from_file_location("template_run", path)
    template = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(template)
    return template


def answer(content, **choice):
    return {"choices": [{"message": {"content": content}, "finish_reason": "stop", **choice}]}


@pytest.mark.parametrize(
    "reported",
    [
        {"error": {"message": "died", "code": 502}},
        {"error": {"message": "died"}, **answer("")},
        answer("", error={"message": "died"}),
        answer("died", finish_reason="error"),
        {"choices": [], "message": "died"},
        [{"error": {"message": "died"}}],
        {"choices": None, "base_resp": {"status_msg": "died"}},
    ],
)
def test_an_error_is_never_a_wrong_answer(template, reported):
    with pytest.raises(SystemExit, match=r"could not be asked.*died"):
        template.said_in(reported)


def test_the_text_parts_are_the_answer(template):
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "Pa"}, {"type": "text", "text": "ris"}]
    assert template.said_in(answer(parts)) == ("Paris", "stop")
    assert template.said_in(answer(None, finish_reason="length")) == ("", "length")
    assert template.said_in({"choices": [{"message": {"content": "Paris"}}]}) == ("Paris", "")


def test_answers_that_are_cut_off_are_noted(template):
    rows = [{"finish_reason": "length"}, {"finish_reason": "stop"}]
    assert template.notes_on(rows) == ["1 of 2 answers cut off"]
    assert template.notes_on(rows[1:]) == []


def test_tokens_that_one_answer_does_not_tell_are_unknown(template):
    usage = {"input_tokens": 0, "output_tokens": 0}
    template.add_usage(usage, {"prompt_tokens": 7, "completion_tokens": 2})
    assert usage == {"input_tokens": 7, "output_tokens": 2}
    template.add_usage(usage, {"prompt_tokens": 7})
    template.add_usage(usage, {"prompt_tokens": 7, "completion_tokens": 2})
    assert usage == {"input_tokens": 21, "output_tokens": None}
