"""The parts that all resources share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import falcon
import msgspec

from ..index.archive import Archive, Head, View
from ..index.kept import Locks
from ..index.notable import NotableEvents
from ..index.pairing import Pairs
from ..index.proof import ChainProof
from ..index.row import RunRow
from ..index.sample_table import SampleTables
from ..index.trajectories import TrajectoryFiles
from .answers import Replies
from .metrics import Metrics

T = TypeVar("T")


def _stale(view: View) -> Iterable[str]:
    return sorted(view.stale)


class Site(msgspec.Struct, frozen=True):
    """The history, the proof of its chain, kept answers, counts of requests, the server's end, kept tests, corrections.

    And the samples and trajectories that were read last.

    Slow answers are built one at a time: side by side they would take as long, and the memory of all.
    """

    archive: Archive
    proof: ChainProof
    replies: Replies
    metrics: Metrics
    closing: threading.Event
    slow: Locks
    pairs: Pairs
    notable: NotableEvents
    samples: SampleTables = msgspec.field(default_factory=SampleTables)
    trajectories: TrajectoryFiles = msgspec.field(default_factory=TrajectoryFiles)

    def answer(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        as_of: str | None,
        build: Callable[[View], Any],
        depends_on: Callable[[View], Iterable[str]] | None = None,
    ) -> None:
        """Answer with what `build` makes of the history, unless the client has the answer or it is kept.

        An answer changes only with the URL, the state of the history (with its stale runs), and with `depends_on`.
        While it is built, the history does not change and other requests wait: `build` must be quick.
        """
        more = depends_on or _stale
        view = self.archive.peek(as_of)
        if self.replies.is_answered(req, resp, view.head, more(view)):
            return
        with self.archive.look(as_of) as view:
            value = build(view)
        kept = view if depends_on is None and as_of is None else None
        self.replies.give(req, resp, value, view.head, more(view), view=kept)

    def answer_slowly(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        as_of: str | None,
        build: Callable[[Sequence[RunRow], Head], Any],
    ) -> None:
        """The same for a slow `build`: it gets the rows, and other requests are answered meanwhile.

        Who asks for the same answer waits for it, so it is built once.
        """
        with self.slow.holding(req.relative_uri):
            with self.archive.look(as_of) as view:
                rows = list(view.table.rows)
            if not self.replies.is_answered(req, resp, view.head, _stale(view)):
                kept = view if as_of is None else None
                self.replies.give(req, resp, build(rows, view.head), view.head, _stale(view), view=kept)

    def answer_in_two(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        as_of: str | None,
        gather: Callable[[View], T],
        build: Callable[[T, Head], Any],
        depends_on: Callable[[], Iterable[str]] | None = None,
    ) -> None:
        """The same in two steps: `gather` takes what is needed from the history, and `build` may take its time."""
        with self.slow.holding(req.relative_uri):
            more = list(depends_on()) if depends_on else None
            with self.archive.look(as_of) as view:
                tagged = _stale(view) if more is None else more
                is_answered = self.replies.is_answered(req, resp, view.head, tagged)
                gathered = None if is_answered else (gather(view),)
            if gathered is not None:
                kept = view if as_of is None and more is None else None
                self.replies.give(req, resp, build(gathered[0], view.head), view.head, tagged, view=kept)
