"""A pytest plugin: a marked test records its measurements as a run in the ledger.

    @pytest.mark.recorded("sums", model="openai:gpt-4.1", options={"seed": 1})
    def test_sums(recorded_run):
        recorded_run.score(0.83, samples=30)

The marker takes the arguments of `benchmarks.record`. A test whose work has succeeded before is skipped; with
`policy="force"` it runs again. A test that fails is recorded as a failed run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .recorder import Recorder

_MARK = "recorded"
_FAILURE = pytest.StashKey[BaseException]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that say where runs are recorded."""
    group = parser.getgroup("benchmarks")
    group.addoption("--benchmarks-workspace", metavar="DIR", help="Workspace in which marked tests record their runs.")
    group.addoption("--benchmarks-ledger", metavar="URL", help="Ledger to record to, if not that of the workspace.")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers", f"{_MARK}(benchmark, model=..., options=...): record the test as a run; see benchmarks.record"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Keep the exception of a failed test for its run."""
    if call.when == "call" and call.excinfo is not None:
        item.stash[_FAILURE] = call.excinfo.value
    return (yield)


@pytest.fixture
def recorded_run(request: pytest.FixtureRequest) -> Iterator[Recorder]:
    """The run of a test that is marked with `recorded`."""
    from .errors import UsageError
    from .recorder import AlreadyDone, record

    marker = request.node.get_closest_marker(_MARK)
    if marker is None:
        pytest.fail(f"recorded_run needs the marker: @pytest.mark.{_MARK}(benchmark, ...)")
    options = request.config.option
    places = {"workspace": options.benchmarks_workspace, "ledger": options.benchmarks_ledger}
    try:
        recorder = record(*marker.args, **{**places, **marker.kwargs})
        recorder.__enter__()
    except AlreadyDone as problem:
        pytest.skip(str(problem))
    except (UsageError, TypeError) as problem:
        pytest.fail(f"the marker {_MARK} cannot be used: {problem}")
    yield recorder
    failure = request.node.stash.get(_FAILURE, None)
    recorder.__exit__(type(failure) if failure else None, failure, failure.__traceback__ if failure else None)
