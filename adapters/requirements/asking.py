"""Questions that only a process or a host can answer: asked side by side, with one time limit for all."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

LIMIT_SECONDS = 5.0
"""All questions together have this much time. What is not answered by then is `silent`."""
_MAX_PROCESSES = 16
_PAUSE_SECONDS = 0.005
_END_SECONDS = 1.0


class Question(msgspec.Struct, frozen=True):
    """A command that must exit with 0 in a folder, or a host that must answer over HTTPS; one of the two is enough.

    The host is asked only without a command, or if the command failed.
    """

    argv: tuple[str, ...] = ()
    folder: str = "/"
    host: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """How a question was answered.

    `number` is the exit code of a command that failed, or the number of the error that kept it from starting. `silent`
    means that the time was up, `unreachable` that the host refused or its name is unknown.
    """

    outcome: Literal["yes", "exit", "not_started", "unreachable", "silent"]
    number: int = 0

    @property
    def is_yes(self) -> bool:
        """Whether the requirement is met."""
        return self.outcome == "yes"


_YES = Answer("yes")
_SILENT = Answer("silent")


def ask(
    questions: Iterable[Question], environ: Mapping[str, str], limit: float = LIMIT_SECONDS
) -> dict[Question, Answer]:
    """The answer to each question. Takes at most `limit` seconds, whatever hangs; processes that hang are killed."""
    asking = _Asking(environ)
    try:
        return asking.until(deque(dict.fromkeys(questions)), time.monotonic() + limit)
    finally:
        asking.end()


class _Asking:
    """The processes and look-ups that run, and the answers so far."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = dict(environ)
        self.answers: dict[Question, Answer] = {}
        self.processes: dict[Question, subprocess.Popen[bytes]] = {}
        self.hosts: dict[str, list[bool]] = {}
        self.waiting_for_host: list[Question] = []

    def until(self, to_ask: deque[Question], end: float) -> dict[Question, Answer]:
        unique = list(to_ask)
        while to_ask or self.processes or self.waiting_for_host:
            while to_ask and len(self.processes) < _MAX_PROCESSES:
                self._begin(to_ask.popleft())
            self._look()
            if time.monotonic() >= end:
                break
            time.sleep(_PAUSE_SECONDS)
        return {question: self.answers.get(question, _SILENT) for question in unique}

    def _begin(self, question: Question) -> None:
        if not question.argv:
            self._failed(question, Answer("unreachable"))
            return
        try:
            # Output goes nowhere: a pipe that a grandchild keeps open could not be read to its end.
            self.processes[question] = subprocess.Popen(
                question.argv,
                env=self.environ,
                cwd=question.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as problem:
            self._failed(question, Answer("not_started", problem.errno or 0))

    def _look(self) -> None:
        for question, process in list(self.processes.items()):
            if (code := process.poll()) is not None:
                del self.processes[question]
                if code == 0:
                    self.answers[question] = _YES
                else:
                    self._failed(question, Answer("exit", code))
        for question in list(self.waiting_for_host):
            if answers := self.hosts[question.host or ""]:
                self.waiting_for_host.remove(question)
                self.answers[question] = _YES if answers[0] else Answer("unreachable")

    def _failed(self, question: Question, answer: Answer) -> None:
        """The command failed: ask the host if there is one."""
        if question.host is None:
            self.answers[question] = answer
            return
        self.waiting_for_host.append(question)
        if question.host not in self.hosts:
            self.hosts[question.host] = _look_up(question.host)

    def end(self) -> None:
        """End what still runs, with its children."""
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)


def _look_up(host: str) -> list[bool]:
    """Ask a host in a thread of its own, which adds the answer to the list.

    The look-up of a name has no time limit, so the thread may stay; it does not keep the program from ending.
    """
    from .network import answers_over_https

    answers: list[bool] = []
    threading.Thread(target=lambda: answers.append(answers_over_https(host)), name=f"asks {host}", daemon=True).start()
    return answers
