"""Which failures may be temporary, and how long to wait before a retry."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from benchmarks.adapters.adapter import Adapter
from benchmarks.adapters.manifest import Manifest, ResultSpec, RunSpec
from benchmarks.ledger.events import Failed
from benchmarks.orchestrator.machine.capacity import UNRATIONED
from benchmarks.orchestrator.running.budget import Allowance, Budget
from benchmarks.orchestrator.running.control import Control
from benchmarks.orchestrator.running.dispatch import Dispatcher
from benchmarks.orchestrator.running.execution import Cancellation
from benchmarks.orchestrator.running.executor import Performed
from benchmarks.orchestrator.running.retries import MAX_DELAY_SECONDS, Retries, delays, is_transient
from benchmarks.orchestrator.running.schedule import Schedule

MANIFEST = Manifest(
    id="b",
    name="b",
    directory="b",
    run=RunSpec(argv=["true"]),
    result=ResultSpec(files=["x"], score="s", unit="u"),
)


def failed(reason: str, error: str = "", return_code: int = 1) -> Failed:
    return Failed(ended_at="", reason=reason, error=error, return_code=return_code)


@pytest.mark.parametrize(
    ("reason", "error", "passes"),
    [
        ("timeout", "", True),
        ("stalled", "", True),
        ("exit_code", "exit code 1; the last of stderr:\nHTTP 429: slow down", True),
        ("exit_code", "openai.RateLimitError: ...", True),
        ("exit_code", "ConnectionRefusedError: [Errno 111] Connection refused", True),
        ("exit_code", "HTTP/1.1 503 Service Unavailable", True),
        ("environment", "Temporary failure in name resolution", True),
        ("exit_code", "AssertionError: 1429 is not 1503", False),
        ("exit_code", "KeyError: 'score'", False),
        ("bad_result", "429", False),
        ("interrupted", "Connection refused", False),
        ("no_score", "", False),
    ],
)
def test_which_failures_may_be_temporary(reason, error, passes):
    assert is_transient(failed(reason, error), MANIFEST) is passes


def test_a_manifest_can_name_temporary_failures():
    run = replace(MANIFEST.run, transient_exit_codes=[75], transient_errors=["the moon is .*ing"])
    manifest = replace(MANIFEST, run=run)
    assert is_transient(failed("exit_code", return_code=75), manifest)
    assert is_transient(failed("exit_code", "The moon is waning"), manifest)
    assert not is_transient(failed("exit_code", return_code=75), MANIFEST)


def test_each_delay_is_about_twice_as_long_up_to_the_maximum():
    waits = list(itertools.islice(delays(2.0), 12))
    for number, wait in enumerate(waits):
        maximum = min(2.0 * 2**number, MAX_DELAY_SECONDS)
        assert maximum / 2 <= wait <= maximum
    assert list(itertools.islice(delays(2.0), 12)) != waits, "not all come back together"


@pytest.mark.parametrize(("tokens", "runs"), [(0, 3), (1, 1)])
def test_work_is_retried_only_while_the_budget_lasts(tokens, runs):
    class Crew:
        """Every task ends at once, with a failure that may be temporary."""

        def __init__(self):
            self.room, self.begun, self.ended = 1, 0, []

        def start(self, task):
            self.begun += 1
            self.ended.append((task, Performed(retry=True, usage={"total_tokens": tokens})))

        def wait(self, seconds):
            ended, self.ended = self.ended, []
            return ended

    adapter = Adapter(manifest=MANIFEST, source="suite", origin=Path(), root=None, sha256="")
    planned = SimpleNamespace(adapter=adapter, signature=SimpleNamespace(digest="d"))
    crew, budget = Crew(), Budget(Allowance(max_tokens=1))
    with contextlib.closing(Cancellation()) as cancellation:
        dispatcher = Dispatcher(
            Schedule([planned], UNRATIONED),
            crew,
            retries=Retries(2, 0.01),
            budget=budget,
            cancellation=cancellation,
            control=Control(None, "rg_1"),
            note=lambda _: None,
        )
        left = dispatcher.run()
    assert (crew.begun, left) == (runs, 0)


def test_a_used_up_quota_is_not_temporary(tmp_path):
    told = 'exit code 1; the last of stderr:\nHTTP 429: {"code": "insufficient_quota"}'
    assert not is_transient(failed("exit_code", told), MANIFEST)
    assert is_transient(failed("exit_code", told.replace("insufficient_quota", "rate_limit_exceeded")), MANIFEST)
