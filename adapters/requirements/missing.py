"""What is missing here to run a benchmark: a folder, an agent, an option, a variable, a command, a check that fails."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..adapter import Adapter
from ..environment import can_have_python, find_python_argv
from ..manifest import ANY_AGENT, Check
from .asking import LIMIT_SECONDS, Answer, Question, ask
from .memory import Memory

_VARIABLE = re.compile(r"\$(\w+)")


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is planned: a benchmark with an agent and an effective configuration."""

    adapter: Adapter
    agent: str
    config: Mapping[str, Any]


class Standing(msgspec.Struct, frozen=True):
    """What is missing, and the requirements that were not checked because that takes a process or the network."""

    missing: list[str]
    unchecked: list[str]


class _Open(msgspec.Struct, frozen=True):
    """A requirement that takes a question. Its name is reported if it is not met, with the answer if `is_explained`."""

    name: str
    question: Question
    is_explained: bool = True


def missing(adapter: Adapter, *, agent: str, environ: Mapping[str, str], config: Mapping[str, Any]) -> list[str]:
    """Everything that is missing to run the benchmark here. Empty if it can run. Makes all checks."""
    [standing] = examine([Need(adapter=adapter, agent=agent, config=config)], environ, ask_now=True)
    return standing.missing


def examine(needs: Sequence[Need], environ: Mapping[str, str], *, ask_now: bool) -> list[Standing]:
    """How each run stands, in the order given.

    With `ask_now`, checks that take a process or the network are made, side by side and each once, unless they were
    answered in the last minutes. Otherwise no process is started and no host is asked: a check that was not answered
    in the last minutes is `unchecked`.
    """
    found = [(_plainly_missing(need, environ), list(_open(need, environ))) for need in needs]
    memory = Memory(environ)
    questions = {one.question for _, unanswered in found for one in unanswered if isinstance(one, _Open)}
    answers = _ask(questions, environ, memory) if ask_now else _recall(questions, memory)
    standings = []
    for lacking, unanswered in found:
        texts, unchecked = list(lacking), []
        for one in unanswered:
            if isinstance(one, str):
                texts.append(one)
            elif (answer := answers.get(one.question)) is None:
                unchecked.append(one.name)
            elif not answer.is_yes:
                texts.append(_failure(one, answer))
        standings.append(Standing(texts, unchecked))
    return standings


def _ask(questions: set[Question], environ: Mapping[str, str], memory: Memory) -> dict[Question, Answer]:
    if not questions:
        return {}
    known = {question: answer for question in questions if (answer := memory.believe(question))}
    new = ask(questions - known.keys(), environ)
    if new:
        memory.keep(new)
    return known | new


def _recall(questions: set[Question], memory: Memory) -> dict[Question, Answer]:
    return {question: answer for question in questions if (answer := memory.recall(question))}


def missing_anywhere(need: Need) -> list[str]:
    """What is missing on whatever machine the benchmark runs: its directory, an agent that it knows, an option."""
    adapter, manifest = need.adapter, need.adapter.manifest
    lacking = []
    if adapter.root is None:
        lacking.append(f"directory {manifest.directory} (or suites/{manifest.directory}) in the workspace")
    able = [*manifest.agents, *manifest.baselines]
    if ANY_AGENT not in able and need.agent not in able:
        lacking.append(f"agent '{need.agent}' (this benchmark runs: {', '.join(able)})")
    lacking += [
        f"option {name} (--extra '{{\"{name}\": …}}'): {option.help}".rstrip(": ")
        for name, option in manifest.options.items()
        if option.required and need.config.get(name) is None
    ]
    return lacking


def _plainly_missing(need: Need, environ: Mapping[str, str]) -> list[str]:
    """What is missing that a look at the manifest, the variables and PATH shows."""
    requires = need.adapter.manifest.requires
    lacking = missing_anywhere(need)
    lacking += [f"environment variable {name}" for name in requires.env if not environ.get(name)]
    lacking += [f"command {name} on PATH" for name in requires.commands if not _is_on_path(name, environ)]
    return lacking


def _open(need: Need, environ: Mapping[str, str]) -> Iterator[_Open | str]:
    """What is left to ask, and what is missing of the checks without a question."""
    version = need.adapter.manifest.requires.python_version
    if version is not None and not can_have_python(version, environ):
        name = f"Python {version} or later, for its environment (uv python install {version})"
        yield _Open(name, Question(argv=tuple(find_python_argv(version))), is_explained=False)
    absent = [name for name in need.adapter.manifest.requires.commands if not _is_on_path(name, environ)]
    for check, folder in _checks(need):
        if check.argv[:1] in [[name] for name in absent]:
            continue  # The missing command is reported already.
        if _is_met(check, folder, environ):
            continue
        place = str(folder) if folder and folder.is_dir() else "/"
        if check.argv and check.host is None and not _can_start(check.argv[0], place, environ):
            yield f"{check.name} ({' '.join(check.argv)}: {os.strerror(errno.ENOENT)})"
        elif check.argv or check.host is not None:
            yield _Open(check.name, Question(tuple(check.argv), place, check.host))
        else:
            yield check.name


def _checks(need: Need) -> Iterator[tuple[Check, Path | None]]:
    """The checks to make, each with its folder. A run that asks no model does not need the agent's harness either."""
    adapter, manifest = need.adapter, need.adapter.manifest
    for check in manifest.requires.checks:
        if not check.is_needless(need.agent, need.config):
            yield check, adapter.root
    if adapter.harnesses is None or not manifest.asks_model(need.agent, need.config):
        return
    names = {check.name for check in manifest.requires.checks}
    for check in adapter.harnesses.checks:
        if check.name not in names and not check.is_needless(need.agent, need.config):
            yield check, adapter.harnesses.workspace


def _is_met(check: Check, folder: Path | None, environ: Mapping[str, str]) -> bool:
    """Whether a variable, a command or a path of the check is there: a look is enough."""
    return (
        any(environ.get(name) for name in check.env)
        or any(_is_on_path(name, environ) for name in check.commands)
        or any(_exists(path, folder, environ) for path in check.paths)
    )


def _is_on_path(name: str, environ: Mapping[str, str]) -> bool:
    return shutil.which(name, path=environ.get("PATH")) is not None


def _can_start(command: str, folder: str, environ: Mapping[str, str]) -> bool:
    """Whether there is such a command. A path is left to the attempt."""
    return "/" in command or shutil.which(command, path=environ.get("PATH", os.defpath)) is not None


def _exists(path: str, folder: Path | None, environ: Mapping[str, str]) -> bool:
    """Whether there is such a path or a match of that glob; `~` and `$NAME` are replaced if they are known."""
    text = f"$HOME{path[1:]}" if path.startswith("~/") else path
    if not all(environ.get(name) for name in _VARIABLE.findall(text)):
        return False
    whole = (folder or Path("/")) / _VARIABLE.sub(lambda match: environ[match[1]], text)
    try:
        return any(whole.parent.glob(whole.name)) if "*" in whole.name else whole.exists()
    except (OSError, ValueError):
        return False


def _failure(one: _Open, answer: Answer) -> str:
    question = one.question
    if answer.outcome == "exit" and not one.is_explained:
        return one.name
    if question.host is not None:
        return f"{one.name} ({question.host} does not answer)"
    shown = " ".join(question.argv)
    if answer.outcome == "silent":
        return f"{one.name} ({shown}: no answer in {LIMIT_SECONDS:.0f} s)"
    if answer.outcome == "not_started":
        return f"{one.name} ({shown}: {os.strerror(answer.number)})"
    return f"{one.name} ({shown}: exit {answer.number})"
