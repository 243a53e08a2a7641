"""Bundles: the evidence for runs in one file. Whatever is changed in it is noticed, and a hostile file does no harm."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from benchmarks.ledger.errors import ExpectedError
from benchmarks.ledger.events import Annotated, Artifact, NewEvent
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.proof.issuing import sign_checkpoint
from benchmarks.ledger.proof.policy import NotTrusted, parse_policy
from benchmarks.ledger.proof.proof import NotProven
from benchmarks.ledger.proof.signing import new_signer
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.transfer.bundle import verifier, write_bundle
from benchmarks.ledger.transfer.evidence import parse_opening, verify_bundle
from benchmarks.ledger.transfer.salted import Opening, Salts, is_samples, open_lines
from benchmarks.ledger.transfer.zipped import DamagedBundle

KEY = new_signer("bench.example.org")
POLICY = parse_policy(f"log {KEY.verifier}\nquorum none\n")
SAMPLES = b'{"id": "a", "score": 1}\n{"id": "b", "score": 0}\n\nnot json\n{"id": 7, "score": 0.5}'
MANIFEST = b'{"id":"b"}'


class Place:
    """A ledger with two runs and their files."""

    def __init__(self, root: Path, histories) -> None:
        self.root = root
        self.store = JsonlStore(root / "ledger", notice=print)
        self.ledger = Ledger(self.store)
        self.ledger.append("rg_1", histories.opened())
        for number in range(2):
            run = f"run_{number}"
            manifest = {"content_sha256": sha256(MANIFEST).hexdigest()}
            start = histories.started(f"s{number}", provenance={"manifest": manifest}, benchmark_id="b")
            self.ledger.append(run, start)
            content = {"output/result.json": b'{"score": 0.5}', "output/samples.jsonl": SAMPLES}
            for name, text in content.items():
                (root / run / name).parent.mkdir(parents=True, exist_ok=True)
                (root / run / name).write_bytes(text)
            (root / run / "manifest.json").write_bytes(MANIFEST)
            artifacts = [Artifact(name, len(text), sha256(text).hexdigest()) for name, text in content.items()]
            self.ledger.append(run, histories.finished(artifacts=artifacts))
            self.ledger.append(run, Annotated(author="a", note="seen"))

    def bundle(self, name: str = "evidence.zip", *, runs=("run_0",), salts: Salts | None = None) -> Path:
        history = self.ledger.history()
        note = str(sign_checkpoint(self.store, KEY))
        write_bundle(
            self.store,
            self.root / name,
            [history.runs[run] for run in runs],
            note,
            folder_of=lambda run: self.root / run.run_id,
            salts=salts,
        )
        return self.root / name


@pytest.fixture
def place(tmp_path, histories):
    return Place(tmp_path, histories)


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, content: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return path


def test_a_bundle_proves_its_runs_and_their_files(place):
    path = place.bundle(runs=("run_0", "run_1"))
    evidence = verify_bundle(path, POLICY)
    assert [run.run_id for run in evidence.runs] == ["run_0", "run_1"]
    assert (evidence.events, evidence.files, evidence.notes) == (7, 4, [])
    assert evidence.runs[0].score == 0.5 and evidence.runs[0].annotations[0].note == "seen"
    assert place.bundle("again.zip", runs=("run_0", "run_1")).read_bytes() == path.read_bytes()


def test_it_has_nothing_of_other_runs(place):
    content = members(place.bundle())
    assert not any(b"run_1" in text for text in content.values())


def test_a_file_that_is_missing_or_changed_is_named(place):
    (place.root / "run_0/output/result.json").write_bytes(b'{"score": 0.6}')
    (place.root / "run_0/output/samples.jsonl").unlink()
    (place.root / "run_0/manifest.json").write_bytes(b"{}")
    evidence = verify_bundle(place.bundle(), POLICY)
    assert evidence.notes == [
        "run_0: its manifest is not in the bundle",
        "run_0: output/result.json was changed when the bundle was made",
        "run_0: output/samples.jsonl was missing when the bundle was made",
    ]


def test_no_changed_member_is_accepted(place, tmp_path):
    """Each member with one letter changed, cut, emptied, or left out; in a zip file that is whole itself."""
    good = members(place.bundle())
    rng = random.Random(5)
    changed = tmp_path / "changed.zip"
    tried = 0
    for name, text in good.items():
        if name == "verify.py":
            continue
        for _ in range(12):
            at = rng.randrange(len(text))
            if name == "bundle.json" and text[at : at + 1] in b" \n":
                continue
            raw = bytearray(text)
            raw[at] ^= 1 << rng.randrange(7)
            _refused(write(changed, {**good, name: bytes(raw)}), name)
            tried += 1
        for raw in (text[:-2], text[: len(text) // 2], b""):
            _refused(write(changed, {**good, name: raw}), name)
        if not name.startswith("manifests/"):
            _refused(write(changed, {one: content for one, content in good.items() if one != name}), name)
    assert tried > 80
    evidence = verify_bundle(write(changed, {**good, "verify.py": b"import evil"}), POLICY)
    assert evidence.notes == ["verify.py is not the verifier of this version: do not run it"]


def _refused(path: Path, name: str) -> None:
    with pytest.raises((DamagedBundle, NotProven, NotTrusted)) as caught:
        verify_bundle(path, POLICY)
    assert caught.value.exit_code == (3 if isinstance(caught.value, DamagedBundle) else 1)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 500, (name, message)


@pytest.mark.parametrize("field", ["origin", "size", "runs", "events", "files", "format"])
def test_what_a_bundle_says_of_itself_must_be_so(place, tmp_path, field):
    good = members(place.bundle())
    contents = json.loads(good["bundle.json"])
    other = {
        "origin": "other.example",
        "size": 6,
        "runs": [*contents["runs"], "run_1"],
        "events": contents["events"][:-1],
        "files": [*contents["files"], {"run_id": "run_0", "path": "x", "state": "here"}],
        "format": 2,
    }
    _refused(
        write(tmp_path / "x.zip", {**good, "bundle.json": json.dumps({**contents, field: other[field]}).encode()}),
        field,
    )


def test_an_event_in_between_cannot_be_left_out(place, tmp_path):
    """Such as a retraction that is followed by a reinstatement, or a failure of the group."""
    good = members(place.bundle())
    contents = json.loads(good["bundle.json"])
    for position in contents["events"][:-1]:
        left = {name: text for name, text in good.items() if f"/{position}." not in name}
        fewer = {**contents, "events": [one for one in contents["events"] if one != position]}
        left["bundle.json"] = json.dumps(fewer).encode()
        _refused(write(tmp_path / "x.zip", left), str(position))


def test_the_wrong_key_an_old_checkpoint_and_a_fork_are_refused(place, tmp_path, histories):
    path = place.bundle()
    stranger = parse_policy(f"log {new_signer('bench.example.org').verifier}\nquorum none\n")
    with pytest.raises(NotTrusted, match="is not signed by"):
        verify_bundle(path, stranger)
    with pytest.raises(NotTrusted, match=r"accepts other\.example"):
        verify_bundle(path, parse_policy(f"log {new_signer('other.example').verifier}\nquorum none\n"))
    old = members(path)["checkpoint"]
    place.ledger.append("run_1", Annotated(author="a", note="later"))
    newer = members(place.bundle("newer.zip"))
    _refused(write(tmp_path / "mixed.zip", {**newer, "checkpoint": old}), "a stale checkpoint")
    fork = members(Place(tmp_path / "fork", histories).bundle())
    _refused(write(tmp_path / "mixed.zip", {**newer, "events/2.json": fork["events/2.json"]}), "a forked tree")
    with pytest.raises(NotProven, match="so it does not prove event"):
        write_bundle(
            place.store,
            tmp_path / "no.zip",
            [place.ledger.history().runs["run_1"]],
            old.decode(),
            folder_of=lambda run: place.root / run.run_id,
        )
    assert not (tmp_path / "no.zip").exists()


def test_a_truncated_bundle_is_damaged(place, tmp_path):
    raw = place.bundle().read_bytes()
    cut = tmp_path / "cut.zip"
    for size in {0, 1, 22, len(raw) - 1, len(raw) - 30, *range(0, len(raw), 97)}:
        cut.write_bytes(raw[:size])
        with pytest.raises(DamagedBundle, match="is not a whole bundle"):
            verify_bundle(cut, POLICY)


def test_no_bit_of_the_packed_file_does_harm(place, tmp_path):
    """A changed bit of the zip file itself: refused, or without effect (times and other fields that are not read)."""
    path = place.bundle()
    raw, good = path.read_bytes(), verify_bundle(path, POLICY)
    rng = random.Random(9)
    for _ in range(300):
        changed = bytearray(raw)
        changed[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        (tmp_path / "bit.zip").write_bytes(changed)
        try:
            evidence = verify_bundle(tmp_path / "bit.zip", POLICY)
        except ExpectedError:
            continue
        assert (evidence.runs, evidence.events, evidence.files) == (good.runs, good.events, good.files)


def _hostile(kind: str, good: dict[str, bytes], path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in good.items():
            archive.writestr(name, text)
        if kind == "bomb":
            with archive.open("files/run_0/output/zeros", "w", force_zip64=True) as file:
                for _ in range(300):
                    file.write(bytes(1024 * 1024))
        elif kind == "many":
            for number in range(100_001):
                archive.writestr(zipfile.ZipInfo(f"x/{number}"), b"")
        elif kind == "link":
            link = zipfile.ZipInfo("files/run_0/link")
            link.external_attr = 0o120777 << 16
            archive.writestr(link, "/etc/passwd")
        elif kind == "device":
            device = zipfile.ZipInfo("files/run_0/device")
            device.external_attr = 0o020666 << 16
            archive.writestr(device, "")
        elif kind == "twice":
            with pytest.warns(UserWarning):
                archive.writestr("checkpoint", good["checkpoint"])
        elif kind == "lzma":
            archive.writestr(zipfile.ZipInfo("x"), b"x" * 100, zipfile.ZIP_LZMA)
        else:
            archive.writestr(zipfile.ZipInfo(kind), b"x")


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("bomb", "unpacks to too many bytes"),
        ("many", "more than 100000 members"),
        ("link", "is not a regular file"),
        ("device", "is not a regular file"),
        ("twice", "occurs twice"),
        ("lzma", "packed in a way that is not read"),
        ("../evil", "leads elsewhere"),
        ("files/../../evil", "leads elsewhere"),
        ("/etc/evil", "leads elsewhere"),
        ("files\\evil", "leads elsewhere"),
        ("files/./evil", "leads elsewhere"),
        ("files/a\x1b[2J", "leads elsewhere"),
        ("folder/", "leads elsewhere"),
        ("files/run_0/more", "belongs to nothing in it"),
        ("files/run_9/output/result.json", "belongs to nothing in it"),
    ],
)
def test_a_hostile_zip_file_is_refused(place, tmp_path, kind, told):
    path = tmp_path / "hostile.zip"
    _hostile(kind, members(place.bundle()), path)
    with pytest.raises(DamagedBundle, match=told) as caught:
        verify_bundle(path, POLICY)
    assert "\x1b" not in str(caught.value)


def test_a_member_that_is_larger_than_it_says_is_refused(place, tmp_path):
    raw = bytearray(place.bundle().read_bytes())
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        info = archive.getinfo("events/1.json")
    for at in [match.start() for match in re.finditer(re.escape(struct.pack("<L", info.file_size)), bytes(raw))]:
        raw[at : at + 4] = struct.pack("<L", 10)
    path = tmp_path / "lies.zip"
    path.write_bytes(raw)
    with pytest.raises((DamagedBundle, NotProven)):
        verify_bundle(path, POLICY)


SECRET = Salts(b"s" * 32)


def test_redacted_samples_can_be_opened_one_by_one(place):
    path = place.bundle(salts=SECRET)
    content = members(path)
    assert [name for name in content if name.startswith("files/")] == ["files/run_0/output/result.json"]
    everything = b"".join(content.values())
    assert b'"id": "a"' not in everything and sha256(b'{"id": "a", "score": 1}').hexdigest().encode() not in everything
    artifact = next(one for one in place.ledger.history().runs["run_0"].artifacts if is_samples(one.path))
    for sample, line in (("a", 0), ("b", 1), ("7", 4)):
        [opening] = open_lines(SECRET, "run_0", artifact, io.BytesIO(SAMPLES), sample)
        assert opening.line == line
        assert verify_bundle(path, POLICY, [opening]).opened == 1
        wrong = [
            Opening(opening.run_id, opening.path, opening.line, opening.salt, opening.text.replace("0", "1") + " "),
            Opening(opening.run_id, opening.path, opening.line + 1, opening.salt, opening.text),
            Opening(opening.run_id, opening.path, 99, opening.salt, opening.text),
            Opening(opening.run_id, opening.path, opening.line, "00" * 32, opening.text),
            Opening("run_1", opening.path, opening.line, opening.salt, opening.text),
        ]
        for one in wrong:
            with pytest.raises(NotProven):
                verify_bundle(path, POLICY, [one])
    assert list(open_lines(SECRET, "run_0", artifact, io.BytesIO(SAMPLES), "c")) == []
    twice = b'{"id": "a", "n": 1}\n' + b"[" * 100_000 + b'\n{"sample_id": "a", "n": 2}\n'
    assert [one.line for one in open_lines(SECRET, "run_0", artifact, io.BytesIO(twice), "a")] == [0, 2]


def test_an_opening_that_is_nested_deep_is_damaged():
    with pytest.raises(DamagedBundle, match="the opened sample cannot be read"):
        parse_opening(b'{"more":' + b"[" * 5000)


def test_the_salt_of_one_sample_says_nothing_of_another():
    salts = {SECRET.of(run, path, line) for run in "ab" for path in "xy" for line in range(3)}
    assert len(salts) == 12 and all(len(salt) == 32 for salt in salts)
    assert Salts(b"t" * 32).of("a", "x", 0) not in salts


def test_the_verifier_in_a_bundle_is_the_one_of_the_documentation(place):
    page = (Path(__file__).parents[3] / "docs" / "proofs.md").read_text()
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    assert verifier().partition("\n")[2] == code
    assert members(place.bundle())["verify.py"].decode() == verifier()


def test_an_event_that_makes_no_sense_is_named_and_does_not_count(place, histories):
    """The reader sees what every reader of the ledger sees: the second end of a run does not count."""
    place.store.append(lambda _: [NewEvent("run_0", histories.finished(score=0.9))], lambda _: None)
    evidence = verify_bundle(place.bundle(), POLICY)
    assert evidence.runs[0].score == 0.5 and len(evidence.notes) == 1
    assert "event 8 makes no sense at its place, and does not count" in evidence.notes[0]
