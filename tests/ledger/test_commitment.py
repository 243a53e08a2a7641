"""The end of a run is reported by its owner or proven by its benchmark's shell, and by no other process."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.ledger.commitment import is_from_owner, is_from_shell, new_secrets
from benchmarks.ledger.errors import ImpossibleTransition
from benchmarks.ledger.ledger import Ledger
from tests.conftest import OWNER, SECRETS


def test_each_secret_proves_one_thing():
    mine, other = new_secrets(), new_secrets()
    assert is_from_owner(mine.commitment, mine.by_owner) and is_from_shell(mine.commitment, mine.by_shell)
    assert not is_from_owner(mine.commitment, mine.by_shell)
    assert not is_from_shell(mine.commitment, mine.by_owner)
    assert not is_from_owner(mine.commitment, other.by_owner)
    assert not is_from_shell(mine.commitment, other.by_shell)


@given(st.text(max_size=140))
def test_no_other_text_proves_anything(text):
    assert not is_from_owner(SECRETS.commitment, text)
    assert not is_from_shell(SECRETS.commitment, text)


@pytest.fixture
def ledger(store, histories):
    ledger = Ledger(store)
    ledger.append("run_1", histories.started(owner=OWNER))
    return ledger


@pytest.mark.parametrize("revealed", ["", SECRETS.by_shell, "x"])
def test_an_end_by_another_process_is_refused(ledger, histories, revealed):
    for event in (histories.finished(revealed=revealed), histories.failed(revealed=revealed)):
        with pytest.raises(ImpossibleTransition, match="not its owner"):
            ledger.append("run_1", event)
    ledger.append("run_1", histories.finished(revealed=SECRETS.by_owner))
    assert ledger.history().runs["run_1"].status == "succeeded"


def test_a_result_is_adopted_with_the_proof_of_its_end_alone(ledger, histories):
    for revealed in ("", SECRETS.by_owner):
        with pytest.raises(ImpossibleTransition, match="without a proof"):
            ledger.append("run_1", histories.recovered(histories.finished(revealed=revealed)))
    ledger.append("run_1", histories.recovered(histories.finished(revealed=SECRETS.by_shell)))
    assert ledger.history().runs["run_1"].status == "succeeded"


def test_a_lost_run_ends_with_its_last_sign_of_life(ledger, histories):
    ledger.append("run_1", histories.recovered(is_end_known=True))
    run = ledger.history().runs["run_1"]
    assert (run.status, run.ended_at, run.duration_seconds) == ("failed", "2026-11-23T09:30:00.000000Z", 7.5)


def test_runs_of_older_versions_end_as_they_did(store, histories):
    ledger = Ledger(store)
    ledger.append("run_1", histories.started())
    ledger.append("run_1", histories.recovered(histories.finished()))
    ledger.append("run_2", histories.started("t"))
    ledger.append("run_2", histories.recovered())
    runs = ledger.history().runs
    assert (runs["run_1"].status, runs["run_2"].duration_seconds) == ("succeeded", None)
