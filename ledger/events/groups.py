"""The events of a group: one `run` command, and the work of it that needed no run."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from .event import Event, ImportSource, Json, Owner


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The arguments of a `run` command."""

    benchmarks: list[str]
    agent: str | None
    provider: str
    model: str
    extra: Json = {}
    flags: Json = {}


class GroupOpened(Event, frozen=True, kw_only=True):
    """A `run` command began its work. Stream: the run_group_id.

    For an imported group, `imported` says where it comes from, and `opened_at` when it was opened there.
    """

    type: ClassVar[str] = "group_opened"
    request: Request
    benchmarks: list[str]
    repo_meta: Json = {}
    created_by: str = ""
    owner: Owner | None = None
    imported: ImportSource | None = None
    opened_at: str | None = None


class Skipped(Event, frozen=True, kw_only=True):
    """A benchmark of the group needed no run. Stream: the run_group_id."""

    type: ClassVar[str] = "skipped"
    benchmark_id: str
    signature: str
    reason: str
    existing_run_id: str | None = None
    agent: str | None = None
    provider: str | None = None
    model: str | None = None


class Incompatible(Event, frozen=True, kw_only=True):
    """A benchmark of the group cannot run here; `missing` names every reason. Stream: the run_group_id."""

    type: ClassVar[str] = "incompatible"
    benchmark_id: str
    signature: str
    missing: list[str]
    agent: str | None = None
    provider: str | None = None
    model: str | None = None


class Counts(msgspec.Struct, frozen=True, gc=False):
    """How the benchmarks of a group ended."""

    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    incompatible: int = 0


class GroupClosed(Event, frozen=True, kw_only=True):
    """A `run` command ended, or its process was found dead. Stream: the run_group_id.

    `notes` explain the reason, such as a limit and the number of runs that it left undone. `closed_at` is when an
    imported group ended.
    """

    type: ClassVar[str] = "group_closed"
    counts: Counts
    reason: str
    notes: list[str] = []
    closed_at: str | None = None
