"""Streams: each change is sent once, from the position of the page on."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from benchmarks.ledger.events import Annotated, Heartbeat, NewEvent
from benchmarks.viewer.app import create_app


@pytest.fixture
def app(store, workspace):
    return create_app(workspace.root, store, max_streams=0)  # So that each stream ends at once.


def events(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/event-stream"
    told = []
    for block in answer.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if "event" in fields:
            told.append((fields["event"], json.loads(fields["data"]), fields.get("id")))
    return told


def test_a_stream_begins_now_and_continues_from_the_last_id(client, add, store):
    add("run_a")
    answer = client.simulate_get("/api/stream")
    assert answer.text.startswith("retry: 700\n\n")
    assert [(name, id) for name, _, id in events(answer)] == [("head", "2"), ("stale", None), ("proof", None)]
    add("run_b", end=False)
    store.append(lambda _: [NewEvent("run_b", Heartbeat())], lambda _: None)
    store.append(lambda _: [NewEvent("run_a", Annotated(author="x", note="y"))], lambda _: None)
    told = events(client.simulate_get("/api/stream", headers={"Last-Event-ID": "2"}))
    assert [name for name, _, _ in told] == ["run", "run", "head", "stale", "proof"]
    assert [data["run_id"] for name, data, _ in told if name == "run"] == ["run_a", "run_b"]
    assert [id for _, _, id in told] == [None, None, "5", None, None], "an id says that all up to it was sent"
    row = client.simulate_get("/api/runs").json["runs"][0]
    assert told[1][1] == row
    assert [n for n, _, _ in events(client.simulate_get("/api/stream", headers={"Last-Event-ID": "5"}))] == [
        "stale",
        "proof",
    ]


def test_the_browsers_position_wins_over_the_pages(client, add):
    add("run_a")
    client.simulate_get("/api/runs")
    add("run_b")
    told = events(client.simulate_get("/api/stream?after=2", headers={"Last-Event-ID": "3"}))
    assert [data["run_id"] for name, data, _ in told if name == "run"] == ["run_b"]
    assert events(client.simulate_get("/api/stream?after=4"))[0][0] == "stale"


def test_a_client_that_was_away_for_long_loads_again(client, add, store, histories):
    add("run_a")
    client.simulate_get("/api/runs")
    many = [NewEvent(f"run_{number}", histories.started(str(number))) for number in range(201)]
    store.append(lambda _: many, lambda _: None)
    [reset, *_] = events(client.simulate_get("/api/stream?after=2"))
    assert (reset[0], reset[2], reset[1]["position"]) == ("reset", "203", 203)
    # Of a time before the server began nothing is known, and of one to come neither.
    for after in ("1", "999999"):
        assert events(client.simulate_get(f"/api/stream?after={after}"))[0][0] == "reset"


@pytest.mark.parametrize("told", ["abc", "-1", "9" * 20])
def test_a_bad_position_is_refused(client, told):
    assert client.simulate_get("/api/stream", headers={"Last-Event-ID": told}).status_code == 400
    assert client.simulate_get("/api/stream", params={"after": told}).status_code == 400


def test_a_stale_run_is_sent_without_an_event(client, add, monkeypatch):
    monkeypatch.setattr("benchmarks.viewer.index.archive.SILENCE_EVERY", 0)
    add("run_a", end=False)
    [*_, stale, _] = events(client.simulate_get("/api/stream"))
    assert stale[1] == {"run_ids": []}
    monkeypatch.setattr("benchmarks.ledger.staleness.STALE_SECONDS", -1)
    [stale, _] = events(client.simulate_get("/api/stream?after=1"))
    assert stale == ("stale", {"run_ids": ["run_a"]}, None)


def test_a_run_that_gets_a_record_from_another_is_sent_too(client, add, store, histories):
    from benchmarks.ledger.events import Retracted

    add("run_a", 0.9)
    add("run_b", 0.5)
    client.simulate_get("/api/runs")
    store.append(lambda _: [NewEvent("run_a", Retracted(author="x", reason="y"))], lambda _: None)
    told = events(client.simulate_get("/api/stream?after=4"))
    records = {data["run_id"]: data["is_record"] for name, data, _ in told if name == "run"}
    assert records == {"run_a": False, "run_b": True}


def test_an_open_stream_sends_changes_and_ends_with_the_server(store, workspace, add, histories):
    import threading

    from benchmarks.viewer.app import site_of
    from benchmarks.viewer.index.archive import Archive
    from benchmarks.viewer.resources.stream import Stream, _News

    add("run_a", end=False)
    archive = Archive(workspace, store)
    site = site_of(archive, threading.Event())
    with archive.look():
        pass
    pieces = Stream(site, 1)._follow(b"first", _News(site, 1), lambda: False)
    assert next(pieces) == b"first"
    store.append(lambda _: [NewEvent("run_a", histories.finished(0.5))], lambda _: None)
    while b"event: head" not in (piece := next(pieces)):
        pass
    assert b"succeeded" in piece
    site.closing.set()
    assert list(pieces) == []
    assert list(Stream(replace(site, closing=threading.Event()), 1)._follow(b"x", _News(site, 2), lambda: True))
