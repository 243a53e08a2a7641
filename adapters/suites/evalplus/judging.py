"""EvalPlus's own comparison of results, with the function that it judges in an isolated process.

EvalPlus runs the code of an answer in the process that compares, where the code can change the comparison. Here it gets
a stand-in for the function instead, and everything else is its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..suitekit.sandbox.isolation import Isolation
from ..suitekit.sandbox.remote import MAX_PROGRAM, Candidate, Refused, open_candidate

_SECONDS = 70.0
"""All time of a candidate: EvalPlus ends each judgement after 62 s, and has limits of its own for each call."""
_open: list[contextlib.ExitStack] = []


def install(isolation: Isolation, trouble: Path) -> None:
    """Have EvalPlus judge stand-ins, in this process and those that it forks.

    An answer that could not be isolated leaves a line in the file `trouble`: EvalPlus itself counts it as wrong.
    """
    import evalplus.eval
    import evalplus.evaluate
    from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS

    real: Callable[..., Any] = evalplus.evaluate.untrusted_check

    def check(dataset: str, code: str, inputs: Any, entry_point: str, *arguments: Any, **named: Any) -> Any:
        if entry_point in MBPP_OUTPUT_NOT_NONE_TASKS:
            code += _WHETHER_THERE_IS_ONE.format(name=entry_point)
        connect = f"connect({isolation.value!r}, {code!r}, {entry_point!r}, {str(trouble)!r})"
        stand_in = f"from {__name__} import connect\n{entry_point} = {connect}\n"
        return real(dataset, stand_in, inputs, entry_point, *arguments, **named)

    evalplus.evaluate.untrusted_check = check
    # It takes away what a process needs to start another one. No foreign code runs in that process any more.
    evalplus.eval.reliability_guard = lambda **_: None


_WHETHER_THERE_IS_ONE = """

def _told(function):
    def reported(*arguments):
        found = function(*arguments)
        return found if found is None or isinstance(found, bool) else True
    return reported
{name} = _told({name})
"""
"""Of three problems EvalPlus asks only whether the result is None, which may be an object of any kind."""


def connect(isolation: str, program: str, entry_point: str, trouble: str) -> Candidate:
    """The function of a program; its process ends with this one. Raises CandidateFailed, Refused and ValueError."""
    if len(program) > MAX_PROGRAM:
        raise ValueError("the program is too long")
    stack = contextlib.ExitStack()
    try:
        candidate, _ = stack.enter_context(open_candidate(Isolation(isolation), program, entry_point, _SECONDS))
    except Refused as problem:
        with open(trouble, "a", encoding="utf-8") as file:  # noqa: PTH123 - a path as given
            file.write(f"{problem}\n")
        raise
    _open.append(stack)
    candidate.value()
    return candidate
