"""JUnit XML: what CI servers show as tests."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ..check import Check

_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def check_report(check: Check) -> bytes:
    """A check as a test suite with a case for each score: worse is a failure, without a baseline it is skipped."""
    suite = Element(
        "testsuite",
        name=f"{check.checked} against {check.baseline}",
        tests=str(len(check.scores)),
        failures=str(sum(score.result in ("worse", "failed") for score in check.scores)),
        skipped=str(sum(score.result == "no baseline" for score in check.scores)),
        errors="0",
    )
    for score in check.scores:
        name = f"{score.agent} with {score.provider}:{score.model}"
        case = SubElement(suite, "testcase", classname=score.task.benchmark_id, name=clean(name))
        if score.result == "no baseline":
            SubElement(case, "skipped", message=clean(score.reason))
        elif score.result != "ok":
            failure = SubElement(case, "failure", type=score.result, message=clean(score.reason))
            if score.score and score.baseline and score.allowed is not None:
                failure.text = (
                    f"score {score.score.mean:.6g}, baseline {score.baseline.mean:.6g}, "
                    f"worse by {score.drop:.6g}, allowed {score.allowed:.6g} {score.task.unit}\n"
                    f"runs: {', '.join(score.run_ids)}; baseline: {', '.join(score.baseline.run_ids)}"
                )
    return document(suite)


def document(*suites: Element) -> bytes:
    """The suites as one XML document."""
    root = Element("testsuites")
    root.extend(suites)
    indent(root)
    content: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def clean(text: str) -> str:
    """Text without what XML 1.0 can't hold, such as control characters (section 2.2 of its specification)."""
    return _NO_XML.sub("?", text)
