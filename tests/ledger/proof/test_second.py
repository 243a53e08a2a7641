"""Two processes report the same as one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.proof import verify as verification
from benchmarks.ledger.proof.checkpoint import take_checkpoint
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage.jsonl import JsonlStore


def verify_by(processes: int, store, **more):
    """A verification by one process or by two."""
    large = mock.patch.object(verification, "_LARGE_BYTES", 0 if processes == 2 else 1 << 60)
    with large, mock.patch.object(os, "cpu_count", lambda: 2):
        return verify(store, **more)


@settings(max_examples=8)
@given(data=st.data())
def test_two_processes_report_what_one_reports(histories, data):
    events = data.draw(histories.events().filter(bool))
    with tempfile.TemporaryDirectory() as folder:
        store = JsonlStore(Path(folder), notice=print)
        histories.append_anyway(store, events)
        checkpoint = take_checkpoint(store)
        histories.append_anyway(store, events[:3])
        checkpoint = data.draw(st.sampled_from([None, checkpoint, replace(checkpoint, hash="0" * 64)]))
        assert verify_by(2, store, checkpoint=checkpoint) == verify_by(1, store, checkpoint=checkpoint)


@pytest.mark.parametrize("harm", [b'"seq":3', b'"type":"failed"', b'"version":2', b'"reason"', b"\n{", b'"id":'])
def test_damage_is_reported_as_by_one_process(tmp_path, histories, harm):
    store = JsonlStore(tmp_path, notice=print)
    events = [NewEvent(f"run_{n % 3}", histories.started() if n < 3 else histories.failed()) for n in range(9)]
    histories.append_anyway(store, events)
    [segment] = store.files()
    segment.write_bytes(segment.read_bytes().replace(harm, harm[:-1] + b"x", 1))
    report = verify_by(2, store)
    assert report.damage and report == verify_by(1, store)


def test_the_second_process_is_used(tmp_path, histories, monkeypatch):
    store = JsonlStore(tmp_path, notice=print)
    histories.append_anyway(store, [NewEvent("run_1", histories.started())])
    monkeypatch.setattr(JsonlStore, "prove_records", lambda *_: pytest.fail("it was proven here"))
    assert verify_by(2, store).position == 1


def test_a_second_process_that_cannot_start_is_done_without(tmp_path, histories, monkeypatch):
    store = JsonlStore(tmp_path, notice=print)
    histories.append_anyway(store, [NewEvent("run_1", histories.started())])
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    assert verify_by(2, store) == verify_by(1, store)
