"""Which process wrote an event, and whether it still lives."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from benchmarks.ledger import identity, procfs
from benchmarks.ledger.identity import (
    liveness,
    machine_id,
    parse_utc,
    process_start,
    shares_processes,
    this_process,
    utc_now,
    utc_of,
    uuid7,
)


def test_ids_are_uuids_of_version_7_and_never_the_same():
    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(lambda _: uuid7(), range(4000)))
    assert len(set(ids)) == 4000
    assert {(uuid.UUID(id).version, uuid.UUID(id).variant) for id in ids} == {(7, uuid.RFC_4122)}


def test_ids_stand_in_the_order_of_their_milliseconds():
    ids = [uuid7() for _ in range(4000)]
    milliseconds = [uuid.UUID(id).int >> 80 for id in ids]
    assert milliseconds == sorted(milliseconds)
    later = []
    while not later or uuid.UUID(later[-1]).int >> 80 == milliseconds[-1]:
        later.append(uuid7())
    assert max(ids) < later[-1]
    assert abs(milliseconds[-1] / 1000 - time.time()) < 60


def test_times_are_utc_to_the_microsecond_and_come_back():
    now = utc_now()
    assert len(now) == 27 and now.endswith("Z")
    assert parse_utc(now).utcoffset().total_seconds() == 0
    assert parse_utc("2026-11-23T10:00:00") == parse_utc("2026-11-23T11:00:00+01:00")
    with pytest.raises(ValueError, match="yesterday"):
        parse_utc("yesterday")


def test_this_process_is_alive_and_an_ended_one_is_dead():
    me = this_process()
    assert (me.pid, liveness(me)) == (os.getpid(), "alive")
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = replace(me, pid=child.pid, process_start=process_start(child.pid))
    assert liveness(owner) == "alive"
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert liveness(owner) == "dead", "a zombie does no work"
    child.communicate()
    assert liveness(owner) == "dead"


def test_a_pid_that_was_used_again_is_another_process():
    assert liveness(replace(this_process(), process_start=1.0)) == "dead"


ANOTHER_BOOT = {"boot_id": "another"}


def test_an_owner_before_the_last_boot_of_this_machine_is_dead(monkeypatch):
    monkeypatch.setattr(identity, "machine_id", lambda: "this machine")
    owner = replace(this_process(), **ANOTHER_BOOT)
    assert liveness(owner, "2001-01-01T00:00:00Z") == "dead"
    assert liveness(owner, utc_now()) == "unknown", "it gave a sign of life after this machine had booted"
    assert liveness(owner, "yesterday") == "unknown"


def test_a_name_makes_no_machine(monkeypatch):
    """Two machines with one name share a workspace: neither takes the other for itself before a reboot."""
    monkeypatch.setattr(identity, "machine_id", lambda: "this machine")
    long_ago = "2001-01-01T00:00:00Z"
    owner = replace(this_process(), **ANOTHER_BOOT)
    assert liveness(replace(owner, machine_id="that machine"), long_ago) == "unknown"
    assert liveness(replace(owner, host="that machine, which has a copy of the id"), long_ago) == "unknown"
    monkeypatch.setattr(identity, "machine_id", lambda: "")
    assert liveness(replace(owner, machine_id=""), long_ago) == "unknown", "two containers without an id"


def test_owners_of_older_events_are_judged_by_what_they_have():
    old = replace(this_process(), machine_id=None)
    assert liveness(old) == "alive"
    assert liveness(replace(old, process_start=1.0)) == "dead"
    assert liveness(replace(old, **ANOTHER_BOOT), "2001-01-01T00:00:00Z") == "dead"
    assert liveness(replace(old, **ANOTHER_BOOT, host="another"), "2001-01-01T00:00:00Z") == "unknown"
    assert liveness(None) == "unknown"


def test_a_machine_that_was_renamed_is_the_same_while_it_runs():
    me = this_process()
    assert liveness(replace(me, host="another")) == "alive"
    assert liveness(replace(me, host="another", process_start=1.0)) == "dead"


def test_a_process_of_a_namespace_that_cannot_be_seen_cannot_be_judged():
    me = this_process()
    assert liveness(replace(me, pid_namespace="pid:[1]")) == "unknown"
    assert not shares_processes(replace(me, pid_namespace="pid:[1]"))
    assert not shares_processes(replace(me, **ANOTHER_BOOT))
    assert shares_processes(me) and shares_processes(None)


def test_without_proc_nothing_is_dead(monkeypatch, tmp_path):
    owner = replace(this_process(), process_start=1.0)
    monkeypatch.setattr(procfs, "PROC", str(tmp_path))
    procfs._is_own.cache_clear()
    try:
        assert liveness(replace(owner, pid_namespace="")) == "unknown"
    finally:
        procfs._is_own.cache_clear()


@pytest.mark.parametrize("content", ["", "uninitialized\n", "0" * 32, "not hex" * 4])
def test_a_machine_without_an_id_has_none(monkeypatch, tmp_path, content):
    (tmp_path / "machine-id").write_text(content)
    monkeypatch.setattr(identity, "_MACHINE_IDS", (str(tmp_path / "none"), str(tmp_path / "machine-id")))
    machine_id.cache_clear()
    assert machine_id() == ""
    (tmp_path / "machine-id").write_text("3d1219c7c4c5404aaa1f6d2a48adfda4\n")
    machine_id.cache_clear()
    assert len(machine_id()) == 32 and "3d1219c7" not in machine_id()
    machine_id.cache_clear()


@pytest.mark.parametrize("seconds", [253402300800, 4e11, 9e15])
def test_a_clock_beyond_year_9999_is_taken_for_its_end(seconds, monkeypatch):
    monkeypatch.setattr(identity.time, "time_ns", lambda: int(seconds) * 10**9)
    assert utc_now().startswith("9999-12-31T23:59:59")
    assert parse_utc(utc_of(seconds)) == parse_utc(utc_of(float("inf")))
    assert utc_of(-1e20) == "0001-01-01T00:00:00.000000Z"
