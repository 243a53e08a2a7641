"""The address at which a model answered before, and the one at which it would answer now.

An address does not identify work. So the same benchmark with a model of the same name at another address is skipped as
done, and a note says that only the address differs.
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
"""From this number of runs on, one pass over the ledger is faster than a look-up of each."""


def public_address(url: str | None) -> str | None:
    """An address without what may be secret: user, password, query and fragment. None if it is not an address."""
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
    """The address that each of the runs used, by its id; without runs that did not record one.

    It is a detail of `started`, which the history that decisions are made on leaves out.
    """
    wanted = {run.run_id: run.first_seq for run in runs}
    records: Iterable[Record]
    if len(wanted) < _MANY:
        records = (record for seq in sorted(wanted.values()) for record in itertools.islice(ledger.read(seq - 1), 1))
    else:
        records = ledger.store.read(types={"started"})
    found = {}
    for record in records:
        provenance = getattr(record.data, "provenance", None)
        if record.stream in wanted and isinstance(provenance, Mapping):
            address = provenance.get("base_url")
            if isinstance(address, str) and (public := public_address(address)):
                found[record.stream] = public
    return found


def elsewhere(planned: PlannedRun, before: str | None) -> str:
    """What to say if an earlier run used another address than this work would; empty if it did not."""
    now = public_address(planned.target.endpoint.base_url)
    if before is None or now is None or before == now:
        return ""
    return f"; it used {before} and this would use {now}: only the address differs (--force runs it there)"
