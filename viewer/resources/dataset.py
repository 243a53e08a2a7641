"""`/api/viewer-data`: the whole dataset, in the shape for tools of the first orchestrator."""

from __future__ import annotations

from typing import Any

import falcon

from ...ledger.past import Past
from ...projections.sqlite.opening import open_apart
from ...projections.sqlite.viewer_data import build_dataset
from ..api.parameters import AS_OF, Form
from ..api.site import Site


class ViewerData:
    """The same document as `viewer_data.json`."""

    about = "The whole dataset: the same document as viewer_data.json"
    parameters = Form(AS_OF)
    answer = dict[str, Any]

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The whole document."""
        asked = self.parameters.read(req)
        archive, replies = self._site.archive, self._site.replies
        head = archive.peek(asked["as_of"]).head
        if replies.is_answered(req, resp, head, ()):
            return
        opened = open_apart(Past(archive.store, head.position)) if head.past else archive.database()
        with opened as connection:
            replies.give(req, resp, build_dataset(connection), head, ())

    on_head = on_get
