"""The commands of a page of the documentation, as the shell of a reader runs them."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.conftest import COMMAND, Bench

Said = subprocess.CompletedProcess[str]

_WITNESS = "http://127.0.0.1:8878"
"""The address at which the pages serve a witness."""
_SECONDS = 120


def lines_of(text: str) -> list[str]:
    """The lines of the blocks of shell commands."""
    return [
        line
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
    ]


@contextlib.contextmanager
def shell(bench: Bench) -> Iterator[Callable[[str], Said]]:
    """Runs lines in the workspace; each must succeed. A witness that a line serves answers until the end."""
    environ = {**bench.environ, "PATH": f"{Path(COMMAND[0]).parent}:{bench.environ['PATH']}"}
    with contextlib.ExitStack() as witnesses:
        address = _WITNESS

        def run(line: str) -> Said:
            nonlocal address
            if line.startswith("benchmarks witness serve"):
                address = witnesses.enter_context(_served(bench, line))
                return subprocess.CompletedProcess(line, 0, "", "")
            done = subprocess.run(
                line.replace(_WITNESS, address),
                shell=True,
                cwd=bench.root,
                env=environ,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            return done

        yield run


@contextlib.contextmanager
def _served(bench: Bench, line: str) -> Iterator[str]:
    """The address of a witness, at a free port."""
    argv = [*COMMAND, *line.split()[1:], "--port", "0"]
    witness = subprocess.Popen(argv, cwd=bench.root, stdout=subprocess.PIPE, text=True)
    try:
        assert witness.stdout
        found = re.search(r"http://\S+", witness.stdout.readline())
        assert found
        yield found[0]
    finally:
        witness.send_signal(signal.SIGINT)
        witness.communicate(timeout=20)
