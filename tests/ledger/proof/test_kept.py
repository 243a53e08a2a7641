"""The tree beside a ledger: it follows the chain, can be deleted, and no changed byte of it gets into a proof."""

from __future__ import annotations

import os
import random
import shutil
import stat
from pathlib import Path

import aics_tlog
import pytest

from benchmarks.ledger.errors import LedgerDamaged
from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.proof import pieces
from benchmarks.ledger.proof.kept import ask_tree, kept_state, tiles_folder, write_site
from benchmarks.ledger.proof.tiles import index_path
from benchmarks.ledger.proof.tree import EMPTY_ROOT
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage.open import open_store


@pytest.fixture(params=["jsonl", "sqlite"])
def store(request, tmp_path):
    url = f"sqlite://{tmp_path}/ledger.sqlite" if request.param == "sqlite" else str(tmp_path / "ledger")
    store = open_store(url, notice=print)
    yield store
    store.close()


def fill(store, count: int) -> None:
    events = [NewEvent(f"run_{number}", Annotated(author="a", note=str(number))) for number in range(count)]
    store.append(lambda _: events, lambda _: None)


def theirs(store) -> aics_tlog.MerkleTree:
    return aics_tlog.MerkleTree([bytes.fromhex(line[-66:-2].decode()) for line in store.read_lines()])


def proof_of(store, index: int) -> list[bytes]:
    line = next(store.read_lines(index))
    return ask_tree(store, lambda tree: tree.inclusion(index, line[-66:-2].decode(), tree.size))


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".") and path.name != "tree.json"
    }


def notes_on_tiles(store) -> list[str]:
    return [note for note in verify(store).notes if "tiles" in note]


def test_the_tree_of_an_empty_ledger(store):
    assert ask_tree(store, lambda tree: (tree.size, tree.root)) == (0, EMPTY_ROOT)
    assert tiles_folder(store) and not tiles_folder(store).exists(), "a reader makes nothing"


def test_it_grows_with_the_ledger_and_is_that_of_others(store):
    rng = random.Random(7)
    for _ in range(12):
        fill(store, rng.choice([1, 2, 255, 256, 257, 700]))
        tree = theirs(store)
        assert ask_tree(store, lambda tree: tree.root) == tree.root()
        for index in {0, tree.size - 1, rng.randrange(tree.size)}:
            assert proof_of(store, index) == tree.inclusion_proof(index)
        old = rng.randrange(tree.size + 1)
        assert ask_tree(store, lambda tree, old=old: tree.consistency(old)) == tree.consistency_proof(old)
        folder = tiles_folder(store)
        reader = aics_tlog.FileSystemTileReader(folder)
        assert aics_tlog.tree_root_from_tiles(reader, tree.size) == tree.root()
        expected = aics_tlog.tiles.materialise_tiles([tree.leaf_data(index) for index in range(tree.size)])
        tiles = {path: content for path, content in expected.items() if "entries" not in path}
        assert files_in(folder) == tiles, "exactly the tiles of this size, with these bytes"
    assert notes_on_tiles(store) == []


def test_the_site_has_entries_and_passes_the_audit_of_others(store, tmp_path):
    site = tmp_path / "site"
    for count in (3, 253, 1, 700, 65):
        fill(store, count)
        tree = write_site(store, site)
        reader = aics_tlog.FileSystemTileReader(site)
        report = aics_tlog.audit_tiles(reader, tree.size, tree.root)
        assert (report.size, report.bundles) == (tree.size, -(-tree.size // 256))
        leaves = [bytes.fromhex(line[-66:-2].decode()) for line in store.read_lines()]
        assert files_in(site).items() >= aics_tlog.tiles.materialise_tiles(leaves).items()
    assert (site / "tile/0/000").exists() and not (site / "tile/0/000.p").exists()
    assert (site / "tile/entries/000").exists() and not (site / "tile/entries/000.p").exists()


def test_deleted_tiles_are_built_anew(store):
    fill(store, 600)
    before = proof_of(store, 5)
    shutil.rmtree(tiles_folder(store))
    assert proof_of(store, 5) == before


def test_no_changed_byte_gets_into_a_proof(store):
    """Every tile, cut, emptied, with a bit changed, removed, swapped, or of another kind."""
    fill(store, 1300)
    folder = tiles_folder(store)
    right = {index: proof_of(store, index) for index in (0, 300, 1299)}
    root, old = ask_tree(store, lambda tree: (tree.root, tree.root_at(1000)))
    rng = random.Random(3)
    for path in sorted(path for path in folder.rglob("[!.]*") if path.is_file()):
        for change in (_flip, _cut, _empty, Path.unlink, _pipe, _swap):
            change(path, rng) if change in (_flip, _cut, _empty, _pipe, _swap) else change(path)
            assert {index: proof_of(store, index) for index in right} == right
            assert ask_tree(store, lambda tree: (tree.root, tree.consistency(1000), tree.root_at(1000)))[::2] == (
                root,
                old,
            )


def _flip(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def _cut(path: Path, rng: random.Random) -> None:
    if path.exists():
        path.write_bytes(path.read_bytes()[:-32])


def _empty(path: Path, rng: random.Random) -> None:
    path.write_bytes(b"")


def _pipe(path: Path, rng: random.Random) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _swap(path: Path, rng: random.Random) -> None:
    if path.exists() and stat.S_ISREG(path.stat().st_mode):
        content = path.read_bytes()
        path.write_bytes(content[32:64] + content[:32] + content[64:])


def test_the_tiles_of_another_history_are_not_used(store, tmp_path):
    fill(store, 300)
    proof_of(store, 0)
    shutil.copytree(tiles_folder(store), tmp_path / "foreign")
    other = open_store(str(tmp_path / "other"), notice=print)
    fill(other, 301)
    shutil.copytree(tmp_path / "foreign", tiles_folder(other))
    assert ask_tree(other, lambda tree: tree.root) == theirs(other).root()


def test_a_verification_removes_tiles_that_do_not_fit(store):
    fill(store, 300)
    proof_of(store, 0)
    state = tiles_folder(store) / "tree.json"
    state.write_text(state.read_text().replace(kept_state(store).root, "0" * 64))
    assert len(notes_on_tiles(store)) == 1 and not state.exists()
    assert notes_on_tiles(store) == []


@pytest.fixture
def in_two(monkeypatch):
    """Every tree is built by two processes: one hashes, the other proves the chain meanwhile."""
    monkeypatch.setattr(pieces, "MANY", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def test_two_processes_build_the_tree_of_one(store, in_two, monkeypatch):
    monkeypatch.setattr(type(store), "prove", lambda *_: pytest.fail("it was proven here"))
    fill(store, 700)
    assert ask_tree(store, lambda tree: tree.root) == theirs(store).root()
    fill(store, 300)
    assert proof_of(store, 5) == theirs(store).inclusion_proof(5)
    assert kept_state(store).size == 1000


def test_a_second_process_that_cannot_start_is_done_without(store, in_two, monkeypatch):
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: (_ for _ in ()).throw(OSError("none")))
    fill(store, 300)
    assert ask_tree(store, lambda tree: tree.root) == theirs(store).root()


@pytest.mark.parametrize("by_two", [False, True])
@pytest.mark.parametrize(
    "harm", [(b'"note":"1"', b'"note":"x"'), (b'"hash":"', b'"hash":"x'), (b'"prev":"', b'"prev":"x')]
)
def test_a_damaged_chain_gets_no_tree(tmp_path, request, by_two, harm):
    if by_two:
        request.getfixturevalue("in_two")
    store = open_store(str(tmp_path / "ledger"), notice=print)
    fill(store, 3)
    [segment] = store.files()
    segment.write_bytes(segment.read_bytes().replace(*harm, 1))
    with pytest.raises(LedgerDamaged):
        ask_tree(store, lambda tree: tree.root)
    assert kept_state(store) is None


def test_a_ledger_that_was_cut_gets_another_tree(tmp_path):
    store = open_store(str(tmp_path / "ledger"), notice=print)
    fill(store, 300)
    proof_of(store, 0)
    [segment] = store.files()
    segment.write_bytes(b"".join(segment.read_bytes().splitlines(keepends=True)[:100]))
    again = open_store(str(tmp_path / "ledger"), notice=print)
    assert ask_tree(again, lambda tree: (tree.size, tree.root)) == (100, theirs(again).root())


def test_without_a_place_for_tiles_they_stay_in_memory(store, monkeypatch):
    fill(store, 600)
    folder = tiles_folder(store)
    folder.symlink_to(folder.parent)  # A link could lead to other people's files.
    assert proof_of(store, 5) == theirs(store).inclusion_proof(5)
    assert not (folder.parent / "tile").exists() and not (folder.parent / "tree.json").exists()
    assert proof_of(store, 5) == theirs(store).inclusion_proof(5)


def test_a_reader_meets_a_writer_that_adds_leaves(store):
    """The unfinished tile that a reader asks for may have been replaced by a wider one."""
    fill(store, 10)
    line = next(store.read_lines(3))[-66:-2].decode()

    def question(tree):
        if tree.size == 10:
            fill(store, 7)
            proof_of(store, 0)
        return tree.inclusion(3, line, 10)

    assert ask_tree(store, question) == theirs(store).inclusion_proof(3, 10)


@pytest.mark.parametrize(("index", "path"), [(0, "000"), (999, "999"), (1000, "x001/000"), (1234067, "x001/x234/067")])
def test_the_path_of_a_tile(index, path):
    assert index_path(index) == path == aics_tlog.tiles.tile_index_path(index)
