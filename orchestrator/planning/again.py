"""Repeat an earlier run with the same benchmark, agent, provider, model and effective options."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ...ledger.events import REPEAT, Json, Started
from ...ledger.ledger import Ledger
from ..errors import UsageError
from .plan import PER_BENCHMARK, PlannedRun
from .signature import difference


def find_original(ledger: Ledger, run_id: str) -> Started:
    """The `started` event of a run. Raises UsageError if there is none; an imported run, for example, has none."""
    for record in ledger.store.read(stream=run_id, types=[Started.type]):
        if isinstance(record.data, Started):
            return record.data
    raise UsageError(f"no run '{run_id}' was started in this ledger\nhint: show-runs lists the runs")


def extra_of(original: Started) -> Json:
    """The `--extra` with the options of a run. Raises UsageError if one held a secret, which is not recorded."""
    config = {name: value for name, value in original.extra_config.items() if name != REPEAT}
    for name, value in config.items():
        if "[redacted:" in msgspec.json.encode(value).decode():
            raise UsageError(
                f"option {name} of that run held a secret, which is not recorded, so it cannot be repeated as it was\n"
                f"hint: give all options with --benchmarks and --extra"
            )
    return {PER_BENCHMARK: {original.benchmark_id: config}}


def repetition_of(original: Started) -> int:
    """The number of the repetition that a run was, counted from 1."""
    number = original.extra_config.get(REPEAT, 1)
    return number if isinstance(number, int) else 1


def the_same(original: Started, plan: Sequence[PlannedRun]) -> PlannedRun:
    """The planned work with the signature of the run. Raises UsageError with the differences if there is none."""
    last = plan[-1]
    if last.signature.digest != original.signature:
        before = {name: value for name, value in original.preimage.items() if name in last.signature.preimage}
        changes = difference(before, last.signature.preimage)
        raise UsageError(f"{original.benchmark_id} cannot be run as it was: {'; '.join(changes)}")
    return last
