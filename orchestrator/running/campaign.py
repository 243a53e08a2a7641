"""The work of a campaign, and its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ...ledger.events import Request
from ...projections.workspace import Workspace
from ..machine.capacity import Capacity
from ..models.concurrency import Concurrency
from ..models.prices import Prices
from ..planning.claim import Rules
from ..planning.plan import PlannedRun
from .budget import Allowance
from .retries import Retries


class Limits(msgspec.Struct, frozen=True):
    """Time limits that replace those of the manifests."""

    timeout_seconds: float | None = None
    stall_seconds: float | None = None


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """The work, rules and limits of a campaign. Children inherit from the environment `environ`.

    `capacity` is what its runs share on this machine; None if the executor rations resources by itself.
    """

    workspace: Workspace
    request: Request
    plan: Sequence[PlannedRun]
    rules: Rules
    environ: Mapping[str, str]
    capacity: Capacity | None
    explain: bool = False
    limits: Limits = Limits()
    retries: Retries = Retries()
    prices: Prices
    allowance: Allowance = Allowance()
    concurrency: Concurrency = Concurrency()

    @property
    def call_limits(self) -> dict[str, int]:
        """The maximum number of calls in flight, by the base URL of each endpoint of the plan that has a limit."""
        endpoints = [planned.target.endpoint for planned in self.plan]
        limits = {one.base_url: self.concurrency.of(one) for one in endpoints if one.base_url}
        return {address: limit for address, limit in limits.items() if limit}
