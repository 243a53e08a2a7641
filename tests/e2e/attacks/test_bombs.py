"""Small files that would fill the memory: each is refused within a limit, and the others are read."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "samples"
MEGABYTE = 1024 * 1024


def limited(bench, megabytes: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command with a limit for its memory."""
    limit = ["prlimit", f"--data={megabytes * MEGABYTE}"]
    done = subprocess.run(
        [*limit, *bench.command(*arguments)], capture_output=True, text=True, env=bench.environ, timeout=120
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("ending", ["gz", "zst"])
@pytest.mark.parametrize("content", ["one line", "many lines"])
def test_a_packed_ledger_of_gigabytes_is_refused_in_little_memory(bench, tmp_path, ending, content, is_full):
    path = tmp_path / f"bomb.jsonl.{ending}"
    piece = (b"0" * (MEGABYTE - 1) + b"\n") if content == "many lines" else b"0" * MEGABYTE
    times = 5_000 if is_full else 300
    with gzip.open(path, "wb", 1) if ending == "gz" else zstd().open(path, "wb") as file:
        for _ in range(times):
            file.write(piece)
    assert path.stat().st_size < 25 * MEGABYTE
    done = limited(bench, 200, "ledger", "import", str(path))
    assert done.returncode in (2, 3) and path.name in done.stderr
    assert not bench.results.exists()


def test_a_table_of_a_million_lines_is_refused_in_little_memory(bench, tmp_path, is_full):
    path = tmp_path / "table.csv"
    with path.open("w") as file:
        file.write("benchmark,model,score\n")
        for number in range(1_000_000 if is_full else 150_000):
            file.write(f"b,m{number},0.5\n")
    done = limited(bench, 400, "import", str(path))
    assert done.returncode == 1 and "more than 100000 lines" in done.stderr


def test_one_bomb_of_a_folder_is_its_own_failure(bench, tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    shutil.copy(SAMPLES / "hyperfine.json", folder / "z.json")
    bombs = {
        "deep.json": "[" * 200_000 + "]" * 200_000,
        "deep-lines.json": "[" * 200_000 + "\n" + "]" * 200_000,
        "deep-object.json": '{"a":' * 100_000 + "1" + "}" * 100_000,
        "wide.json": '{"results":[' + "[]," * (30 * MEGABYTE) + "0]}",
        "long.csv": "benchmark,model,score\n" + "," * (2 * MEGABYTE) + "\n",
    }
    for name, text in bombs.items():
        (folder / name).write_text(text)
    done = limited(bench, 1200, "import", str(folder), "--set", "unit=ratio")
    assert done.returncode == 1 and "1 runs imported" in done.stdout
    for name in bombs:
        assert f"not imported: {folder / name}" in done.stderr


@pytest.mark.parametrize("option", ["--prices", "--campaign"])
@pytest.mark.parametrize("kind", ["device", "pipe", "deep", "large"])
def test_a_file_that_somebody_names_is_read_within_limits(bench, tmp_path, option, kind):
    bench.add("good")
    path = tmp_path / "given.toml"
    if kind == "device":
        path = Path("/dev/zero")
    elif kind == "pipe":
        subprocess.run(["mkfifo", str(path)], check=True)
    else:
        path.write_text("a = " + "[" * 100_000 if kind == "deep" else "# " + "x" * (8 * MEGABYTE))
    more = ("--benchmarks", "good", "--provider", "ollama") if option == "--prices" else ()
    done = limited(bench, 400, "run", "--dry-run", *more, option, str(path))
    assert done.returncode == 2 and str(path) in done.stderr


def zstd():
    import sys

    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd
