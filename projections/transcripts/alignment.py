"""Two transcripts step by step: which steps are the same, and which is the first that differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal

import msgspec

from .turns import Part, Turn

_MAX_COMPARED = 600
"""Steps between the common beginning and the common end that are matched; more stand side by side in their order."""


class Step(msgspec.Struct, frozen=True):
    """A step of both transcripts, by the places of its turns; None if one transcript has no such step.

    `same`: both said the same, with the same calls and results. `results`: the same, with other results. `other`: they
    said something else. `only`: one of them alone has the step.
    """

    a: int | None
    b: int | None
    difference: Literal["same", "results", "other", "only"]


def align(a: Sequence[Turn], b: Sequence[Turn]) -> list[Step]:
    """The steps in order. What was said and called decides, and not identifiers, times or tokens."""
    said = [[_said(turn) for turn in turns] for turns in (a, b)]
    return [_step(i, j, a, b) for i, j in _pairs(*said)]


def first_divergence(steps: Sequence[Step]) -> int | None:
    """The index of the first step that is not the same; None if all are."""
    return next((at for at, step in enumerate(steps) if step.difference != "same"), None)


def _step(i: int | None, j: int | None, a: Sequence[Turn], b: Sequence[Turn]) -> Step:
    if i is None or j is None:
        return Step(i, j, "only")
    if _said(a[i]) != _said(b[j]):
        return Step(i, j, "other")
    return Step(i, j, "same" if _heard(a[i]) == _heard(b[j]) else "results")


def _pairs(a: Sequence[bytes], b: Sequence[bytes]) -> Iterator[tuple[int | None, int | None]]:
    begin = _common(a, b)
    end = _common(a[begin:][::-1], b[begin:][::-1])
    yield from ((at, at) for at in range(begin))
    left, right = a[begin : len(a) - end], b[begin : len(b) - end]
    blocks = [(0, len(left), 0, len(right))]
    if max(len(left), len(right)) <= _MAX_COMPARED:
        blocks = [block[1:] for block in SequenceMatcher(None, left, right, autojunk=False).get_opcodes()]
    for i, i_end, j, j_end in blocks:
        for step in range(max(i_end - i, j_end - j)):
            yield (
                begin + i + step if i + step < i_end else None,
                begin + j + step if j + step < j_end else None,
            )
    yield from ((len(a) - end + at, len(b) - end + at) for at in range(end))


def _common(a: Sequence[bytes], b: Sequence[bytes]) -> int:
    return next((at for at, (one, other) in enumerate(zip(a, b, strict=False)) if one != other), min(len(a), len(b)))


def _said(turn: Turn) -> bytes:
    """What decides whether two steps are the same: the speaker, the texts, and the calls with their arguments."""
    parts = [(part.kind, " ".join(part.text.split()), part.name, part.data) for part in turn.parts]
    return msgspec.json.encode((turn.role, turn.name, parts), order="sorted")


def _heard(turn: Turn) -> bytes:
    """The results of a step's calls."""
    return msgspec.json.encode([list(map(_of_result, part.results)) for part in turn.parts], order="sorted")


def _of_result(part: Part) -> tuple[object, ...]:
    return part.kind, part.text, part.data, part.is_error, [_of_result(inner) for inner in part.results]
