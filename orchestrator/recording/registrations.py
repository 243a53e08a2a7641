"""Registers plans, and records their amendments."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from ...ledger.events import Json, NewEvent, Record, Registered, RegistrationAmended
from ...ledger.history import History
from ...ledger.ledger import Ledger
from ..errors import UsageError


def register(ledger: Ledger, plan: Registered) -> Record:
    """Record a plan. Raises UsageError if an equal plan is registered already."""

    def decide(history: History) -> list[NewEvent]:
        known = (one for task in plan.benchmarks for one in history.registrations_for(task.id))
        if equal := next((one for one in known if is_equal(one.plan, plan)), None):
            raise UsageError(
                f"this plan is registered already, as {equal.id}", f"benchmarks registration show {equal.id} shows it"
            )
        return [NewEvent(new_registration_id(), plan, expected_version=0)]

    return ledger.decide(decide).records[0]


def amend(ledger: Ledger, registration_id: str, changes: Json, *, author: str, reason: str) -> Record:
    """Record a change of a plan. Raises UsageError if there is nothing to change."""
    if not reason.strip():
        raise UsageError("the reason is empty", "say in --reason why")
    if not changes:
        raise UsageError(f"the plan is the same as that of {registration_id}")
    event = RegistrationAmended(author=author, reason=reason, changes=changes)
    return ledger.decide(lambda _: [NewEvent(registration_id, event)]).records[0]


def is_equal(one: Registered, other: Registered) -> bool:
    """Whether two plans are the same; their authors may differ."""
    names = [name for name in Registered.__struct_fields__ if name != "author"]
    return all(getattr(one, name) == getattr(other, name) for name in names)


def new_registration_id() -> str:
    """An id such as `reg_20261128T200000Z_1a2b3c4d`."""
    return f"reg_{datetime.now(UTC):%Y%m%dT%H%M%SZ}_{secrets.token_hex(4)}"
