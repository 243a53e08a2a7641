"""What proofs cost: the tree of a million events, and the proof of a new one as a command."""

from __future__ import annotations

import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.proof.edge import Edge
from benchmarks.ledger.proof.kept import ask_tree, tiles_folder
from benchmarks.ledger.proof.signing import new_signer
from benchmarks.ledger.proof.tree import hashes_in, leaves_of

from .figures import Scale, Table, command, in_turns, seconds
from .ledger import BEAT, fill

_PIECE = 4096
COMMAND = str(Path(sys.executable).with_name("benchmarks"))


def measure_proofs(table: Table, folder: Path, scale: Scale) -> None:
    """The tree of a ledger beside the bare hashes of its nodes, and the command `prove` beside its start-up."""
    root = folder / "workspace"
    store = fill(root / "benchmark_results" / "ledger", scale.count(108_700, least=100))
    count = store.head().seq
    node = b"\1" + bytes(64)

    def bare() -> None:
        for _ in range(2 * count):
            sha256(node).digest()

    def hash_tree() -> None:
        edge = Edge()
        piece: list[bytes] = []
        for line in store.read_lines():
            piece.append(line)
            if len(piece) == _PIECE:
                _add(edge, piece)
                piece = []
        _add(edge, piece)
        edge.root()

    def build() -> None:
        shutil.rmtree(tiles_folder(store) or folder, ignore_errors=True)
        ask_tree(store, lambda tree: tree.root)

    alone, hashed, proven, built = in_turns(
        scale.rounds(3), bare, hash_tree, lambda: sum(1 for _ in store.prove()), build
    )
    table.add("tree of 1M events, from their lines", hashed, "s", "SHA-256 of 2M nodes", alone, "<= 3")
    table.add("  the same, chain proven and tiles written", built, "s", "SHA-256 of 2M nodes", alone, "<= 3")
    table.add("  the same", built, "s", "the proof of the chain", proven, "<= 2")
    key = folder / "signing.key"
    key.write_text(str(new_signer("bench.example.org")))
    at = [COMMAND, "--workspace", str(root), "ledger"]
    subprocess.run([*at, "checkpoint", "--sign", str(key)], check=True, capture_output=True)
    begin, proof = [], []
    for _ in range(scale.rounds(7)):
        store.append(lambda _: [NewEvent("run_1", BEAT)], lambda _: None)
        store.sync()
        begin.append(seconds(command(*at, "head")))
        proof.append(seconds(command(*at, "prove", str(store.head().seq), "--sign", str(key))))
    start, took = sorted(begin)[len(begin) // 2], sorted(proof)[len(proof) // 2]
    table.add("ledger prove of a new event, beyond start-up", took - start, "s", "ledger head", start, "< 0.05 s")


def _add(edge: Edge, lines: list[bytes]) -> None:
    for _ in edge.add(leaves_of(hashes_in(lines))):
        pass
