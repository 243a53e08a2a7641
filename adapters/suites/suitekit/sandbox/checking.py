"""For suites: which isolation there is here, and whether a program passes its tests in it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict, dataclass

from ..command import SuiteError
from .isolation import Isolation
from .remote import START_SECONDS, command

_PROBE_SECONDS = 10.0
_GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class Task:
    """A program, and the tests of its function `entry_point`.

    `test` defines `check(candidate)`, which raises unless the function is right. `helpers` is code that the tests may
    use; the program's own code is never run beside them.
    """

    program: str
    entry_point: str
    test: str
    helpers: str = ""


@dataclass(frozen=True)
class Verdict:
    """Whether the tests passed; if not, why."""

    passed: bool
    error: str


@dataclass(frozen=True)
class Sandbox:
    """An isolation that works here; `held` is what holds, such as `namespaces, seccomp`."""

    isolation: Isolation
    held: str

    @property
    def note(self) -> str:
        """The isolation in words, for a run's notes."""
        return f"isolation of model-written code: {self.held}"

    def check(self, task: Task, seconds: float) -> Verdict:
        """Run the tests, for at most that many seconds. Raises SuiteError if the isolation fails."""
        answer = _judge(task, self.isolation, seconds)
        if "error" not in answer:
            raise SuiteError(f"the sandbox ({self.isolation.value}) does not work any more: {answer['refused']}")
        return Verdict(not answer["error"], answer["error"])


def find_sandbox(*, allow_none: bool = False) -> Sandbox:
    """The strongest sandbox that works here.

    Raises SuiteError if none does; and for root, whom nothing else keeps from anything, if only limits hold, unless
    `allow_none`.
    """
    refusals: list[str] = []
    for isolation in Isolation:
        if isolation is Isolation.LIMITS and os.geteuid() == 0 and not allow_none:
            raise SuiteError(
                f"model-written code cannot be isolated here, and this is root ({'; '.join(refusals)})\n"
                "hint: install bubblewrap, allow user namespaces or run as another user; "
                "--extra '{\"unsafe\": true}' runs the code anyway, and it can then do anything"
            )
        answer = _judge(_PROBE, isolation, _PROBE_SECONDS)
        if answer.get("error") == "":
            return Sandbox(isolation, answer["held"])
        refusals.append(f"{isolation.value}: {answer.get('error') or answer.get('refused')}")
    raise SuiteError(f"no sandbox works here, not even for a program that is right ({'; '.join(refusals)})")


_PROBE = Task("import math\n\ndef one():\n    return 1\n", "one", "def check(one):\n    assert one() == 1\n")


def _judge(task: Task, isolation: Isolation, seconds: float) -> dict[str, str]:
    """What the judge says: `error` (empty if the tests passed) and `held`, or `refused`."""
    asked = json.dumps({**asdict(task), "isolation": isolation.value, "seconds": seconds}).encode()
    try:
        done = subprocess.run(
            command("judge"),
            input=asked,
            capture_output=True,
            env={},
            cwd="/",
            timeout=seconds + START_SECONDS + _GRACE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"its tests had no end after {seconds:g} s", "held": ""}
    try:
        answer: dict[str, str] = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        return {"error": f"its tests ended with {done.returncode}: {last[:200]}", "held": ""}
    return answer
