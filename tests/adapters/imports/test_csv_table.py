"""CSV: what a cell says is read as that, or reported."""

from __future__ import annotations

import pytest

from benchmarks.adapters.imports.found import UnreadableResult

HEAD = "benchmark,model,score"


def test_names_of_any_letters_are_benchmarks_of_their_own(find, data):
    runs = find(data / "names.csv").runs
    assert len({run.benchmark_id for run in runs}) == 4
    assert [run.options["benchmark_name"] for run in runs] == ["数学推理", "历史知识", "C++", "C#"]


@pytest.mark.parametrize(
    ("cell", "at"),
    [
        ("20261123", "2026-11-23"),
        ("2026-11-23", "2026-11-23"),
        ("1795466188", "2026-11-23"),
        ("1795466188000", "2026-11-23"),
    ],
)
def test_a_time_is_a_time(only, table, cell, at):
    assert only(table(f"{HEAD},started_at\nx,m,1,{cell}\n")).started_at.startswith(at)
    assert only(table(f"{HEAD},date\nx,m,1,{cell}\n")).started_at.startswith(at), "also in a column called date"


@pytest.mark.parametrize("column", ["started_at", "ended_at"])
@pytest.mark.parametrize("cell", ["1_000", "12345", "soon", "23/11/2026", "1e9", "true"])
def test_what_is_not_a_time_is_reported(only, table, column, cell):
    with pytest.raises(UnreadableResult, match=rf"line 2: {column} is '.*', not a time such as"):
        only(table(f"{HEAD},{column}\nx,m,1,{cell}\n"))


def test_a_column_called_date_that_holds_no_times_is_left_alone(only, table):
    assert not (only(table(f"{HEAD},date\nx,m,1,last week\n")).started_at or "").startswith("20261")


@pytest.mark.parametrize("cell", ["1_000", "0x10", "nan", "inf", "true", "１２", "--1", "1e999"])
def test_a_score_in_other_digits_is_reported(only, table, cell):
    with pytest.raises(UnreadableResult, match=r"line 2: the score '.*' is not a number"):
        only(table(f"{HEAD}\nx,m,{cell}\n"))


def test_a_decimal_comma_is_reported_as_one(only, table):
    with pytest.raises(UnreadableResult, match="the score '1,5' is not a number; a decimal point is wanted"):
        only(table(f'{HEAD}\nx,m,"1,5"\n'))


@pytest.mark.parametrize(("cell", "value"), [("1e3", 1000), (" 5 ", 5), ("007", 7), ("+0.5", 0.5), (".5", 0.5)])
def test_a_score_in_plain_digits_is_one(only, table, cell, value):
    assert only(table(f"{HEAD}\nx,m,{cell}\n")).score == value


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        *[("5", 5), ("0.5", 0.5), ("-3", -3)],
        *[(text, text) for text in ("007", "1.10", "1e5", "1_000", "true", "nan", "12345678901234567890")],
    ],
)
def test_an_option_is_a_number_only_as_json_writes_it(only, table, cell, value):
    run = only(table(f"{HEAD},config.x\nx,m,1,{cell}\n"))
    assert run.options["x"] == value and type(run.options["x"]) is type(value)


@pytest.mark.parametrize("column", ["samples", "input_tokens"])
@pytest.mark.parametrize("cell", ["1_000", "-1", "2.5", "many"])
def test_a_count_is_a_whole_number(only, table, column, cell):
    with pytest.raises(UnreadableResult, match=f"{column} is '{cell}', not a whole number"):
        only(table(f"{HEAD},{column}\nx,m,1,{cell}\n"))


def test_lines_of_different_metrics_are_different_tasks(find, table):
    path = table(f"{HEAD},metric\nx,m,0.5,acc\nx,m,12.5,word_perplexity\nx,m,0.25,f1\n")
    runs = find(path).runs
    assert [(run.options["metric"], run.unit, run.higher_is_better) for run in runs] == [
        ("acc", "ratio", True),
        ("word_perplexity", "word_perplexity", False),
        ("f1", "ratio", True),
    ]
    assert [run.score for run in find(path, metric="f1").runs] == [0.25]
    with pytest.raises(UnreadableResult, match="no line of the metric bleu; known: acc, f1, word_perplexity"):
        find(path, metric="bleu")


def test_an_unread_column_that_alone_distinguishes_lines_is_reported(find, table):
    findings = find(table(f"{HEAD},subset,note\nx,m,0.5,easy,a\nx,m,0.25,hard,a\ny,m,0.5,easy,b\n"))
    assert len(findings.runs) == 3
    [reported] = findings.remarks
    assert (
        reported.startswith("column subset: some lines differ in it alone") and "--map config.subset=subset" in reported
    )
    assert find(table(f"{HEAD},config.subset\nx,m,0.5,easy\nx,m,0.25,hard\n")).remarks == []


def test_two_lines_that_are_alike_are_two_runs(find, table):
    runs = find(table(f"{HEAD}\nx,m,0.5\nx,m,0.5\n")).runs
    assert len({run.name for run in runs}) == 2


def test_a_unit_of_time_or_loss_is_better_the_lower(find, table):
    runs = find(table(f"{HEAD},unit\nx,m,2,s\nx,m,2,latency_ms\nx,m,2,loss\nx,m,2,points\n")).runs
    assert [run.higher_is_better for run in runs] == [False, False, False, True]


def test_a_negative_standard_error_is_none_and_a_cost_is_usage(only, table):
    run = only(table(f"{HEAD},stderr,cost_usd,cached_tokens\nx,m,1,-1,0.25,7\n"))
    assert run.stderr is None and run.usage == {"cost_usd": 0.25, "cached_tokens": 7}


def test_a_byte_order_mark_is_not_a_part_of_the_first_column_and_utf_16_is_reported(only, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(f"{HEAD}\nx,m,1\n", encoding="utf-8-sig")
    assert only(path).score == 1
    path.write_text(f"{HEAD}\nx,m,1\n", encoding="utf-16")
    with pytest.raises(UnreadableResult, match="is not CSV"):
        only(path)


def test_names_of_three_hundred_letters_stay_apart(find, table):
    runs = find(table(f"{HEAD}\n{'x' * 300},m,1\n{'x' * 299}y,{'m' * 300},1\n")).runs
    assert len({run.benchmark_id for run in runs}) == 2 and runs[1].model == "m" * 300


def test_a_column_called_date_that_is_not_read_is_reported(find, table):
    found = find(table(f"{HEAD},date\nx,m,1,2026-11-23\nx,n,1,11/23/2026\n"))
    assert found.remarks == [
        "column date: line 3 has '11/23/2026', which is not a time such as 2026-11-23; the column is not read"
    ]
    assert not any((run.started_at or "").startswith("2026-11-23T00:00:00") for run in found.runs)
    some = find(table(f"{HEAD},date\nx,m,1,2026-11-23\nx,n,1,\n"))
    assert some.remarks == [] and some.runs[0].started_at == "2026-11-23T00:00:00.000000Z"


@pytest.mark.parametrize("column", ["duration_seconds", "cost_usd"])
def test_a_duration_and_a_cost_are_not_negative(only, table, column):
    with pytest.raises(UnreadableResult, match=rf"line 2: {column} is '-1', not a number from 0"):
        only(table(f"{HEAD},{column}\nx,m,1,-1\n"))


def test_a_run_that_ended_before_it_started_is_reported(only, table):
    with pytest.raises(UnreadableResult, match="line 2: ended_at 2026-01-01 is before started_at 2026-01-02"):
        only(table(f"{HEAD},started_at,ended_at\nx,m,1,2026-01-02,2026-01-01\n"))
