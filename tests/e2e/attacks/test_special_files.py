"""A benchmark leaves pipes, devices, links and sparse files in place of every file that the orchestrator reads."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from benchmarks.adapters.discovery import discover
from benchmarks.ledger.commitment import new_secrets
from benchmarks.ledger.events import NewEvent
from benchmarks.ledger.identity import this_process
from benchmarks.ledger.jsonl import JsonlStore
from benchmarks.orchestrator.running.provenance import content_of

SECRETS = new_secrets()

PLACES = (
    "output/telemetry.jsonl",
    "output/samples.jsonl",
    "output/result.json",
    "output/artifact.bin",
    "output/deep/artifact.bin",
    "output",
    "progress.jsonl",
    "stdout.log",
    "stderr.log",
    "exit_status",
    "secrets.digests",
    "manifest.json",
)
KINDS = ("pipe", "socket", "zero", "sparse", "folder", "elsewhere", "loop", "link-to-pipe", "deep", "unreadable")

POISON = """
import os, pathlib, shutil, socket

def poison(root, place, kind):
    path = pathlib.Path(root, place)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        here = os.getcwd()
        os.chdir(path.parent)
        socket.socket(socket.AF_UNIX).bind(path.name)
        os.chdir(here)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(2**42)
    elif kind == "folder":
        (path / "inside").mkdir(parents=True)
    elif kind == "elsewhere":
        path.symlink_to("/etc/passwd")
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "link-to-pipe":
        os.mkfifo(path.with_name("a-pipe"))
        path.symlink_to("a-pipe")
    elif kind == "deep":
        path.mkdir()
        here = os.open(path, os.O_RDONLY)
        for _ in range(1050):
            os.mkdir("d", dir_fd=here)
            inside = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inside
        os.close(here)
    elif kind == "unreadable":
        path.write_text("{}")
        path.chmod(0)
"""

TAKE_JOB = """
taken = pathlib.Path("../taken") / os.environ["BENCHMARK_RUN_ID"]
for job in sorted(pathlib.Path("../pool").iterdir()):
    try:
        job.rename(taken)
        break
    except FileNotFoundError:
        continue
"""

ANY_BYTES = f"""
import random
rng = random.Random(taken.read_text())
pieces = b'{{ }} [ ] "score" : 1e400 0.5 NaN "\\\\ud83d" "n" , 4'.split() + [b"\\n"]
output.joinpath("result.json").write_text('{{"score": 0.5, "n": 4}}')
for name in {PLACES!r}:
    if rng.random() < 0.4 and name != "output":
        path = output.parent / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"".join(rng.choices(pieces, k=9)) if rng.random() < 0.5 else rng.randbytes(99))
sys.exit(rng.choice([0, 0, 0, 1]))
"""

CHILD = (
    POISON
    + TAKE_JOB
    + """
place, kind = taken.read_text().split()
output.joinpath("result.json").write_text('{"score": 0.5, "n": 4}')
poison(output.parent, place, kind)
"""
)


def combinations(rng: random.Random, is_full: bool) -> list[tuple[str, str]]:
    """Every place with every kind; in the short form each place and each kind at least once."""
    every = [(place, kind) for place in PLACES for kind in KINDS]
    if is_full:
        return every
    rng.shuffle(every)
    some = every[:10]
    some += [next(pair for pair in every if pair[0] == place) for place in PLACES]
    some += [next(pair for pair in every if pair[1] == kind) for kind in KINDS]
    return list(dict.fromkeys(some))


@pytest.fixture(autouse=True)
def _remove_deep_folders(tmp_path: Path) -> Iterator[None]:
    yield
    subprocess.run(["rm", "-rf", tmp_path], check=False)  # pytest itself would recurse too deeply.


def test_a_run_that_leaves_special_files_has_an_outcome_and_others_run_on(
    bench: Any, rng: random.Random, tally: Counter[str], is_full: bool
) -> None:
    pairs = combinations(rng, is_full)
    for folder in ("pool", "taken"):
        (bench.root / folder).mkdir()
    for number, pair in enumerate(pairs):
        (bench.root / "pool" / str(number)).write_text(" ".join(pair))
    bench.add("odd", CHILD)
    bench.add("last")
    bench.run("odd", more=("--repeats", str(len(pairs)), "--jobs", "2", "--quiet"), code=None)
    bench.run("last")
    *runs, last = bench.runs("--limit", "1000")
    assert last["status"] == "succeeded"
    assert len(runs) == len(pairs)
    for run in runs:
        place, kind = (bench.root / "taken" / run["run_id"]).read_text().split()
        tally[kind] += 1
        printed = f"{place} {kind}: {run['status']} {run['error']} {run['notes']}"
        is_lost = place in ("output", "output/result.json")
        assert run["status"] == ("failed" if is_lost else "succeeded"), printed
        assert run["reason"] in (("no_result", "bad_result", "no_score") if is_lost else (None,)), printed
        if place == "output/artifact.bin" and kind in ("pipe", "socket", "zero", "elsewhere"):
            assert "output/artifact.bin is " in str(run["notes"]), printed
        if place == "output/telemetry.jsonl" and kind not in ("deep", "unreadable"):
            assert "telemetry.jsonl" in str(run["notes"]), printed
    bench("ledger", "verify")
    bench("query", "SELECT count(*) FROM samples")


def lost_runs(bench: Any, histories: Any, count: int) -> Iterator[Path]:
    """Runs of a dead orchestrator that are still open in the ledger; the folder of each."""
    dead = replace(this_process(), pid=2**22 - 1, process_start=1.0, commitment=SECRETS.commitment)
    manifest = content_of(discover(bench.root).adapters["odd"].manifest)
    recorded = {"manifest": {"content_sha256": sha256(manifest).hexdigest()}}
    store = JsonlStore(bench.results / "ledger", notice=print)
    histories.append_anyway(store, [NewEvent("rg_1", histories.opened())])
    for number in range(count):
        started = histories.started(
            str(number),
            benchmark_id="odd",
            benchmark_directory="odd",
            owner=dead,
            cwd=str(bench.root / "odd"),
            provenance=recorded,
        )
        histories.append_anyway(store, [NewEvent(f"run_{number}", started)])
        folder = bench.results / "rg_1" / "odd__odd" / f"run_{number}"
        (folder / "output").mkdir(parents=True)
        yield folder
    store.close()


def test_recovery_closes_every_run_whatever_its_files_are(
    bench: Any, histories: Any, rng: random.Random, tally: Counter[str], is_full: bool
) -> None:
    bench.add("odd")
    pairs = combinations(rng, is_full)
    made: dict[str, Any] = {}
    exec(POISON, made)
    for folder, (place, kind) in zip(lost_runs(bench, histories, len(pairs)), pairs, strict=True):
        (folder / "exit_status").write_text(f"0 {SECRETS.by_shell}")
        (folder / "output" / "result.json").write_text('{"score": 0.5, "n": 4}')
        made["poison"](folder, place, kind)
    said = bench("recover-stale-runs", "--stale-seconds", "0").stdout
    assert "0 still running" in said
    for run in bench.runs("--limit", "1000"):
        tally[run["status"]] += 1
        assert run["status"] in ("succeeded", "failed") and run["recovered"]
    bench.run("odd")


def test_recovery_closes_a_run_with_a_folder_in_place_of_each_of_its_files(bench: Any, histories: Any) -> None:
    """Python refuses a folder later than a pipe, and with another exception."""
    bench.add("odd")
    places = [place for place in PLACES if place != "output"]
    made: dict[str, Any] = {}
    exec(POISON, made)
    for folder, place in zip(lost_runs(bench, histories, len(places)), places, strict=True):
        made["poison"](folder, place, "folder")
    assert "0 still running" in bench("recover-stale-runs", "--stale-seconds", "0").stdout


def test_any_bytes_in_any_file_of_a_run_end_in_an_outcome(
    bench: Any, rng: random.Random, tally: Counter[str], is_full: bool
) -> None:
    """With the installed command, what `test_any_bytes` tests with parts of the program."""
    count = 200 if is_full else 25
    for folder in ("pool", "taken"):
        (bench.root / folder).mkdir()
    for number in range(count):
        (bench.root / "pool" / str(number)).write_text(str(rng.random()))
    bench.add("odd", TAKE_JOB + ANY_BYTES)
    bench.add("last")
    bench.run("odd", more=("--repeats", str(count), "--jobs", "2", "--quiet"), code=None)
    bench.run("last")
    *runs, last = bench.runs("--limit", "1000")
    assert last["status"] == "succeeded" and len(runs) == count
    for run in runs:
        tally[run["reason"] or run["status"]] += 1
        assert run["status"] in ("succeeded", "failed") and run["reason"] != "internal", run["error"]
    bench("ledger", "verify")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_heard_while_files_are_read(bench: Any, number: signal.Signals) -> None:
    """A terabyte without holes is too much for a test, so several large files take a while to read."""
    bench.add(
        "large",
        "for n in range(400):\n    with open(output / str(n), 'wb') as file: file.truncate(2**30)\n"
        "output.joinpath('result.json').write_text('{\"score\": 0.5, \"n\": 4}')\nprint('written', flush=True)",
    )
    process = bench.start("run", "--benchmarks", "large", "--provider", "ollama")
    while not any("written" in log.read_text() for log in bench.results.rglob("stdout.log")):
        assert process.poll() is None
    process.send_signal(number)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    [run] = bench.runs()
    assert run["status"] in ("succeeded", "failed") and run["artifacts"] is not None


@pytest.fixture
def as_nobody() -> Iterator[tuple[Path, Any]]:
    """A workspace of a user who is not root, and the command as that user: root may read everything."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() == 0 and setpriv is None:
        pytest.skip("root can read everything, and setpriv, which changes the user, is not installed")
    home = Path(tempfile.mkdtemp(prefix="workspace-"))
    drop = [setpriv, "--reuid", "65534", "--regid", "65534", "--clear-groups"] if os.geteuid() == 0 else []
    if drop:
        os.chown(home, 65534, 65534)

    def run(*command: str, **more: Any) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", "XDG_CACHE_HOME": str(home)}
        return subprocess.run(
            [*map(str, drop), *command], capture_output=True, text=True, env=environ, timeout=120, cwd=home, **more
        )

    yield home, run
    subprocess.run(["chmod", "-R", "u+rwX", home], check=False)
    shutil.rmtree(home)


def add_shell(bench: Any, id: str, script: str) -> None:
    """A benchmark that is a script of the shell: another user may not execute our Python."""
    folder = bench.add(id)
    manifest = (folder / "benchmark.toml").read_text()
    begin, end = manifest.index("[run]"), manifest.index("[options.seed]")
    run = f'[run]\nargv = ["sh", "-c", {json.dumps(script)}, "{{output_dir}}"]\n\n'
    (folder / "benchmark.toml").write_text(manifest[:begin] + run + manifest[end:])


def test_files_that_cannot_be_read_end_one_run_and_brick_nothing(
    bench: Any, histories: Any, as_nobody: tuple[Path, Any], tally: Counter[str]
) -> None:
    home, run = as_nobody
    command = bench.command()[0]
    if run(command, "--version").returncode != 0:
        pytest.skip("another user cannot execute the command here")
    bench.root, bench.results = home / "w", home / "w" / "benchmark_results"
    bench.root.mkdir()
    for id, then in {
        "result": "chmod 0 $0/result.json",
        "folder": "chmod 0 $0",
        "run-folder": "chmod 0 $0/..",
        "artifact": "touch $0/x; chmod 0 $0/x",
        "odd": "true",
    }.items():
        add_shell(bench, id, f'echo \'{{"score": 1, "n": 1}}\' >$0/result.json; {then}')
    poisoned = list(lost_runs(bench, histories, 4))
    for folder in poisoned:
        (folder / "exit_status").write_text(f"0 {SECRETS.by_shell}")
        (folder / "output" / "result.json").write_text('{"score": 0.5, "n": 4}')
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "65534:65534", home], check=True)
        os.chown(poisoned[0] / "output" / "result.json", 0, 0)
    for path in (poisoned[0] / "output" / "result.json", poisoned[1] / "exit_status", poisoned[2]):
        path.chmod(0)
    arguments = (command, "--workspace", str(bench.root))
    names = ("result", "folder", "run-folder", "artifact", "odd")
    done = run(*arguments, "run", "--benchmarks", *names, "--provider", "ollama")
    assert "Traceback" not in done.stderr and done.returncode == 1, done.stderr
    rows = json.loads(run(*arguments, "show-runs", "--json").stdout)
    ends = {row["benchmark_id"]: row for row in rows if not row["recovered"]}
    assert {id: row["status"] for id, row in ends.items()} == {
        "result": "failed",
        "folder": "failed",
        "run-folder": "failed",
        "artifact": "succeeded",
        "odd": "succeeded",
    }
    for id in ("result", "folder", "run-folder"):
        assert "Permission denied" in ends[id]["error"], ends[id]["error"]
    assert "output/x cannot be read: Permission denied" in ends["artifact"]["notes"][0]
    lost = [row for row in rows if row["recovered"]]
    assert len(lost) == 4 and {row["status"] for row in lost} <= {"failed", "succeeded"}
    tally["recovered"] = len(lost)
    again = run(*arguments, "run", "--benchmarks", "odd", "--provider", "ollama")
    assert again.returncode == 0, again.stderr
    bench.is_damaged = True  # The fixture cannot check the workspace: it is gone by then.


@pytest.mark.parametrize("ending", ["-journal", "-wal", "-shm"])
def test_a_pipe_beside_the_database_is_waited_for_by_no_command(bench: Any, ending: str) -> None:
    """Each command has a time limit in `bench`."""
    bench.add("good")
    bench.run("good")
    path = bench.results / f"orchestrator.sqlite{ending}"
    os.mkfifo(path)
    assert [run["status"] for run in bench.runs()] == ["succeeded"]
    bench.run("good", more=("--force",))
    assert len(bench.runs()) == 2
    path.unlink(missing_ok=True)
