"""`import benchmarks` as a library: its names are a contract, and importing it costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import benchmarks

NAMES = ["AlreadyDone", "Answer", "Cancelled", "Place", "Recorder", "UsageError", "open", "record"]


def test_the_public_names_are_these_and_each_exists() -> None:
    assert sorted(benchmarks.__all__) == NAMES
    for name in NAMES:
        assert getattr(benchmarks, name).__doc__, f"{name} has no docstring"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = benchmarks.nothing


def test_the_import_loads_nothing_else() -> None:
    code = "import sys, benchmarks; print([name for name in sys.modules if name.startswith('benchmarks.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
