"""Files that are not here are read from the user's stores, and are proven by what the ledger recorded."""

from __future__ import annotations

import hashlib
import io
import uuid

import pytest
from msgspec.structs import replace

from benchmarks.ledger.events import Artifact
from benchmarks.ledger.files.address import parse_address
from benchmarks.ledger.files.elsewhere import PARTS, Elsewhere, open_recorded, part_name
from benchmarks.ledger.files.store import FileStore, Unreachable
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.run_files import Missing, NotReadable


@pytest.fixture
def kept():
    return FileStore(parse_address(f"memory://{uuid.uuid4().hex}"))


@pytest.fixture
def elsewhere(kept, tmp_path):
    return Elsewhere(tmp_path / "results", [kept])


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "results" / "rg_1" / "b__b" / "run_1"


def recorded(content: bytes, path: str = "output/x.txt") -> Artifact:
    return Artifact(path, len(content), hashlib.sha256(content).hexdigest())


def put(store: FileStore, folder, name: str, content: bytes) -> None:
    store.put("/".join([*folder.parts[-3:], name]), io.BytesIO(content), len(content))


def test_the_file_here_comes_first(elsewhere, folder, kept):
    (folder / "output").mkdir(parents=True)
    (folder / "output" / "x.txt").write_bytes(b"here")
    put(kept, folder, "output/x.txt", b"away")
    with open_recorded(folder, recorded(b"away"), elsewhere) as file:
        assert file.read() == b"here"


def test_a_file_that_is_away_is_read_and_kept_for_the_next_question(elsewhere, folder, kept):
    put(kept, folder, "output/x.txt", b"away")
    with open_recorded(folder, recorded(b"away"), elsewhere) as file:
        assert file.read() == b"away"
    kept.remove("rg_1/b__b/run_1/output/x.txt")
    with (
        open_recorded(folder, recorded(b"away"), elsewhere) as one,
        open_recorded(folder, recorded(b"away"), elsewhere) as two,
    ):
        assert (one.read(2), two.read(), one.read()) == (b"aw", b"away", b"ay")


@pytest.mark.parametrize("content", [b"AWAY", b"away and more", b""])
def test_another_content_is_damage_and_not_shown(elsewhere, folder, kept, content):
    put(kept, folder, "output/x.txt", content)
    for read in (elsewhere.open, elsewhere.check):
        with pytest.raises(NotReadable, match="is not the file that was recorded"):
            read(folder, recorded(b"away"))


def test_a_second_store_is_asked_if_the_first_does_not_have_the_file(folder, kept, tmp_path):
    first = FileStore(parse_address(f"file://{tmp_path}/nowhere"))
    put(kept, folder, "output/x.txt", b"away")
    Elsewhere(tmp_path / "results", [first, kept]).check(folder, recorded(b"away"))
    with pytest.raises(Missing):
        Elsewhere(tmp_path / "results", [first]).check(folder, recorded(b"away"))


def test_a_path_of_a_hostile_event_leads_nowhere(elsewhere, folder, kept, tmp_path):
    put(kept, folder, "output/x.txt", b"away")
    for path in ("../run_2/x", "/etc/passwd", "output/../../x", ""):
        with pytest.raises(NotReadable):
            elsewhere.check(folder, recorded(b"away", path))
    with pytest.raises(Missing):
        elsewhere.check(tmp_path / "other", recorded(b"away"))


def test_a_log_is_read_part_by_part_up_to_the_first_gap(elsewhere, folder, kept):
    for offset, text in [(0, b"one\n"), (4, b"two\n"), (4, b"two\nthree\n"), (11, b"ee\nfour\n"), (99, b"lost")]:
        put(kept, folder, f"stdout.log{PARTS}/{part_name(offset)}", text)
    put(kept, folder, f"stdout.log{PARTS}/readme", b"no part")
    log, size = elsewhere.open_log(folder, "stdout.log")
    assert size == 19
    assert log.readlines() == [b"one\n", b"two\n", b"three\n", b"four\n"]
    log.seek(6)
    assert log.read(5) == b"o\nthr"
    put(kept, folder, "stdout.log", b"whole\n")
    assert elsewhere.open_log(folder, "stdout.log")[0].read() == b"whole\n"
    with pytest.raises(Missing):
        elsewhere.open_log(folder, "stderr.log")


def test_a_recorded_log_is_proven_also_in_parts(elsewhere, folder, kept):
    for offset, text in [(0, b"one\n"), (4, b"two\n")]:
        put(kept, folder, f"stdout.log{PARTS}/{part_name(offset)}", text)
    log = recorded(b"one\ntwo\n", "stdout.log")
    assert elsewhere.open_log(folder, "stdout.log", log)[0].read() == b"one\ntwo\n"
    elsewhere.check(folder, log)
    longer = recorded(b"one\ntwo\nthree\n", "stdout.log")
    assert elsewhere.open_log(folder, "stdout.log", longer)[1] == 8, "its end could not be copied"
    with pytest.raises(NotReadable, match="it has 8 bytes, not 14"):
        elsewhere.check(folder, longer)
    put(kept, folder, f"stdout.log{PARTS}/{part_name(4)}", b"TWO\n")
    fresh = Elsewhere(folder.parents[2], [kept])
    for ask in (lambda: fresh.check(folder, log), lambda: fresh.open_log(folder, "stdout.log", log)):
        with pytest.raises(NotReadable, match="its SHA-256 is"):
            ask()
    put(kept, folder, "stdout.log", b"whole\n")
    with pytest.raises(NotReadable, match="it has 6 bytes, not 8"):
        Elsewhere(folder.parents[2], [kept]).open_log(folder, "stdout.log", log)


def history(store, histories, *, url: str | None, artifact: Artifact) -> None:
    provenance = {"artifacts_url": url} if url else {}
    from benchmarks.ledger.ledger import Ledger

    ledger = Ledger(store)
    ledger.append("rg_1", histories.opened())
    ledger.append("run_1", replace(histories.started("1"), provenance=provenance))
    ledger.append("run_1", replace(histories.finished(), artifacts=[artifact]))


@pytest.mark.parametrize("state", ["there", "changed", "gone", "unreachable", "unconfigured"])
def test_verification_reads_the_stores_of_the_user(store, histories, kept, folder, tmp_path, state):
    put(kept, folder, "output/x.txt", b"AWAY" if state == "changed" else b"away")
    if state == "gone":
        kept.remove("rg_1/b__b/run_1/output/x.txt")
    if state == "unreachable":
        kept._rest("is not reachable")
    history(store, histories, url=str(kept), artifact=recorded(b"away"))
    given = [] if state == "unconfigured" else [kept]
    report = verify(store, folder_of=lambda run: folder, elsewhere=Elsewhere(tmp_path / "results", given))
    assert [finding.text for finding in report.artifacts] == {
        "changed": [
            "run_1: output/x.txt is not the file that was recorded: its SHA-256 is "
            f"{hashlib.sha256(b'AWAY').hexdigest()}, not {hashlib.sha256(b'away').hexdigest()}"
        ],
        "gone": ["run_1: output/x.txt is missing"],
    }.get(state, [])
    notes = [note for note in report.notes if note.startswith("files of 1 runs")]
    assert len(notes) == (state in ("unreachable", "unconfigured"))
    if notes:
        assert str(kept) in notes[0]


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest/meta-data", "file:///etc", "s3://other-bucket", "memory://elsewhere"]
)
def test_a_store_that_only_an_event_names_is_never_asked(store, histories, folder, tmp_path, monkeypatch, url):
    asked = []
    monkeypatch.setattr(
        FileStore, "_call", lambda self, work: asked.append(str(self)) or (_ for _ in ()).throw(Unreachable("no"))
    )
    history(store, histories, url=url, artifact=recorded(b"away"))
    report = verify(store, folder_of=lambda run: folder, elsewhere=Elsewhere(tmp_path / "results"))
    assert asked == []
    assert report.is_sound == url.startswith(("s3", "memory", "file"))
