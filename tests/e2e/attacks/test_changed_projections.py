"""Another program changes the tables at random: no command trusts them, and the ledger stays sound."""

from __future__ import annotations

import contextlib
import sqlite3

from benchmarks.projections.sqlite.rows import RUN_COLUMNS


def random_statement(rng):
    column = rng.choice(RUN_COLUMNS[1:]).name  # The first one is the key.
    return rng.choice(
        [
            f"UPDATE benchmark_runs SET {column} = 7",
            f"UPDATE benchmark_runs SET {column} = NULL WHERE benchmark_id = 'quiz'",
            "DELETE FROM benchmark_runs WHERE rowid = 1",
            f"ALTER TABLE benchmark_runs RENAME COLUMN {column} TO other",
            "UPDATE projection_state SET position = position + 1",
            "DROP TABLE projection_state",
            "CREATE TRIGGER t AFTER UPDATE ON benchmark_runs BEGIN DELETE FROM benchmark_runs; END",
        ]
    )


def change(database, rng):
    """Change rows, the schema, or bytes of the file."""
    if rng.random() < 0.6:
        with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute(random_statement(rng))
        return "by SQL"
    content = bytearray(database.read_bytes())
    for _ in range(rng.randint(1, 50)):
        content[rng.randrange(len(content))] ^= rng.randint(1, 255)
    database.write_bytes(content if rng.random() < 0.7 else content[: rng.randrange(len(content))])
    return "by bytes"


def test_no_command_believes_tables_that_another_program_changed(bench, tmp_path, rng, tally, is_full):
    file = tmp_path / "x.csv"
    file.write_text("benchmark,model,score\n" + "".join(f"quiz,m{number},0.{number}\n" for number in range(1, 9)))
    bench("import", str(file))
    expected = bench.runs()
    board = bench("leaderboard", "--include", "imported", "--json").stdout
    database = bench.results / "orchestrator.sqlite"
    whole = database.read_bytes()
    for _ in range(100 if is_full else 5):
        tally[change(database, rng)] += 1
        assert bench.runs() == expected
        assert database.read_bytes() == whole
        tally[change(database, rng)] += 1
        assert bench("leaderboard", "--include", "imported", "--json").stdout == board
