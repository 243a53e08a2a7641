"""`/api/viewer-data`: the whole dataset, in the shape that the first orchestrator's tools read."""

from __future__ import annotations

from typing import Any

import falcon

from ...ledger.past import Past
from ...projections.reading import open_apart
from ...projections.viewer_data import build_dataset
from ..parameters import AS_OF, read
from .site import Site


class ViewerData:
    """The same document as `viewer_data.json`."""

    about = "The whole dataset: the same document as viewer_data.json"
    parameters = (AS_OF,)
    answer = dict[str, Any]

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Everything, at once."""
        asked = read(req, self.parameters)
        archive = self._site.archive
        with archive.look(asked["as_of"]) as view:
            if self._site.replies.is_given(req, resp, view, ()):
                return
            head = view.head
        opened = open_apart(Past(archive.store, head.position)) if head.past else archive.database()
        with opened as connection:
            self._site.replies.give(req, resp, build_dataset(connection))

    on_head = on_get
