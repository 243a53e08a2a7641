"""The samples of a run: what was asked and answered, one by one, from the `samples.jsonl` that the run left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import falcon
import msgspec

from ...ledger.fold import Run
from ...projections.scores.samples import Line, SamplesUnusable, recorded_lines, samples_path
from ..api.answers import answer
from ..api.parameters import OFFSET, Form, Parameter, limit
from ..api.site import Site
from .run import find_run

MAX_SAMPLES = 500

Outcome = Literal["correct", "incorrect", "error", "unscored"]
"""An answer that is correct or not; a sample that ended in an error and has no answer; or neither is known."""


class SampleList(msgspec.Struct, frozen=True):
    """A page of samples. `total` counts what the filters keep; the other counts are about the whole file.

    A sample with an `error` is counted in `errors`, and in neither `right` nor `wrong`. `unreadable` lines are not JSON
    objects. If the file is not the one that the ledger recorded, the list is empty, and `problem` says why.
    """

    samples: list[dict[str, Any]]
    total: int = 0
    right: int = 0
    wrong: int = 0
    errors: int = 0
    unscored: int = 0
    unreadable: int = 0
    problem: str = ""


class Samples:
    """The samples that a run recorded in a `samples.jsonl`."""

    about = "The samples of a run: all, or those with one outcome"
    parameters = Form(
        Parameter("correct", "1: only correct answers, 0: only incorrect ones", "number", minimum=0, maximum=1),
        Parameter("outcome", "only samples with this outcome", "choice", choices=("error", "unscored")),
        Parameter("id", "only the sample with this id"),
        Parameter("q", "a text that the sample contains; letter case makes no difference"),
        OFFSET,
        limit(100, MAX_SAMPLES),
    )
    answer = SampleList

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: str) -> None:
        """`offset` and `limit` count samples that the filters keep."""
        asked = self.parameters.read(req)
        run = find_run(self._site, run_id)
        if samples_path(run.artifacts) is None:
            answer(req, resp, SampleList([]))
            return
        try:
            answer(req, resp, _page(checked_lines(self._site, run), asked))
        except SamplesUnusable as problem:
            answer(req, resp, SampleList([], problem=str(problem)))

    on_head = on_get


def checked_lines(site: Site, run: Run) -> Iterator[Line]:
    """The lines of a run's samples. Raises SamplesUnusable, as `recorded_lines`, also after the last line."""
    return recorded_lines(site.archive.folder(run), run.artifacts, site.archive.workspace.elsewhere)


def outcome_of(sample: dict[str, Any]) -> Outcome:
    """What became of a sample."""
    if sample.get("error"):
        return "error"
    correct = sample.get("correct")
    return "unscored" if not isinstance(correct, bool) else "correct" if correct else "incorrect"


def _page(lines: Iterator[Line], asked: dict[str, Any]) -> SampleList:
    wanted_outcome = asked["outcome"] or {None: None, 1: "correct", 0: "incorrect"}[asked["correct"]]
    wanted_text = (asked["q"] or "").lower()
    first, end = asked["offset"], asked["offset"] + asked["limit"]
    counts: Counter[str] = Counter()
    samples: list[dict[str, Any]] = []
    total = 0
    for line in lines:
        if line.row is None:
            counts["unreadable"] += 1
            continue
        outcome = outcome_of(line.row)
        counts[outcome] += 1
        if wanted_outcome not in (None, outcome) or asked["id"] not in (None, str(line.row.get("id"))):
            continue
        if wanted_text and wanted_text not in line.text.decode(errors="replace").lower():
            continue
        if first <= total < end:
            samples.append(line.row)
        total += 1
    return SampleList(
        samples,
        total,
        right=counts["correct"],
        wrong=counts["incorrect"],
        errors=counts["error"],
        unscored=counts["unscored"],
        unreadable=counts["unreadable"],
    )
