"""From what a model says to a program that its tests can be run against."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..suitekit.sandbox.checking import Task

_BLOCK = re.compile(r"```[ \t]*(?:python|py)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)

Problem = Mapping[str, str]
"""A problem of the package: task_id, prompt, entry_point, canonical_solution, test."""


def ask_for(problem: Problem) -> str:
    """The request for a completion."""
    return (
        "Complete the following Python function. Answer with the whole function in one Python code block, and "
        f"nothing else.\n\n```python\n{problem['prompt']}```"
    )


def extract_code(text: str) -> str:
    """The code of an answer: its first code block if it has one, else all of it."""
    found = _BLOCK.search(text)
    return found[1] if found else text


def task_of(problem: Problem, code: str) -> Task:
    """An answer with its tests. The program is the prompt followed by the code.

    A prompt is a function whose body is its docstring alone. So a completion goes on with that body, and a whole
    function takes its place, with the imports and functions of the prompt at hand for both. The tests of three problems
    use a function of the prompt: they get the prompt's own.
    """
    return Task(
        program=problem["prompt"] + code,
        entry_point=problem["entry_point"],
        test=problem["test"],
        helpers=problem["prompt"],
    )
