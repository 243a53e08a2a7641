"""An errand arrives as it was sent, for every benchmark that this program knows."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from benchmarks.adapters.discovery import discover
from benchmarks.ledger.events import TaskRevision
from benchmarks.orchestrator.executors.errand import Errand, LedgerAddress, Package, Work, decode, encode, unpacked
from benchmarks.orchestrator.models.gate import GateAddress
from benchmarks.orchestrator.models.prices import Prices, load_prices
from benchmarks.orchestrator.models.targets import find_target
from benchmarks.orchestrator.planning.changes import Change
from benchmarks.orchestrator.planning.claim import Rules
from benchmarks.orchestrator.planning.signature import sign
from benchmarks.orchestrator.running.campaign import Limits

ADAPTERS = discover(Path("/nowhere")).adapters


def errand_for(adapter) -> Errand:
    target = find_target("groq", "m", base_url=None, environ={"GROQ_API_KEY": "k"})
    work = Work(
        manifest=adapter.manifest,
        source=adapter.source,
        origin=str(adapter.origin),
        sha256=adapter.sha256,
        root=str(adapter.root) if adapter.root else None,
        harnesses=adapter.harnesses,
        agent="a",
        target=target,
        config={"n": 1, "of": [1.5, None, {"deep": True}]},
        secrets={"key": "s"},
        signature=sign(
            benchmark_id=adapter.id, benchmark_directory="d", agent="a", provider="groq", model="m", extra_config={}
        ),
        revision=TaskRevision.of(version="1", driver="d", data="", packages=""),
    )
    return Errand(
        version="1",
        ledger=LedgerAddress("postgresql://x", {"PGPASSWORD": "p"}),
        run_group_id="rg_1",
        workspace="/w",
        artifacts=("s3://x",),
        mark="m",
        work=work,
        rules=Rules("once", {"digest": Change("run_1", "driver")}),
        limits=Limits(5.0, None),
        prices=Prices([list(rows) for rows in load_prices(None).lists]),
        provenance={"benchmarks": {"commit": None}},
        environ={"A": "b"},
        identities=["m"],
        package=Package("d", "inside", True),
        gate=GateAddress("h", 1, "t", {"e": 2}),
    )


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_an_errand_arrives_as_it_was_sent(name):
    errand = errand_for(ADAPTERS[name])
    arrived = decode(encode(errand))
    assert arrived == errand
    planned = unpacked(arrived.work, Path("/here"))
    assert (planned.adapter.root, planned.provider, planned.model) == (Path("/here"), "groq", "m")
    assert planned.target.endpoint.key == "k"


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"\x97:\xde~\x8a\x17\xb1\xf8", msgspec.msgpack.encode({"version": 1})]
)
def test_what_is_not_an_errand_is_refused(content):
    with pytest.raises(msgspec.DecodeError):
        decode(content)
