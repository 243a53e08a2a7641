"""The twenty lines of docs/ledger.md, as anybody would run them: they and `verify` come to the same answer."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.segments import list_segments

PAGE = Path(__file__).parents[3] / "docs" / "ledger.md"


@pytest.fixture(scope="module")
def checker(tmp_path_factory):
    code, _ = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(code.splitlines()) <= 20
    script = tmp_path_factory.mktemp("checker") / "check.py"
    script.write_text(code)
    return lambda folder: subprocess.run(
        [sys.executable, "-I", "-S", str(script), str(folder)], capture_output=True, text=True
    )


def append_to(segment: Path, more: bytes) -> None:
    segment.write_bytes(segment.read_bytes() + more)


def replace_in(segment: Path, old: bytes, new: bytes) -> None:
    content = segment.read_bytes()
    assert old in content
    segment.write_bytes(content.replace(old, new, 1))


SOUND = {
    "nothing": lambda segments: None,
    "a torn last line": lambda segments: append_to(segments[-1], b'{"seq":31,"id":"to'),
    "the last line without its newline": lambda segments: segments[-1].write_bytes(segments[-1].read_bytes()[:-1]),
}
DAMAGED = {
    "a changed word": lambda segments: replace_in(segments[1], b"annotated", b"retracted"),
    "a changed hash": lambda segments: replace_in(segments[1], b'"hash":"', b'"hash":"f'),
    "a line twice": lambda segments: append_to(segments[-1], segments[-1].read_bytes().splitlines(True)[-1]),
    "an empty line": lambda segments: append_to(segments[-1], b"\n"),
    "a carriage return": lambda segments: replace_in(segments[0], b"\n", b"\r\n"),
    "a foreign line": lambda segments: append_to(segments[-1], b"{}\n"),
    "a missing first line": lambda segments: segments[0].write_bytes(segments[0].read_bytes().split(b"\n", 1)[1]),
    "a missing segment": lambda segments: segments[1].unlink(),
    "a torn line in a sealed segment": lambda segments: append_to(segments[1], b'{"torn'),
}


@pytest.fixture
def segments(tmp_path):
    store = JsonlStore(tmp_path / "ledger", notice=print, segment_bytes=1500)
    for number in range(30):
        store.append(lambda _, n=number: [NewEvent("run_1", Annotated(author="a", note=f"{n} é"))], lambda _: None)
    store.close()
    segments = list_segments(store.folder)
    assert len(segments) > 3
    return segments


@pytest.mark.parametrize("change", SOUND)
def test_both_find_a_sound_ledger_sound_and_name_its_head(checker, segments, change):
    SOUND[change](segments)
    report = verify(JsonlStore(segments[0].parent, notice=print))
    done = checker(segments[0].parent)
    assert report.damage == [] and done.returncode == 0, done.stderr
    assert done.stdout == f"{report.position} events, head {report.head_hash}\n"


@pytest.mark.parametrize("change", DAMAGED)
def test_both_find_a_damaged_ledger_damaged_at_the_same_place(checker, segments, change):
    DAMAGED[change](segments)
    [first, *_] = verify(JsonlStore(segments[0].parent, notice=print)).damage
    done = checker(segments[0].parent)
    assert done.returncode == 1
    segment = re.search(r"\d{20}\.jsonl", first.text)[0]
    assert segment in done.stderr
    if line := re.search(r"line \d+", done.stderr):
        assert f"{segment}, {line[0]}," in first.text
