"""Histories to measure on: runs of many benchmarks, agents and models, with scores of their own."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import asdict, replace

from benchmarks.ledger.events import Failed, NewEvent
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.workspace import Workspace

from .ledger import campaign

AGENTS = ("eliza", "hermes", "bare-model")
MODELS = 25
FIRST_END = datetime(2025, 1, 1, tzinfo=UTC)


def varied(runs: int, *, heartbeats: bool = True) -> Iterator[NewEvent]:
    """Events of that many runs, ten events each; a tenth of the runs failed. Without heartbeats, three events each."""
    chance = random.Random(1)
    model = agent = ""
    end = FIRST_END
    for new in campaign(runs):
        event = new.data
        if event.type == "started":
            model, agent = f"model-{chance.randrange(MODELS)}", chance.choice(AGENTS)
            yield replace(new, data=replace(event, model=model, agent=agent))
        elif event.type == "finished":
            end += timedelta(minutes=5)
            score = chance.random()
            event = replace(
                event,
                ended_at=end.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                duration_seconds=chance.random() * 900,
                score=score,
                delta_to_high_score=score - 0.9,
            )
            if chance.random() < 0.1:
                yield replace(new, data=Failed(**asdict(event), reason="timeout", error="no answer in 3600 s"))
            else:
                yield replace(new, data=event)
        elif heartbeats or event.type != "heartbeat" or event.progress.done == 0:
            yield new


def fill(folder: Path, runs: int, *, heartbeats: bool = True) -> JsonlStore:
    """A workspace with that many runs; its store."""
    store = JsonlStore(Workspace(folder).ledger, notice=print)
    events = varied(runs, heartbeats=heartbeats)
    # Some batches also of few runs: the events of a batch have one time.
    while some := list(itertools.islice(events, min(20_000, runs))):
        store.append(lambda _, some=some: some, lambda _: None)
    store.sync()
    return store
