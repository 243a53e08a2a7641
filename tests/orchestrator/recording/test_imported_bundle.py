"""Runs that come with a bundle: whatever else comes from their ledger, before or after, each is there once."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.ledger.events import NewEvent, RegistrationAmended, Reproduced, ReproducedRun, Retracted
from benchmarks.ledger.fold import Run
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.proof.issuing import sign_checkpoint
from benchmarks.ledger.proof.signing import new_signer
from benchmarks.ledger.proof.verify import verify
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.transfer.admission import RefusedLedger
from benchmarks.ledger.transfer.bundle import write_bundle
from benchmarks.ledger.transfer.merge import take_in
from benchmarks.orchestrator.recording.imported_bundle import BundleTaken, supersede, take_in_bundle
from benchmarks.projections.scores.counting import DOUBTFUL, is_eligible
from benchmarks.projections.workspace import Workspace


class Place:
    """A workspace with a ledger."""

    def __init__(self, root: Path, histories) -> None:
        self.workspace = Workspace(root)
        self.store = JsonlStore(self.workspace.ledger, notice=pytest.fail)
        self.ledger = Ledger(self.store)
        self.histories = histories
        self.key = new_signer(f"{root.name}.example.org")

    def run(self, run_id: str, score: float = 0.5, *, end: bool = True, **start: object) -> None:
        if "rg_1" not in self.ledger.history().groups:
            self.ledger.append("rg_1", self.histories.opened())
        self.ledger.append(run_id, self.histories.started(run_id, **start))
        if end:
            self.ledger.append(run_id, self.histories.finished(score))

    def bundle(self, *run_ids: str) -> Path:
        runs = self.ledger.history().runs
        path = self.workspace.root / f"{'-'.join(run_ids)}-{self.store.head().seq}.zip"
        note = str(sign_checkpoint(self.store, self.key))
        write_bundle(self.store, path, [runs[one] for one in run_ids], note, folder_of=self.workspace.folder_of)
        return path

    def take(self, bundle: Path) -> BundleTaken:
        return take_in_bundle(bundle, self.ledger, self.workspace, None)

    def merge(self, other: Place) -> int:
        take_in(self.store, other.store, name="other")
        return supersede(self.ledger, by="a")

    def runs(self) -> list[Run]:
        report = verify(self.store)
        assert (report.damage, report.story) == ([], [])
        return list(self.ledger.history().runs.values())

    def counting(self) -> list[float | None]:
        """The scores that count if every doubtful kind but a retracted one counts."""
        include = [kind for kind in DOUBTFUL if kind != "retracted"]
        return sorted(run.score or 0 for run in self.runs() if is_eligible(run, include))


@pytest.fixture
def make(tmp_path, histories):
    def make(name: str) -> Place:
        (tmp_path / name).mkdir()
        return Place(tmp_path / name, histories)

    return make


def test_overlapping_and_later_bundles_bring_each_run_once(make):
    here, there = make("here"), make("there")
    there.run("run_1", 0.1)
    there.run("run_2", 0.2)
    there.run("run_3", 0.3)
    first, second = there.bundle("run_1", "run_2"), there.bundle("run_2", "run_3")
    assert (here.take(first).added, here.take(first).added, here.take(second).added) == (2, 0, 1)
    there.run("run_4", 0.4)
    assert (here.take(there.bundle("run_1", "run_4")).added, here.counting()) == (1, [0.1, 0.2, 0.3, 0.4])


def test_the_whole_ledger_after_its_slice_counts_no_run_twice(make):
    here, there = make("here"), make("there")
    there.run("run_1", 0.1)
    there.run("run_2", 0.2)
    here.take(there.bundle("run_1"))
    assert here.merge(there) == 1 and here.counting() == [0.1, 0.2]
    [copy] = [run for run in here.runs() if run.imported]
    assert copy.retracted and "a copy of run_1" in copy.retracted.reason
    assert here.merge(there) == 0
    assert here.take(there.bundle("run_1", "run_2")).known == 2 and here.counting() == [0.1, 0.2]


def test_a_run_that_is_half_here_is_taken_and_gives_way_to_its_end(make):
    here, there = make("here"), make("there")
    there.run("run_1", end=False)
    here.merge(there)
    there.ledger.append("run_1", there.histories.finished(0.7))
    assert here.take(there.bundle("run_1")).added == 1 and here.counting() == [0.7]
    assert here.merge(there) == 1 and here.counting() == [0.7]


def test_another_run_with_the_same_id_is_another_run(make):
    """It must neither be taken for ours, nor say anything about ours."""
    here, there = make("here"), make("there")
    here.run("run_1", 0.1)
    there.run("run_1", 0.9)
    of = ReproducedRun(origin="o", run="run_0", hash="0" * 64)
    there.ledger.append("run_1", Reproduced(of=of, verdict="same", by="b"))
    taken = here.take(there.bundle("run_1"))
    assert (taken.added, taken.known, here.counting()) == (1, 0, [0.1, 0.9])
    [said] = here.store.read(types=[Reproduced.type])
    assert said.stream.startswith("run_b_imported_")


def test_what_has_not_ended_was_retracted_or_came_with_a_bundle_is_left_out(make):
    here, there, third = make("here"), make("there"), make("third")
    third.run("run_3", 0.3)
    there.take(third.bundle("run_3"))
    [copy] = [run.run_id for run in there.runs()]
    there.run("run_1", end=False)
    there.run("run_2")
    there.ledger.append("run_2", Retracted(author="a", reason="r"))
    taken = here.take(there.bundle("run_1", "run_2", copy))
    assert taken.added == 0 and here.runs() == []
    reasons = {left.name: left.reason for left in taken.left}
    assert reasons["run_1"] == "has not ended there" and reasons["run_2"] == "was retracted there"
    assert "came to that ledger with a bundle of third.example.org" in reasons[copy]


def test_a_run_that_only_checks_another_one_stays_that_elsewhere(make):
    here, there = make("here"), make("there")
    there.run("run_1", 0.1, reproduces="run_0")
    here.take(there.bundle("run_1"))
    [run] = here.runs()
    assert run.reproduces == "run_0" and not is_eligible(run, ["imported"])


def test_another_ledger_cannot_amend_a_plan_of_ours(make, histories):
    here, there = make("here"), make("there")
    here.ledger.append("reg_1", histories.registered())
    there.run("run_1")
    take_in(there.store, here.store, name="here")
    amendment = RegistrationAmended(author="x", reason="r", changes={"repeats": 1})
    there.store.append(lambda _: [NewEvent("reg_1", amendment)], lambda _: None)
    with pytest.raises(RefusedLedger, match="registration_amended of reg_1, which is not a run, group or plan"):
        take_in(here.store, there.store, name="there")
