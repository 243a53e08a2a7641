"""JUnit XML of runs: what CI servers count, and nothing that XML can't hold."""

from __future__ import annotations

from xml.etree import ElementTree

from benchmarks.projections.render.exports.junit import check_report, runs_report
from benchmarks.projections.scores.check import check
from benchmarks.projections.scores.samples import SampleScores


def test_a_suite_for_each_benchmark_and_a_case_for_each_run(make_run):
    runs = [
        make_run(0.5, stderr=0.1, duration_seconds=1.5),
        make_run(None, status="failed", reason="timeout", error="bad \x1b[31m byte \ud800 <&>"),
        make_run(None, status="failed", reason="environment", error="no wheel"),
        make_run(None, status="running"),
        make_run(0.9, doubt="retracted"),
        make_run(0.5, benchmark_id="a"),
    ]
    a, b = ElementTree.fromstring(runs_report(runs)).findall("testsuite")
    assert (a.get("name"), a.get("tests")) == ("a", "1")
    assert {name: b.get(name) for name in ("tests", "failures", "errors", "skipped", "time")} == {
        "tests": "5",
        "failures": "1",
        "errors": "1",
        "skipped": "2",
        "time": "1.500",
    }
    good, failed, error, running, retracted = b.findall("testcase")
    assert [p.get("value") for p in good.iter("property") if p.get("name") == "score"] == ["0.5"]
    assert (
        failed.find("failure").get("type") == "timeout"
        and r"bad \u001b[31m byte \ud800 <&>" in failed.find("failure").text
    )
    assert error.find("error").text == "no wheel"
    assert running.find("skipped").get("message") == "running" and retracted.find("skipped") is not None
    assert retracted.find("properties") is None, "a retracted score is left out"


def test_each_score_of_a_check_is_a_case_of_its_own(make_run):
    runs = [make_run(0.5, comparison_key=key, extra_config={"n": n}) for key, n in (("k1", 10), ("k2", 164))]
    checked = check(
        runs, lambda some: some.runs, lambda _: SampleScores(), checked="model a\x1b[31m", against="itself \ud800"
    )
    [suite] = ElementTree.fromstring(check_report(checked)).findall("testsuite")
    assert suite.get("name") == r"model a\u001b[31m against itself \ud800"
    names = [case.get("name") for case in suite.findall("testcase")]
    assert names == ["bare-model with local:m (n=10)", "bare-model with local:m (n=164)"]
