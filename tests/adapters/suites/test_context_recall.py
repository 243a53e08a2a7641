"""Context recall: the fact stands where it should, and only it is the answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.adapters.suites.context_recall.tasks import MAX_WORDS, make_tasks, score_answer

LENGTHS, DEPTHS = [80, 300, 900], [0, 0.25, 0.5, 0.75, 1]


@given(st.integers(0, 10_000))
def test_the_fact_stands_once_and_at_its_depth(seed):
    for task in make_tasks(seed, LENGTHS, DEPTHS, 1):
        fact = f"is {task.code}."
        assert task.text.count(fact) == 1
        place = len(task.text[: task.text.index(fact)].split()) / len(task.text.split())
        assert abs(place - task.depth) < 0.2
        assert task.words <= len(task.text.split()) < task.words + 100
        assert len(task.codes) == 1 + task.words // 150
        name = task.question.removeprefix("What is the code of the ").partition("?")[0]
        assert f"The code of the {name} is {task.code}." in task.text
        assert task.code not in task.question


def test_the_same_seed_makes_the_same_tasks_and_another_makes_others():
    one, again, other = (make_tasks(seed, LENGTHS, DEPTHS, 2) for seed in (1, 1, 2))
    assert one == again
    assert not {task.text for task in one} & {task.text for task in other}
    assert len({task.id for task in one}) == 30


def test_a_task_does_not_depend_on_which_others_are_asked_for():
    [alone] = make_tasks(1, [300], [0.5], 1)
    assert alone in make_tasks(1, LENGTHS, DEPTHS, 2)


def test_the_longest_text_can_be_made_and_no_longer_one():
    [task] = make_tasks(1, [MAX_WORDS], [0.5], 1)
    assert len(task.codes) == 144
    with pytest.raises(ValueError, match="Sample larger"):
        make_tasks(1, [MAX_WORDS + 150], [0.5], 1)


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ("{code}", 1),
        ("The code of the amber harbour is {code}.", 1),
        ("**{code}**\n", 1),
        ("{code:.1}{comma}", 1),
        ("{code}, {other}", 0),
        ("{code}{other}", 0),
        ("{code} or {other}", 0),
        ("{other}", 0),
        ("9{code}", 0),
        ("", 0),
        ("I don't know", 0),
    ],
)
def test_only_the_right_code_alone_scores(answer, score):
    task = make_tasks(3, [300], [0.5], 1)[0]
    other = min(task.codes - {task.code})
    assert score_answer(task, answer.format(code=task.code, other=other, comma=f",{task.code[1:]}")) == score
