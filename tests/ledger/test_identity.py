"""Who wrote an event, and whether he still lives."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from benchmarks.ledger.identity import liveness, parse_utc, process_start, this_process, utc_now, uuid7


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


def test_a_number_that_went_to_another_process_is_no_life():
    assert liveness(replace(this_process(), process_start=1.0)) == "dead"


def test_an_owner_before_the_last_boot_is_dead_and_one_elsewhere_cannot_be_judged():
    me = this_process()
    assert liveness(replace(me, boot_id="another")) == "dead"
    assert liveness(replace(me, host="another")) == "unknown"
    assert liveness(replace(me, pid_namespace="another")) == "unknown"
    assert liveness(None) == "unknown"
