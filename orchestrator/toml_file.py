"""Files in TOML that a user writes: plans, campaigns, prices. Each fault of one becomes a UsageError of one form."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .errors import UsageError


@contextlib.contextmanager
def faults_of(kind: str, path: Path, hint: str) -> Iterator[None]:
    """While a file is read and checked: turn each fault into a UsageError that names the file.

    `kind` says what the file is, such as `plan`. `hint` says what to do about a fault that has no hint of its own.
    """
    try:
        yield
    except OSError as problem:
        raise UsageError(f"the {kind} {path} cannot be read: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise UsageError(f"the {kind} {path} is not valid: byte {problem.start + 1} is not UTF-8", hint) from problem
    except (ValueError, msgspec.ValidationError) as problem:
        own = "" if "\nhint: " in str(problem) else hint
        raise UsageError(f"the {kind} {path} is not valid: {problem}", own) from problem
    except RecursionError as problem:
        raise UsageError(f"the {kind} {path} is not valid: it is nested too deep", hint) from problem
