"""Compares the address of the model in an earlier run with the address that a run would use now.

An address is not a part of the signature. So the same benchmark with the same model name at another address is skipped
as done, and a note says that only the address differs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from ...ledger.events import Record
from ...ledger.fold import Run
from ...ledger.ledger import Ledger
from .plan import PlannedRun

_MANY = 200
"""For this number of runs or more, one pass over the ledger is faster than one look-up per run."""


def public_address(url: str | None) -> str | None:
    """An address without possible secrets: user, password, query and fragment. None if it is not an address."""
    try:
        parts = urlsplit(url or "")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    if not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"


def recorded_addresses(ledger: Ledger, runs: Iterable[Run]) -> dict[str, str]:
    """The addresses that the runs used, by run id. Runs without a recorded address are left out.

    The address is a detail of `started`, which the history without details does not hold.
    """
    wanted = {run.run_id: run.first_seq for run in runs}
    records: Iterable[Record]
    if len(wanted) < _MANY:
        records = (record for seq in sorted(wanted.values()) for record in itertools.islice(ledger.read(seq - 1), 1))
    else:
        records = ledger.store.read(types={"started"})
    addresses = {}
    for record in records:
        provenance = getattr(record.data, "provenance", None)
        if record.stream in wanted and isinstance(provenance, Mapping):
            address = provenance.get("base_url")
            if isinstance(address, str) and (public := public_address(address)):
                addresses[record.stream] = public
    return addresses


def elsewhere(planned: PlannedRun, before: str | None) -> str:
    """A note if an earlier run used another address than this work would use; otherwise empty."""
    now = public_address(planned.target.endpoint.base_url)
    if before is None or now is None or before == now:
        return ""
    return f"; it used {before} and this would use {now}: only the address differs (--force runs it there)"
