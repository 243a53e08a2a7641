"""What every error has in common: a message, a hint on a line of its own, and an exit code."""

from __future__ import annotations

import pytest

from benchmarks.ledger.errors import ExpectedError, LedgerDamaged, LedgerMoved, OutcomeUnknown
from benchmarks.ledger.suggestions import did_you_mean, nearest
from benchmarks.orchestrator.errors import UsageError
from benchmarks.projections.analytics.sandbox import QueryError
from benchmarks.projections.scores.selection import SelectionError
from benchmarks.projections.sqlite.keeping import ProjectionError


def test_a_hint_is_on_a_line_of_its_own() -> None:
    assert str(UsageError("unknown benchmark 'x'", "did you mean y?")) == "unknown benchmark 'x'\nhint: did you mean y?"
    assert str(UsageError("the file is empty")) == "the file is empty"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LedgerDamaged, 3),
        (LedgerMoved, 3),
        (OutcomeUnknown, 1),
        (UsageError, 2),
        (QueryError, 2),
        (SelectionError, 2),
        (ProjectionError, 2),
    ],
)
def test_every_kind_of_error_has_its_exit_code(error: type[ExpectedError], code: int) -> None:
    assert issubclass(error, ExpectedError) and error.exit_code == code


def test_the_nearest_name_ignores_case_and_dashes() -> None:
    assert nearest("Context-Recal", ["context_recall", "other"]) == ["context_recall"]
    assert nearest("zzz", ["context_recall"]) == []
    assert nearest("run_1", ["run_11", "run_12", "other"], limit=3) == ["run_12", "run_11"]


def test_the_hint_for_an_unknown_name_lists_the_known_ones_if_they_are_few() -> None:
    assert did_you_mean("sed", ["seed", "limit"]) == "did you mean seed?"
    assert did_you_mean("x", ["seed", "limit"]) == "known: seed, limit"
    assert did_you_mean("x", ["seed", "limit"], "benchmarks list shows them") == "benchmarks list shows them"
    assert did_you_mean("x", map(str, range(100))) == "" == did_you_mean("x", [])
