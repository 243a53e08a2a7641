"""What BFCL leaves of one category: a file of answers, and a file of scores."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..suitekit.command import SuiteError
from ..suitekit.report import standard_error

_NO_ANSWER = "Error during inference"


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON-lines file; BFCL ends such names with `.json`."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def summarize(scores: Iterable[Mapping[str, Any]], answers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The accuracy of a category: the first line of the scores has the total, the others the cases that failed.

    BFCL writes a call that failed as an answer, and scores it: here it is an error. Raises SuiteError.
    """
    head, *failed = scores
    answers = list(answers)
    unanswered = [str(row.get("result")) for row in answers if str(row.get("result", "")).startswith(_NO_ANSWER)]
    if unanswered:
        raise SuiteError(f"{len(unanswered)} of {len(answers)} questions could not be asked: {unanswered[0][:300]}")
    total, correct = int(head["total_count"]), int(head["correct_count"])
    if total != len(answers):
        raise SuiteError(f"{total} cases were scored, and {len(answers)} were asked")
    kinds = [str(row.get("error_type")) for row in failed]
    return {
        "score": float(head["accuracy"]),
        "score_stderr": standard_error([1.0] * correct + [0.0] * (total - correct)),
        "n": total,
        "correct": correct,
        "error_types": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "usage": {
            "input_tokens": _total([row.get("input_token_count") for row in answers]),
            "output_tokens": _total([row.get("output_token_count") for row in answers]),
            "calls": len(answers),
        },
    }


def _total(counts: Any) -> int | None:
    """A count, or of several turns and steps the lists of theirs. None if one of them is unknown."""
    if isinstance(counts, list):
        parts = [_total(count) for count in counts]
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None
    is_count = isinstance(counts, int | float) and not isinstance(counts, bool) and 0 <= counts < 2**40
    return int(counts) if is_count else None
