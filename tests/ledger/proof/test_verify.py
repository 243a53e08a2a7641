"""Verification finds what was changed, and says where."""

from __future__ import annotations

from hashlib import sha256

import pytest

from benchmarks.ledger.events import FIRST_ORCHESTRATOR, Annotated, Artifact, Imported, ImportSource, NewEvent
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.segments import list_segments


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
    report = verify(JsonlStore(folder, notice=print), folder_of=lambda run: tmp_path / "files")
    assert report.is_sound
    assert (report.position, report.runs, report.groups, report.files) == (4, 2, 1, 1)
    assert report.notes == ["1 runs have no end yet"]


def test_a_ledger_that_is_not_there_is_an_empty_one(tmp_path):
    report = verify(JsonlStore(tmp_path / "nowhere", notice=print))
    assert report.is_sound and report.position == 0


@pytest.mark.parametrize(
    ("old", "new"), [(b'"score":0.5', b'"score":0.9'), (b"2026-", b"2025-"), (b'"seq":3', b'"seq":4')]
)
def test_a_change_of_history_is_found_at_its_line(folder, old, new):
    [segment] = list_segments(folder)
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join([*lines[:2], lines[2].replace(old, new), *lines[3:]]))
    report = verify(JsonlStore(folder, notice=print))
    assert [finding.seq for finding in report.damage] == [3]
    assert report.position == 2


def test_a_rewritten_line_with_a_fitting_hash_breaks_the_chain_after_it(folder):
    [segment] = list_segments(folder)
    lines = segment.read_bytes().splitlines(keepends=True)
    body = lines[2][: lines[2].rindex(b',"hash":')].replace(b'"score":0.5', b'"score":0.9')
    forged = body + b',"hash":"' + sha256(body).hexdigest().encode() + b'"}\n'
    segment.write_bytes(b"".join([*lines[:2], forged, *lines[3:]]))
    assert [finding.seq for finding in verify(JsonlStore(folder, notice=print)).damage] == [4]


def test_an_unfinished_last_line_is_a_note_and_no_damage(folder):
    [segment] = list_segments(folder)
    with segment.open("ab") as file:
        file.write(b'{"seq":5')
    report = verify(JsonlStore(folder, notice=print))
    assert report.is_sound
    assert "8 bytes of an unfinished line" in report.notes[0]
    assert segment.read_bytes().endswith(b'{"seq":5'), "verification changes nothing"


def test_an_impossible_transition_is_reported(folder, store, histories):
    histories.append_anyway(store, [NewEvent("run_1", histories.failed()), NewEvent("run_9", histories.finished())])
    report = verify(JsonlStore(folder, notice=print))
    assert report.damage == []
    assert [(finding.seq, finding.text) for finding in report.story] == [
        (5, "run_1: failed on a run that has succeeded already"),
        (6, "run_9: finished before it was started"),
    ]


def test_a_run_of_a_group_that_was_never_opened_is_reported(folder, store, histories):
    Ledger(store).append("run_7", histories.started("stray", run_group_id="rg_nobody"))
    [finding] = verify(JsonlStore(folder, notice=print)).story
    assert (finding.seq, finding.text) == (5, "run_7: its group 'rg_nobody' was never opened")


def test_what_is_proven_before_a_break_is_still_counted(folder):
    [segment] = list_segments(folder)
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join([*lines[:2], b"?" + lines[2], *lines[3:]]))
    report = verify(JsonlStore(folder, notice=print))
    assert (report.position, report.groups, report.runs) == (2, 1, 1)


def test_an_event_that_does_not_fit_its_type_is_reported(folder, store):
    """A program of another hand wrote a `finished` without a time, and hashed it well."""
    [segment] = list_segments(folder)
    head = verify(JsonlStore(folder, notice=print)).head_hash
    body = b'{"seq":5,"id":"x","at":"t","type":"finished","stream":"run_2","version":2,"data":{},"prev":"%b"'
    body %= head.encode()
    with segment.open("ab") as file:
        file.write(body + b',"hash":"' + sha256(body).hexdigest().encode() + b'"}\n')
    report = verify(JsonlStore(folder, notice=print))
    assert (report.position, report.damage) == (5, [])
    [finding] = report.story
    assert finding.seq == 5 and "it can't be read: no finished event" in finding.text
    assert report.doubtful == [(5, 1)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"version": 3}, "run_2: version 3 instead of 2"),
        ({"id": "first"}, "the id first occurs twice in the ledger"),
    ],
)
def test_an_envelope_that_does_not_fit_is_reported(tmp_path, histories, change, expected):
    from benchmarks.ledger.storage.chain import GENESIS
    from benchmarks.ledger.storage.codec import encode

    place = {"id": "first", "at": "2026-11-23T07:29:16.123456Z", "version": 1}
    line, record = encode(NewEvent("rg_1", histories.opened()), seq=1, prev=GENESIS, **place)
    lines = [line]
    for seq, more in ((2, {"id": "second"}), (3, {"id": "third", "version": 2, **change})):
        event = histories.started() if seq == 2 else histories.finished()
        line, record = encode(NewEvent("run_2", event), seq=seq, prev=record.hash, **{**place, **more})
        lines.append(line)
    (tmp_path / f"{1:020}.jsonl").write_bytes(b"".join(lines))
    report = verify(JsonlStore(tmp_path, notice=print))
    assert [(finding.seq, finding.text) for finding in report.story] == [(3, expected)]
    assert report.damage == [] and not report.is_sound


@pytest.fixture
def segmented(tmp_path, histories):
    """A ledger of a group and 29 remarks in segments of a few lines each."""
    store = JsonlStore(tmp_path / "segmented", notice=print, segment_bytes=1500)
    histories.append_anyway(store, [NewEvent("rg_1", histories.opened()), NewEvent("run_1", histories.started())])
    for number in range(28):
        histories.append_anyway(store, [NewEvent("run_1", Annotated(author="a", note=str(number)))])
    store.close()
    segments = list_segments(store.folder)
    assert len(segments) >= 5
    assert verify(store).is_sound
    return segments


def spoil(segment, line):
    """Change a digit in a line of a segment, its first being 0; the position of that event."""
    lines = segment.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line].replace(b'"author":"a"', b'"author":"b"')
    segment.write_bytes(b"".join(lines))
    return int(segment.stem) + line


def test_every_damaged_segment_is_named_and_the_whole_ranges_after_it(segmented):
    first, second = spoil(segmented[1], 2), spoil(segmented[3], 1)
    report = verify(JsonlStore(segmented[0].parent, notice=print))
    assert report.position == first - 1
    assert [finding.seq for finding in report.damage] == [first, second]
    for finding, segment in zip(report.damage, (segmented[1], segmented[3]), strict=True):
        assert segment.name in finding.text
    begins = [int(segment.stem) for segment in segmented]
    assert report.notes[:3] == [
        f"events {begin} to {end} fit together, and are proven once what is before them is restored"
        for begin, end in ((begins[2], second - 1), (begins[4], 30))
    ] + ["1 runs have no end yet"]


def test_a_missing_segment_is_damage_and_those_after_it_are_whole(segmented):
    segmented[1].unlink()
    report = verify(JsonlStore(segmented[0].parent, notice=print))
    [finding, missing] = report.damage
    assert missing.text.startswith(f"{segmented[1].name} is missing")
    assert finding.seq == int(segmented[1].stem)
    assert "one is missing before it" in finding.text
    assert f"events {segmented[2].stem.lstrip('0')} to 30 fit together" in report.notes[0]


def test_a_segment_from_another_ledger_is_damage(segmented, tmp_path, histories):
    store = JsonlStore(tmp_path / "other", notice=print, segment_bytes=1500)
    histories.append_anyway(store, [NewEvent("rg_1", histories.opened()), NewEvent("run_1", histories.started())])
    for number in range(28):
        histories.append_anyway(store, [NewEvent("run_1", Annotated(author="a", note=str(number)))])
    other = list_segments(store.folder)[2]
    assert other.name == segmented[2].name
    segmented[2].write_bytes(other.read_bytes())
    report = verify(JsonlStore(segmented[0].parent, notice=print))
    [finding] = report.damage
    assert finding.seq == int(segmented[2].stem)
    assert "prev is not the hash" in finding.text
    assert report.notes[0].startswith(f"events {int(segmented[3].stem)} to 30 fit together")


def test_lost_events_at_the_end_cannot_be_seen_and_so_the_report_tells_the_head(folder):
    before = verify(JsonlStore(folder, notice=print))
    [segment] = list_segments(folder)
    segment.write_bytes(b"".join(segment.read_bytes().splitlines(keepends=True)[:-1]))
    after = verify(JsonlStore(folder, notice=print))
    assert after.is_sound
    assert (after.position, before.position) == (3, 4)
    assert after.head_hash != before.head_hash


def test_changed_and_missing_files_are_distinguished(folder, tmp_path):
    result = tmp_path / "files" / "result.json"

    def fault():
        [finding] = verify(JsonlStore(folder, notice=print), folder_of=lambda run: tmp_path / "files").artifacts
        assert finding.seq == 3
        return finding.text

    result.write_text("[]")
    assert "result.json is not the file that was recorded: its SHA-256 is" in fault()
    result.write_text("{} ")
    assert fault() == "run_1: result.json is not the file that was recorded: it has 3 bytes, not 2"
    result.unlink()
    assert fault() == "run_1: result.json is missing"
    result.mkdir()
    assert fault() == "run_1: result.json is a folder"


@pytest.mark.parametrize("path", ["../secret", "/etc/hostname"])
def test_a_recorded_path_that_leads_out_of_the_runs_folder_is_not_followed(store, histories, tmp_path, path):
    ledger = Ledger(store)
    ledger.append("rg_1", histories.opened())
    ledger.append("run_1", histories.started())
    ledger.append("run_1", histories.finished(artifacts=[Artifact(path, 1, "0" * 64)]))
    [finding] = verify(store, folder_of=lambda run: tmp_path).artifacts
    assert "leads out of the run's folder" in finding.text


def test_files_of_runs_of_the_first_orchestrator_are_not_looked_for_here(store, tmp_path):
    artifacts = [{"path": "result.json", "bytes": 2, "sha256": "0" * 64}]
    row = {"benchmark_id": "b", "status": "succeeded", "artifacts": artifacts}
    Ledger(store).append("run_1", Imported(source=ImportSource(FIRST_ORCHESTRATOR, "x.sqlite", "0" * 64), run=row))
    report = verify(store, folder_of=lambda run: tmp_path)
    assert report.is_sound
    assert "imported" in report.notes[0]


def test_an_event_of_a_type_to_come_is_counted_and_noted(folder):
    [segment] = list_segments(folder)
    head = verify(JsonlStore(folder, notice=print)).head_hash
    body = b'{"seq":5,"id":"x","at":"t","type":"from_the_future","stream":"s","version":1,"data":{},"prev":"%b"'
    body %= head.encode()
    with segment.open("ab") as file:
        file.write(body + b',"hash":"' + sha256(body).hexdigest().encode() + b'"}\n')
    report = verify(JsonlStore(folder, notice=print))
    assert report.is_sound
    assert (report.position, report.unknown) == (5, 1)
    assert report.notes[-1] == "1 events have types that this version does not know"
