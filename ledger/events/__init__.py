"""The event types of the ledger, and the record that carries one.

Every type is a frozen struct. Fields only ever get added, and with a default, so that old lines stay readable.
The envelope's `type` tells them apart; `EVENT_TYPES` maps its values to the structs.

The modules go by subject: `runs`, `groups`, `control`, `corrections`, `claims`, `transfers`; `record` is the
envelope. Import from here.
"""

from __future__ import annotations

from .claims import (
    Exclusions,
    Registered,
    RegisteredContender,
    RegisteredTask,
    RegisteredTest,
    RegistrationAmended,
)
from .control import CancelRequested, Paused, Resumed
from .corrections import (
    Annotated,
    EquivalenceDeclared,
    EquivalenceWithdrawn,
    HighScorePublished,
    Reinstated,
    Rescored,
    Retracted,
    SamplesExcluded,
    SamplesIncluded,
    ScoreAnew,
    Scorer,
)
from .event import (
    FIRST_ORCHESTRATOR,
    Event,
    ImportSource,
    Json,
    Owner,
)
from .groups import (
    Counts,
    GroupClosed,
    GroupOpened,
    Incompatible,
    Request,
    Skipped,
)
from .record import (
    GENESIS,
    Head,
    NewEvent,
    Record,
    Unknown,
    Unreadable,
)
from .runs import (
    REPEAT,
    UNKNOWN_REVISION,
    Artifact,
    Failed,
    Finished,
    Heartbeat,
    HighScoreReference,
    Outcome,
    Progress,
    Recovered,
    Recoverer,
    Started,
    TaskRevision,
)
from .transfers import (
    LEDGER_STREAM,
    Imported,
    Merged,
    Repaired,
    SetAside,
)

EVENT_TYPES: dict[str, type[Event]] = {
    event.type: event
    for event in (
        GroupOpened,
        Started,
        Heartbeat,
        Finished,
        Failed,
        Recovered,
        Skipped,
        Incompatible,
        GroupClosed,
        CancelRequested,
        Paused,
        Resumed,
        HighScorePublished,
        Annotated,
        Retracted,
        EquivalenceDeclared,
        EquivalenceWithdrawn,
        Reinstated,
        SamplesExcluded,
        SamplesIncluded,
        Rescored,
        Imported,
        Repaired,
        Merged,
        SetAside,
        Registered,
        RegistrationAmended,
    )
}

__all__ = [
    "EVENT_TYPES",
    "FIRST_ORCHESTRATOR",
    "GENESIS",
    "LEDGER_STREAM",
    "REPEAT",
    "UNKNOWN_REVISION",
    "Annotated",
    "Artifact",
    "CancelRequested",
    "Counts",
    "EquivalenceDeclared",
    "EquivalenceWithdrawn",
    "Event",
    "Exclusions",
    "Failed",
    "Finished",
    "GroupClosed",
    "GroupOpened",
    "Head",
    "Heartbeat",
    "HighScorePublished",
    "HighScoreReference",
    "ImportSource",
    "Imported",
    "Incompatible",
    "Json",
    "Merged",
    "NewEvent",
    "Outcome",
    "Owner",
    "Paused",
    "Progress",
    "Record",
    "Recovered",
    "Recoverer",
    "Registered",
    "RegisteredContender",
    "RegisteredTask",
    "RegisteredTest",
    "RegistrationAmended",
    "Reinstated",
    "Repaired",
    "Request",
    "Rescored",
    "Resumed",
    "Retracted",
    "SamplesExcluded",
    "SamplesIncluded",
    "ScoreAnew",
    "Scorer",
    "SetAside",
    "Skipped",
    "Started",
    "TaskRevision",
    "Unknown",
    "Unreadable",
]
