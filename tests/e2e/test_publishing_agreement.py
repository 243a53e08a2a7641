"""A published table is checked by its page and by `table status`: both find the same in every field."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from benchmarks.ledger.events import (
    Imported,
    ImportSource,
    NewEvent,
    PublishedRow,
    PublishedRun,
    Reinstated,
    Rescored,
    Retracted,
    Scorer,
    TablePublished,
    TaskRevision,
)
from benchmarks.ledger.proof.checkpoint import Checkpoint
from benchmarks.ledger.proof.encoding import encode64
from benchmarks.ledger.proof.tree import hashes_in, inclusion_proof, leaf_hash, node_hash, root_of
from benchmarks.ledger.storage import codec
from benchmarks.projections.published.checking import check_document
from benchmarks.projections.published.document import ProvenLine, TableDocument, WithheldLine
from benchmarks.projections.published.errata import Erratum
from benchmarks.projections.published.page import CHECK, script_of
from benchmarks.projections.published.rows import select_rows
from benchmarks.projections.published.rules import WITHHOLDABLE, TableRules
from benchmarks.projections.scores.counting import DOUBTFUL
from benchmarks.projections.sqlite.opening import open_apart
from benchmarks.projections.sqlite.reproductions import Reproduction

REVISION = TaskRevision(digest="r" * 64)
RULES = TableRules(name="t", benchmarks=["b", "speed"], include=["imported"], revision="all")


def history(make) -> Iterator[tuple[str, Any]]:
    """Repetitions, failures of both kinds, adopted, imported, corrected and retracted runs, on two benchmarks."""

    def begin(model: str, repeat: int = 1, **more: Any) -> Any:
        config = {"seed": 1, "repeat": repeat}
        return make.started(f"{model}{repeat}", model=model, extra_config=config, task_revision=REVISION, **more)

    speed = {"benchmark_id": "speed", "comparison_key": "s", "owner": None}
    plain: dict[str, Any] = {"owner": None, "synthetic": False}
    paid = {"usage": {"cost_usd": 0.25}, "duration_seconds": 3.5}
    yield "early_2", begin("new", 2, run_group_id="rg_0", **plain)
    yield "early_2", make.finished(0.9, samples=40, stderr=0.05, ended_at="2026-11-22T10:00:00.000000Z", **paid)
    yield "new_1", begin("new", 1, registration="reg_1", **plain)
    yield "new_1", make.finished(0.8, samples=40, **paid)
    yield "new_2", begin("new", 2, **plain)
    yield "new_2", make.finished(0.9, samples=40, stderr=0.05, **paid)
    yield "new_3", begin("new", 2, **plain)
    yield "new_3", make.failed("exit_code", error="the provider said 429")
    yield "new_4", begin("new", 2, **plain)
    yield "new_4", make.failed("timeout")
    yield "old_1", begin("old", 1, **plain)
    yield "old_1", make.recovered(make.finished(0.3, samples=40, **paid))
    yield "mid_1", begin("mid", 1, **plain)
    yield "mid_1", make.finished(0.5, samples=40, usage={"cost": 1}, duration_seconds=1)
    yield "mid_1", Retracted(author="a", reason="r")
    yield "mid_1", Reinstated(author="a", reason="r")
    yield "gone_1", begin("mid", 1, **plain)
    yield "gone_1", make.finished(0.99, samples=40)
    yield "gone_1", Retracted(author="a", reason="r")
    yield "again_1", begin("mid", 1, reproduces="there_1", **plain)
    yield "again_1", make.finished(0.99, samples=40)
    yield "anew_1", begin("anew", 1, **plain)
    yield "anew_1", make.finished(0.2, samples=40, **paid)
    yield (
        "anew_1",
        Rescored(scorer=Scorer(name="s.py", sha256="5" * 64), score=0.4, unit="ratio", samples=40, author="a"),
    )
    row = {
        "benchmark_id": "b",
        "comparison_key": "c",
        "extra_config": {"seed": 1},
        "agent": "bare-model",
        "provider": "local",
        "model": "far",
        "status": "succeeded",
        "score": 0.7,
        "unit": "ratio",
        "higher_is_better": True,
        "samples": 10,
        "task_revision": {"digest": REVISION.digest},
    }
    yield "far_1", Imported(source=ImportSource("json", "x", "0" * 64), run=row)
    for model, times in (("new", (3.5, 3.75)), ("old", (9.25, 8.5))):
        for repeat, took in enumerate(times, 1):
            yield f"{model}_speed_{repeat}", begin(model, repeat, **speed)
            yield f"{model}_speed_{repeat}", make.finished(took, unit="s", higher_is_better=False, samples=None)


class Ledger:
    """The lines of a history, and documents of tables that are published after it, with proofs of each line."""

    def __init__(self, lines: list[bytes], rows: list[PublishedRow]) -> None:
        self.lines, self.rows = lines, rows

    def published(self, **changes: Any) -> TablePublished:
        fields: dict[str, Any] = {"author": "a", "name": "t", "version": 1, "rules": msgspec.to_builtins(RULES)}
        return TablePublished(**{**fields, "rows": self.rows, "position": len(self.lines), **changes})

    def document(self, published: TablePublished, withhold: tuple[str, ...] = ()) -> TableDocument:
        head = {"seq": len(self.lines) + 1, "id": "i", "at": "2026-11-23T10:00:00.000000Z", "version": 1}
        own = codec.encode(NewEvent("table_t", published), **head, prev=self.lines[-1][-66:-2].decode())[0].rstrip()
        leaves = [leaf_hash(bytes.fromhex(one)) for one in hashes_in([*self.lines, own])]

        @functools.cache
        def hash_of(level: int, index: int) -> bytes:
            if level == 0:
                return leaves[index]
            return node_hash(hash_of(level - 1, 2 * index), hash_of(level - 1, 2 * index + 1))

        def proof(seq: int) -> list[str]:
            return [encode64(one) for one in inclusion_proof(seq - 1, len(leaves), hash_of)]

        root = root_of(0, len(leaves), hash_of).hex()
        events, withheld = [], []
        for seq, line in enumerate(self.lines, 1):
            envelope = codec.read_envelope(line)
            if envelope.type in withhold:
                facts = {"seq": seq, "stream": envelope.stream, "type": envelope.type, "hash": line[-66:-2].decode()}
                withheld.append(WithheldLine(**facts, proof=proof(seq)))
            else:
                events.append(ProvenLine(line=line.decode(), proof=proof(seq)))
        return TableDocument(
            name=published.name,
            version=published.version,
            rows=published.rows,
            published=ProvenLine(line=own.decode(), proof=proof(len(leaves))),
            events=events,
            withheld=withheld,
            checkpoint=Checkpoint("example.org", len(leaves), root).note(),
        )


@pytest.fixture
def ledger(store, histories) -> Ledger:
    """A history with a table of it."""
    events = [NewEvent("rg_1", histories.opened()), *(NewEvent(run_id, event) for run_id, event in history(histories))]
    histories.append_anyway(store, events)
    lines = list(store.read_lines())
    with open_apart(store) as connection:
        selected = select_rows(connection, RULES, lambda seq: lines[seq - 1][-66:-2].decode())
    streams = {run.run_id for one in selected.rows for run in one.row.runs}
    assert len(selected.rows) == 7 and "gone_1" not in streams
    return Ledger(lines, [one.row for one in selected.rows])


@pytest.fixture
def both(browser, tmp_path) -> Iterator[Callable[[list[TableDocument]], list[Any]]]:
    """Checks documents in Python and in the browser, compares what they find, and returns it."""
    blank = tmp_path / "blank.html"
    blank.write_text("<!doctype html><title>blank</title>")
    page = browser.new_page()
    page.goto(blank.as_uri())
    page.add_script_tag(content=script_of(CHECK))
    ask = """async (texts) => Promise.all(texts.map(async (text) => {
        const { problems, unchecked, stated } = await check(JSON.parse(text));
        return { problems: problems.map(({ text, row }) => [text, row]), unchecked, stated: [...stated.keys()] };
    }))"""

    def compare(documents: list[TableDocument]) -> list[Any]:
        found = page.evaluate(ask, [msgspec.json.encode(one).decode() for one in documents])
        for document, shown in zip(documents, found, strict=True):
            checked = check_document(document)
            problems = [[readable(one.text), one.row] for one in checked.problems]
            assert problems == [[readable(text), row] for text, row in shown["problems"]]
            assert checked.unchecked[: len(shown["unchecked"])] == shown["unchecked"]
            assert checked.stated == sorted(shown["stated"])
        return found

    yield compare
    page.close()


def readable(text: str) -> str:
    """A problem without the words of a parser, which differ."""
    return text.partition("cannot be read: ")[0]


def other(value: Any) -> Any:
    """Another value of the same kind."""
    match value:
        case bool():
            return not value
        case None:
            return 1
        case int() | float():
            return value + 1 if isinstance(value, int) else value + 0.01
        case str():
            return value[:-1] + ("x" if value[-1:] != "x" else "y")
        case list():
            return [*value, value[-1]] if value else ["synthetic"]
    return {**value, "odd": 1}


def test_a_right_table_is_right_for_both(ledger, both):
    [found] = both([ledger.document(ledger.published())])
    assert found["problems"] == [] and found["stated"] == []
    shown = {(row.benchmark_id, row.model): row for row in ledger.rows}
    assert (shown["b", "new"].rank, shown["b", "new"].own_failures, shown["b", "new"].infrastructure_failures) == (
        1,
        1,
        1,
    )
    assert shown["speed", "new"].interval_method == "t" and shown["speed", "new"].rank == 1
    # A kind of doubtful runs that Python learns must be known to the page.
    assert [kind for kind in DOUBTFUL if f'"{kind}"' not in script_of(["runs"])] == []
    assert shown["b", "far"].doubts == ["imported"] and shown["b", "new"].interval_method == "wilson"


def test_a_false_figure_in_the_published_event_is_found_by_both(ledger, both):
    """The publisher states something else: the event is proven, and only the events of the runs show it."""
    cases: dict[str, Callable[[PublishedRow], PublishedRow]] = {
        name: lambda row, name=name: replace(row, **{name: other(getattr(row, name))})
        for name in PublishedRow.__struct_fields__
    }
    for name in ("score", "samples", "seq", "hash", "run_id"):
        cases[f"runs.{name}"] = lambda row, name=name: replace(
            row, runs=[replace(row.runs[0], **{name: other(getattr(row.runs[0], name))}), *row.runs[1:]]
        )
    cases["a run less"] = lambda row: replace(row, runs=row.runs[:-1])
    cases["a run twice"] = lambda row: replace(row, runs=[*row.runs, row.runs[-1]])
    cases["an attempt of another"] = lambda row: replace(row, attempt_ids=[*row.attempt_ids, "gone_1"])
    cases["a reproduction"] = lambda row: replace(row, attempt_ids=[*row.attempt_ids, "again_1"])
    documents = [ledger.document(ledger.published(rows=[*map(change, ledger.rows)])) for change in cases.values()]
    for name, found in zip(cases, both(documents), strict=True):
        assert {row for _, row in found["problems"]} == set(range(1, 8)), f"{name}: {found['problems']}"


def test_what_else_is_changed_is_found_by_both(ledger, both):
    right = ledger.document(ledger.published())
    fields = PublishedRow.__struct_fields__
    rows = [
        replace(right, rows=[replace(row, **{name: other(getattr(row, name))}) for row in right.rows])
        for name in fields
    ]
    rows.append(replace(right, rows=right.rows[:-1]))
    erratum = Erratum(kind="retracted", run_id="new_1", rows=[1], seq=1, at="", author="", reason="")
    reproduction = Reproduction(of="new_1", run_id="x", verdict="same", by="a", seq=1)
    changes: list[Callable[[ProvenLine], list[ProvenLine]]] = [
        lambda one: [replace(one, line=one.line.replace(":", ": ", 1))],
        lambda one: [replace(one, line=one.line[:-3] + "x" + one.line[-2:])],
        lambda one: [replace(one, proof=one.proof[:-1])],
        lambda one: [replace(one, proof=[encode64(bytes(32)), *one.proof[1:]])],
        lambda one: [],
    ]
    ends = [at for at, one in enumerate(right.events) if '"type":"finished"' in one.line]
    places = [*((at, changes[at % 4]) for at in range(len(right.events))), *zip(ends, changes[::-1], strict=False)]
    lines = [
        replace(right, events=[*right.events[:at], *change(right.events[at]), *right.events[at + 1 :]])
        for at, change in places
    ]
    note = right.checkpoint
    whole = [
        replace(right, name="u"),
        replace(right, version=2),
        replace(right, errata=[erratum]),
        replace(right, reproductions=[reproduction]),
        replace(right, checkpoint=note[:-4] + ("A" if note[-4] != "A" else "B") + note[-3:]),
        replace(right, checkpoint=note.replace(f"\n{len(ledger.lines) + 1}\n", "\n99\n")),
        replace(right, published=replace(right.published, line=right.published.line.replace('"t"', '"u"', 1))),
        ledger.document(ledger.published(position=3)),
        ledger.document(ledger.published(rules={})),
    ]
    for found in both([*rows, *lines, *whole]):
        assert found["problems"]


def test_a_row_of_two_campaigns_is_found_by_both_unless_an_older_version_published_it(ledger, both):
    [(seq, line)] = [
        (seq, line)
        for seq, line in enumerate(ledger.lines, 1)
        if b'"stream":"early_2"' in line and b'"finished"' in line
    ]
    early = PublishedRun(run_id="early_2", score=0.9, samples=40, seq=seq, hash=line[-66:-2].decode())
    rows = [replace(row, runs=[row.runs[0], early]) if row.attempts == 5 else row for row in ledger.rows]
    old = {name: value for name, value in msgspec.to_builtins(RULES).items() if name != "runs"}
    now, before = both(
        [ledger.document(ledger.published(rows=rows)), ledger.document(ledger.published(rows=rows, rules=old))]
    )
    assert ["several campaigns" in text for text, _ in now["problems"]] == [True]
    assert before["problems"] == []


def test_hostile_values_are_faults_and_no_crash(ledger):
    """A page whose publisher is an enemy: proven events with values that no honest program writes."""
    for change in (
        {"rules": {"include": 5, "runs": None}},
        {"rules": {"include": [5, {}]}, "position": 2**62},
        {"rows": [replace(row, runs=[], attempt_ids=["x"] * 3) for row in ledger.rows]},
        {"rows": [replace(row, score=1e308, low=-1e308, high=1e308) for row in ledger.rows]},
        {"rows": [], "name": "", "version": -1},
    ):
        check_document(ledger.document(ledger.published(**change)))


def test_events_in_another_order_hide_nothing(ledger, both):
    right = ledger.document(ledger.published())
    [found] = both([replace(right, events=right.events[::-1])])
    assert found["problems"] == []


def test_withheld_lines_leave_figures_that_are_only_stated(ledger, both):
    kinds = [*WITHHOLDABLE, "all"]
    of = [(tuple(WITHHOLDABLE) if kind == "all" else (kind,)) for kind in kinds]
    for kind, found in zip(kinds, both([ledger.document(ledger.published(), one) for one in of]), strict=True):
        assert found["problems"] == [], kind
        rows = {"started": 6, "finished": 5, "failed": 1, "recovered": 1, "imported": 1, "rescored": 1, "all": 7}
        assert len(found["stated"]) == rows.get(kind, 0), kind
    false = [replace(row, score=row.score + 0.01) for row in ledger.rows]
    hidden, open_, begun, moved = both(
        [
            ledger.document(ledger.published(rows=false), tuple(WITHHOLDABLE)),
            ledger.document(ledger.published(rows=false), ("failed",)),
            ledger.document(ledger.published(rows=false), ("started",)),
            replace(
                right := ledger.document(ledger.published(), ("finished",)),
                withheld=[replace(right.withheld[0], hash="0" * 64), *right.withheld[1:]],
            ),
        ]
    )
    assert not any("score" in text for text, _ in hidden["problems"]) and "stated" in " ".join(hidden["unchecked"])
    assert len({row for text, row in open_["problems"] if "score is" in text}) == 7
    assert len({row for text, row in begun["problems"] if "score is" in text}) == 7
    assert "not in the tree" in json.dumps(moved["problems"])
