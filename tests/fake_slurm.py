"""An imitation of Slurm's commands on one machine, which behaves as their manual pages document. It is not Slurm.

`sbatch` (`--parsable`, `--array`, `--output`, `--export`, `--test-only`, `--cpus-per-task`, `--gres`), `squeue`
(`--array`, `--states=all`, `--format=%i|%T`, `--jobs`), `scancel` (`--state`), `sinfo` and `sacct`. Elements wait until
a processor is free and no file `hold` is there. Jobs get only the exported variables and SLURM_…. A job that has ended
leaves the queue once a file `purged` is there (MinJobAge); `sacct` knows it for ever.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

STATE = Path(os.environ.get("FAKE_SLURM", "."))
CPUS = 4


def option(arguments: list[str], name: str, default: str = "") -> str:
    return next((one.partition("=")[2] for one in arguments if one.startswith(f"{name}=")), default)


def jobs() -> list[Path]:
    return sorted(STATE.glob("job-*"))


def read(job: Path) -> dict:
    while True:
        with contextlib.suppress(ValueError, FileNotFoundError):
            return json.loads((job / "state.json").read_text())
        time.sleep(0.01)


def write(job: Path, **changes) -> None:
    state = {**(read(job) if (job / "state.json").exists() else {}), **changes}
    beside = job / f"state.{os.getpid()}"
    beside.write_text(json.dumps(state))
    beside.rename(job / "state.json")


def sbatch(arguments: list[str]) -> int:
    if int(option(arguments, "--cpus-per-task", "1")) > CPUS or "gpu" in option(arguments, "--gres"):
        print(
            "sbatch: error: Batch job submission failed: Requested node configuration is not available", file=sys.stderr
        )
        return 1
    if "--test-only" in arguments:
        print("sbatch: Job 1 to start at 2026-01-01T00:00:00", file=sys.stderr)
        return 0
    with (STATE / "calls").open("a") as calls:
        calls.write(json.dumps(arguments) + "\n")
    first, last = map(int, re.fullmatch(r"(\d+)-(\d+)", option(arguments, "--array")).groups())
    number = 100 + len({job.name.split("_")[0] for job in jobs()})
    names = option(arguments, "--export").split(",")
    exported = {name: os.environ[name] for name in names if name in os.environ}
    for index in range(first, last + 1):
        job = STATE / f"job-{number}_{index}"
        job.mkdir()
        output = option(arguments, "--output").replace("%a", str(index))
        write(job, state="PENDING", script=arguments[-1], output=output, environ=exported, restarts=0)
        start(job)
    print(number)
    return 0


def start(job: Path) -> None:
    """What the controller does with an element, in a process of its own."""
    subprocess.Popen(
        [sys.executable, __file__, "control", str(job)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def control(job: Path) -> None:
    while read(job)["state"] == "PENDING":
        with (STATE / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            busy = sum(read(one)["state"] == "RUNNING" for one in jobs()) >= CPUS
            if not (busy or (STATE / "hold").exists()) and read(job)["state"] == "PENDING":
                process = begin(job)
                break
        time.sleep(0.02)
    else:
        return
    code = process.wait()
    if read(job)["state"] == "RUNNING":
        write(job, state="COMPLETED" if code == 0 else "FAILED")


def begin(job: Path) -> subprocess.Popen[bytes]:
    state = read(job)
    number, index = job.name.removeprefix("job-").split("_")
    environ = {**state["environ"], "SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": index}
    environ["SLURM_JOB_ID"] = number
    if state["restarts"]:
        environ["SLURM_RESTART_COUNT"] = str(state["restarts"])
    with Path(state["output"]).open("ab") as output:
        process = subprocess.Popen(
            ["/bin/sh", state["script"]], env=environ, stdout=output, stderr=output, start_new_session=True
        )
    write(job, state="RUNNING", pid=process.pid)
    return process


def end(job: Path, state: str) -> None:
    """End an element: its processes are killed, as those of its cgroup."""
    before = read(job)
    write(job, state=state)
    if before["state"] == "RUNNING":
        import psutil

        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(before["pid"])
            for one in [process, *process.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.send_signal(signal.SIGKILL)


def requeue(job: Path) -> None:
    """What `scontrol requeue`, or the end of a node with `--requeue`, does."""
    end(job, "PENDING")
    write(job, restarts=read(job)["restarts"] + 1)
    start(job)


def squeue(arguments: list[str]) -> int:
    wanted = option(arguments, "--jobs").split(",")
    found = [job for job in jobs() if job.name.removeprefix("job-").split("_")[0] in wanted]
    ended = ("COMPLETED", "FAILED", "CANCELLED", "NODE_FAIL", "TIMEOUT")
    shown = [job for job in found if not ((STATE / "purged").exists() and read(job)["state"] in ended)]
    if not shown:
        print("slurm_load_jobs error: Invalid job id specified", file=sys.stderr)
        return 1
    for job in shown:
        print(f"{job.name.removeprefix('job-')}|{read(job)['state']}")
    return 0


def scancel(arguments: list[str]) -> int:
    state = option(arguments, "--state")
    for job in jobs():
        array = job.name.removeprefix("job-").split("_")[0]
        now = read(job)["state"]
        if array in arguments and now in ("PENDING", "RUNNING") and state in ("", now):
            end(job, "CANCELLED")
    return 0


def sinfo(_: list[str]) -> int:
    print(f"{CPUS}|16384|(null)\n2|8192|(null)")
    return 0


def sacct(arguments: list[str]) -> int:
    job = STATE / f"job-{option(arguments, '--jobs')}"
    print(read(job)["state"])
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["control"]:
        control(Path(sys.argv[2]))
        sys.exit()
    name = Path(sys.argv[0]).name
    sys.exit(
        {"sbatch": sbatch, "squeue": squeue, "scancel": scancel, "sinfo": sinfo, "sacct": sacct}[name](sys.argv[1:])
    )
