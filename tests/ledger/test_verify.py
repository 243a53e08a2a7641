"""Verification finds what was changed, and says where."""

from __future__ import annotations

from hashlib import sha256

import pytest

from benchmarks.ledger.events import Artifact, NewEvent
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.segments import list_segments
from benchmarks.ledger.verify import verify


@pytest.fixture
def folder(store, histories, tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    (files / "result.json").write_text("{}")
    artifact = Artifact("result.json", 2, sha256(b"{}").hexdigest())
    ledger = Ledger(store)
    ledger.append("rg_1", histories.opened())
    ledger.append("run_1", histories.started())
    ledger.append("run_1", histories.finished(artifacts=[artifact]))
    ledger.append("run_2", histories.started("other"))
    return store.folder


def test_a_sound_ledger_is_sound(folder, tmp_path):
    report = verify(folder, folder_of=lambda run: tmp_path / "files")
    assert report.is_sound
    assert (report.position, report.runs, report.groups, report.segments) == (4, 2, 1, 1)
    assert report.notes == ["1 runs have no end yet"]


def test_a_ledger_that_is_not_there_is_an_empty_one(tmp_path):
    report = verify(tmp_path / "nowhere")
    assert report.is_sound and report.position == 0


@pytest.mark.parametrize(
    ("old", "new"), [(b'"score":0.5', b'"score":0.9'), (b"2026-", b"2025-"), (b'"seq":3', b'"seq":4')]
)
def test_a_change_of_history_is_found_at_its_line(folder, old, new):
    [segment] = list_segments(folder)
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join([*lines[:2], lines[2].replace(old, new), *lines[3:]]))
    report = verify(folder)
    assert [finding.seq for finding in report.damage] == [3]
    assert report.position == 2


def test_a_rewritten_line_with_a_fitting_hash_breaks_the_chain_behind_it(folder):
    [segment] = list_segments(folder)
    lines = segment.read_bytes().splitlines(keepends=True)
    body = lines[2][: lines[2].rindex(b',"hash":')].replace(b'"score":0.5', b'"score":0.9')
    forged = body + b',"hash":"' + sha256(body).hexdigest().encode() + b'"}\n'
    segment.write_bytes(b"".join([*lines[:2], forged, *lines[3:]]))
    assert [finding.seq for finding in verify(folder).damage] == [4]


def test_an_unfinished_last_line_is_a_note_and_no_damage(folder):
    [segment] = list_segments(folder)
    with segment.open("ab") as file:
        file.write(b'{"seq":5')
    report = verify(folder)
    assert report.is_sound
    assert "8 bytes of an unfinished line" in report.notes[0]
    assert segment.read_bytes().endswith(b'{"seq":5'), "verification changes nothing"


def test_a_story_that_makes_no_sense_is_told(folder, store, histories):
    histories.append_anyway(store, [NewEvent("run_1", histories.failed()), NewEvent("run_9", histories.finished())])
    report = verify(folder)
    assert report.damage == []
    assert [(finding.seq, finding.text) for finding in report.story] == [
        (5, "run_1: failed on a run that has succeeded already"),
        (6, "run_9: finished before it was started"),
    ]


def test_changed_and_missing_files_are_told_apart(folder, tmp_path):
    (tmp_path / "files" / "result.json").write_text("[]")
    [finding] = verify(folder, folder_of=lambda run: tmp_path / "files").artifacts
    assert "is not the file that was recorded" in finding.text
    [finding] = verify(folder, folder_of=lambda run: tmp_path / "nowhere").artifacts
    assert "No such file" in finding.text
