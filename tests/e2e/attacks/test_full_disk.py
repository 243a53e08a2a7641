"""A full disk ends the runs that cannot go on, and the program says what was recorded and what was not."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def small(bench: Any, tmp_path: Path) -> Iterator[Any]:
    """The workspace on a disk of 60 MiB; a run needs 50 of them to begin."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(bench.root)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk, and not everywhere")
    yield bench
    bench.is_damaged = True  # The fixture cannot check the disk: it is gone by then.
    assert "sound" in bench("ledger", "verify").stdout
    subprocess.run(["umount", "-l", bench.root], check=True)


FILL = """
import time
def fill(path):
    with open(path, "wb", buffering=0) as file:
        for size in (2**20, 4096, 1):
            try:
                while True: file.write(b"x" * size)
            except OSError:
                pass
time.sleep(1)
"""


def test_a_log_that_cannot_be_written_ends_that_run_and_its_duration_is_recorded(small: Any) -> None:
    # Space is freed once the log has failed, so that the end can be recorded.
    small.add("full", FILL + "fill('../big')\nprint('x' * 10**6, flush=True)\ntime.sleep(600)")
    process = small.start("run", "--benchmarks", "full", "--provider", "ollama")
    while (line := process.stderr.readline()) and "started" not in line:
        pass
    _, err = process.communicate(timeout=60)
    (small.root / "big").unlink()
    assert "Traceback" not in err and "interrupted" not in err
    if process.returncode == 1:
        assert "failed (workspace) after" in err and "after 0.0 s" not in err and "No space left" in err
    else:
        assert "its end could not be recorded" in err and process.returncode == 2
    small.run("full", code=None, more=("--timeout", "1"))
    first, second = small.runs()
    assert first["reason"] in ("workspace", "orchestrator_lost") and (first["duration_seconds"] or 1) > 0.5
    assert second["status"] == "failed"


def test_a_ledger_that_cannot_be_written_is_reported_and_its_runs_are_recovered(small: Any) -> None:
    small.add("good")
    small.add("full", FILL + "output.joinpath('result.json').write_text('{\"score\": 0.5, \"n\": 1}')\nfill('../big')")
    said = small.run("full", "good", code=2)
    assert "its end could not be recorded" in said and "No space left" in said
    assert "interrupted" not in said and "started run_good" not in said
    assert [run["status"] for run in small.runs()] == ["running"]
    (small.root / "big").unlink()
    small.run("good")
    full, good = small.runs()
    # Its shell may have had no space for the exit status; then its result has no proof.
    assert full["recovered"] and full["reason"] in (None, "orchestrator_lost")
    assert good["status"] == "succeeded"
