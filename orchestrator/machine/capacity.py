"""The resources of this machine that runs share."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Mapping

import msgspec

from ...adapters.manifest import Resources


class Capacity(msgspec.Struct, frozen=True):
    """Cores, bytes of memory, and GPU names as in CUDA_VISIBLE_DEVICES."""

    cpus: float
    memory: int
    gpus: tuple[str, ...]

    def missing(self, needed: Resources) -> list[str]:
        """The needed resources that this machine does not have; empty if the run can start."""
        missing = []
        if needed.cpus > self.cpus:
            missing.append(f"{needed.cpus:g} cores (this machine has {self.cpus:g})")
        if needed.memory_bytes > self.memory:
            text = f"{needed.memory_bytes / 2**30:.1f} GiB of memory (this machine has {self.memory / 2**30:.1f})"
            missing.append(text)
        if needed.gpus > len(self.gpus):
            missing.append(f"{needed.gpus} GPUs (this machine has {len(self.gpus)})")
        return missing


UNRATIONED = Capacity(math.inf, sys.maxsize, ())
"""The capacity if no run needs rationed resources, so that the machine need not be examined."""


def this_machine(environ: Mapping[str, str]) -> Capacity:
    """The capacity that this process may use. CUDA_VISIBLE_DEVICES names the GPUs if it is set."""
    import psutil

    affinity = getattr(os, "sched_getaffinity", None)
    cpus = len(affinity(0)) if affinity else os.cpu_count() or 1
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    gpus = _split(visible) if visible is not None else _installed_gpus()
    return Capacity(float(cpus), psutil.virtual_memory().total, gpus)


def _split(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(",") if name.strip() and name.strip() != "-1")


def _installed_gpus() -> tuple[str, ...]:
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    try:
        found = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(found.stdout.split())
