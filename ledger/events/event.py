"""What every event has, and parts that several events share.

An event cannot contain itself, so the cyclic garbage collector need not examine events (`gc=False`). With a million in
memory, that took most of the time of reading.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

Json = dict[str, Any]


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The `data` of a record; `type` is the envelope's type.

    `details` are the fields that only the run's own row shows; decisions about what to run read without them.
    """

    type: ClassVar[str]
    details: ClassVar[frozenset[str]] = frozenset()


class Owner(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The process that drives a run or a group; together the fields name one process of one boot of one machine.

    `host` is for people. `machine_id` is empty for a machine without one, and None in events of older versions. The
    `commitment` of a run's owner says what the event that ends the run must reveal (see `commitment`); empty: nothing.
    Unknown fields are left out of the event, so that an owner of an older version keeps the same text.
    """

    host: str
    boot_id: str
    pid: int
    process_start: float
    pid_namespace: str = ""
    machine_id: str | None = None
    commitment: str = ""


FIRST_ORCHESTRATOR = "elizaos-orchestrator-sqlite"
"""The kind of the source of runs that come from a database of the first orchestrator."""


class ImportSource(msgspec.Struct, frozen=True, gc=False):
    """The origin of an imported run or group."""

    kind: str
    path: str
    sha256: str
