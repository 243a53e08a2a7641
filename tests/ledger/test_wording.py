"""Which fields of events are words and which are identities: every field that holds text is one or the other."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from benchmarks.ledger.events import EVENT_TYPES, Event, Unknown
from benchmarks.ledger.wording import IDENTITIES, reword

WORDS = {
    "group_opened": {"request.extra", "request.flags", "repo_meta"},
    "started": {"command", "provenance"},
    "heartbeat": {"progress.note"},
    "finished": {"metrics", "usage", "notes"},
    "failed": {"metrics", "usage", "notes", "error"},
    "recovered": {"reason", "adopted.metrics", "adopted.usage", "adopted.notes"},
    "skipped": set(),
    "incompatible": {"missing"},
    "group_closed": {"notes"},
    "cancel_requested": {"author", "reason"},
    "paused": {"author", "reason"},
    "resumed": {"author", "reason"},
    "high_score_published": {"label", "source", "author"},
    "annotated": {"author", "note", "tags"},
    "retracted": {"author", "reason"},
    "equivalence_declared": {"author", "reason", "evidence"},
    "equivalence_withdrawn": {"author", "reason"},
    "reinstated": {"author", "reason"},
    "samples_excluded": {"author", "reason"},
    "samples_included": {"author", "reason"},
    "rescored": {"author", "reason", "scorer.name"},
    "imported": {"run"},
    "repaired": {"author", "reason"},
    "set_aside": {"author", "reason"},
    "merged": {"source"},
    "registered": {"author", "hypothesis", "stopping_rule", "exclusions.rule"},
    "registration_amended": {"author", "reason"},
    "published": {"author"},
    "reproduced": {"by", "evidence"},
}
"""Fields that may be rewritten before they are recorded."""


def paths_with_text(kind: Any, path: str, identities: frozenset[str]) -> set[str]:
    """The fields of a struct that can hold text, with those of structs inside it, but for the identities."""
    found: set[str] = set()
    for field in msgspec.inspect.type_info(kind).fields:
        inner = f"{path}{field.encode_name}"
        if inner in identities:
            continue
        types = field.type.types if isinstance(field.type, msgspec.inspect.UnionType) else (field.type,)
        for one in types:
            if isinstance(one, msgspec.inspect.StructType):
                found |= paths_with_text(one.cls, f"{inner}.", identities)
            elif not isinstance(one, msgspec.inspect.IntType | msgspec.inspect.FloatType | msgspec.inspect.BoolType):
                found |= set() if isinstance(one, msgspec.inspect.NoneType) else {inner}
    return found


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_every_field_with_text_is_an_identity_or_words(kind: str) -> None:
    """A new field of an event belongs into `ledger.wording`, if the program decides by it, or else into WORDS above."""
    assert paths_with_text(EVENT_TYPES[kind], "", IDENTITIES[EVENT_TYPES[kind]]) == WORDS[kind]


def test_only_words_are_rewritten(histories) -> None:
    started = histories.started(
        command=["x", "x y"], model="x", cwd="/x", provenance={"base_url": "x", "manifest": {"file": "x"}}
    )
    shout = reword(started, lambda _, value: ["X"] if isinstance(value, list) else "X")
    assert (shout.command, shout.model, shout.cwd) == (["X"], "x", "/x")
    assert shout.provenance == {"base_url": "X", "manifest": {"file": "x"}}
    assert reword(started, lambda _, value: value) is started
    unknown: Event = Unknown(named="later", raw=msgspec.Raw(b'{"note":"x"}'))
    assert reword(unknown, lambda *_: "X") is unknown
