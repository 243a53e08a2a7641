"""Tables: what is written is found, and a file that is not as it was written is noticed."""

from __future__ import annotations

import os
import random
from hashlib import blake2b

import pytest

from benchmarks.ledger.errors import SpecialFile
from benchmarks.ledger.index.table import IndexDamaged, Table, write_table


def key(name: object, kind: bytes = b"k") -> bytes:
    return kind + blake2b(str(name).encode(), digest_size=16).digest()


def entries(number: int, size: int = 50) -> dict[bytes, bytes]:
    return {key(n): f"{n} ".encode() * size for n in range(number)}


def written(path, content: dict[bytes, bytes], about: bytes = b"about") -> Table:
    write_table(path, sorted(content.items()), about)
    return Table(path)


@pytest.mark.parametrize("number", [0, 1, 2, 300, 3_000])
def test_every_entry_is_found_and_no_other(tmp_path, number):
    content = entries(number)
    table = written(tmp_path / "t", content)
    assert {name: table.get(name) for name in content} == content
    assert [table.get(key(f"other {n}")) for n in range(500)] == [None] * 500
    assert dict(table.entries()) == content and table.about == b"about"


def test_entries_of_one_kind_are_found_by_the_beginning_of_their_keys(tmp_path):
    content = {key(n, kind): kind * 300 for n in range(200) for kind in (b"a", b"b", b"c")}
    table = written(tmp_path / "t", content)
    for kind in (b"a", b"b", b"c", b"d", b""):
        expected = sorted(item for item in content.items() if item[0].startswith(kind))
        assert list(table.entries(kind)) == expected


def test_a_table_answers_after_its_file_was_removed(tmp_path):
    content = entries(1_000)
    table = written(tmp_path / "t", content)
    (tmp_path / "t").unlink()
    assert {name: table.get(name) for name in content} == content


def test_an_unfinished_table_leaves_nothing(tmp_path):
    def broken():
        yield key(1), b"x"
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_table(tmp_path / "t", broken(), b"")
    assert list(tmp_path.iterdir()) == []


def answers(path, content: dict[bytes, bytes]):
    table = Table(path)
    return table.about, [table.get(name) for name in content], list(table.entries()), table.get(key("none"))


def test_every_changed_byte_is_noticed_or_changes_no_answer(tmp_path):
    """Every byte of the file, each with another value: no change is believed."""
    content = entries(40, size=100)
    path = tmp_path / "t"
    written(path, content)
    good, before = path.read_bytes(), answers(path, content)
    chance = random.Random(1)
    noticed = 0
    for place in range(len(good)):
        path.write_bytes(good[:place] + bytes([good[place] ^ chance.randrange(1, 256)]) + good[place + 1 :])
        try:
            assert answers(path, content) == before, f"byte {place}"
        except IndexDamaged:
            noticed += 1
    assert noticed == len(good)


def test_a_table_that_was_cut_or_extended_is_noticed(tmp_path):
    content = entries(40)
    path = tmp_path / "t"
    written(path, content)
    good = path.read_bytes()
    for size in range(len(good)):
        path.write_bytes(good[:size])
        with pytest.raises(IndexDamaged):
            answers(path, content)
    path.write_bytes(good + b"x")
    with pytest.raises(IndexDamaged):
        answers(path, content)


def test_a_block_of_another_table_is_noticed(tmp_path):
    """As if a crash had left a part of an older file: it has a digest of its own that fits."""
    one, other = tmp_path / "one", tmp_path / "other"
    written(one, entries(300))
    written(other, {name: value.replace(b"1", b"2") for name, value in entries(300).items()})
    good, foreign = one.read_bytes(), other.read_bytes()
    one.write_bytes(good[:16] + foreign[16:200] + good[200:])
    with pytest.raises(IndexDamaged):
        list(Table(one).entries())


def test_something_that_is_not_a_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(IndexDamaged):
        Table(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    with pytest.raises((IndexDamaged, SpecialFile)):
        Table(tmp_path / "link")
    with pytest.raises(FileNotFoundError):
        Table(tmp_path / "missing")
