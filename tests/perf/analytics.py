"""What questions in SQL cost: the first one on a long history, and the next."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb

from benchmarks.ledger.storage import codec
from benchmarks.projections.analytics.build import NAME, refresh
from benchmarks.projections.analytics.sandbox import Limits, ask
from benchmarks.projections.workspace import Workspace

from .figures import Scale, Table, in_turns, seconds
from .ledger import DECODE, fill, read_lines_of
from .projections import RUNS

_ALL = "SELECT count(*), count_if(is_record), sum(delta_to_reference) FROM score_history"


def measure_analytics(table: Table, folder: Path, scale: Scale) -> None:
    """`score_history` of every run: from the ledger's lines alone, with cached segments, and from the database."""
    workspace = Workspace(folder)
    store = fill(workspace.ledger, scale.count(RUNS, least=100))
    decode = codec._decoder.decode

    def decode_lines() -> None:
        for line in read_lines_of(store):
            decode(line)

    def cold() -> None:
        shutil.rmtree(workspace.results / "cache", ignore_errors=True)
        lukewarm()

    def lukewarm() -> None:
        (workspace.results / NAME).unlink(missing_ok=True)
        ask(refresh(workspace, store), _ALL, Limits())

    decoded, first, again = in_turns(scale.rounds(3), decode_lines, cold, lukewarm)
    table.add("score_history of all runs, from JSONL", first, "s", DECODE, decoded, "< 3 s")
    table.add("  with the sealed segments in the cache", again, "s", DECODE, decoded, "")
    database = refresh(workspace, store)
    with duckdb.connect(str(database), read_only=True) as connection:
        warm = sorted(seconds(lambda: connection.execute(_ALL).fetchall()) for _ in range(9))[4]
    table.add("  in an open analytics.duckdb", warm * 1e3, "ms", "from JSONL", first * 1e3, "< 150 ms")
    asked = sorted(seconds(lambda: ask(refresh(workspace, store), _ALL, Limits())) for _ in range(5))[2]
    table.add("  asked through the sandbox", asked * 1e3, "ms", "from JSONL", first * 1e3, "")
