"""JUnit XML: what CI servers show as tests; for runs, and for a check of their scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ....ledger.fold import Run
from ...scores.check import Check
from ...scores.uncertainty import uncertainty
from ..text import format_options, xml_text

_NEVER_RAN = ("start", "environment", "workspace", "orchestrator_lost")


def check_report(check: Check) -> bytes:
    """A check as a test suite with a case for each score: worse is a failure, without a baseline it is skipped."""
    suite = Element(
        "testsuite",
        name=xml_text(f"{check.checked} against {check.baseline}"),
        tests=str(len(check.scores)),
        failures=str(sum(score.result in ("worse", "failed") for score in check.scores)),
        skipped=str(sum(score.result in ("no baseline", "shaky") for score in check.scores)),
        errors="0",
    )
    for score in check.scores:
        options = f" ({format_options(score.task_options)})" if score.task_options else ""
        name = f"{score.agent} with {score.provider}:{score.model}{options}"
        case = SubElement(suite, "testcase", classname=xml_text(score.task.benchmark_id), name=xml_text(name))
        if score.result in ("no baseline", "shaky"):
            SubElement(case, "skipped", message=xml_text(score.reason))
        elif score.result != "ok":
            failure = SubElement(case, "failure", type=score.result, message=xml_text(score.reason))
            if score.score and score.baseline and score.allowed is not None:
                failure.text = (
                    f"score {score.score.mean:.6g}, baseline {score.baseline.mean:.6g}, "
                    f"worse by {score.drop:.6g}, allowed {score.allowed:.6g} {score.task.unit}\n"
                    f"runs: {', '.join(score.run_ids)}; baseline: {', '.join(score.baseline.run_ids)}"
                )
    return document(suite)


def runs_report(runs: Iterable[Run]) -> bytes:
    """Runs as tests: a suite for each benchmark, a case for each run with its score as a property.

    What failed is a failure, what could not even start an error, and what is under way is skipped.
    """
    by_benchmark: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_benchmark[run.benchmark_id].append(run)
    return document(*(_suite(benchmark_id, by_benchmark[benchmark_id]) for benchmark_id in sorted(by_benchmark)))


def _suite(benchmark_id: str, runs: list[Run]) -> Element:
    suite = Element(
        "testsuite",
        name=xml_text(benchmark_id),
        tests=str(len(runs)),
        failures=str(sum(_ending(run) == "failure" for run in runs)),
        errors=str(sum(_ending(run) == "error" for run in runs)),
        skipped=str(sum(_ending(run) == "skipped" for run in runs)),
        time=f"{sum(run.duration_seconds or 0 for run in runs):.3f}",
    )
    for run in runs:
        name = f"{run.agent} with {run.provider}:{run.model} ({run.run_id})"
        case = SubElement(suite, "testcase", classname=xml_text(benchmark_id), name=xml_text(name))
        case.set("time", f"{run.duration_seconds or 0:.3f}")
        if run.is_success and run.score is not None:
            properties = SubElement(case, "properties")
            found = uncertainty([run])
            sureness = {"stderr": found.stderr, "score_low": found.low, "score_high": found.high}
            names = ("score", "unit", "samples", "high_score_value", "delta_to_high_score")
            for key, value in ({name: getattr(run, name) for name in names} | sureness).items():
                if value is not None:
                    SubElement(properties, "property", name=key, value=xml_text(str(value)))
        ending = _ending(run)
        if ending == "skipped":
            SubElement(case, "skipped", message=run.status if run.retracted is None else "retracted")
        elif ending:
            problem = SubElement(
                case, ending, type=xml_text(run.reason or run.status), message=xml_text(run.reason or "")
            )
            problem.text = xml_text(run.error or "")
    return suite


def _ending(run: Run) -> str:
    """The element that says how a run ended; empty where it is well."""
    if run.status == "running" or run.retracted is not None:
        return "skipped"
    if run.status == "succeeded":
        return ""
    return "error" if run.reason in _NEVER_RAN else "failure"


def document(*suites: Element) -> bytes:
    """The suites as one XML document."""
    root = Element("testsuites")
    root.extend(suites)
    indent(root)
    content: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"
