"""The name of an executor is checked before anything else happens."""

from __future__ import annotations

import pytest

from benchmarks.orchestrator.errors import UsageError
from benchmarks.orchestrator.executors.names import check_executor


def test_an_unknown_executor_is_refused_with_the_nearest_name():
    check_executor("local")
    with pytest.raises(UsageError, match=r"unknown executor 'locale'\nhint: did you mean local\?"):
        check_executor("locale")
