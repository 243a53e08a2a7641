"""The command line that every suite has, and how a suite ends when something goes wrong."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from .chat import ChatError

MAY_PASS = 75
"""The exit code of a failure that may pass, EX_TEMPFAIL of sysexits.h. Manifests name it as transient."""


class SuiteError(Exception):
    """Something that the person who started the suite has to change."""


def parser(suite: str, description: str) -> argparse.ArgumentParser:
    """A parser with what every suite takes."""
    made = argparse.ArgumentParser(prog=suite, description=description)
    made.add_argument("--model", required=True)
    made.add_argument("--output-dir", type=Path, required=True)
    made.add_argument("--seed", type=int, default=42, help="what the tasks are made from")
    return made


def comma_list(text: str) -> list[str]:
    """The parts of an argument with commas between them."""
    return [part.strip() for part in text.split(",") if part.strip()]


def main(run: Callable[[], None]) -> None:
    """Run a suite; what is expected to go wrong is a message on stderr, and exit code 1 or MAY_PASS."""
    signal.signal(signal.SIGTERM, _end)
    try:
        run()
    except (ChatError, SuiteError, OSError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(MAY_PASS if isinstance(problem, ChatError) and problem.may_pass else 1)


def _end(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
