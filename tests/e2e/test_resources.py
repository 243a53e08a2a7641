"""`[resources]` with the installed command: exclusive runs, GPUs, missing resources, free space."""

from __future__ import annotations

import os

ALONE = """
import time
folder = pathlib.Path(os.environ["TOGETHER"])
mine = folder / str(os.getpid())
mine.write_text("")
time.sleep(0.3)
together = len(list(folder.iterdir()))
mine.unlink()
output.joinpath("result.json").write_text(json.dumps({"score": together, "n": 1}))
"""
GPUS = 'gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "none")\nprint("gpu", gpu)\n'
GOOD = "output.joinpath('result.json').write_text('{\"score\": 0.5, \"n\": 4}')"


def test_exclusive_runs_never_run_in_parallel(bench, tmp_path):
    (tmp_path / "together").mkdir()
    for number in range(4):
        bench.add(f"alone{number}", ALONE, more='[resources]\nexclusive = ["display"]\n')
    ids = [f"alone{number}" for number in range(4)]
    bench.run(*ids, more=("--jobs", "4"), TOGETHER=str(tmp_path / "together"))
    assert [run["score"] for run in bench.runs()] == [1, 1, 1, 1]


def test_exclusive_runs_and_gpus_are_shared_with_other_orchestrators_even_killed_ones(bench, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    taken = '[resources]\ngpus = 1\nexclusive = ["display"]\n'
    bench.add("first", "with open(os.environ['GATE']) as gate: gate.read()\n" + GOOD, more=taken)
    bench.add("second", GPUS + GOOD, more=taken)
    bench.environ |= {"CUDA_VISIBLE_DEVICES": "0", "BENCHMARKS_CACHE": str(tmp_path / "cache"), "GATE": str(gate)}
    first = bench.start("run", "--benchmarks", "first", "--provider", "ollama")
    with gate.open("w"):
        first.kill()
        first.communicate()
        # With a separate ledger, so that it does not recover, and end, the orphaned benchmark.
        ledger = ("--ledger", str(tmp_path / "other"))
        second = bench.start("run", "--benchmarks", "second", "--provider", "ollama", *ledger)
        assert "second: waits for display, 1 GPU," in second.stderr.readline()
        assert not list(bench.results.glob("*/second*"))
    assert "started run_second" in second.stderr.readline()
    second.communicate(timeout=30)
    assert second.returncode == 0


def test_each_run_has_gpus_of_its_own(bench):
    for name in ("one", "two"):
        bench.add(name, GPUS + GOOD, more="[resources]\ngpus = 1\n")
    bench.add("none", GPUS + GOOD)
    bench.run("one", "two", "none", more=("--jobs", "3"), CUDA_VISIBLE_DEVICES="4,7")
    said = {run["benchmark_id"]: (bench.results / run["stdout_path"]).read_text().strip() for run in bench.runs()}
    assert said["none"] == "gpu 4,7", "what asks for nothing finds what it would have found"
    assert {said["one"], said["two"]} <= {"gpu 4", "gpu 7"}
    given = {run["benchmark_id"]: " ".join(["gpu", *run["provenance"]["gpus"]]) for run in bench.runs()}
    assert given == {**said, "none": "gpu"}, "which ones it had stands in the record"


def test_a_benchmark_that_needs_more_than_the_machine_is_incompatible(bench):
    bench.add("huge", more='[resources]\ncpus = 5000\nmemory = "900 TiB"\ngpus = 64\n')
    printed = bench.run("huge", CUDA_VISIBLE_DEVICES="0")
    assert "5000 cores" in printed and "GiB of memory" in printed and "64 GPUs (this machine has 1)" in printed
    assert bench.runs() == []


def test_a_run_without_the_space_that_it_needs_does_not_start(bench):
    bench.add("wide", more='[resources]\ndisk = "900 TiB"\n')
    bench.run("wide", code=1)
    [run] = bench.runs()
    assert run["reason"] == "environment" and "MiB are free in" in run["error"]


def test_an_invalid_size_is_a_broken_manifest(bench):
    bench.add("odd", more='[resources]\nmemory = "lots"\n')
    assert "resources.memory: 'lots' is not a size" in bench("list-benchmarks", code=None).stderr
