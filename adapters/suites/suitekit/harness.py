"""Harnesses of others, started as a child of a driver: brought to their end, and judged by the file they leave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .chat import opener
from .command import SuiteError
from .foreign import SAMPLES, write_samples
from .written import write_json

RESULT = "result.json"


def run_harness(argv: Sequence[str], *, cwd: Path | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run a harness to its end, with our output as its own; its exit code.

    It does not get our import path: a module of ours must not stand before one that the harness means.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        list(argv), cwd=cwd, env={**inherited, **(environ or {})}, stdin=subprocess.DEVNULL
    ).returncode


def need_success(code: int, name: str) -> None:
    """Raises SuiteError for another exit code than 0."""
    if code:
        raise SuiteError(f"{name} ended with exit code {code}")


def only_file(folder: Path, pattern: str, name: str) -> Path:
    """The one file below `folder` that the harness left there. Raises SuiteError for none, and for several.

    Some harnesses only warn if they could not save: no file is a failure, whatever the exit code was.
    """
    found = sorted(folder.glob(pattern))
    if not found:
        raise SuiteError(f"{name} left no {pattern}: it has failed, whatever its exit code")
    if len(found) > 1:
        names = ", ".join(path.name for path in found[:4])
        raise SuiteError(f"{name} left {len(found)} files {pattern}: {names}. A run has one result: choose one task")
    return found[0]


def read_json(path: Path) -> Any:
    """The JSON of a harness's file. Raises SuiteError if it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise SuiteError(f"{path.name} is not JSON: {problem}") from problem


def write_result(output_dir: Path, result: Mapping[str, Any]) -> None:
    """Leave the driver's result: whole, or not at all."""
    write_json(output_dir / RESULT, result)


def leave_samples(output_dir: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Leave the samples as `samples.jsonl`. If they cannot be read, say so: the result stands without them."""
    try:
        if not write_samples(output_dir, rows):
            (output_dir / SAMPLES).unlink()
    except (SuiteError, OSError, ValueError, RecursionError) as problem:
        print(f"the samples are left out: {problem}", file=sys.stderr)


def json_object(text: str) -> dict[str, Any]:
    """An argument that is a JSON object. Raises SuiteError."""
    try:
        value = json.loads(text)
    except ValueError as problem:
        raise SuiteError(f"'{text[:40]}' is not JSON: {problem}") from problem
    if not isinstance(value, dict):
        raise SuiteError(f"'{text[:40]}' is not a JSON object")
    return value


def served_model(asked: str) -> str:
    """The model that the server says it serves: the one that was asked for, if it is among them.

    Some harnesses label results with a name of their own; this is what answered. Raises SuiteError.
    """
    base_url = os.environ.get("OPENAI_BASE_URL", "")
    request = urllib.request.Request(  # noqa: S310 - the address is the user's own choice of provider
        f"{base_url.rstrip('/')}/models", headers={"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}"}
    )
    try:
        with opener(base_url).open(request, timeout=30) as response:
            served = [str(model["id"]) for model in json.load(response)["data"]]
    except (OSError, ValueError, LookupError, TypeError) as problem:
        raise SuiteError(f"{base_url}/models does not say what is served: {problem}") from problem
    return asked if asked in served else ", ".join(served[:4])
