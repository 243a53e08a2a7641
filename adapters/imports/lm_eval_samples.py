"""The samples of lm-evaluation-harness: the files `samples_<task>_<date>.jsonl` that `--log_samples` leaves.

They are beside `results_<date>.json` and have its date. A task with several filters has a line for each filter.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..suites.lm_eval.samples import files as files_of
from ..suites.lm_eval.samples import row
from .found import ForeignRun
from .instances import MAX_LOG_BYTES, Remark, Row, UnreadableSamples, read_objects, score_of


def read(path: Path, run: ForeignRun) -> Iterator[Row | Remark]:
    """The samples of all tasks of a run. Raises UnreadableSamples."""
    tasks = [str(task) for task in run.sought.get("tasks", ())]
    metric, filter = str(run.sought.get("metric")), run.sought.get("filter")
    try:
        files = files_of(path, tasks)
    except OSError as problem:
        raise UnreadableSamples(f"{path.parent.name} cannot be read: {problem.strerror}") from problem
    if not files:
        return
    if len(files) < len(tasks):
        missing = ", ".join([task for task in tasks if task not in files][:5])
        yield Remark(f"{len(tasks) - len(files)} of {len(tasks)} tasks have no file of samples: {missing}")
    left = MAX_LOG_BYTES
    for task, file in files.items():
        left -= os.lstat(file).st_size
        filters: set[object] = set()
        scored = False
        for line in read_objects(file, max(0, left + os.lstat(file).st_size)):
            filters.add(line.get("filter"))
            if line.get("filter") in (None, filter):
                scored = scored or score_of(line.get(metric)) is not None
                yield row(line, metric, f"{task}/" if len(tasks) > 1 else "")
        if not scored:
            yield Remark(f"{file.name} has no sample with a number as {metric}")
