"""What an element of a job array runs: `python -m benchmarks.orchestrator.executors.slurm_job FOLDER`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from ...ledger.identity import this_process
from ...ledger.ledger import Ledger
from ...projections.workspace import Workspace
from ..models.prices import Prices
from ..running.recovery import recover_one
from .errand import Errand, decode
from .node import perform
from .slurm import ERRAND, REPORT


def main(folder: Path, number: str) -> None:
    """Perform the errand of that number, and write its report when it has ended."""
    errand = decode((folder / f"{number}{ERRAND}").read_bytes())

    def close_what_an_earlier_start_left(ledger: Ledger) -> None:
        if os.environ.get("SLURM_RESTART_COUNT", "0") not in ("", "0"):
            _close_earlier(ledger, errand)

    report = perform(errand, _nothing_travels, before=close_what_an_earlier_start_left)
    beside = folder / f"{number}.part"
    beside.write_bytes(msgspec.msgpack.encode(report))
    beside.rename(folder / f"{number}{REPORT}")


def _close_earlier(ledger: Ledger, errand: Errand) -> None:
    """Slurm has started this element anew, so what its earlier process left open has ended."""
    run = ledger.look(lambda history: history.live_run(errand.work.signature.digest))
    if run is not None and run.run_group_id == errand.run_group_id and run.owner != this_process():
        workspace = Workspace(Path(errand.workspace))
        recover_one(ledger, run, "Slurm has requeued its job", workspace=workspace, prices=Prices([]))


def _nothing_travels() -> bytes:
    raise OSError("the workspace is not visible here, and with Slurm it must be shared")


if __name__ == "__main__":
    main(Path(sys.argv[1]), os.environ["SLURM_ARRAY_TASK_ID"])
