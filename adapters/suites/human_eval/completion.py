"""From what a model says to a program that its tests can be run against."""

from __future__ import annotations

import re
from collections.abc import Mapping

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
    """The code of an answer: its first code block where it has one, else all of it."""
    found = _BLOCK.search(text)
    return found[1] if found else text


def program_of(problem: Problem, code: str) -> str:
    """The program of an answer: the whole function where the code defines it, else the code behind the prompt.

    What the prompt has before the function (imports, helpers) is there in both cases.
    """
    definition = f"def {problem['entry_point']}("
    if definition not in code:
        return problem["prompt"] + code
    preamble = problem["prompt"].partition(definition)[0]
    return f"{preamble}\n{code}"
