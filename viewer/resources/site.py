"""What all resources share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import falcon
import msgspec

from ..answers import Replies
from ..index.archive import Archive, View
from ..metrics import Metrics


def _stale(view: View) -> Iterable[str]:
    return sorted(view.stale)


class Site(msgspec.Struct, frozen=True):
    """The history, the answers that are remembered, the counts of what was asked, and whether the server is to end."""

    archive: Archive
    replies: Replies
    metrics: Metrics
    closing: threading.Event

    def answer(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        as_of: str | None,
        build: Callable[[View], Any],
        depends_on: Callable[[View], Iterable[str]] | None = None,
    ) -> None:
        """Answer with what `build` makes of the history, unless the asker has it, or somebody else asked the same.

        An answer changes only with the URL, the state of the history (with what is stale in it), and what else it
        `depends_on`. While it is built the history stands still, and nobody else is answered: it must be quick.
        """
        more = depends_on or _stale
        view = self.archive.peek(as_of)
        if self.replies.is_given(req, resp, view.head, more(view)):
            return
        with self.archive.look(as_of) as view:
            value = build(view)
        kept = view if depends_on is None and as_of is None else None
        self.replies.give(req, resp, value, view.head, more(view), view=kept)
