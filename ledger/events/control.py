"""What people ask of a campaign that runs, perhaps from another machine. Its executor obeys within seconds."""

from __future__ import annotations

from typing import ClassVar

from .event import Event


class CancelRequested(Event, frozen=True, kw_only=True):
    """A person asked to end a run, or a group with all its runs. Stream: the run_id or the run_group_id.

    The run ends as failed with the reason `cancelled`. A cancelled group starts no further run, and is closed.
    """

    type: ClassVar[str] = "cancel_requested"
    author: str
    reason: str = ""


class Paused(Event, frozen=True, kw_only=True):
    """A person asked a group to start no further run; its runs in progress go on. Stream: the run_group_id."""

    type: ClassVar[str] = "paused"
    author: str
    reason: str = ""


class Resumed(Event, frozen=True, kw_only=True):
    """A person asked a paused group to start runs again. Stream: the run_group_id."""

    type: ClassVar[str] = "resumed"
    author: str
    reason: str = ""
