"""What happened in the four weeks of the demonstration: campaigns, their cells, and what went wrong in them."""

from __future__ import annotations

import msgspec

from .tasks import (
    GSM,
    HAIKU,
    LONG_32,
    LONG_128,
    MINI,
    MODELS,
    QWEN,
    SAFETY,
    SCOUT,
    SMOL,
    SPEED,
    SWE,
    TASKS,
    TOOLS,
    Model,
    Task,
)

RATE_LIMIT = (
    "exit_code",
    (
        "exit code 1; the last of stderr:\n"
        '  File "driver.py", line 88, in ask\n'
        "RateLimitError: 429 Too Many Requests after 5 tries"
    ),
)
OUT_OF_MEMORY = (
    "signal",
    ("killed by SIGKILL; the last of stderr:\nRuntimeError: out of memory: the context does not fit into 15.6 GiB"),
)
TIMEOUT = "timeout", "no end after 3600 s"
NO_RESULT = "no_result", "no file matches result.json; the last of stdout:\nthe judge gave no verdict for 60 samples"
NO_SCORE = "no_score", "result.json: `mean_seconds` is not there"
IMPORT_ERROR = (
    "exit_code",
    ("exit code 1; the last of stderr:\nModuleNotFoundError: No module named 'first_token_probe'"),
)


class Cell(msgspec.Struct, frozen=True):
    """A run of a campaign. `failure` is its reason and its error; a cell that is `retried` has a second attempt."""

    task: Task
    model: Model
    agent: str = ""
    repeat: int = 1
    failure: tuple[str, str] | None = None
    retried: bool = False
    penalty: float = 0.0
    errors: int = 0
    is_synthetic: bool = False


class NotRun(msgspec.Struct, frozen=True):
    """A cell that was skipped (`missing` is empty) or is incompatible."""

    task: Task
    model: Model
    missing: tuple[str, ...] = ()


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """A `run` command. `day` counts from the first day of the history, with a fraction."""

    day: float
    name: str
    cells: tuple[Cell, ...]
    not_run: tuple[NotRun, ...] = ()
    flags: dict[str, object] = {}
    repeats: int = 1
    reason: str = "completed"
    notes: tuple[str, ...] = ()
    is_running: bool = False


FAILURES: dict[tuple[int, str, str, int], tuple[tuple[str, str], bool]] = {
    # (week, benchmark, model, context): what happened, and whether it was tried again in the same campaign.
    (1, "first_token", HAIKU.name, 0): (IMPORT_ERROR, True),
    (1, "first_token", MINI.name, 0): (IMPORT_ERROR, True),
    (1, "first_token", QWEN.name, 0): (IMPORT_ERROR, True),
    (1, "long_context", SMOL.name, 128_000): (OUT_OF_MEMORY, False),
    (1, "swe_mini", QWEN.name, 0): (TIMEOUT, False),
    (2, "long_context", SMOL.name, 128_000): (OUT_OF_MEMORY, False),
    (2, "gsm_hard", QWEN.name, 0): (RATE_LIMIT, True),
    (2, "swe_mini", SCOUT.name, 0): (TIMEOUT, False),
    (3, "long_context", SMOL.name, 128_000): (OUT_OF_MEMORY, False),
    (3, "refusal_safety", MINI.name, 0): (NO_RESULT, True),
    (3, "tool_calling", QWEN.name, 0): (RATE_LIMIT, True),
    (4, "long_context", SMOL.name, 128_000): (OUT_OF_MEMORY, False),
    (4, "gsm_hard", QWEN.name, 0): (RATE_LIMIT, False),
    (4, "tool_calling", QWEN.name, 0): (RATE_LIMIT, False),
    (4, "long_context", QWEN.name, 32_000): (RATE_LIMIT, False),
    (4, "long_context", QWEN.name, 128_000): (RATE_LIMIT, False),
    (4, "first_token", SMOL.name, 0): (NO_SCORE, False),
    (4, "swe_mini", QWEN.name, 0): (TIMEOUT, False),
}
REGRESSION_DAY = 21
PENALTY = 1.9
"""From that day on, claude-haiku is weaker at calling tools."""


def _weekly(week: int) -> Campaign:
    cells = []
    for model in MODELS:
        for task in TASKS:
            key = (week, task.benchmark, model.name, task.options.get("context", 0) if task is LONG_128 else 0)
            if task is LONG_32:
                key = (*key[:3], 32_000)
            failure, retried = FAILURES.get(key, (None, False))
            weak = PENALTY if (week, task, model) == (4, TOOLS, HAIKU) else 0.0
            errors = 4 if (week, task, model) == (3, GSM, QWEN) else 0
            cells.append(Cell(task, model, failure=failure, retried=retried, penalty=weak, errors=errors))
    cells += [Cell(SWE, model, agent="openhands") for model in (HAIKU, MINI)]
    return Campaign(day=7 * (week - 1) + 0.4, name="weekly", cells=tuple(cells), flags={"force": True, "retries": 1})


def campaigns() -> list[Campaign]:
    """All campaigns, in the order of their begin: 183 runs, 22 of which failed and 2 of which are running."""
    repeats = Campaign(
        day=13.3,
        name="repeats",
        cells=tuple(Cell(TOOLS, model, repeat=n) for model in (HAIKU, MINI, QWEN) for n in (1, 2, 3)),
        repeats=3,
        flags={"force": True},
    )
    pilot = Campaign(day=0.1, name="pilot", cells=tuple(Cell(GSM, model, is_synthetic=True) for model in (HAIKU, MINI)))
    safety = [
        Campaign(
            day=day,
            name="safety",
            cells=(Cell(SAFETY, MINI, failure=NO_RESULT if day > 25 else None),),
            flags={"force": True},
        )
        for day in (23.3, 24.3, 25.3, 26.3)
    ]
    weekend = Campaign(
        day=19.2,
        name="weekend",
        cells=(*(Cell(SPEED, model) for model in MODELS), Cell(SWE, SCOUT, agent="openhands", failure=TIMEOUT)),
        flags={"force": True},
    )
    catch_up = Campaign(
        day=26.6,
        name="catch up",
        cells=(Cell(GSM, QWEN), Cell(LONG_32, QWEN), Cell(SPEED, SMOL, failure=NO_SCORE)),
        not_run=(
            *(NotRun(task, model) for model in (HAIKU, MINI, SCOUT) for task in TASKS),
            *(NotRun(SWE, model, ("command docker",)) for model in (QWEN, SMOL)),
            NotRun(LONG_128, SMOL, ("memory: 22 GiB are needed, 15.6 GiB are there",)),
        ),
        flags={"rerun_failed": True, "max_cost": 0.25},
        reason="max_cost",
        notes=("cost limit reached ($0.3451 of $0.25 spent); 2 runs not started",),
    )
    today = Campaign(
        day=27.996,
        name="today",
        cells=(Cell(SAFETY, HAIKU), Cell(SAFETY, QWEN), Cell(GSM, HAIKU), Cell(SWE, HAIKU), Cell(TOOLS, MINI)),
        not_run=(NotRun(SAFETY, SCOUT), NotRun(SWE, SMOL, ("command docker",))),
        flags={"force": True, "max_cost": 4.0},
        is_running=True,
    )
    return sorted(
        [*map(_weekly, (1, 2, 3, 4)), repeats, pilot, weekend, *safety, catch_up, today], key=lambda one: one.day
    )
