"""The samples of runs, from the `samples.jsonl` among their artifacts, as rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ...ledger.events import FIRST_ORCHESTRATOR, Artifact
from ..scores.samples import SamplesUnusable, recorded_rows
from ..workspace import Workspace
from .source import quoted

if TYPE_CHECKING:
    import duckdb

_HAS_FILES = f"coalesce(imported_json ->> '$.kind', '') <> '{FIRST_ORCHESTRATOR}'"
"""As `Run.has_files_here`."""

_ARTIFACTS = msgspec.json.Decoder(list[Artifact])


def load_samples(connection: duckdb.DuckDBPyConnection, workspace: Workspace, folder: Path, which: str) -> None:
    """Add the samples of the runs that the condition `which` names, by way of a file in `folder`.

    A run whose file is gone, or is not the one that was recorded, has none.
    """
    condition = f"contains(artifacts_json, 'samples.jsonl') AND {_HAS_FILES} AND {which}"
    # To look for the folder of each group is much faster than to look for the file of each run.
    groups = connection.execute(f"SELECT DISTINCT run_group_id FROM runs WHERE {condition}").fetchall()  # noqa: S608
    there = [group for (group,) in groups if workspace.group_folder(group).is_dir()]
    runs = connection.execute(
        "SELECT run_id, run_group_id, benchmark_directory, benchmark_id, artifacts_json, excluded_json "  # noqa: S608 - ours
        f"FROM runs WHERE {condition} AND run_group_id IN (SELECT unnest($there)) ORDER BY first_seq",
        {"there": there},
    )
    file = folder / "samples.jsonl"
    longest = 0
    with file.open("wb") as lines:
        while some := runs.fetchmany(1000):
            for run_id, group, directory, benchmark, artifacts, excluded_text in some:
                home = workspace.run_folder(group, directory, benchmark, run_id)
                excluded = frozenset(msgspec.json.decode(excluded_text))
                try:
                    recorded = recorded_rows(home, _ARTIFACTS.decode(artifacts), workspace.elsewhere)
                except (SamplesUnusable, msgspec.ValidationError):
                    continue
                for number, row in zip(recorded.numbers, recorded.rows, strict=True):
                    correct = row.get("correct")
                    line = msgspec.json.encode(
                        {
                            "run_id": run_id,
                            "number": number,
                            "sample_id": str(row["id"]),
                            "score": row["score"],
                            "correct": correct if isinstance(correct, bool) else None,
                            "sample_json": row,
                            "excluded": str(row["id"]) in excluded,
                        }
                    )
                    longest = max(longest, len(line))
                    lines.write(line + b"\n")
    if longest:
        connection.execute(f"""
            INSERT INTO samples SELECT * FROM read_json({quoted(str(file))}, format = 'newline_delimited',
              maximum_object_size = {max(16 * 1024 * 1024, 2 * longest)}, columns = {{
                run_id: 'VARCHAR', number: 'BIGINT', sample_id: 'VARCHAR', score: 'DOUBLE', correct: 'BOOLEAN',
                sample_json: 'JSON', excluded: 'BOOLEAN'
              }})""")  # noqa: S608 - a quoted path and a number
