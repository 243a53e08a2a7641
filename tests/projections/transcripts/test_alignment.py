"""Two transcripts step by step."""

from __future__ import annotations

from benchmarks.projections.transcripts.alignment import align, first_divergence
from benchmarks.projections.transcripts.turns import Part, Turn


def say(*texts):
    return [Turn("assistant", [Part("text", text)]) for text in texts]


def call(arguments, result):
    results = [Part("result", results=[Part("text", result)])]
    return Turn("assistant", [Part("call", name="bash", data=arguments, call_id=str(id(results)), results=results)])


def test_steps_that_both_have_stand_side_by_side():
    steps = align(say("a", "b", "c", "d"), say("a", "x", "c", "c2", "d"))
    assert [(step.a, step.b, step.difference) for step in steps] == [
        (0, 0, "same"),
        (1, 1, "other"),
        (2, 2, "same"),
        (None, 3, "only"),
        (3, 4, "same"),
    ]
    assert first_divergence(steps) == 1
    assert first_divergence(align(say("a"), say("a"))) is None


def test_ids_times_and_tokens_make_no_difference_but_results_do():
    a, b = call({"x": 1, "y": 2}, "out"), call({"y": 2, "x": 1}, "out")
    assert align([a], [b])[0].difference == "same"
    assert align([a], [call({"x": 1, "y": 2}, "other")])[0].difference == "results"
    assert align([a], [call({"x": 2}, "out")])[0].difference == "other"


def test_every_step_stands_once_however_long_the_transcripts_are():
    a, b = say(*map(str, range(2000))), say(*(str(number * 7 % 1999) for number in range(1500)))
    steps = align(a, b)
    assert [step.a for step in steps if step.a is not None] == list(range(2000))
    assert [step.b for step in steps if step.b is not None] == list(range(1500))
