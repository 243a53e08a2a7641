"""Ledgers of every event shape there ever was, in tests/golden/: they must be read, and mean the same, for ever.

`python -m tests.ledger.test_golden NAME` writes a new one with today's shapes; those that are there never change.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import msgspec
import pytest

from benchmarks.ledger.commitment import Secrets
from benchmarks.ledger.events import (
    EVENT_TYPES,
    Annotated,
    Artifact,
    CancelRequested,
    Counts,
    EquivalenceDeclared,
    EquivalenceWithdrawn,
    Exclusions,
    Failed,
    Finished,
    GroupClosed,
    GroupOpened,
    Heartbeat,
    HighScorePublished,
    HighScoreReference,
    Imported,
    ImportSource,
    Incompatible,
    Merged,
    NewEvent,
    Owner,
    Paused,
    Progress,
    PublishedRow,
    PublishedRun,
    Recovered,
    Recoverer,
    Registered,
    RegisteredContender,
    RegisteredTask,
    RegisteredTest,
    RegistrationAmended,
    Reinstated,
    Repaired,
    Reproduced,
    ReproducedRun,
    Request,
    Rescored,
    Resumed,
    Retracted,
    SamplesExcluded,
    SamplesIncluded,
    ScoreAnew,
    Scorer,
    SetAside,
    Skipped,
    Started,
    TablePublished,
    TaskRevision,
    Unknown,
)
from benchmarks.ledger.history import History
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage import codec
from benchmarks.ledger.storage.chain import BadLine
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.sqlite import SqliteStore
from benchmarks.ledger.transfer.exchange import copy
from benchmarks.ledger.upcasting import UPCASTERS

GOLDEN = Path(__file__).parent.parent / "golden"
NAMES = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())


def state(store) -> dict:
    """What a ledger says, as plain JSON."""
    history = History().read(store.read())
    return msgspec.to_builtins(
        {
            "runs": history.runs,
            "groups": history.groups,
            "high_scores": {name: history.published(name) for name in _benchmarks(store)},
            "unknown": history.unknown,
            "problems": history.problems,
        }
    )


def _benchmarks(store) -> list[str]:
    return list(dict.fromkeys(record.stream for record in store.read(types=["high_score_published"])))


def says(told, expected) -> bool:
    """Whether everything that is expected is there: fields may have been added since."""
    if isinstance(expected, dict):
        return isinstance(told, dict) and all(key in told and says(told[key], value) for key, value in expected.items())
    if isinstance(expected, list):
        return isinstance(told, list) and len(told) == len(expected) and all(map(says, told, expected))
    return told == expected


@pytest.mark.parametrize("name", NAMES)
def test_an_old_ledger_says_what_it_always_said(name):
    store = JsonlStore(GOLDEN / name, notice=pytest.fail)
    expected = json.loads((GOLDEN / name / "expected.json").read_text())
    assert says(state(store), expected)
    report = verify(store)
    assert report.is_sound and report.torn_bytes == 0


@pytest.mark.parametrize("name", NAMES)
def test_an_old_ledger_goes_on(name, tmp_path):
    shutil.copytree(GOLDEN / name, tmp_path / "ledger")
    store = JsonlStore(tmp_path / "ledger", notice=pytest.fail)
    before = sum(1 for _ in store.read())
    [record] = store.append(lambda _: [NewEvent("run_new", Annotated(author="a", note="n"))], lambda _: None)
    assert record.seq == before + 1
    assert verify(store).damage == []


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_keeps_every_byte_also_of_what_is_not_known_here(name, tmp_path):
    store = JsonlStore(GOLDEN / name, notice=pytest.fail)
    there = SqliteStore(tmp_path / "copy.sqlite", notice=pytest.fail)
    back = JsonlStore(tmp_path / "back", notice=pytest.fail)
    copy(store, there)
    copy(there, back)
    assert list(back.read_lines()) == list(there.read_lines()) == list(store.read_lines())


def test_the_newest_golden_ledger_has_every_type_with_every_field():
    store = JsonlStore(GOLDEN / NAMES[-1], notice=pytest.fail)
    seen: dict[str, set[str]] = {}
    for line in store.read_lines():
        event = json.loads(line)
        seen.setdefault(event["type"], set()).update(event["data"])
    for kind, event in EVENT_TYPES.items():
        assert seen.get(kind, set()) >= set(event.__struct_fields__), f"{kind}: write a new golden ledger"
    assert "from_the_future" in seen


def test_an_old_shape_is_converted_and_stored_bytes_stay(monkeypatch, store):
    """As if `annotated` had said `by` and `text` once."""

    def upcast(data):
        return {"author": data["by"], "note": data["text"]}

    old = Unknown(named="annotated", raw=msgspec.Raw(b'{"by":"someone","text":"a remark"}'))
    new = NewEvent("run_1", Annotated(author="a", note="n"))
    monkeypatch.setitem(UPCASTERS, "annotated", upcast)
    store.append(lambda _: [NewEvent("run_1", old), new], lambda _: None)
    assert [record.data for record in store.read()] == [Annotated(author="someone", note="a remark"), new.data]
    assert b'"by":"someone"' in next(store.read_lines())
    monkeypatch.delitem(UPCASTERS, "annotated")
    with pytest.raises(BadLine, match="no annotated event"):
        codec.decode(next(store.read_lines()))
    monkeypatch.setitem(UPCASTERS, "annotated", lambda data: {"author": data["missing"]})
    with pytest.raises(BadLine, match="no annotated event"):
        codec.decode(next(store.read_lines()))


def everything() -> list[NewEvent]:
    """Every event type, with every field set, in a story that makes sense."""
    secrets = Secrets("1" * 64, "2" * 64)
    process = Owner(host="h", boot_id="b", pid=1, process_start=2.5, pid_namespace="pid:[1]", machine_id="m")
    owner = msgspec.structs.replace(process, commitment=secrets.commitment)
    request = Request(
        benchmarks=["b"], agent="eliza", provider="groq", model="qwen3", extra={"seed": 1}, flags={"force": True}
    )
    common = {
        "ended_at": "2026-11-23T10:00:00.000000Z",
        "duration_seconds": 1.5,
        "return_code": 0,
        "score": 0.5,
        "unit": "ratio",
        "higher_is_better": True,
        "samples": 4,
        "stderr": 0.25,
        "metrics": {"accuracy": 0.5},
        "usage": {"input_tokens": 10, "output_tokens": 5},
        "artifacts": [Artifact("output/result.json", 2, "0" * 64)],
        "result_json_path": "/results/output/result.json",
        "high_score": HighScoreReference("Someone", 0.75, "https://example.org"),
        "delta_to_high_score": -0.25,
        "synthetic": False,
        "revealed": secrets.by_owner,
        "task_revision": TaskRevision.of(version="1", driver="d" * 64, data="2026-11", packages="p" * 64),
        "served_model": "qwen3-32b (fp_1)",
        "logs": [Artifact("stdout.log", 5, "1" * 64), Artifact("stderr.log", 0, "2" * 64)],
    }

    def started(attempt: int) -> Started:
        return Started(
            run_group_id="rg_1",
            benchmark_id="b",
            benchmark_directory="b",
            signature="s",
            preimage={"benchmark_id": "b"},
            comparison_key="c",
            synthetic=attempt == 2,
            attempt=attempt,
            agent="eliza",
            provider="groq",
            model="qwen3",
            extra_config={"seed": 1},
            command=["python", "suite.py"],
            cwd="/",
            stdout_path="stdout.log",
            stderr_path="stderr.log",
            benchmark_version="1",
            benchmarks_commit="abc",
            eliza_commit="def",
            eliza_version="2.0",
            provenance={"orchestrator": "0.1.0"},
            owner=owner,
            task_revision=TaskRevision.of(version="1", driver="d" * 64, data="", packages="p" * 64),
        )

    finished = Finished(**common)
    adopted = msgspec.structs.replace(finished, revealed=secrets.by_shell)
    work = {"benchmark_id": "b", "signature": "s"}
    who = {"agent": "eliza", "provider": "groq", "model": "qwen3"}
    gone = {"reason": "gone", "last_seen_at": "2026-11-23T09:00:00.000000Z", "stale_seconds": 400.0}
    run = {"benchmark_id": "b", "status": "succeeded", "score": 0.25, "started_at": "2025-01-01T00:00:00Z"}
    anew = ScoreAnew(score=0.25, unit="ratio", samples=3, stderr=0.125, delta_to_high_score=-0.5)
    rescored = Rescored(
        scorer=Scorer("strict.py", "a" * 64),
        score=0.75,
        unit="ratio",
        higher_is_better=True,
        samples=3,
        stderr=0.125,
        delta_to_high_score=0.0,
        author="a",
        reason="r",
        artifact=Artifact("rescored/aaaaaaaaaaaaaaaa/samples.jsonl", 2, "0" * 64),
    )
    published = HighScorePublished(
        label="Someone",
        value=0.75,
        unit="ratio",
        higher_is_better=True,
        source="https://example.org",
        date="2026-01-01",
        author="a",
    )
    plan = Registered(
        author="a",
        hypothesis="the new one is better",
        benchmarks=[
            RegisteredTask(
                id="b",
                comparison_key="c",
                config={"seed": 1},
                revision=TaskRevision.of(version="1", driver="d" * 64, data="", packages="p" * 64),
                seed=1,
            )
        ],
        contenders=[
            RegisteredContender(name="new", agent="eliza", provider="groq", model="qwen3"),
            RegisteredContender(name="old", agent="eliza", provider="groq", model="qwen2"),
        ],
        options={"tasks": 4},
        n=4,
        repeats=2,
        seeds=[1],
        metric="score",
        test=RegisteredTest(kind="equivalent", contender="new", baseline="old", margin=0.02, require="any"),
        threshold=0.01,
        stopping_rule="all runs have ended",
        deadline="2026-12-31T00:00:00Z",
        exclusions=Exclusions(reasons=["environment"], rule="broken machines"),
    )
    row = PublishedRow(
        benchmark_id="b",
        comparison_key="c",
        config={"seed": 1},
        revision="1" * 64,
        agent="eliza",
        provider="groq",
        model="qwen3",
        rank=1,
        score=0.5,
        unit="ratio",
        stderr=0.1,
        low=0.3,
        high=0.7,
        interval_method="wilson",
        samples=4,
        attempts=2,
        successes=1,
        own_failures=1,
        completion=0.5,
        cost_usd=0.25,
        seconds=1.5,
        registered=1,
        doubts=["synthetic"],
        runs=[PublishedRun(run_id="run_1", score=0.5, samples=4, seq=4, hash="0" * 64)],
        attempt_ids=["run_1", "run_2"],
    )
    table = TablePublished(
        author="a",
        name="t",
        version=1,
        rules={"benchmarks": ["b"]},
        rows=[row],
        position=9,
        registration={"id": "reg_1", "standing": "confirmatory"},
        checkpoint="o\n9\n=\n",
    )
    return [
        NewEvent(
            "rg_1",
            GroupOpened(
                request=request,
                benchmarks=["b"],
                repo_meta={"dirty": False},
                created_by="run",
                owner=process,
                imported=ImportSource("json", "x.json", "0" * 64),
                opened_at="2025-01-01T00:00:00.000000Z",
            ),
        ),
        NewEvent("b", published),
        NewEvent("run_1", started(1)),
        NewEvent("run_1", Heartbeat(progress=Progress(done=1, total=4, note="n"), lease_seconds=70.0)),
        NewEvent("run_1", finished),
        NewEvent("run_2", started(2)),
        NewEvent("run_2", Failed(**common, reason="exit_code", error="it broke")),
        NewEvent("run_3", started(3)),
        NewEvent("run_3", Recovered(**gone, by=Recoverer("h", 1), adopted=adopted)),
        NewEvent("run_4", started(4)),
        NewEvent(
            "run_4", Recovered(**gone, by=Recoverer("h", 1), ended_at=gone["last_seen_at"], duration_seconds=12.5)
        ),
        NewEvent("run_4", Finished(**common, late=True)),
        NewEvent("run_1", Annotated(author="a", note="n", tags=["t"])),
        NewEvent("run_1", Retracted(author="a", reason="r")),
        NewEvent("b", EquivalenceDeclared(revisions=["1" * 64, "2" * 64], author="a", reason="r", evidence={"n": 30})),
        NewEvent("b", EquivalenceWithdrawn(revisions=["1" * 64, "2" * 64], author="a", reason="r")),
        NewEvent("run_2", Retracted(author="a", reason="r")),
        NewEvent("run_2", Reinstated(author="b", reason="right")),
        NewEvent("run_3", SamplesExcluded(author="a", reason="r", samples=["q1", "q2"], anew=anew)),
        NewEvent("run_3", SamplesIncluded(author="b", reason="right", samples=["q2"], anew=anew)),
        NewEvent("run_3", rescored),
        NewEvent("rg_1", Skipped(**work, **who, reason="already_succeeded", existing_run_id="run_1")),
        NewEvent("rg_1", Incompatible(**work, **who, missing=["docker"])),
        NewEvent("rg_1", Paused(author="a", reason="r")),
        NewEvent("rg_1", Resumed(author="a", reason="r")),
        NewEvent("rg_1", CancelRequested(author="a", reason="r")),
        NewEvent(
            "rg_1",
            GroupClosed(
                counts=Counts(2, 2, 1, 1), reason="completed", notes=["n"], closed_at="2025-01-02T00:00:00.000000Z"
            ),
        ),
        NewEvent("run_5", Imported(source=ImportSource("json", "x.json", "0" * 64), run=run)),
        NewEvent("ledger", Repaired(author="a", reason="r", position=3, head_hash="0" * 64, quarantined=["x.part"])),
        NewEvent("run_6", Unknown(named="from_the_future", raw=msgspec.Raw(b'{"a" : [1, 2.50], "b":null}'))),
        NewEvent(
            "other", Merged(origin="other", position=0, head_hash="0" * 64, stretches=[], source="other.jsonl", added=0)
        ),
        NewEvent("ledger", SetAside(author="a", reason="r", head_hash="0" * 64, events=[(3, 1)])),
        NewEvent("reg_1", plan),
        NewEvent("reg_1", RegistrationAmended(author="a", reason="r", changes={"repeats": 3})),
        NewEvent("run_7", msgspec.structs.replace(started(5), registration="reg_1", reproduces="run_1")),
        NewEvent("table_t", table),
        NewEvent(
            "run_2",
            Reproduced(
                of=ReproducedRun(origin="o", run="run_1", hash="0" * 64),
                verdict="within_noise",
                evidence={"delta": 0.01},
                by="a",
            ),
        ),
    ]


if __name__ == "__main__":
    folder = GOLDEN / sys.argv[1]
    written = JsonlStore(folder, notice=print)
    written.append(lambda _: everything(), lambda _: None)
    written.close()
    (folder / "expected.json").write_text(json.dumps(state(written), indent=1) + "\n")
    (folder / ".lock").unlink()
