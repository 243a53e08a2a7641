"""Idempotency: what is claimed, whatever happened before, and by whatever policy."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.adapters.adapter import Adapter
from benchmarks.adapters.manifest import parse_manifest
from benchmarks.ledger.events import NewEvent, Retracted
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.orchestrator.models.providers import Endpoint, Provider
from benchmarks.orchestrator.models.targets import Target
from benchmarks.orchestrator.planning.claim import Rules, explain
from benchmarks.orchestrator.planning.plan import PlannedRun
from benchmarks.orchestrator.planning.signature import sign

POLICIES = ["once", "rerun_failed", "force"]
ENDS = ["succeeded", "failed", "recovered", "adopted", "retracted", "running"]


def planned(seed: int = 1) -> PlannedRun:
    tables = {"id": "b", "name": "B", "run": {"argv": ["x"]}, "result": {"files": ["r"], "score": "s", "unit": "u"}}
    manifest = parse_manifest(tables, Path("x"), "b")
    adapter = Adapter(manifest=manifest, source="suite", origin=Path("x"), root=Path(), sha256="")
    work = {"agent": "a", "provider": "p", "model": "m"}
    config = {"seed": seed}
    signature = sign(benchmark_id="b", benchmark_directory="b", extra_config=config, **work)
    target = Target(Endpoint(Provider(name="p", openai_compatible=True), None, None, None), "m", "m")
    return PlannedRun(
        adapter=adapter, agent="a", target=target, config=config, secrets={}, signature=signature, missing=[]
    )


class Model:
    """What the rules of the design say, in the fewest words: the ends of a signature's runs, in order."""

    def __init__(self):
        self.ends: list[str] = []

    def runs(self, policy: str) -> bool:
        good = [end in ("succeeded", "adopted") for end in self.ends]
        if "running" in self.ends:
            return False
        if policy == "force":
            return True
        return not any(good) if policy == "once" else not (good and good[-1])


def add(ledger, histories, run_id, signature, end):
    ledger.append(run_id, histories.started(signature), sync=False)
    for event in {
        "succeeded": [histories.finished()],
        "failed": [histories.failed()],
        "recovered": [histories.recovered()],
        "adopted": [histories.recovered(adopted=histories.finished())],
        "retracted": [histories.finished(), Retracted(author="a", reason="wrong")],
        "running": [],
    }[end]:
        ledger.append(run_id, event, sync=False)


@given(
    steps=st.lists(st.tuples(st.sampled_from([1, 2]), st.sampled_from(POLICIES), st.sampled_from(ENDS)), max_size=12)
)
def test_every_verdict_is_the_one_of_the_rules(histories, steps):
    """Commands with any policy, on two pieces of work, whose runs end in any way."""
    models = {1: Model(), 2: Model()}
    with TemporaryDirectory() as folder:
        ledger = Ledger(JsonlStore(Path(folder), notice=print))
        for number, (seed, policy, end) in enumerate(steps):
            work = planned(seed)
            history = ledger.history()
            verdicts = {name: Rules(name).judge(history, work) for name in POLICIES}
            assert {name: verdict.run for name, verdict in verdicts.items()} == {
                name: models[seed].runs(name) for name in POLICIES
            }
            sentence = explain(history, work, verdicts[policy])
            assert sentence.startswith("runs: " if verdicts[policy].run else "skipped: ")
            if verdicts[policy].run:
                add(ledger, histories, f"run_{number}", work.signature.digest, end)
                models[seed].ends.append(end)
        ledger.close()


@pytest.mark.parametrize(
    ("end", "policy", "reason"),
    [
        (None, "once", "never_ran"),
        ("succeeded", "once", "already_succeeded"),
        ("succeeded", "rerun_failed", "last_succeeded"),
        ("succeeded", "force", "forced"),
        ("failed", "once", "last_failed"),
        ("retracted", "once", "retracted"),
        ("running", "force", "running_elsewhere"),
    ],
)
def test_a_verdict_has_its_reason_and_the_run_that_decided(store, histories, end, policy, reason):
    ledger = Ledger(store)
    if end:
        add(ledger, histories, "run_1", planned().signature.digest, end)
    verdict = Rules(policy).judge(ledger.history(), planned())
    assert verdict.reason == reason
    assert (verdict.decided_by.run_id if verdict.decided_by else None) == ("run_1" if end else None)
    if not verdict.run:
        assert verdict.skipped(planned()).existing_run_id == "run_1"


def test_a_reproduction_is_not_taken_for_an_attempt(store, histories):
    ledger = Ledger(store)
    start = histories.started(planned().signature.digest, reproduces="run_0")
    histories.append_anyway(store, [NewEvent("run_1", start), NewEvent("run_1", histories.finished())])
    assert Rules().judge(ledger.history(), planned()).reason == "never_ran"


def test_an_imported_run_is_not_taken_for_our_own(store, histories):
    from benchmarks.ledger.events import Imported, ImportSource

    row = {"signature": planned().signature.digest, "status": "succeeded", "score": 0.5, "benchmark_id": "b"}
    imported = Imported(source=ImportSource("json", "x", "0" * 64), run=row)
    histories.append_anyway(store, [NewEvent("run_1", imported)])
    assert Rules().judge(Ledger(store).history(), planned()).run
