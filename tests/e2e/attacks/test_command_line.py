"""Every option and argument of every command, with odd values: one clear line and an exit code, never a traceback.

The commands and their options are read from the program itself, so that a new one is tested without being named here.
Each case is a separate process, forked after the program was imported, so hundreds take seconds.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from benchmarks.cli.main import _run, cli
from benchmarks.cli.streams import show_only_visible_text

CODES = {0, 1, 2, 3}
SECONDS = 15
ENDLESS = {("serve-viewer",)}
"""A command that is right to go on until it is interrupted."""
SLOW = {("environments", "build")}
"""It asks a registry of packages."""


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands(inner, (*path, name))
    else:
        yield path, command


def odd_values(folder: Path) -> list[str]:
    pipe = folder / "pipe"
    if not pipe.exists():
        os.mkfifo(pipe)
        (folder / "deep.json").write_text("[" * 100_000)
        (folder / "bytes").write_bytes(bytes(range(256)) * 10)
        (folder / "loop").symlink_to(folder / "loop")
    return [
        *(
            "",
            " ",
            "\n",
            "\t=1",
            "--",
            "-",
            "a" * 100_000,
            "a/../../b",
            "é\u202e\x1b]0;x\x07\x9b",
            "\udcff",
            "%s{0}",
        ),
        *("-1", "0", "1" + "0" * 400, "-" + "9" * 30, "nan", "inf", "-inf", "1e400", "0x10", "1_0", "٣", "1.5", "²"),
        *(
            "[" * 500 + "]" * 500,
            '{"a":' * 500 + "1" + "}" * 500,
            '{"seed": 1e999}',
            '{"seed": "\\ud800"}',
            "[]",
            "null",
        ),
        *('{"seed": ' + "9" * 5000 + "}", '{"\\u0000": 1}', '{"per_benchmark": {"good": []}}', "{", '{"a": NaN}'),
        *(
            "http://[::1",
            "http://",
            "http://host:99999999/",
            "http://u:p@[",
            "https://é.example\x7f",
            "file:///etc/passwd",
        ),
        *(
            "jsonl://",
            "sqlite://",
            "sqlite:////",
            "postgresql://[",
            "a://b",
            "://",
            "C:\\x",
            "~no_such_user/x",
            "?",
            "*",
        ),
        *map(str, (folder, pipe, folder / "deep.json", folder / "bytes", folder / "loop", folder / "not" / "there")),
        *("/dev/zero", "/dev/full", "/dev/null", "/proc/self/mem", "/"),
        *("2026-99-99", "9999-12-31T23:59:59.999999Z", "-0001-01-01", "0" * 40, "f" * 64, "' OR 1=1 --", "as-of:", ":"),
    ]


def attempt(arguments: list[str], folder: Path) -> tuple[int | None, str]:
    """The exit code of a command, None if it did not end, and its output."""
    said = folder / "said"
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        os.setsid()
        os.chdir(folder / "cwd")
        file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(file, 1)
        os.dup2(file, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        code = 70
        try:
            show_only_visible_text()
            code = _run(arguments)
            sys.stdout.flush()
        except BaseException:  # noqa: BLE001 - whatever it is, it is shown and judged by the test
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stderr.flush()
            os._exit(code)
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), said.read_text(errors="replace")
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None, said.read_text(errors="replace")


def cases(rng: random.Random, folder: Path, count: int) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    found = [(path, command) for path, command in commands(cli) if path not in ENDLESS | SLOW]
    values = odd_values(folder)
    chosen = [
        (path, command, one, value)
        for path, command in found
        for one in command.params
        if not getattr(one, "is_flag", False)
        for value in values
    ]
    for path, command, one, value in rng.sample(chosen, min(count, len(chosen))):
        arguments = list(path)
        for other in command.params:
            if isinstance(other, click.Argument):
                if other is one:
                    continue
                if other.required:
                    arguments += ["good"] * (2 if other.nargs == -1 else 1)
            elif other is not one and isinstance(other, click.Option) and other.required:
                choices = getattr(other.type, "choices", ["0.5"])
                arguments += [other.opts[-1], str(choices[0])]
        if path == ("run",):
            arguments += [] if one.name in ("benchmarks", "again", "campaign") else ["--benchmarks", "good"]
            arguments += [] if one.name == "provider" else ["--provider", "ollama"]
            arguments += rng.choice([[], ["--dry-run"]])
        arguments += [f"{one.opts[-1]}={value}"] if isinstance(one, click.Option) else ["--", value]
        yield path, arguments


def test_no_value_of_any_option_ends_in_a_traceback(bench, rng, tally, is_full, tmp_path):
    bench.add("good")
    bench.run("good")
    folder = tmp_path / "odd"
    (folder / "cwd").mkdir(parents=True)
    faults = []
    for path, arguments in cases(rng, folder, 4000 if is_full else 45):
        is_placed = any(text.startswith(("--workspace", "--ledger")) for text in arguments)
        where = [] if is_placed else ["--workspace", str(bench.root)]
        code, said = attempt([*where, *arguments], folder)
        tally[f"exit {code}"] += 1
        if code not in CODES or "Traceback" in said:
            faults.append(f"{' '.join(path)}: {[text[:80] for text in arguments]}: {code}: {said[-600:]}")
    assert not faults, f"{len(faults)}\n" + "\n\n".join(faults[:8])


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--benchmarks", "good", "--provider", "ollama", "--extra", "[" * 500 + "]" * 500),
        ("run", "--benchmarks", "good", "--provider", "ollama", "--extra", '{"seed":' * 500 + "1" + "}" * 500),
        ("run", "--benchmarks", "good", "--provider", "ollama", "--base-url", "http://[::1"),
        ("run", "--benchmarks", "good", "--provider", "ollama", "--notify", "http://[::1"),
        ("run", "--benchmarks", "good", "--provider", "ollama", "--prices", "/dev/zero"),
        ("run", "--campaign", "/dev/zero"),
        ("run", "--benchmarks", "good", "--provider", "ollama", "--repeats", "9" * 30),
        ("query", "--file", "/dev/zero"),
        ("ledger", "verify", "--checkpoint", "/dev/zero"),
        ("adapters", "test", "good", "--result", "/dev/zero"),
        ("import", "/dev/zero"),
    ],
)
def test_it_is_one_line_with_exit_code_2(bench, arguments):
    bench.add("good")
    done = bench(*arguments, code=None)
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr and (done.stderr + done.stdout).strip()
    assert max(map(len, (done.stderr or done.stdout).splitlines())) < 2000


def test_ctrl_c_in_a_query_is_one_line(bench):
    bench.add("good")
    bench.run("good")
    endless = "SELECT count(*) FROM range(100000000000) a, range(1000000) b"
    process = bench.start("query", endless, "--timeout", "60")
    # The terminal sends the signal to every process of the command.
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not _children(process.pid):
        time.sleep(0.05)
    time.sleep(0.3)
    for child in _children(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGINT)
    process.send_signal(signal.SIGINT)
    printed = process.communicate(timeout=20)[1]
    assert process.returncode == 130, printed
    assert printed.strip().splitlines()[-1] == "benchmarks query: interrupted" and "Traceback" not in printed


def _children(pid: int) -> list[int]:
    try:
        return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


@pytest.mark.parametrize("command", [("show-runs",), ("ledger", "log")])
def test_a_limit_of_400_digits_is_refused_in_one_line(bench: Any, command: tuple[str, ...]) -> None:
    """SQLite and Python's queues hold numbers of 64 bits."""
    bench.add("good")
    bench.run("good")
    assert "--limit" in bench(*command, "--limit", "1" + "0" * 400, code=2).stderr
