"""Follows the events that other machines append for a group, for the display and the listeners of its campaign."""

from __future__ import annotations

import os

from ...ledger.events import Failed, Finished, Heartbeat, Incompatible, Record, Recovered, Skipped, Started
from ...ledger.identity import host_name
from ..running.executor import Assignment

_ENDS = (Finished.type, Failed.type)
_TYPES = frozenset({*_ENDS, Started.type, Heartbeat.type, Recovered.type, Incompatible.type, Skipped.type})
"""What machines append. Everything else in the group comes from the process of the campaign, which knows it."""


class Tail:
    """The events of one group since the last look. Only one thread uses it."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._after = assignment.ledger.look(lambda history: history.seq)
        self._runs: set[str] = set()

    def look(self) -> None:
        """Show the new events. Raises what reading the ledger raises."""
        found: list[Record] = []
        for record in self._assignment.ledger.read(self._after):
            self._after = record.seq
            if record.type in _TYPES and self._is_of_the_group(record) and not _is_by_us(record):
                found.append(record)
        if found:
            self._assignment.ledger.tell(found)
        for record in found:
            self._show(record)

    def _is_of_the_group(self, record: Record) -> bool:
        if isinstance(record.data, Started) and record.data.run_group_id == self._assignment.run_group_id:
            self._runs.add(record.stream)
        return record.stream in self._runs or record.stream == self._assignment.run_group_id

    def _show(self, record: Record) -> None:
        display, event, run_id = self._assignment.display, record.data, record.stream
        if isinstance(event, Started):
            display.started(run_id, event.benchmark_id)
        elif isinstance(event, Heartbeat) and event.progress:
            display.progress(run_id, event.progress)
        elif record.type in _ENDS:
            display.ended(self._assignment.ledger.look(lambda history: history.runs[run_id]))


def _is_by_us(record: Record) -> bool:
    """Whether this process has closed the run, as a fence."""
    event = record.data
    return isinstance(event, Recovered) and (event.by.host, event.by.pid) == (host_name(), os.getpid())
