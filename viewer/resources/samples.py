"""The samples of a run: what was asked and answered, one by one, from the `samples.jsonl` that it left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import falcon
import msgspec

from ...ledger.fold import Run
from ...projections.scores.samples import bounded_lines, read_lines, samples_path
from ..api.answers import answer
from ..api.parameters import OFFSET, Form, Parameter, limit
from ..api.run_files import open_artifact
from ..api.site import Site
from .run import find_run

MOST_SAMPLES = 500


class SampleList(msgspec.Struct, frozen=True):
    """A page of samples. `total` counts what the filters keep, `right` and `wrong` the whole file.

    `gone` names the file where the run recorded one that is not in its folder any more.
    """

    samples: list[dict[str, Any]]
    total: int
    right: int
    wrong: int
    unreadable: int
    gone: str | None = None


class Samples:
    """The samples that a run recorded in a `samples.jsonl`."""

    about = "The samples of a run: all, or the right or the wrong ones"
    parameters = Form(
        Parameter("correct", "1: the right ones, 0: the wrong ones", "number", least=0, most=1),
        Parameter("q", "a text that stands in the sample; case makes no difference"),
        OFFSET,
        limit(100, MOST_SAMPLES),
    )
    answer = SampleList

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: str) -> None:
        """`offset` and `limit` count samples; `correct` (0 or 1) keeps only the wrong or the right ones."""
        asked = self.parameters.read(req)
        only, wanted = asked["correct"], (asked["q"] or "").lower()
        first, end = asked["offset"], asked["offset"] + asked["limit"]
        samples: list[dict[str, Any]] = []
        total = right = wrong = unreadable = 0
        run = find_run(self._site, run_id)
        recorded = samples_path(run.artifacts)
        if recorded is not None and not os.path.lexists(self._site.archive.folder(run) / recorded):
            answer(req, resp, SampleList(samples, total, right, wrong, unreadable, gone=recorded))
            return
        for text, sample in read_samples(self._site, run):
            if sample is None:
                unreadable += 1
                continue
            correct = sample.get("correct")
            right += correct is True
            wrong += correct is False
            if (only is None or correct is bool(only)) and (
                not wanted or wanted in text.decode(errors="replace").lower()
            ):
                if first <= total < end:
                    samples.append(sample)
                total += 1
        answer(req, resp, SampleList(samples, total, right, wrong, unreadable))

    on_head = on_get


def read_samples(site: Site, run: Run) -> Iterator[tuple[bytes, dict[str, Any] | None]]:
    """The lines of a run's `samples.jsonl`, each as a sample; None for what is none. Raises HTTPNotFound."""
    recorded = samples_path(run.artifacts)
    if recorded is None:
        return
    file, _ = open_artifact(run, site.archive.folder(run), recorded)
    with file:
        for line in read_lines(bounded_lines(file)):
            yield line.text, line.row
