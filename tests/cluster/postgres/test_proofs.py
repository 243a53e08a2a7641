"""Checkpoints, proofs and bundles of a PostgreSQL ledger: the tiles lie on each machine, the events on the server."""

from __future__ import annotations

import json
import shutil

import aics_tlog
import pytest

from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.proof.kept import ask_tree, tiles_folder
from tests.conftest import Bench

MODEL = ("--provider", "ollama", "--model", "m")


@pytest.fixture
def bench(tmp_path, database) -> Bench:
    bench = Bench(tmp_path / "workspace")
    bench.root.mkdir()
    bench.environ["BENCHMARKS_LEDGER"] = database.url
    bench.is_damaged = True  # Its ledger is not in the folder where the fixture of JSONL ledgers looks.
    return bench


def test_a_run_is_proven_and_bundled(bench, tmp_path, database):
    bench.add("one")
    bench("run", "--benchmarks", "one", *MODEL)
    key, proof, bundle = tmp_path / "key", tmp_path / "run.tlog-proof", tmp_path / "evidence.zip"
    public = bench("ledger", "keygen", "team.example", "--output", str(key)).stdout.strip()
    run = bench.runs()[0]["run_id"]
    proof.write_text(bench("ledger", "prove", run, "--sign", str(key)).stdout)
    assert "proven: event 3" in bench("ledger", "verify-proof", str(proof), "--verify-key", public).stdout
    bench("bundle", run, "-o", str(bundle))
    shown = json.loads(bench("bundle", "verify", str(bundle), "--verify-key", public, "--json").stdout)
    assert shown["runs"][0]["score"] == 0.5 and shown["notes"] == []
    bench("run", "--benchmarks", "one", "--force", *MODEL)
    note = tmp_path / "note"
    note.write_text(bench("ledger", "checkpoint", "--sign", str(key)).stdout)
    assert "sound" in bench("ledger", "verify", "--checkpoint", str(note)).stdout
    assert "sound" in bench("ledger", "verify", "--since", str(note)).stdout
    bench("ledger", "tiles", str(tmp_path / "site"))
    checkpoint = aics_tlog.parse_checkpoint(aics_tlog.parse_note(note.read_text()).text)
    aics_tlog.audit_tiles(aics_tlog.FileSystemTileReader(tmp_path / "site"), checkpoint.size, checkpoint.root)


def test_the_tree_follows_the_server_with_and_without_a_cache(database):
    store = database.open("cache")
    for count in (3, 300, 1):
        events = [NewEvent("run_1", Annotated(author="a", note=str(number))) for number in range(count)]
        store.append(lambda _, events=events: events, lambda _: None)
        leaves = [bytes.fromhex(line[-66:-2].decode()) for line in store.read_lines()]
        root = aics_tlog.MerkleTree(leaves).root()
        assert ask_tree(store, lambda tree: tree.root) == root
        assert ask_tree(database.open(), lambda tree: tree.root) == root
        assert (tiles_folder(store) / "tree.json").is_file()
    shutil.rmtree(tiles_folder(store))
    assert ask_tree(store, lambda tree: tree.root) == root
    store.close()
