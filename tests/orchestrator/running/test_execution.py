"""A child process is watched to its end, and nothing of it stays behind. Real processes, real signals."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from benchmarks.orchestrator.machine.logs import TAIL_BYTES, last_lines
from benchmarks.orchestrator.machine.processes import marked_processes
from benchmarks.orchestrator.redaction import Redactor
from benchmarks.orchestrator.running.execution import (
    RUN_ID_VARIABLE,
    Cancellation,
    Child,
    Exit,
    execute,
    marker_of,
    read_exit_status,
)

RUN_ID = f"run_execution_test_{os.getpid()}"


def run(
    folder: Path,
    code: str,
    *,
    timeout: float = 30,
    stall: float | None = None,
    log_bytes: int = 10**8,
    redactor: Redactor | None = None,
    cancellation: Cancellation | None = None,
    tick: Callable[[], bool] = lambda: False,
    argv: list[str] | None = None,
    cwd: Path | None = None,
    grace: float = 1,
) -> Exit:
    child = Child(
        argv=argv or [sys.executable, "-c", code],
        environment={**os.environ, RUN_ID_VARIABLE: RUN_ID},
        cwd=cwd or folder,
        folder=folder,
        timeout_seconds=timeout,
        stall_seconds=stall,
        log_bytes=log_bytes,
        grace_seconds=grace,
    )
    return execute(child, redactor=redactor or Redactor({}), cancellation=cancellation or Cancellation(), tick=tick)


def test_output_and_exit_code_are_kept(tmp_path: Path) -> None:
    ended = run(tmp_path, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)")
    assert (ended.return_code, ended.reason, ended.notes) == (7, None, [])
    assert (tmp_path / "stdout.log").read_text() == "out\n"
    assert (tmp_path / "stderr.log").read_text() == "err\n"
    assert read_exit_status(tmp_path) == 7
    assert ended.duration_seconds > 0


def test_more_output_than_a_pipe_holds_is_kept_whole(tmp_path: Path) -> None:
    size = 8_000_000
    run(tmp_path, f"import sys; sys.stdout.write('x' * {size}); sys.stderr.write('y' * {size})")
    assert (tmp_path / "stdout.log").stat().st_size == size
    assert (tmp_path / "stderr.log").stat().st_size == size


def test_secrets_in_the_output_are_replaced_before_they_reach_the_disk(tmp_path: Path) -> None:
    code = "import sys\nfor c in 'say sk-12345678 now': sys.stdout.write(c); sys.stdout.flush()"
    run(tmp_path, code, redactor=Redactor({"KEY": "sk-12345678"}))
    assert (tmp_path / "stdout.log").read_text() == "say [redacted:KEY] now"


def test_a_command_that_does_not_exist_is_an_exit_code_with_its_name_in_stderr(tmp_path: Path) -> None:
    ended = run(tmp_path, "", argv=["no-such-command-here"])
    assert ended.return_code == 127
    assert "no-such-command-here" in last_lines(tmp_path / "stderr.log")


def test_a_working_directory_that_is_missing_is_a_failed_start(tmp_path: Path) -> None:
    ended = run(tmp_path, "", cwd=tmp_path / "nowhere")
    assert (ended.return_code, ended.reason) == (None, "start")
    assert "nowhere" in ended.error


def test_time_is_limited_and_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    ended = run(tmp_path, code, timeout=0.5)
    assert ended.reason == "timeout"
    assert 0.5 <= ended.duration_seconds < 10
    assert not marked_processes(marker_of(RUN_ID))
    assert read_exit_status(tmp_path) is None


@pytest.mark.parametrize("ends_by", ["timeout", "itself"])
def test_a_grandchild_that_left_the_session_is_ended(tmp_path: Path, ends_by: str) -> None:
    grandchild = "import os, time; os.setsid(); print(os.getpid(), flush=True); time.sleep(60)"
    code = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen([sys.executable, '-c', {grandchild!r}], stdout=subprocess.PIPE, text=True)\n"
        "print(p.stdout.readline(), flush=True)\n"
        f"time.sleep({60 if ends_by == 'timeout' else 0})"
    )
    ended = run(tmp_path, code, timeout=2 if ends_by == "timeout" else 30)
    pid = int((tmp_path / "stdout.log").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert ended.reason == ("timeout" if ends_by == "timeout" else None)
    assert [note.partition(":")[0] for note in ended.notes] == (
        [] if ends_by == "timeout" else ["left processes behind, which were ended"]
    )


@pytest.mark.parametrize("leave", ["pass", "os.setsid()"])
def test_a_family_whose_every_generation_ends_at_once_is_ended(tmp_path: Path, leave: str) -> None:
    code = (
        "import os, time\n"
        "end = time.time() + 20\n"
        "if not os.fork():\n"
        "    while time.time() < end:\n"
        "        if os.fork(): os._exit(0)\n"
        f"        {leave}\n"
    )
    run(tmp_path, code)
    # It would go on for 20 seconds, a new process each millisecond.
    assert not any(marked_processes(marker_of(RUN_ID)) for _ in range(20))


def test_a_child_without_a_sign_of_life_has_stalled(tmp_path: Path) -> None:
    ended = run(tmp_path, "import time; print('begun', flush=True); time.sleep(60)", stall=0.5)
    assert (ended.reason, ended.error) == ("stalled", "no output and no progress for 0.5 s")
    assert 0.5 <= ended.duration_seconds < 10
    assert not marked_processes(marker_of(RUN_ID))


def test_output_and_progress_are_signs_of_life(tmp_path: Path) -> None:
    speaking = "import time\nfor _ in range(12): print('.', flush=True); time.sleep(0.1)"
    assert run(tmp_path, speaking, stall=0.8).reason is None
    assert run(tmp_path, "import time; time.sleep(2)", stall=0.8, tick=lambda: True).reason is None
    assert run(tmp_path, "import time; time.sleep(20)", stall=0.8).reason == "stalled"


def test_a_log_has_its_beginning_and_its_end_and_what_is_left_out_is_told(tmp_path: Path) -> None:
    line = "x" * 99 + "\n"
    code = f"import sys\nprint('first')\nfor _ in range(60_000): sys.stdout.write({line!r})\nprint('last')"
    ended = run(tmp_path, code, log_bytes=2 * TAIL_BYTES)
    log = (tmp_path / "stdout.log").read_bytes()
    told = int(ended.notes[0].removeprefix("stdout.log: ").removesuffix(" bytes were left out"))
    mark = f"\n[{told} bytes were left out here]\n".encode()
    assert log.startswith(b"first\n") and log.endswith(b"last\n") and log.count(mark) == 1
    assert len(log) - len(mark) + told == 60_000 * 100 + len("first\nlast\n")
    assert len(log) < 2.2 * TAIL_BYTES


def test_a_background_child_that_holds_the_output_open_does_not_hold_up_the_end(tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    ended = run(tmp_path, code)
    assert (ended.return_code, len(ended.notes)) == (0, 1)
    assert ended.duration_seconds < 20


def test_a_cancellation_ends_the_child(tmp_path: Path) -> None:
    cancellation = Cancellation()
    begun = threading.Event()
    ended: list[Exit] = []

    def tick() -> bool:
        begun.set()
        return False

    worker = threading.Thread(
        target=lambda: ended.append(run(tmp_path, "import time; time.sleep(60)", cancellation=cancellation, tick=tick))
    )
    worker.start()
    assert begun.wait(20)
    cancellation.request()
    worker.join(20)
    assert ended[0].reason == "interrupted"
    assert not marked_processes(marker_of(RUN_ID))


def test_an_error_while_watching_leaves_no_process(tmp_path: Path) -> None:
    def tick() -> None:
        raise RuntimeError("the ledger is gone")

    with pytest.raises(RuntimeError, match="ledger is gone"):
        run(tmp_path, "import time; time.sleep(60)", tick=tick)
    assert not marked_processes(marker_of(RUN_ID))


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    cancellation = Cancellation()
    run(tmp_path, "pass", cancellation=cancellation)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        run(tmp_path, "pass", cancellation=cancellation)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_a_child_whose_orchestrator_was_killed_comes_to_its_end_and_notes_it(tmp_path: Path) -> None:
    # The orchestrator is a process of its own, killed while its child is at work; the child prints afterwards.
    code = (
        "import os, sys, pathlib\n"
        "print('begun', flush=True)\n"
        f"fifo = open({str(tmp_path / 'go')!r})\n"
        "fifo.read()\n"
        "print('after', flush=True)\n"
    )
    os.mkfifo(tmp_path / "go")
    driver = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from benchmarks.orchestrator.running.execution import *\n"
        "from benchmarks.orchestrator.redaction import Redactor\n"
        f"child = Child(argv=[sys.executable, '-c', {code!r}], environment={{**os.environ, RUN_ID_VARIABLE: 'x'}},\n"
        f"              cwd=Path({str(tmp_path)!r}), folder=Path({str(tmp_path)!r}), timeout_seconds=60)\n"
        "execute(child, redactor=Redactor({}), cancellation=Cancellation(), tick=lambda: None)\n"
    )
    orchestrator = psutil.Popen([sys.executable, "-c", driver])
    with (tmp_path / "go").open("w"):  # Opens when the child has opened its end.
        family = psutil.Process(orchestrator.pid).children(recursive=True)
        assert len(family) == 2
        orchestrator.kill()
        orchestrator.wait()
    psutil.wait_procs(family, timeout=20)
    assert read_exit_status(tmp_path) == 0


def test_of_many_processes_left_behind_some_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    code = "import os, time\nfor _ in range(30):\n    if not os.fork():\n        os.setsid(); time.sleep(600)"
    [note] = run(tmp_path, code).notes
    assert note.count("(") == 10 and note.endswith(" and 20 more")


def test_a_second_request_kills_what_was_given_time_to_end(tmp_path: Path) -> None:
    cancellation = Cancellation()
    code = "import signal, time; signal.signal(15, lambda *_: open('asked', 'w')); print('up'); time.sleep(600)"
    stubborn = code + "\nwhile True: time.sleep(600)"

    def insist() -> None:
        while not (tmp_path / "stdout.log").exists() or b"up" not in (tmp_path / "stdout.log").read_bytes():
            time.sleep(0.01)
        cancellation.request()
        while not (tmp_path / "asked").exists():
            time.sleep(0.01)
        cancellation.request()

    thread = threading.Thread(target=insist)
    thread.start()
    # With a grace that is longer than any test may take.
    argv = [sys.executable, "-u", "-c", stubborn]
    ended = run(tmp_path, "", argv=argv, timeout=1000, grace=1000, cancellation=cancellation)
    thread.join()
    assert ended.reason == "interrupted"
    assert not marked_processes(marker_of(RUN_ID))
