"""What the projections cost: built anew, caught up, and beside the same job done by others."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from uuid import UUID

from benchmarks.ledger.storage import codec
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.sqlite.database import open_readonly, rebuild, refresh
from benchmarks.projections.sqlite.viewer_data import update_dataset, write_dataset

from .figures import Scale, Table, in_turns, seconds
from .ledger import DECODE, fill, one_run, read_lines_of

RUNS = 108_700
"""About a million events."""

BUILDER = """
import sys
from pathlib import Path
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.sqlite.database import rebuild

rebuild(Path(sys.argv[2]), JsonlStore(Path(sys.argv[1]), notice=print))
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def measure_projections(table: Table, folder: Path, scale: Scale) -> None:
    """Both projections of a long history, anew and after one more run, and the memory of building."""
    runs = scale.count(RUNS, least=100)
    store = fill(folder / "ledger", runs)
    database, document = folder / "orchestrator.sqlite", folder / "viewer_data.json"
    number = sum(1 for _ in store.read_lines())
    decode = codec._decoder.decode

    def decode_lines() -> None:
        for line in read_lines_of(store):
            decode(line)

    def write() -> None:
        with open_readonly(database) as connection:
            write_dataset(connection, document)

    decoded, built, written = in_turns(scale.rounds(3), decode_lines, lambda: rebuild(database, store), write)
    both = built + written
    table.add("events into orchestrator.sqlite", number / built, "per s", DECODE, number / decoded, ">= 0.36")
    table.add("  the same + viewer_data.json", number / both, "per s", DECODE, number / decoded, ">= 0.25")

    caught_up, updated = [], []
    for new in range(runs, runs + 7):
        events = list(one_run("rg_of_its_own", new))
        store.append(lambda _, events=events: events, lambda _: None)
        caught_up.append(seconds(lambda: refresh(database, store)))
        with open_readonly(database) as connection:
            updated.append(seconds(lambda connection=connection: update_dataset(connection, document, store)))
    each, update = statistics.median(caught_up), statistics.median(updated)
    rebuilt = "building it anew"
    table.add("catch-ups of orchestrator.sqlite by one run", 1 / each, "per s", rebuilt, 1 / built, ">= 300")
    table.add("  the same for viewer_data.json", 1 / update, "per s", rebuilt, 1 / written, "")

    argv = [sys.executable, "-c", BUILDER, str(store.folder), str(folder / "again.sqlite")]
    peak = int(subprocess.run(argv, check=True, capture_output=True, text=True).stdout) / 1024
    size = sum(path.stat().st_size for path in store.files()) / 2**20
    table.add("peak memory of building it anew", peak, "MiB", "size of the log", size, "<= 0.4")
    measure_document(table, folder, database, document)


def measure_document(table: Table, folder: Path, database: Path, document: Path) -> None:
    """viewer_data.json beside `json.dump` of the same document from memory."""
    loaded = json.loads(document.read_bytes())

    def dump() -> None:
        with (folder / "dumped.json").open("w") as file:
            json.dump(loaded, file)

    def write() -> None:
        with open_readonly(database) as connection:
            write_dataset(connection, document)

    size = document.stat().st_size / 2**20
    dumped, written = in_turns(3, dump, write)
    table.add("viewer_data.json written", size / written, "MiB/s", "json.dump", size / dumped, ">= 2")


def measure_projection_peers(table: Table, folder: Path, scale: Scale) -> None:
    """The same job by the `eventsourcing` library: its ProjectionRunner, into a table of its SQLite module."""
    try:
        from eventsourcing.application import Application
        from eventsourcing.dispatch import singledispatchmethod
        from eventsourcing.domain import Aggregate, event
        from eventsourcing.persistence import Tracking, TrackingRecorder
        from eventsourcing.projection import Projection, ProjectionRunner
        from eventsourcing.sqlite import SQLiteTrackingRecorder
    except ImportError:
        print("eventsourcing is not installed: pip install -e '.[bench]'")
        return

    class Job(Aggregate):
        @event("Beat")
        def beat(self, done: float, total: float, note: str) -> None:
            """Changes nothing: only the event counts here."""

    class Jobs(Application[UUID]):
        pass

    class Rows(SQLiteTrackingRecorder):
        def construct_create_table_statements(self) -> list[str]:
            return [
                *super().construct_create_table_statements(),
                "CREATE TABLE IF NOT EXISTS jobs (id TEXT PRIMARY KEY, done REAL, note TEXT)",
            ]

        def put(self, id: str, done: float, note: str, tracking: Tracking) -> None:
            with self.datastore.transaction(commit=True) as cursor:
                self._insert_tracking(cursor, tracking)
                cursor.execute("INSERT OR REPLACE INTO jobs VALUES (?, ?, ?)", (id, done, note))

    class OfJobs(Projection[Rows]):
        name = "rows"
        topics = ()

        @singledispatchmethod
        def process_event(self, domain_event: object, tracking: Tracking) -> None:
            self.view.put(
                str(domain_event.originator_id),  # type: ignore[attr-defined]
                getattr(domain_event, "done", 0.0),
                getattr(domain_event, "note", ""),
                tracking,
            )

    assert issubclass(Rows, TrackingRecorder)
    count = scale.count(3_000, least=30)
    # Its SQLite module offers no subscription, so it projects from memory: that is to its advantage.
    environ = {
        "PERSISTENCE_MODULE": "eventsourcing.popo",
        "ROWS_PERSISTENCE_MODULE": "eventsourcing.sqlite",
        "ROWS_SQLITE_DBNAME": str(folder / "jobs.sqlite"),
    }
    job = Job()
    for done in range(count - 1):
        job.beat(done=float(done), total=30.0, note="sample")

    def project_theirs() -> None:
        with ProjectionRunner(application_class=Jobs, projection_class=OfJobs, view_class=Rows, env=environ) as runner:
            runner.app.save(job)
            runner.wait(count, timeout=120)

    store: JsonlStore = fill(folder / "ledger", scale.count(10_870, least=100))
    number = sum(1 for _ in store.read_lines())
    theirs = seconds(project_theirs)
    ours = statistics.median(seconds(lambda: rebuild(folder / "ours.sqlite", store)) for _ in range(3))
    table.add("events projected to SQLite", number / ours, "per s", "eventsourcing", count / theirs, ">= 30")
