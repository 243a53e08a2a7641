"""Chooses the executor of an order."""

from __future__ import annotations

from ..running.executor import Executor
from .local import LocalExecutor
from .names import RAY, SLURM


def executor_of(name: str, *, jobs: int | None, ray_address: str | None) -> Executor:
    """The executor of that name; nothing is connected yet."""
    if name == RAY:
        from .ray_executor import RayExecutor

        return RayExecutor(ray_address, jobs)
    if name == SLURM:
        from .slurm import SlurmExecutor

        return SlurmExecutor(jobs)
    return LocalExecutor(jobs or 1)
