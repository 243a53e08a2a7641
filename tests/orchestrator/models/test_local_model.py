"""The server of local models: real ones, with the embedded model, and how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from hashlib import sha256
from pathlib import Path

import psutil
import pytest

from benchmarks.adapters.environment import EnvironmentSpec, ensure
from benchmarks.orchestrator.models import local_model
from benchmarks.orchestrator.models.local_model import EMBEDDED, LocalModelError, LocalServer, model_label, serve

SERVER = Path(local_model.__file__).with_name("local_server.py")
PROMPTS = ["Name a colour.", "What is 2 + 2?", "Translate 'good morning' into French.", "Finish: the cat sat on the"]

LONG_BEGINNING = (
    "You are asked by somebody who learns English and likes short stories. Answer in plain words, think of an example "
    "from daily life, and say why you chose it. Never use a list. This is what is asked:"
)

SERVE_AND_WAIT = """
import sys
from pathlib import Path
from benchmarks.orchestrator.models.local_model import serve
with serve("smollm2-135m", python=Path(sys.argv[1]), log_path=Path(sys.argv[2]), announce=lambda text: None) as server:
    print(server.pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="session")
def python() -> Path:
    return ensure(EnvironmentSpec(local_model.REQUIREMENTS, local_model.NO_DEPS), announce=print).python


def ask(server: LocalServer, prompt: str) -> dict:
    body = {"model": server.model, "messages": [{"role": "user", "content": prompt}], "max_tokens": 24}
    request = urllib.request.Request(
        f"{server.base_url}/chat/completions",
        data=json.dumps({**body, "temperature": 0}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as response:
        return json.load(response)


def text(answer: dict) -> str:
    return answer["choices"][0]["message"]["content"]


def await_end(process: psutil.Process) -> None:
    """Return when the process is gone; a zombie has ended too."""
    try:
        process.wait(10)
    except psutil.TimeoutExpired:
        assert process.status() == psutil.STATUS_ZOMBIE, "the server outlived its parent"


@pytest.mark.model
def test_it_answers_under_its_name_whatever_it_was_asked_before_and_is_gone_afterwards(python, tmp_path):
    # With prompt caching, the first answer of a server would be another one later: less of its prompt is computed then.
    prompts = [f"{LONG_BEGINNING} {prompt}" for prompt in PROMPTS]
    answers, told = [], []
    with serve(EMBEDDED, python=python, log_path=tmp_path / "log", announce=told.append) as server:
        process = psutil.Process(server.pid)
        for order in (prompts, prompts[::-1]):
            answers.append({prompt: ask(server, prompt) for prompt in order})
        assert server.base_url.startswith("http://127.0.0.1:")
        assert server.model_sha256 == sha256(Path(server.model_path).read_bytes()).hexdigest()
    assert not process.is_running()
    assert len(told) == 1 and EMBEDDED in told[0]
    assert {answer["model"] for answer in answers[0].values()} == {server.model} == {EMBEDDED}
    texts = [{prompt: text(answer) for prompt, answer in some.items()} for some in answers]
    assert texts[0] == texts[1]
    assert all(texts[0].values()) and len(set(texts[0].values())) > len(prompts) // 2


@pytest.mark.model
def test_it_is_gone_after_an_exception(python, tmp_path):
    with (
        pytest.raises(ZeroDivisionError),
        serve(EMBEDDED, python=python, log_path=tmp_path / "log", announce=print) as server,
    ):
        process = psutil.Process(server.pid)
        raise ZeroDivisionError
    assert not process.is_running()


@pytest.mark.model
def test_it_is_gone_after_the_process_that_started_it_was_killed(python, tmp_path):
    starter = subprocess.Popen(
        [sys.executable, "-c", SERVE_AND_WAIT, str(python), str(tmp_path / "log")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    server = psutil.Process(int(starter.stdout.readline()))
    assert server.is_running()
    starter.send_signal(signal.SIGKILL)
    starter.wait(10)
    await_end(server)


@pytest.mark.model
def test_it_ends_with_its_input_while_it_still_loads(python, tmp_path):
    # A named pipe without a writer is a model that takes for ever to load.
    slow = tmp_path / "slow.gguf"
    os.mkfifo(slow)
    argv = [python, "-I", SERVER, f"--model={slow}", "--alias=slow"]
    server = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        # Opening the other end returns when the engine has opened this one, so it is loading now.
        with slow.open("wb"):
            server.stdin.close()
            assert server.wait(10) == -signal.SIGIO
    finally:
        server.kill()
        server.wait()


@pytest.mark.model
def test_it_does_not_start_if_its_input_has_ended(python):
    done = subprocess.run(
        [python, "-I", SERVER, f"--model={EMBEDDED}", "--alias=x"], stdin=subprocess.DEVNULL, capture_output=True
    )
    assert done.returncode == 1 and b"standard input has ended" in done.stderr
    assert not done.stdout


@pytest.mark.model
def test_a_torn_model_is_reported_with_the_end_of_the_log(python, tmp_path):
    torn = tmp_path / "torn.gguf"
    torn.write_bytes(b"GGUF" + bytes(1000))
    with (
        pytest.raises(LocalModelError, match=r"(?s)ended before it was ready.*torn\.gguf"),
        serve(str(torn), python=python, log_path=tmp_path / "log", announce=print),
    ):
        raise AssertionError("a torn model was served")


def test_a_file_that_is_not_a_model_is_refused_before_the_start(tmp_path):
    wrong = tmp_path / "model.gguf"
    wrong.write_bytes(b"PK\x03\x04 an archive")
    with (
        pytest.raises(LocalModelError, match=r"model\.gguf is not a GGUF file"),
        serve(str(wrong), python=tmp_path / "no python here", log_path=tmp_path / "log", announce=print),
    ):
        raise AssertionError("an archive was served")
    assert not (tmp_path / "log").exists()


def test_two_files_of_one_name_are_two_models(tmp_path):
    labels = []
    for content in (b"GGUF one", b"GGUF two"):
        folder = tmp_path / content.decode()[-3:]
        folder.mkdir()
        (folder / "my model.gguf").write_bytes(content)
        labels.append(model_label(str(folder / "my model.gguf")))
        assert labels[-1] == f"my-model@{sha256(content).hexdigest()[:12]}"
    assert len(set(labels)) == 2


def test_the_embedded_model_is_named_as_it_is():
    assert model_label(EMBEDDED) == "smollm2-135m"


def test_an_unknown_model_is_refused_with_a_hint(tmp_path):
    for unknown in ("smollm", str(tmp_path)):
        with pytest.raises(LocalModelError, match=r"hint: give smollm2-135m, or the path of a \.gguf file"):
            model_label(unknown)
