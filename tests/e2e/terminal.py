"""A command on a terminal, as a person sees it."""

from __future__ import annotations

import os
import pty
import subprocess

from tests.conftest import Bench

_SECONDS = 30


def on_a_terminal(bench: Bench, *arguments: str, **environ: str) -> tuple[int, bytes]:
    """The exit code of a command, and everything that it wrote to a terminal of 300 columns."""
    ours, theirs = pty.openpty()
    env = {**bench.environ, **environ, "TERM": "xterm-256color", "COLUMNS": "300", "LINES": "50"}
    process = subprocess.Popen(
        bench.command(*arguments), stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL, env=env
    )
    os.close(theirs)
    screen = b""
    try:
        while piece := os.read(ours, 65536):
            screen += piece
    except OSError:
        pass  # Linux raises this if the other end of a terminal is closed.
    os.close(ours)
    code = process.wait(_SECONDS)
    assert b"Traceback" not in screen, screen
    return code, screen
