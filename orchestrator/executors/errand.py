"""An errand: one piece of work with everything that another machine needs to perform it, as bytes.

An errand holds secrets: the key of its provider, and the variables that its manifest names. Executors send it only to
the process that performs it, never as an argument or a variable of a process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from ...adapters.adapter import Adapter, Harnesses, Source
from ...adapters.manifest import Manifest
from ...ledger.events import Json, Request, TaskRevision
from ...ledger.storage.postgres_address import SECRET_VARIABLES
from ...projections.workspace import Workspace
from ..models.gate import GateAddress
from ..models.prices import Prices
from ..models.targets import Target
from ..planning.claim import Rules
from ..planning.plan import PlannedRun
from ..planning.revision import revision_of
from ..planning.signature import Signature
from ..running.campaign import Campaign, Limits
from ..running.executor import Assignment
from ..running.provenance import own_version


class Package(msgspec.Struct, frozen=True):
    """Files that travel with an errand, named by the digest of their content; `root` is the benchmark's folder inside.

    `is_workspace`: they are those of the whole workspace, and not only of the benchmark.
    """

    digest: str
    root: str = "."
    is_workspace: bool = False


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of work: the fields of `PlannedRun` and `Adapter` as plain values; paths are those of the sender."""

    manifest: Manifest
    source: Source
    origin: str
    sha256: str
    root: str | None
    harnesses: Harnesses | None
    agent: str
    target: Target
    config: Json
    secrets: dict[str, Any]
    signature: Signature
    revision: TaskRevision


class LedgerAddress(msgspec.Struct, frozen=True):
    """The URL of a ledger, and the variables that hold its passwords. Keep them secret."""

    url: str
    environ: dict[str, str] = {}

    @staticmethod
    def of(url: str) -> LedgerAddress:
        """The address as this process knows it."""
        return LedgerAddress(url, {name: os.environ[name] for name in SECRET_VARIABLES if name in os.environ})


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work of a group, and how to perform it.

    A machine sees the sender's workspace if it finds `mark` in the group's folder. `environ` are the variables that
    travel, and `identities` the names that are never treated as secrets. Calls to limited endpoints pass the `gate`.
    """

    version: str
    ledger: LedgerAddress
    run_group_id: str
    workspace: str
    artifacts: tuple[str, ...]
    mark: str
    work: Work
    rules: Rules
    limits: Limits
    prices: Prices
    provenance: Json
    environ: dict[str, str]
    identities: list[str]
    package: Package | None = None
    gate: GateAddress | None = None


_encoder = msgspec.msgpack.Encoder(enc_hook=os.fspath)
_decoder = msgspec.msgpack.Decoder(Errand, dec_hook=lambda kind, value: kind(value))


def encode(errand: Errand) -> bytes:
    """The errand as bytes. Keep them secret."""
    return _encoder.encode(errand)


def decode(content: bytes) -> Errand:
    """The errand that `encode` was given. Raises msgspec.DecodeError, also for an errand of another version."""
    return _decoder.decode(content)


class Errands:
    """Makes the errands of a group."""

    def __init__(self, assignment: Assignment, ledger: LedgerAddress, mark: str, gate: GateAddress | None) -> None:
        self._assignment = assignment
        self.ledger = ledger
        self._mark = mark
        self._gate = gate
        self._revisions: dict[str, TaskRevision] = {}

    def of(self, planned: PlannedRun, package: Package | None) -> Errand:
        """The errand for a piece of work."""
        campaign = self._assignment.campaign
        changes = campaign.rules.changes
        digest = planned.signature.digest
        return Errand(
            version=own_version(),
            ledger=self.ledger,
            run_group_id=self._assignment.run_group_id,
            workspace=str(campaign.workspace.root),
            artifacts=campaign.workspace.artifacts,
            mark=self._mark,
            work=self._work(planned),
            rules=replace(campaign.rules, changes={digest: changes[digest]} if digest in changes else {}),
            limits=campaign.limits,
            prices=campaign.prices,
            provenance=self._assignment.provenance,
            environ=_travelling(planned, campaign.environ),
            identities=sorted(self._assignment.redactor.identities),
            package=package,
            gate=self._gate,
        )

    def _work(self, planned: PlannedRun) -> Work:
        adapter = planned.adapter
        if adapter.id not in self._revisions:
            # Its files are read here once: what a machine unpacks is not the working tree of a repository.
            self._revisions[adapter.id] = revision_of(adapter, None)
        return Work(
            manifest=adapter.manifest,
            source=adapter.source,
            origin=str(adapter.origin),
            sha256=adapter.sha256,
            root=str(adapter.root) if adapter.root else None,
            harnesses=adapter.harnesses,
            agent=planned.agent,
            target=planned.target,
            config=planned.config,
            secrets=planned.secrets,
            signature=planned.signature,
            revision=self._revisions[adapter.id],
        )


def _travelling(planned: PlannedRun, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that a benchmark needs from the sender: those that its manifest names."""
    manifest = planned.adapter.manifest
    named = [*manifest.requires.env, *manifest.run.keys]
    checks = [*manifest.requires.checks, *(planned.adapter.harnesses.checks if planned.adapter.harnesses else ())]
    named += [name for check in checks for name in check.env]
    return {name: environ[name] for name in named if name in environ}


def unpacked(work: Work, root: Path | None) -> PlannedRun:
    """The piece of work on the machine that performs it, where the benchmark's folder is `root`."""
    adapter = Adapter(
        manifest=work.manifest,
        source=work.source,
        origin=Path(work.origin),
        root=root,
        sha256=work.sha256,
        harnesses=work.harnesses,
    )
    return PlannedRun(
        adapter=adapter,
        agent=work.agent,
        target=work.target,
        config=work.config,
        secrets=work.secrets,
        signature=work.signature,
        missing=[],
        revision=work.revision,
    )


def campaign_of(errand: Errand, workspace: Workspace, planned: PlannedRun, environ: Mapping[str, str]) -> Campaign:
    """The campaign of an errand, as far as one piece of work needs it."""
    return Campaign(
        workspace=workspace,
        request=Request(benchmarks=[], agent=None, provider="", model=""),
        plan=[planned],
        rules=errand.rules,
        environ=environ,
        capacity=None,
        limits=errand.limits,
        prices=errand.prices,
    )
