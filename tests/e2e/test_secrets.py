"""Keys appear nowhere, in no encoding: not in the results and not on the screen."""

from __future__ import annotations

import os

import pytest

from benchmarks.orchestrator.machine.processes import marked_processes
from tests.e2e.terminal import on_a_terminal
from tests.waiting import until

KEY = "gsk-from-env-1234"
OPTION = "from-extra-5678"
RESULT = (
    "output.joinpath('result.json').write_text(json.dumps({'score': 0.5, 'n': 4, 'note': os.environ['GROQ_API_KEY']}))"
)
# One byte at a time: no read returns the whole key.
DRIP = """
for stream in (1, 2):
    for byte in f"{os.environ['SUITE_KEY']} {os.environ['GROQ_API_KEY']}\\n".encode():
        os.write(stream, bytes([byte]))
"""


def assert_hidden(bench, *screens: str) -> None:
    everything = "\n".join([bench.text(), *screens])
    for secret in (KEY, OPTION):
        assert secret not in everything, everything[everything.index(secret) - 200 :][:300]


@pytest.mark.parametrize(
    ("more", "environ"),
    [
        ((), {}),
        (("--json",), {}),
        (("--quiet", "--retries", "1", "--retry-delay", "0.01"), {}),
        ((), {"GITHUB_ACTIONS": "true"}),
    ],
)
def test_keys_in_the_output_of_a_child_are_hidden_everywhere(bench, tmp_path, more, environ):
    bench.add("leaky", DRIP + "sys.exit('HTTP 429 for ' + os.environ['SUITE_KEY'])")
    extra = f'{{"api_key": "{OPTION}"}}'
    summary = tmp_path / "summary"
    environ = {**environ, "GROQ_API_KEY": KEY, "GITHUB_STEP_SUMMARY": str(summary)}
    done = bench("run", "--benchmarks", "leaky", "--extra", extra, *more, code=1, **environ)
    assert_hidden(bench, done.stdout, done.stderr, summary.read_text() if summary.exists() else "")
    assert "[redacted:api_key] [redacted:GROQ_API_KEY]" in next(bench.results.rglob("stdout.log")).read_text()
    assert "HTTP 429 for [redacted:api_key]" in bench.runs()[0]["error"]


def test_a_note_on_progress_is_hidden_on_a_terminal(bench):
    code = (
        "import time\n"
        "with open(os.environ['BENCHMARK_PROGRESS_FILE'], 'w') as file:\n"
        "    print(json.dumps({'done': 1, 'total': 2, 'note': 'key ' + os.environ['GROQ_API_KEY']}), file=file)\n"
        "time.sleep(1.5)\n"
    )
    bench.add("busy", code + RESULT)
    code, screen = on_a_terminal(bench, "run", "--benchmarks", "busy", GROQ_API_KEY=KEY)
    assert code == 0
    assert b"key [redacted:GROQ_API_KEY]" in screen
    assert KEY.encode() not in screen


def test_keys_in_an_adopted_result_are_hidden(bench, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    code = "print('begun', flush=True)\nwith open(os.environ['GATE']) as gate: gate.read()\n"
    bench.add("slow", code + RESULT, result='metrics = { note = "note" }')
    process = bench.start("run", "--benchmarks", "slow", GATE=str(gate), GROQ_API_KEY=KEY)
    assert "started" in process.stderr.readline()
    with gate.open("w"):
        process.kill()
        process.communicate()
    until(lambda: not marked_processes(f"GATE={gate}"))
    assert "its result was adopted" in bench("recover-stale-runs", "--stale-seconds", "0", GROQ_API_KEY=KEY).stdout
    [run] = bench.runs()
    assert (run["status"], run["metrics"]) == ("succeeded", {"note": "[redacted:GROQ_API_KEY]"})


def test_each_key_of_a_campaign_and_those_of_its_addresses_are_hidden(bench, tmp_path):
    bench.add("leaky", "print(os.environ['SUITE_KEY'], os.environ['OPENAI_BASE_URL'])\n")
    options = ", ".join(f'{{ seed = {number}, api_key = "{OPTION}-{number}" }}' for number in range(3))
    url = f"http://user:{KEY}@127.0.0.1:9/v1?token={OPTION}"
    model = f'{{ provider = "vllm", model = "m", base_url = "{url}" }}'
    file = tmp_path / "c.toml"
    file.write_text(f'[matrix]\nbenchmarks = ["leaky"]\nmodels = [{model}]\noptions = [{options}]\n')
    done = bench("run", "--campaign", str(file), "--explain", code=1)
    assert len(bench.runs()) == 3
    assert_hidden(bench, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--extra", f'{{"seed": "{KEY}"}}'),
        ("--extra", f'["{KEY}"]'),
        ("--extra", f'{{"{KEY}": 1}}'),
        ("--extra", f'{{"api_key": ["{OPTION}"]}}'),
        ("--ledger", f"nowhere://user:{OPTION}@host/db"),
    ],
)
def test_an_error_message_hides_keys(bench, arguments):
    bench.add("good")
    done = bench("run", "--benchmarks", "good", *arguments, code=2, GROQ_API_KEY=KEY)
    assert "redacted" in done.stderr or "a secret" in done.stderr
    assert_hidden(bench, done.stdout, done.stderr)
