"""A child process is watched to its end, and nothing of it stays behind. Real processes, real signals."""

from __future__ import annotations

import os
import subprocess
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
    end_shell,
    execute,
    marker_of,
    read_end,
)
from tests.waiting import until

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
    end = read_end(tmp_path)
    assert end is not None and (end.status, end.proof) == (7, "-")
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


def test_an_unknown_command_is_an_exit_code_with_its_name_in_stderr(tmp_path: Path) -> None:
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
    assert read_end(tmp_path) is None


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


def test_a_log_keeps_its_beginning_and_its_end_and_counts_the_rest(tmp_path: Path) -> None:
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
    end = read_end(tmp_path)
    assert end is not None and end.status == 0


def test_some_of_many_remaining_processes_are_named(tmp_path: Path) -> None:
    code = "import os, time\nfor _ in range(30):\n    if not os.fork():\n        os.setsid(); time.sleep(600)"
    [note] = run(tmp_path, code).notes
    assert note.count("(") == 10 and note.endswith(" and 20 more")


def test_a_second_request_kills_what_was_given_time_to_end(tmp_path: Path) -> None:
    cancellation = Cancellation()
    code = "import signal, time; signal.signal(15, lambda *_: open('asked', 'w')); print('up'); time.sleep(600)"
    stubborn = code + "\nwhile True: time.sleep(600)"

    def insist() -> None:
        until(lambda: (tmp_path / "stdout.log").exists() and b"up" in (tmp_path / "stdout.log").read_bytes())
        cancellation.request()
        until(lambda: (tmp_path / "asked").exists())
        cancellation.request()

    thread = threading.Thread(target=insist)
    thread.start()
    # With a grace that is longer than any test may take.
    argv = [sys.executable, "-u", "-c", stubborn]
    ended = run(tmp_path, "", argv=argv, timeout=1000, grace=1000, cancellation=cancellation)
    thread.join()
    assert ended.reason == "interrupted"
    assert not marked_processes(marker_of(RUN_ID))


PROOF = f"{'a' * 64} {'b' * 64}"


@pytest.mark.parametrize(("status", "codes", "proof"), [(0, [0], PROOF), (3, [0, 3], PROOF), (3, [0, 33], "-")])
def test_an_end_is_proven_by_the_shell_alone(tmp_path: Path, status: int, codes: list[int], proof: str) -> None:
    # The benchmark looks for what its shell knows: in all that it can read of it without the right to trace it.
    look = (
        "import os, sys, glob\n"
        "seen = [' '.join(sys.argv), repr(dict(os.environ)), sys.stdin.read()]\n"
        "for name in ('cmdline', 'environ', 'stat', 'status', 'fd/0'):\n"
        "    try: seen.append(open(f'/proc/{os.getppid()}/{name}', errors='replace').read())\n"
        "    except OSError: pass\n"
        f"open({str(tmp_path / 'seen')!r}, 'w').write('\\n'.join(seen))\n"
        f"sys.exit({status})"
    )
    child = Child(
        argv=[sys.executable, "-c", look],
        environment={**os.environ, RUN_ID_VARIABLE: RUN_ID, "benchmarks_proof": "exported", "benchmarks_codes": "x"},
        cwd=tmp_path,
        folder=tmp_path,
        timeout_seconds=30,
        proof=PROOF,
        proven_codes=codes,
    )
    ended = execute(child, redactor=Redactor({}), cancellation=Cancellation(), tick=lambda: False)
    assert (ended.return_code, ended.reason) == (status, None)
    end = read_end(tmp_path)
    assert end is not None and (end.status, end.proof) == (status, proof)
    seen = (tmp_path / "seen").read_text()
    assert "suite" not in seen and "a" * 64 not in seen and "b" * 64 not in seen


KILLED_AT_START = """
import os, subprocess, sys
from pathlib import Path
from benchmarks.orchestrator.redaction import Redactor
from benchmarks.orchestrator.running.execution import RUN_ID_VARIABLE, Cancellation, Child, execute

class Popen(subprocess.Popen):
    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        os.kill(os.getpid(), 9)

subprocess.Popen = Popen
folder, run_id, proof = sys.argv[1:]
child = Child(
    argv=["/bin/true"], environment={**os.environ, RUN_ID_VARIABLE: run_id}, cwd=Path(folder), folder=Path(folder),
    timeout_seconds=30, proof=proof, proven_codes=[0] * 10**5,
)
execute(child, redactor=Redactor({}), cancellation=Cancellation(), tick=lambda: False)
"""


def test_an_end_is_proven_even_if_the_orchestrator_was_killed_as_soon_as_the_shell_had_begun(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED_AT_START, str(tmp_path), RUN_ID, PROOF], timeout=60)
    assert killed.returncode == -9
    end = until(lambda: read_end(tmp_path))
    assert end is not None and (end.status, end.proof) == (0, PROOF)


ODD_ENDS = [
    *(
        "",
        "0",
        " 0 -",
        "0 - ",
        "0  -",
        "0_0 -",
        "00 -",
        "+0 -",
        "-0 -",
        "0.0 -",
        "256 -",
        "999 -",
        "1e0 -",
        "٠ -",
        "0\n",
    ),
    *(f"0 {PROOF}\n", f"0 {PROOF.upper()}", f"0 {PROOF[1:]}", f"0 {PROOF} x", "0 -\0", "0x0 -", "true -"),
]


@pytest.mark.parametrize("noted", ODD_ENDS)
def test_what_is_not_exactly_an_exit_status_is_none(tmp_path: Path, noted: str) -> None:
    (tmp_path / "exit_status").write_text(noted)
    assert read_end(tmp_path) is None


def test_the_time_of_an_end_is_not_later_than_the_file_was_touched(tmp_path: Path) -> None:
    (tmp_path / "exit_status").write_text("0 -")
    os.utime(tmp_path / "exit_status", (4e9, 4e9))
    end = read_end(tmp_path)
    assert end is not None and end.at <= time.time() + 1


def test_a_child_that_was_ended_notes_no_end_also_if_it_ends_well(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(0)); print('up', flush=True); time.sleep(60)"
    )
    for _ in range(3):
        ended = run(tmp_path, code, timeout=1, grace=5)
        assert ended.reason == "timeout"
        assert read_end(tmp_path) is None


def test_a_child_whose_shell_was_ended_first_notes_nothing(tmp_path: Path) -> None:
    """As recovery does it: the child still lives then, and comes to a good end of its own."""
    run_id = f"{RUN_ID}_shell"
    os.mkfifo(tmp_path / "go")
    code = f"open({str(tmp_path / 'go')!r}).read()"
    driver = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from benchmarks.orchestrator.running.execution import *\n"
        "from benchmarks.orchestrator.redaction import Redactor\n"
        f"environment = {{**os.environ, RUN_ID_VARIABLE: {run_id!r}}}\n"
        f"child = Child(argv=[sys.executable, '-c', {code!r}], environment=environment, timeout_seconds=60,\n"
        f"              cwd=Path({str(tmp_path)!r}), folder=Path({str(tmp_path)!r}),\n"
        f"              proof={PROOF!r}, proven_codes=[0])\n"
        "execute(child, redactor=Redactor({}), cancellation=Cancellation(), tick=lambda: None)\n"
    )
    orchestrator = psutil.Popen([sys.executable, "-c", driver])
    with (tmp_path / "go").open("w"):
        family = psutil.Process(orchestrator.pid).children(recursive=True)
        orchestrator.kill()
        orchestrator.wait()
        end_shell(run_id)
        assert len(marked_processes(marker_of(run_id))) == 1, "the child itself is left"
    psutil.wait_procs(family, timeout=20)
    assert read_end(tmp_path) is None
