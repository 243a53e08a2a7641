"""The dataset: what is best, what is latest, and what is never put together."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.ledger.events import HighScorePublished, Imported, ImportSource, NewEvent, Retracted
from benchmarks.ledger.history import History
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.projections.sqlite import viewer_data
from benchmarks.projections.sqlite.database import open_readonly, rebuild, refresh
from benchmarks.projections.sqlite.rows import group_row, run_row
from benchmarks.projections.sqlite.viewer_data import build_dataset, update_dataset, write_dataset


@pytest.fixture
def dataset(store, tmp_path):
    def build():
        rebuild(tmp_path / "db.sqlite", store)
        with open_readonly(tmp_path / "db.sqlite") as connection:
            return build_dataset(connection)

    return build


@pytest.fixture
def add(store, histories):
    def add(run_id, score, *, start=None, more=(), **end):
        events = [
            NewEvent(run_id, histories.started(run_id, **(start or {}))),
            NewEvent(run_id, histories.finished(score, **end)),
            *(NewEvent(run_id, event) for event in more),
        ]
        histories.append_anyway(store, events)

    return add


def test_best_follows_the_direction_of_the_score(add, dataset):
    for run_id, score in (("run_1", 9.0), ("run_2", 0.1), ("run_3", 4.0)):
        add(run_id, score, higher_is_better=False, unit="s")
    [row] = dataset()["benchmark_summary"]
    assert (row["best_score"], row["best_run_id"], row["runs"]) == (0.1, "run_2", 3)


def test_the_keys_are_the_contracts_and_then_ours(add, dataset):
    add("run_1", 0.5)
    contract = ["generated_at", "runs", "run_groups", "latest_scores", "benchmark_summary", "model_summary"]
    assert list(dataset())[:7] == [*contract, "agent_summary"]


def test_the_same_ledger_gives_the_same_document_to_the_byte(add, store, tmp_path):
    add("run_1", 0.5)
    add("run_2", 0.25)
    written = [write(store, tmp_path / name) for name in ("one", "two")]
    assert written[0] == written[1]


def test_an_empty_ledger_gives_an_empty_document(dataset):
    data = dataset()
    assert [data[key] for key in ("runs", "run_groups", "latest_scores", "benchmark_summary")] == [[], [], [], []]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ({"start": {"comparison_key": "limited to one task"}}, {}),
        ({"unit": "seconds"}, {}),
        ({"higher_is_better": False}, {}),
    ],
)
def test_the_best_is_only_sought_among_what_can_be_compared_with_the_newest(add, dataset, older, newer):
    add("run_old", 1.0, **older)
    add("run_full", 0.6, **newer)
    add("run_new", 0.5, **newer)
    [row] = dataset()["benchmark_summary"]
    assert (row["best_run_id"], row["best_score"], row["unit"], row["runs"]) == ("run_full", 0.6, "ratio", 3)


def test_the_unit_is_that_of_the_best_score_also_where_the_latest_run_has_another(add, dataset, store, histories):
    add("run_1", 0.5)
    histories.append_anyway(store, [NewEvent("run_2", histories.started("f"))])
    histories.append_anyway(store, [NewEvent("run_2", histories.failed(unit="dollars"))])
    [row] = dataset()["benchmark_summary"]
    assert (row["best_score"], row["unit"], row["latest_run_id"]) == (0.5, "ratio", "run_2")


def test_what_is_synthetic_retracted_imported_or_failed_is_no_record(add, dataset, store, histories):
    add("run_real", 0.25)
    add("run_synthetic", 1.0, synthetic=True)
    add("run_retracted", 0.9, more=[Retracted(author="a", reason="wrong")])
    source = ImportSource("json", "x.json", "0" * 64)
    row = {"benchmark_id": "b", "status": "succeeded", "score": 0.95, "unit": "ratio", "higher_is_better": True}
    histories.append_anyway(store, [NewEvent("run_imported", Imported(source=source, run=row))])
    histories.append_anyway(store, [NewEvent("run_failed", histories.started("f"))])
    histories.append_anyway(store, [NewEvent("run_failed", histories.failed(score=0.99))])
    data = dataset()
    assert data["benchmark_summary"][0]["best_run_id"] == "run_real"
    assert {row["model_key"]: row["best_score"] for row in data["model_summary"]} == {"local:m": 0.25, ":": None}
    assert "run_retracted" not in {row["run_id"] for row in data["latest_scores"]}
    assert len(data["runs"]) == 5, "all of them stay to be seen"


def test_units_are_never_averaged_together(add, dataset):
    add("run_1", 0.5)
    add("run_2", 0.7)
    [row] = dataset()["agent_summary"]
    assert (row["average_score"], row["best_score"], row["unit"]) == (pytest.approx(0.6), 0.7, "ratio")
    add("run_3", 4694.0, unit="dollars", start={"benchmark_id": "vending"})
    [row] = dataset()["agent_summary"]
    assert (row["average_score"], row["best_score"], row["unit"], row["runs"]) == (None, None, None, 3)


def test_latest_is_the_newest_score_of_each_benchmark_agent_provider_and_model(add, dataset):
    add("run_1", 0.5)
    add("run_2", 0.4)
    add("run_3", 0.9, start={"model": "other"})
    assert [(row["run_id"], row["model"]) for row in dataset()["latest_scores"]] == [("run_2", "m"), ("run_3", "other")]


def test_no_run_is_left_out_however_many_there_are(store, histories, dataset):
    events = [NewEvent(f"run_{number}", histories.started(str(number))) for number in range(10_500)]
    histories.append_anyway(store, events)
    data = dataset()
    assert len(data["runs"]) == 10_500
    assert data["runs"][0]["run_id"] == "run_10499"


def test_published_references_stand_in_their_order(store, histories, dataset):
    published = [HighScorePublished(label=label, value=value, source="s") for label, value in (("a", 0.5), ("b", 0.6))]
    histories.append_anyway(store, [NewEvent("b", event) for event in published])
    assert [(row["benchmark_id"], row["label"], row["value"]) for row in dataset()["high_scores"]] == [
        ("b", "a", 0.5),
        ("b", "b", 0.6),
    ]


def write(store, folder):
    """The bytes of the document, built anew."""
    folder.mkdir(exist_ok=True)
    rebuild(folder / "db.sqlite", store)
    with open_readonly(folder / "db.sqlite") as connection:
        write_dataset(connection, folder / "viewer_data.json")
    return (folder / "viewer_data.json").read_bytes()


def update(store, folder):
    """The bytes of the document after it has followed the ledger."""
    folder.mkdir(exist_ok=True)
    refresh(folder / "db.sqlite", store)
    with open_readonly(folder / "db.sqlite") as connection:
        update_dataset(connection, folder / "viewer_data.json", store)
    return (folder / "viewer_data.json").read_bytes()


def test_a_document_is_written_whole_or_not_at_all(add, store, tmp_path, monkeypatch):
    add("run_1", 0.5)
    before = write(store, tmp_path)
    assert json.loads(before)["runs"][0]["score"] == 0.5
    add("run_2", 0.75)
    monkeypatch.setattr(viewer_data, "Summaries", None)  # It breaks when most of it is written.
    with pytest.raises(TypeError):
        write(store, tmp_path)
    with pytest.raises(TypeError):
        update(store, tmp_path)
    assert (tmp_path / "viewer_data.json").read_bytes() == before
    assert [file.name for file in tmp_path.glob("viewer_data*")] == ["viewer_data.json"]


@pytest.mark.slow
@settings(max_examples=settings.default.max_examples // 2)  # Each takes long.
@given(data=st.data())
def test_following_in_pieces_and_writing_anew_give_the_same_bytes(histories, data):
    events = data.draw(histories.events())
    cuts = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=6)))
    with TemporaryDirectory() as folder:
        store = JsonlStore(Path(folder) / "ledger", notice=print)
        for begin, end in zip([0, *cuts], [*cuts, len(events)], strict=True):
            histories.append_anyway(store, events[begin:end])
            followed = update(store, Path(folder) / "followed")
        assert followed == write(store, Path(folder) / "built")
        history = History().read(store.read())
        store.close()
    document = json.loads(followed)
    newest_first = sorted(history.runs.values(), key=lambda run: (run.started_at, run.first_seq), reverse=True)
    assert document["runs"] == [run_row(run) for run in newest_first]
    assert document["run_groups"] == [group_row(group) for group in list(history.groups.values())[::-1]]


def test_only_the_lines_that_changed_are_made_anew(add, store, histories, tmp_path, monkeypatch):
    for number in range(50):
        add(f"run_{number}", number / 50)
    update(store, tmp_path)
    made = []
    encode = viewer_data._RUNS.encode

    def watched(rows):
        rows = list(rows)
        made.extend(row[0] for row in rows)
        return encode(rows)

    monkeypatch.setattr(viewer_data._RUNS, "encode", watched)
    for run_id in ("run_0", "run_20", "run_21", "run_49"):
        histories.append_anyway(store, [NewEvent(run_id, Retracted(author="a", reason="wrong"))])
    add("run_new", 0.1)
    followed = update(store, tmp_path)
    assert made == ["run_new", "run_49", "run_21", "run_20", "run_0", "run_new"], "the last one as the latest score"
    assert followed == write(store, tmp_path / "built")


def test_where_nothing_happened_nothing_is_written(add, store, tmp_path):
    add("run_1", 0.5)
    update(store, tmp_path)
    before = (tmp_path / "viewer_data.json").stat()
    update(store, tmp_path)
    assert (tmp_path / "viewer_data.json").stat() == before


def test_a_run_whose_name_stands_in_other_runs_texts_is_not_mistaken_for_it(add, store, histories, tmp_path):
    add("run_1", 0.5)
    add("run_2", 0.5, metrics={"line": '\n{"run_id":"run_1",', "run_id": "run_1"})
    add('run_"3', 0.5)
    update(store, tmp_path)
    for run_id in ("run_1", 'run_"3'):
        histories.append_anyway(store, [NewEvent(run_id, Retracted(author="a", reason="wrong"))])
    assert update(store, tmp_path) == write(store, tmp_path / "built")


@pytest.mark.parametrize("rubbish", [b"", b"{}", b"no document", b'{"generated_at":"","runs":[]}'])
def test_a_file_that_is_no_document_of_this_version_is_written_anew(add, store, tmp_path, rubbish):
    add("run_1", 0.5)
    (tmp_path / "viewer_data.json").write_bytes(rubbish)
    assert update(store, tmp_path) == write(store, tmp_path / "built")


def test_a_document_of_another_history_is_written_anew(add, store, histories, tmp_path):
    other = JsonlStore(tmp_path / "other", notice=print)
    for number in range(9):
        histories.append_anyway(other, [NewEvent(f"run_{number}", histories.started(f"s{number}"))])
    update(other, tmp_path)
    add("run_1", 0.5)
    assert update(store, tmp_path) == write(store, tmp_path / "built")


def test_calibrations_and_synthetic_runs_stand_apart_from_the_latest_scores(add, dataset):
    add("run_real", 0.4)
    for player, score in {"perfect": 1.0, "half_v1": 0.5, "wrong": 0.0}.items():
        add(f"run_{player}", score, start={"agent": player}, synthetic=True)
    add("run_mock", 0.9, start={"model": "mock"}, synthetic=True)
    document = dataset()
    assert [row["run_id"] for row in document["latest_scores"]] == ["run_real"]
    [row] = document["calibration_summary"]
    assert row["scores"] == {"perfect_v1": 1.0, "wrong_v1": 0.0, "half_v1": 0.5, "random_v1": None}
    assert row["statuses"]["perfect_v1"] == "succeeded" and row["complete"] is False
    add("run_random", 0.3, start={"agent": "random"}, synthetic=True)
    assert dataset()["calibration_summary"][0]["complete"] is True
