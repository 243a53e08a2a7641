"""The display of a running campaign on stderr: bars on a terminal, else plain lines."""

from __future__ import annotations

import secrets
import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..ledger.events import Progress
from ..ledger.fold import Run
from ..orchestrator.running.display import Display
from ..orchestrator.running.last_words import in_a_line
from ..projections.render.visible import on_a_line
from .streams import open_console, say

if TYPE_CHECKING:
    from rich.progress import TaskID


def open_display(*, is_quiet: bool, environ: Mapping[str, str]) -> Display:
    """Bars if stderr is a terminal, else lines; failures only if `is_quiet`.

    In a step of GitHub Actions, each run is a foldable group and a failure is an annotation.
    """
    if is_quiet:
        return Silence()
    if environ.get("GITHUB_ACTIONS") == "true":
        return Groups()
    return Bars() if sys.stderr.isatty() else Lines()


def outcome_line(run: Run, *, quotes_child: bool = True) -> str:
    """The end of a run in one line, with its notes.

    For a failed run it contains the last line of the child's stderr, unless `quotes_child` is false.
    """
    took = f"{run.duration_seconds:.1f} s" if run.duration_seconds is not None else "?"
    if run.status == "succeeded":
        from ..projections.render.score_tables import run_score  # Late: with all of statistics behind it.

        text = f"{run.benchmark_id}: {run_score(run)} in {took}"
    else:
        why = in_a_line(run.error or "", quotes_child=quotes_child)
        text = f"{run.benchmark_id}: {run.status} ({run.reason}) after {took}: {why}"
    return "; ".join([text, *run.notes])


class Silence:
    """For --quiet: prints failures only."""

    def note(self, text: str) -> None:
        """Ignored in quiet mode."""

    def started(self, run_id: str, benchmark_id: str) -> None:
        """Ignored in quiet mode."""

    def progress(self, run_id: str, progress: Progress) -> None:
        """Ignored in quiet mode."""

    def ended(self, run: Run) -> None:
        """Print a failure."""
        if run.status != "succeeded":
            say(outcome_line(run))

    def close(self) -> None:
        """Nothing to do."""


class Lines:
    """For log files and pipes: prints a line at each start and end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def note(self, text: str) -> None:
        """Print the note."""
        with self._lock:
            say(text)

    def started(self, run_id: str, benchmark_id: str) -> None:
        """Print the id of the run, so that the user can look it up while it runs."""
        self.note(f"{benchmark_id}: started {run_id}")

    def progress(self, run_id: str, progress: Progress) -> None:
        """Ignored: it would fill a log file."""

    def ended(self, run: Run) -> None:
        """Print the outcome."""
        self.note(outcome_line(run))

    def close(self) -> None:
        """Nothing to do."""


class Groups(Lines):
    """For the log of GitHub Actions: prints a group for each run at its end, so that groups never mix."""

    def note(self, text: str) -> None:
        """Print the note so that the runner takes none of its lines for a command."""
        super().note("\n".join(_without_commands(line) for line in text.splitlines()))

    def ended(self, run: Run) -> None:
        """Print a group, and an annotation if the run failed."""
        line = _in_a_command(outcome_line(run, quotes_child=False))
        # The runner must not take the output of a child for a command.
        resume = secrets.token_hex(8)
        lines = [f"::group::{line}", f"::stop-commands::{resume}", run.run_id, run.stdout_path]
        lines += [*(run.error or "").splitlines(), f"::{resume}::", "::endgroup::"]
        if run.status != "succeeded":
            lines.append(f"::error title={_in_a_command(run.benchmark_id)}::{line}")
        super().note("\n".join(lines))


def _in_a_command(text: str) -> str:
    """Text inside a command to the runner: on one line, and escaped."""
    return on_a_line(text).replace("%", "%25")


def _without_commands(line: str) -> str:
    """A line that the runner takes for text. Its commands begin a line with `::`, or are in it as `##[`."""
    line = line.replace("##[", "# #[")
    return f"| {line}" if line.lstrip().startswith("::") else line


class Bars:
    """For a terminal: one bar for each run in progress."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Live

        self._console = open_console(sys.stderr)
        self._live = Live(
            SpinnerColumn(),
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=self._console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._live.start()

    def note(self, text: str) -> None:
        """Print the note above the bars."""
        self._live.console.print(text, markup=False)

    def started(self, run_id: str, benchmark_id: str) -> None:
        """Add a bar for the run."""
        self._tasks[run_id] = self._live.add_task(benchmark_id, total=None, note="")

    def progress(self, run_id: str, progress: Progress) -> None:
        """Move the bar."""
        from rich.markup import escape

        self._live.update(
            self._tasks[run_id],
            completed=progress.done,
            total=progress.total,
            note=escape(on_a_line(progress.note)[:60]),
        )

    def ended(self, run: Run) -> None:
        """Turn the bar into a line."""
        from rich.text import Text

        if run.run_id in self._tasks:
            self._live.remove_task(self._tasks.pop(run.run_id))
        style = "green" if run.status == "succeeded" else "red"
        self._live.console.print(Text(outcome_line(run), style))

    def close(self) -> None:
        """Stop drawing and restore the terminal."""
        self._live.stop()
