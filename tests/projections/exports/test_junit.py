"""JUnit XML of runs: what CI servers count, and nothing that XML can't hold."""

from __future__ import annotations

from xml.etree import ElementTree

from benchmarks.projections.exports.junit import runs_report


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
    assert failed.find("failure").get("type") == "timeout" and "bad ?[31m byte ? <&>" in failed.find("failure").text
    assert error.find("error").text == "no wheel"
    assert running.find("skipped").get("message") == "running" and retracted.find("skipped") is not None
    assert retracted.find("properties") is None, "a retracted score is no score"
