"""Serve the demonstration history: `python -m tests.demo`, or `make demo`. Everything is in a temporary folder."""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.viewer.server.server import ViewerError, serve

from .history import build


def main() -> int:
    """Make the history, and serve it until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=main.__doc__)
    parser.add_argument("--port", type=int, default=8877, help="0 picks a free one (default: 8877)")
    parser.add_argument("--folder", type=Path, help="make the workspace here, and do not serve it")
    asked = parser.parse_args()
    if asked.folder:
        print(build(asked.folder, end=datetime.now(UTC)).root)
        return 0
    with tempfile.TemporaryDirectory(prefix="benchmarks-demo-") as folder:
        workspace = build(Path(folder), end=datetime.now(UTC))
        store = JsonlStore(workspace.ledger, notice=print)
        try:
            serve(
                workspace.root,
                store,
                host="127.0.0.1",
                port=asked.port,
                on_ready=lambda url: print(f"188 simulated runs: {url} (Ctrl-C stops)", flush=True),
            )
        except ViewerError as problem:
            print(problem, file=sys.stderr)
            return 2
        finally:
            store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
