"""Reports: what they say, that they need nothing else, and that nothing in them can do harm."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import msgspec
import pytest

from benchmarks.projections.render.report.content import MAX_CHARTS, Report, build_report
from benchmarks.projections.render.report.drawing import draw_png, draw_svg
from benchmarks.projections.render.report.layout import html_page, markdown_page
from benchmarks.projections.scores.high_scores import HighScore
from benchmarks.projections.scores.samples import SampleScores
from benchmarks.projections.sqlite.database import State

EVIL = '<script>alert(1)</script>"\'&|`id="x"'
HEAD = State(12, "f" * 64, "2026-11-23T10:00:00.000000Z")


def report_of(runs, history=None, **changes):
    return build_report(
        runs,
        title="Report",
        scope="the whole history",
        history=history or runs,
        high_scores=changes.pop("high_scores", {}),
        head=HEAD,
        read_samples=lambda run: SampleScores(problem="none"),
        **changes,
    )


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.ids, self.links, self.text = [], [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            assert not name.startswith("on"), f"<{tag} {name}>"
            if name in ("src", "href", "xlink:href") and not value.startswith("#"):
                self.links.append(value)

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def report(make_run):
    reference = HighScore(
        benchmark_id="b", label=EVIL, value=0.9, unit="ratio", higher_is_better=True, source="s", date=None,
        author=None, published_at="",
    )  # fmt: skip
    runs = [
        make_run(0.8, run_group_id="rg_1", stderr=0.02, samples=50),
        make_run(0.6, run_group_id="rg_2", stderr=0.02, samples=50),
        make_run(0.7, run_group_id="rg_2", model=EVIL, agent=EVIL),
        make_run(30.0, benchmark_id="slow", unit="seconds", higher_is_better=False, extra_config={EVIL: EVIL}),
        make_run(None, status="failed", reason="timeout", benchmark_id=EVIL, error=EVIL),
    ]
    return report_of(runs, high_scores={"b": reference})


def test_a_report_says_what_is_best_what_got_worse_and_what_failed(report):
    assert [(standing.model, standing.rank) for standing in report.standings][:2] == [(EVIL, 1), ("m", 2)]
    assert [score.value for score in report.high_scores] == [0.9]
    assert report.statuses == {"failed": 1, "succeeded": 4}
    assert [(score.result, score.drop) for score in report.check.scores] == [("worse", pytest.approx(0.2))]
    assert [(failure.reason, failure.runs) for failure in report.failures] == [("timeout", 1)]
    assert [chart.name.split("-")[0] for chart in report.charts] == ["scores", "scores", "history"]
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


def test_the_page_needs_nothing_and_does_nothing(report):
    page = Page(html_page(report))
    assert "script" not in page.tags and page.links == []
    assert "default-src 'none'" in html_page(report)
    assert page.tags.count("svg") == 3 == page.tags.count("figure")
    assert len(page.ids) == len(set(page.ids)), "ids of one chart must not mean another"
    assert "alert(1)" in page.text and "worse" in page.text and HEAD.head_hash in page.text


def test_the_page_is_the_same_every_time(report):
    assert html_page(report) == html_page(report)


def test_a_chart_refers_to_its_own_parts():
    position = {"field": "a", "type": "quantitative"}
    mark = {"type": "point", "clip": True}
    spec = {"data": {"values": [{"a": 1}]}, "mark": mark, "encoding": {"x": position, "y": position}}
    drawn = draw_svg(spec, prefix="c9-")
    referred = re.findall(r"url\(#([^)]+)\)", drawn)
    assert referred and referred == re.findall(r'\bid="([^"]+)"', drawn)
    assert all(name.startswith("c9-") for name in referred)


def test_charts_are_drawn_with_their_values_and_the_reference(make_run):
    reference = HighScore(
        benchmark_id="b", label="somebody", value=0.9, unit="ratio", higher_is_better=True, source="s", date=None,
        author=None, published_at="",
    )  # fmt: skip
    runs = [make_run(0.5, stderr=0.1), make_run(0.25, model="other")]
    [chart] = report_of(runs, high_scores={"b": reference}).charts
    drawn = draw_svg(chart.spec)
    for text in ("m (local), bare-model", "other (local), bare-model", "somebody", "ratio"):
        assert text in drawn
    # One interval, for the one score whose error is known; and the line of the reference.
    assert drawn.count('aria-roledescription="rule mark"') == 2
    assert draw_png(chart.spec)[:8] == b"\x89PNG\r\n\x1a\n"
    assert "m (local), bare-model: 0.500" in chart.description


def test_markdown_has_the_same_tables_without_markup_of_others(report):
    page = markdown_page(report)
    assert (
        "## Leaderboard" in page
        and "## High scores" in page
        and "## What got worse" in page
        and "## What failed" in page
    )
    assert "<script>" not in page and HEAD.head_hash in page
    tables = [line for line in page.splitlines() if line.startswith("|")]
    assert all(len(re.findall(r"(?<!\\)\|", line)) == len(re.findall(r"(?<!\\)\|", tables[0])) for line in tables[:4])


def test_an_empty_history_makes_a_report_too():
    report = report_of([])
    assert (report.standings, report.charts, report.check, report.failures) == ([], [], None, [])
    assert "No score counts yet." in html_page(report) and "no runs" in markdown_page(report)


def test_there_is_room_for_so_many_charts(make_run):
    report = report_of([make_run(0.5, benchmark_id=f"b{number}") for number in range(MAX_CHARTS + 3)])
    assert (len(report.charts), report.charts_left_out) == (MAX_CHARTS, 3)
    assert report.charts[0].title == f"b{MAX_CHARTS + 2}", "the newest first"


def test_the_baseline_of_a_part_is_the_whole_history(make_run):
    before, now = make_run(0.9, run_group_id="rg_1"), make_run(0.5, run_group_id="rg_2")
    [score] = report_of([now], history=[before, now]).check.scores
    assert (score.result, score.baseline.mean) == ("worse", 0.9)


def test_a_name_with_control_characters_is_drawn(make_run):
    """The library that draws ends the whole process at an SVG that is not XML."""
    runs = [make_run(0.1, agent="\x1b[31ma\x00"), make_run(0.2, agent="\x1b[31ma\x00", run_group_id="rg_2")]
    for chart in report_of(runs).charts:
        ElementTree.fromstring(draw_svg(chart.spec))
        assert draw_png(chart.spec).startswith(b"\x89PNG")
