"""Ledgers with a whole chain and impossible events: an import refuses them, or an older version has accepted them.

Each is made from a sound ledger by one or two changes, and sealed anew. An import refuses it and changes nothing, or
the ledger is sound afterwards. If it is the ledger itself, every reader works, and `ledger repair` makes it sound.
"""

from __future__ import annotations

import contextlib
import copy
import json
import random
import sqlite3
from hashlib import sha256
from pathlib import Path

import pytest

from benchmarks.ledger.errors import LedgerError
from benchmarks.ledger.events import Annotated, Heartbeat, HighScorePublished, NewEvent, Owner, Retracted
from benchmarks.ledger.history import History
from benchmarks.ledger.identity import boot_id, host_name, pid_namespace
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.staleness import is_stale
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.transfer.exchange import LinesFile
from benchmarks.ledger.transfer.merge import take_in
from benchmarks.projections.sqlite.database import open_readonly, refresh
from benchmarks.projections.sqlite.viewer_data import update_dataset
from benchmarks.projections.workspace import Workspace
from benchmarks.viewer.index.archive import Archive

Json = dict
JUNK = [None, True, -1, 0, 2**70, 1e308, "", "x", "\u202e\x1b]0;t\x07", [], [[]], {}, {"a": [1]}, "9" * 400]
NAMES = ["../../etc", "a/b", "..", "", "x" * 5000, "a\nb", "\u202eevil", "\x1b[2J", ".hidden", "a\\b", "rg_mine"]
TIMES = ["garbage", "", "2026-13-45T99:99:99Z", "9" * 30, "0001-01-01T00:00:00+14:00", "2026-11-23", "\u0662026"]


def seal(events: list[Json]) -> bytes:
    """The lines of events, in a chain that holds. Versions are those that the events say."""
    lines, previous = [], "0" * 64
    for seq, event in enumerate(events, 1):
        envelope = {"seq": seq, **{key: event.get(key) for key in ("id", "at", "type", "stream", "version", "data")}}
        body = json.dumps({**envelope, "prev": previous}, ensure_ascii=False, separators=(",", ":"))[:-1]
        raw = event.get("raw")
        body = raw(body) if raw else body
        previous = sha256(body.encode(errors="surrogatepass")).hexdigest()
        lines.append(f'{body},"hash":"{previous}"}}\n'.encode(errors="surrogatepass"))
    return b"".join(lines)


def renumbered(events: list[Json]) -> list[Json]:
    """The events with the versions that their places give them."""
    versions: dict[str, int] = {}
    for event in events:
        version = versions[str(event["stream"])] = versions.get(str(event["stream"]), 0) + 1
        event["version"] = version
    return events


def read(store) -> list[Json]:
    return [json.loads(line) for line in store.read_lines()]


def dead_owner() -> Owner:
    """A process of this machine that is gone; recovery looks for it."""
    return Owner(host=host_name(), boot_id=boot_id(), pid=2**22 + 1, process_start=1.0, pid_namespace=pid_namespace())


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory, histories):
    """The events of our ledger, and those of another one."""

    def made(name: str, group: str, run: str) -> list[Json]:
        store = JsonlStore(tmp_path_factory.mktemp(name) / "ledger", notice=print)
        started = histories.started(run_group_id=group, signature=name, owner=dead_owner())
        histories.append_anyway(
            store,
            [
                NewEvent(group, histories.opened()),
                NewEvent("b", HighScorePublished(label=name, value=0.5, source="s")),
                NewEvent(f"{run}_1", started),
                NewEvent(f"{run}_1", Heartbeat(lease_seconds=10.0)),
                NewEvent(f"{run}_1", histories.finished(0.4)),
                NewEvent(f"{run}_2", started),
                NewEvent(f"{run}_2", histories.failed()),
                NewEvent(f"{run}_3", started),
                NewEvent(f"{run}_3", histories.recovered()),
                NewEvent(f"{run}_3", histories.finished(late=True)),
                NewEvent(f"{run}_1", Annotated(author="a", note="n")),
                NewEvent(f"{run}_2", Retracted(author="a", reason="r")),
                NewEvent(f"{run}_4", started),
            ],
        )
        events = read(store)
        store.close()
        for event in events:
            if event["type"] == "recovered":
                event["data"]["last_seen_at"] = event["at"]
        return events

    return made("ours", "rg_mine", "run_mine"), made("theirs", "rg_theirs", "run_theirs")


def change_envelope(rng, events):
    event = rng.choice(events)
    key = rng.choice(["id", "at", "type", "stream", "version"])
    event[key] = rng.choice({"at": TIMES, "stream": NAMES, "id": NAMES}.get(key, JUNK) + JUNK)


def change_field(rng, events):
    event = rng.choice(events)
    key = rng.choice([*event["data"], "unheard_of"])
    event["data"][key] = rng.choice(JUNK + TIMES + NAMES)


def change_inner_field(rng, events):
    holders = [event for event in events if any(isinstance(value, dict) for value in event["data"].values())]
    event = rng.choice(holders)
    inner = rng.choice([value for value in event["data"].values() if isinstance(value, dict)])
    inner[rng.choice([*inner, "x"])] = rng.choice(JUNK)


def number_wrongly(rng, events):
    rng.choice(events)["version"] += rng.choice([1, 5, -1, 10**12, 2**80])


def happen_twice(rng, events):
    again = copy.deepcopy(rng.choice(events))
    again["id"] = f"again-{rng.random()}"
    events.append(again)
    renumbered(events)


def leave_out(rng, events):
    del events[rng.randrange(len(events))]
    renumbered(events)


def swap(rng, events):
    one, other = rng.sample(range(len(events)), 2)
    events[one], events[other] = events[other], events[one]
    renumbered(events)


def add(rng, events, kind, stream, data):
    event = {"id": f"new-{rng.random()}", "at": events[-1]["at"], "type": kind, "stream": stream, "data": data}
    events.append(event)
    renumbered(events)


def speak_of_ours(rng, events):
    """About runs, groups and references that are not its own."""
    outcome = {"ended_at": events[-1]["at"], "score": 1.0, "reason": "r"}
    kind, data = rng.choice(
        [
            ("retracted", {"author": "evil", "reason": "r"}),
            ("annotated", {"author": "evil", "note": "n"}),
            ("finished", outcome),
            ("failed", outcome),
            ("heartbeat", {"lease_seconds": 60.0}),
            ("from_the_future", {}),
            ("recovered", {"reason": "r", "last_seen_at": events[-1]["at"], "stale_seconds": 1.0, "by": ["h", 1]}),
        ]
    )
    add(rng, events, kind, f"run_mine_{rng.randint(1, 4)}", data)
    if rng.random() < 0.3:
        counts = {"succeeded": 0, "failed": 9, "skipped": 0, "incompatible": 0}
        add(rng, events, "group_closed", "rg_mine", {"counts": counts, "reason": "completed"})
    add(rng, events, "high_score_published", "b", {"label": "evil", "value": 99.0, "source": "s"})


def claim_merges(rng, events):
    """False claims of a `merged` event."""
    stretches = rng.choice([[[1, 10**9]], [[1, 3], [2, 2]], [[-5, 3]], [[1, 2**80]], [[1, len(events)]], [], [[3, 1]]])
    origin = f"benchmark-orchestrator/ledger/{rng.getrandbits(64):016x}"
    data = {
        "origin": origin,
        "position": rng.choice([sum(count for _, count in stretches), 10**9, -1]),
        "head_hash": "0" * 64,
        "stretches": stretches,
        "added": rng.choice([None, 0, 5, 10**9]),
        "coming": rng.choice([0, 10**9]),
    }
    add(rng, events, "merged", origin, data)


def set_others_aside(rng, events):
    data = {"author": "evil", "reason": "r", "events": rng.choice([[[1, 5]], [[1, 10**12]], [[-3, 9]]])}
    add(rng, events, "set_aside", "ledger", {**data, "head_hash": "0" * 64})


def write_oddly(rng, events):
    """A line that two programs could read in two ways, or that is nested too deep."""
    event = rng.choice(events)
    event["raw"] = rng.choice(
        [
            lambda body: body.replace('"data":{', '"data":{"score":1.0,"score":2.0,', 1),
            lambda body: body.replace('"at":', '"seq":99,"at":', 1),
            lambda body: body.replace('"data":{', '"data":{"deep":' + "[" * 3000 + "]" * 3000 + ",", 1),
            lambda body: body.replace('"data":{', '"data":{"big":1e400,', 1),
            lambda body: body.replace('"data":{', '"data":{"half":"\\ud83d",', 1),
            lambda body: body.replace('"version":', '"version": ', 1),
            lambda body: body + ',"more":1',
        ]
    )


CHANGES = [
    change_envelope,
    change_field,
    change_inner_field,
    number_wrongly,
    happen_twice,
    leave_out,
    swap,
    speak_of_ours,
    claim_merges,
    set_others_aside,
    write_oddly,
]


def place(folder: Path, events: list[Json]) -> tuple[Workspace, JsonlStore]:
    workspace = Workspace(folder)
    workspace.ledger.mkdir(parents=True)
    (workspace.ledger / f"{1:020d}.jsonl").write_bytes(seal(events))
    return workspace, JsonlStore(workspace.ledger, notice=print)


def everybody_reads(workspace: Workspace, store: JsonlStore) -> History:
    """Whatever the ledger has in it, every reader ends."""
    history = History.of(store)
    for run in history.runs.values():
        is_stale(run)
    refresh(workspace.database, store)
    with open_readonly(workspace.database) as connection:
        update_dataset(connection, workspace.viewer_data, store)
    with Archive(workspace, store).look() as view:
        assert {row.run_id for row in view.table.rows} == set(history.runs)
    return history


def is_ours(history: History) -> None:
    """What another ledger must not change."""
    run = history.runs["run_mine_1"]
    assert (run.status, run.score, run.retracted, len(run.annotations)) == ("succeeded", 0.4, None, 1)
    assert history.runs["run_mine_4"].status == "running"
    reference = history.reference("b")
    assert reference and reference.label == "ours"


def test_a_hostile_ledger_is_refused_or_does_no_harm(ledgers, tmp_path, rng, is_full, tally):
    ours, theirs = ledgers
    for number in range(1500 if is_full else 120):
        events = copy.deepcopy(theirs)
        changes = [rng.choice(CHANGES) for _ in range(rng.choice([1, 1, 2]))]
        with contextlib.suppress(TypeError, KeyError):  # A second change may find nothing that it can change.
            for change in changes:
                change(rng, events)
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(seal(events))
        workspace, store = place(tmp_path / f"w{number}", ours)
        before = list(store.read_lines())
        printed = f"number {number}: {[change.__name__ for change in changes]}"
        try:
            take_in(store, LinesFile(path), name="theirs")
        except LedgerError as problem:
            tally["refused"] += 1
            assert list(store.read_lines()) == before, printed
            assert 0 < len(str(problem)) < 10_000 and "\x1b" not in str(problem), printed
        else:
            tally["taken in"] += 1
            report = verify(store)
            assert (report.damage, report.story) == ([], []), printed
            take_in(store, LinesFile(path), name="theirs")
            assert verify(store).position == report.position, printed
            is_ours(everybody_reads(workspace, store))
        store.close()
    assert tally["refused"] > 20 and tally["taken in"] > 3


def test_events_that_an_older_version_accepted_stop_no_command_and_can_be_set_aside(
    bench, ledgers, tmp_path, rng, is_full, tally
):
    """The same events, put into a ledger past the door: as a continuation, and as a merge without judgement."""
    ours, theirs = ledgers
    for number in range(300 if is_full else 22):
        events = copy.deepcopy(theirs)
        with contextlib.suppress(TypeError, KeyError):
            rng.choice([change for change in CHANGES if change is not write_oddly])(rng, events)
        both = [*copy.deepcopy(ours), *events]
        workspace, store = place(tmp_path / f"w{number}", both if number % 2 else renumbered(both))
        if verify(store).position < len(both):
            tally["damaged"] += 1  # A line that is not an event is damage, and reported as such.
            store.close()
            continue
        everybody_reads(workspace, store)
        tally["read"] += 1
        if number % 10 == 1 and verify(store).doubtful:
            bench.root = workspace.root
            assert bench("ledger", "repair", code=None).returncode in (1, 3)
            bench("ledger", "repair", "--yes")
            left = json.loads(bench("ledger", "verify", "--json", code=None).stdout)
            assert left["doubtful"] == [] and left["damage"] == []
            for command in (("status",), ("show-runs",), ("recover-stale-runs",), ("query", "SELECT 1")):
                bench(*command)
            tally["repaired"] += 1
        store.close()
    bench.is_damaged = True


def test_a_foreign_claim_of_a_billion_places_is_damage_and_hides_no_other(ledgers, tmp_path, histories):
    """As an older version accepted it: a changed event of a merged ledger after it is still found."""
    ours, theirs = copy.deepcopy(ledgers)
    path = tmp_path / "theirs.jsonl"
    path.write_bytes(seal(theirs))
    _, store = place(tmp_path / "w", ours)
    take_in(store, LinesFile(path), name="theirs")
    events = read(store)
    origin = "benchmark-orchestrator/ledger/" + "a" * 16
    data = {"origin": origin, "position": 10**9, "head_hash": "0" * 64, "stretches": [[1, 10**9]]}
    add(random.Random(1), events, "merged", origin, data)
    _, claimed = place(tmp_path / "claimed", events)
    [finding] = verify(claimed).damage
    assert finding.seq == len(events) and "it claims event 1000000000" in finding.text
    [changed] = [event for event in events if event["type"] == "finished" and event["stream"] == "run_theirs_1"]
    changed["data"]["score"] = 0.99
    _, forged = place(tmp_path / "forged", events)
    assert len(verify(forged).damage) == 2


def test_an_open_run_of_another_ledger_is_left_to_that_one(bench, ledgers, tmp_path):
    """Its owner seems to be a dead process of this machine, and its signature may be that of work of ours."""
    bench.add("good")
    bench.run("good")
    events = copy.deepcopy(ledgers[1])
    signature = bench.events("started")[0]["data"]["signature"]
    events[-1]["data"]["signature"] = signature
    path = tmp_path / "theirs.jsonl"
    path.write_bytes(seal(events))
    bench("ledger", "import", str(path))
    assert "run_theirs_4" in bench("status").stdout
    bench("recover-stale-runs", "--stale-seconds", "0")
    bench.run("good", more=("--force",))
    rows = {row["run_id"]: row["status"] for row in bench.runs()}
    assert rows["run_theirs_4"] == "running" and list(rows.values()).count("succeeded") == 3
    # So what that ledger says later of its run still fits.
    more = [*events, {**copy.deepcopy(events[4]), "id": "more", "stream": "run_theirs_4"}]
    path.write_bytes(seal(renumbered(more)))
    bench("ledger", "import", str(path))
    assert {row["run_id"]: row["status"] for row in bench.runs()}["run_theirs_4"] == "succeeded"
    bench("ledger", "verify")


def test_the_installed_command_refuses_with_a_list_and_changes_nothing(bench, ledgers, tmp_path):
    bench.add("good")
    bench.run("good")
    run_id = bench.runs()[0]["run_id"]
    theirs = copy.deepcopy(ledgers[1])
    rng = random.Random(1)
    add(rng, theirs, "retracted", run_id, {"author": "evil", "reason": "\x1b]0;owned\x07"})
    theirs[3]["at"] = "garbage"
    theirs[0]["stream"] = "../../etc"
    renumbered(theirs)
    path = tmp_path / "theirs.jsonl"
    path.write_bytes(seal(theirs))
    before = bench("ledger", "head").stdout
    printed = bench("ledger", "import", str(path), code=2).stderr
    assert "nothing was taken in" in printed and "hint:" in printed and "\x1b" not in printed
    for text in (f"retracted of {run_id}", "event 4:", "'garbage'", "'../../etc'"):
        assert text in printed
    assert bench("ledger", "head").stdout == before
    workspace, store = place(tmp_path / "w", theirs)
    store.close()
    assert "was refused" in bench("ledger", "copy", str(workspace.ledger), str(tmp_path / "c"), code=2).stderr
    assert not list((tmp_path / "c").glob("*.jsonl"))
    bench("ledger", "verify")


def test_rows_of_a_hostile_database_are_named_and_the_others_imported(bench, tmp_path):
    path = tmp_path / "first.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE benchmark_runs (run_id TEXT, run_group_id TEXT, benchmark_id TEXT, benchmark_directory TEXT, "
            "signature TEXT, status TEXT, attempt, agent TEXT, provider TEXT, model TEXT, started_at TEXT, score)"
        )
        good = ("run_good", "rg", "b", "b", "s", "succeeded", 1, "a", "p", "m", "2025-01-01T00:00:00Z", 0.5)
        rows = [good]
        for place, value in ((0, "../../x"), (0, None), (6, -3), (6, 2**63 - 1), (6, "many"), (10, "garbage")):
            row = [*good]
            row[0], row[place] = f"run_{len(rows)}", value
            rows.append(tuple(row))
        connection.executemany(f"INSERT INTO benchmark_runs VALUES ({', '.join('?' * 12)})", rows)
        connection.commit()
    done = bench("ledger", "import-sqlite", str(path), code=1)
    assert done.stdout.startswith("2 runs imported") and done.stderr.count("not imported: ") == 5
    assert {run["run_id"] for run in bench.runs()} >= {"run_good"}
    with contextlib.closing(sqlite3.connect(tmp_path / "endless.sqlite")) as connection:
        connection.execute(
            "CREATE VIEW benchmark_runs AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) "
            "SELECT n AS run_id, 'succeeded' AS status, n AS started_at FROM r"
        )
    printed = bench("ledger", "import-sqlite", str(tmp_path / "endless.sqlite"), code=2).stderr
    assert "has no table benchmark_runs" in printed
