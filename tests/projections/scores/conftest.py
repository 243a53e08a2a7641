"""Packages that the statistics are compared with."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def stats() -> ModuleType:
    """The distributions of scipy. Their import takes a second, which each process that only collects tests saves."""
    return importlib.import_module("scipy.stats")


@pytest.fixture(scope="session")
def models() -> ModuleType:
    """The program interface of statsmodels, for the same reason."""
    return importlib.import_module("statsmodels.api")
