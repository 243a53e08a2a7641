"""Texts with a fact hidden in them, made from a seed.

The text is a warehouse's log, of sentences put together from word lists. Facts have all one form, so that a model
must find the right one among others like it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

_COLOURS = "amber azure copper crimson emerald golden indigo ivory silver violet scarlet ebony".split()
_PLACES = "harbour tower garden bridge station market library mill chapel lantern orchard quarry".split()
_PEOPLE = "Ada Bruno Clara Dmitri Elena Farid Greta Hugo Ines Jonas Kira Luis Mara Nils Olga Pavel".split()
_GOODS = "timber grain salt wool copper wire paper glass cotton spices tiles rope paint lamp oil tea".split()
_DOINGS = ["counted", "weighed", "unloaded", "labelled", "inspected", "stacked", "repaired", "sorted"]
_TIMES = ["Early in the morning", "Shortly before noon", "In the afternoon", "Late in the evening", "At dusk"]
_AFTERS = [
    "and noted it in the book",
    "while rain fell on the roof",
    "before the carts came back",
    "and then swept the floor",
    "with the help of two porters",
    "because the buyer was in a hurry",
]
_WORDS_PER_DISTRACTOR = 150
_CODE = re.compile(r"\d+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")

MAX_WORDS = _WORDS_PER_DISTRACTOR * (len(_COLOURS) * len(_PLACES) - 1)
"""A longer text would need more facts than there are names for."""


@dataclass(frozen=True)
class Task:
    """A text of about `words` words with the answer at `depth` (0 the beginning, 1 the end); `codes` are all in it."""

    id: str
    words: int
    depth: float
    text: str
    question: str
    code: str
    codes: frozenset[str]


def make_tasks(seed: int, lengths: Sequence[int], depths: Sequence[float], per_cell: int) -> list[Task]:
    """Tasks for each length and depth; the same arguments make the same tasks."""
    return [
        _make_task(random.Random(f"{seed}/{words}/{depth}/{number}"), words, depth, number)  # noqa: S311 - no secrets
        for words in lengths
        for depth in depths
        for number in range(per_cell)
    ]


def score_answer(task: Task, answer: str) -> float:
    """1 if the answer names the right code, `1234` or `1,234`, and no other code of the text, else 0."""
    named = {code for code in _CODE.findall(_THOUSANDS.sub("", answer)) if code in task.codes}
    return float(named == {task.code})


def _make_task(rng: random.Random, words: int, depth: float, number: int) -> Task:
    count = 1 + words // _WORDS_PER_DISTRACTOR
    names = rng.sample([f"{colour} {place}" for colour in _COLOURS for place in _PLACES], count)
    codes = [str(code) for code in rng.sample(range(1000, 10000), count)]
    sentences: list[str] = []
    length = 0
    while length < words:
        sentence = _sentence(rng)
        sentences.append(sentence)
        length += len(sentence.split())
    facts = [f"The code of the {name} is {code}." for name, code in zip(names, codes, strict=True)]
    for fact in facts[1:]:
        sentences.insert(rng.randrange(len(sentences) + 1), fact)
    sentences.insert(round(depth * len(sentences)), facts[0])
    return Task(
        id=f"words{words}-depth{depth:g}-{number}",
        words=words,
        depth=depth,
        text=" ".join(sentences),
        question=f"What is the code of the {names[0]}? Answer with the code only.",
        code=codes[0],
        codes=frozenset(codes),
    )


def _sentence(rng: random.Random) -> str:
    person, goods = rng.choice(_PEOPLE), rng.choice(_GOODS)
    return f"{rng.choice(_TIMES)} {person} {rng.choice(_DOINGS)} the {goods} {rng.choice(_AFTERS)}."
