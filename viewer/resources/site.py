"""What all resources share."""

from __future__ import annotations

import threading

import msgspec

from ..answers import Replies
from ..index.archive import Archive
from ..metrics import Metrics


class Site(msgspec.Struct, frozen=True):
    """The history, the answers that are remembered, the counts of what was asked, and whether the server is to end."""

    archive: Archive
    replies: Replies
    metrics: Metrics
    closing: threading.Event
