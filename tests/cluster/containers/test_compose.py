"""The commands of compose.yaml with its roles and secrets, on a real PostgreSQL server, but without containers."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.postgres.server import Server, binaries

CONTAINERS = Path(__file__).parents[3] / "containers"
SERVICES: dict[str, Any] = yaml.safe_load((CONTAINERS / "compose.yaml").read_text())["services"]


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


class Stack:
    """The services, each started as compose.yaml says, with the addresses of this machine."""

    def __init__(self, bench: Any, server: Server, tmp_path: Path) -> None:
        self.bench = bench
        self.server = server
        self.secrets = tmp_path / "secrets"
        self.artifacts = tmp_path / "artifacts"
        self.artifacts.mkdir()
        subprocess.run([CONTAINERS / "make-secrets", self.secrets], check=True, capture_output=True)
        for pgpass in self.secrets.glob("*_pgpass"):
            text = pgpass.read_text().replace("ledger:5432:", f"127.0.0.1:{server.port}:")
            pgpass.unlink()
            pgpass.write_text(text)
            pgpass.chmod(0o600)

    def here(self, text: str) -> str:
        """A text of compose.yaml, with the addresses of this machine."""
        text = text.replace("@ledger/", f"@127.0.0.1:{self.server.port}/").replace("/run/secrets", str(self.secrets))
        return text.replace("///artifacts", f"//{self.artifacts}").replace("$$", "$")

    def environ(self, name: str) -> dict[str, str]:
        given = {key: self.here(value) for key, value in SERVICES[name]["environment"].items()}
        return {**self.bench.environ, **given, "BENCHMARKS_WORKSPACE": str(self.bench.root / name)}

    def make_database(self) -> None:
        """What the image of PostgreSQL does at its first start: the owner, the database, and `roles.sh`."""
        given = SERVICES["ledger"]["environment"]
        password = (self.secrets / "ledger_owner_password").read_text()
        self.server.execute("postgres", f"CREATE ROLE {given['POSTGRES_USER']} SUPERUSER LOGIN PASSWORD '{password}'")
        self.server.execute("postgres", f"CREATE DATABASE {given['POSTGRES_DB']} OWNER {given['POSTGRES_USER']}")
        subprocess.run(
            [CONTAINERS / "roles.sh"],
            check=True,
            env={
                **given,
                "PATH": f"{binaries()}:{os.environ['PATH']}",
                "SECRETS": str(self.secrets),
                "PGHOST": "127.0.0.1",
                "PGPORT": str(self.server.port),
                "PGPASSFILE": str(self.secrets / "ledger_owner_pgpass"),
            },
        )

    def start(self, name: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a service, with its own command or another."""
        service = SERVICES[name]
        command = [*service.get("entrypoint", ["benchmarks"]), *(arguments or service["command"])]
        environ = self.environ(name)
        environ["PATH"] = f"{Path(self.bench.command()[0]).parent}:{environ['PATH']}"
        return subprocess.Popen(
            [self.here(word) for word in command],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.bench.root,
        )

    def run(self, name: str, *arguments: str) -> str:
        """Run a service to its end. Returns what it printed."""
        done = self.start(name, *arguments)
        out, err = done.communicate(timeout=120)
        assert done.returncode == 0, out + err
        return out + err


def test_the_stack_works_with_its_own_roles_and_secrets(bench, server, tmp_path):
    bench.root.mkdir(exist_ok=True)
    stack = Stack(bench, server, tmp_path)
    stack.make_database()
    said = stack.run("prepare")
    assert "benchmarks_runner may append and read" in said
    stack.run("prepare")  # It runs again with each `up`.

    (bench.root / "runner").mkdir()
    bench.root = bench.root / "runner"
    bench.add(
        "one", 'print("a line of the log")\n' + 'output.joinpath("result.json").write_text(\'{"score": 0.5, "n": 1}\')'
    )
    bench.root = bench.root.parent
    keys = stack.secrets / "provider_keys"
    keys.unlink()
    keys.write_text("# keys\nGROQ_API_KEY=gsk_a-key-of-tests-0123456789\n")
    stack.run("runner", "run", "--benchmarks", "one", "--provider", "ollama")

    viewer = stack.start("viewer", *[*SERVICES["viewer"]["command"], "--port", "0"])
    try:
        port = re.search(r"http://0\.0\.0\.0:(\d+)/", viewer.stdout.readline())[1]
        token = (stack.secrets / "viewer_token").read_text()

        def ask(path: str) -> bytes:
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {token}"}
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.read()

        [run] = json.loads(ask("/api/runs"))["runs"]
        assert run["status"] == "succeeded"
        assert ask(f"/api/runs/{run['run_id']}/logs/stdout") == b"a line of the log\n"
        # The healthcheck of compose.yaml itself, on this port.
        _, program, option, code = SERVICES["viewer"]["healthcheck"]["test"]
        health = [Path(bench.command()[0]).with_name(program), option, code.replace(":8877", f":{port}")]
        subprocess.run(health, check=True, timeout=60)
    finally:
        viewer.send_signal(signal.SIGTERM)
        out, err = viewer.communicate(timeout=60)
    assert viewer.returncode == 0, out + err
    assert token not in out + err
    passwords = {(stack.secrets / f"ledger_{role}_password").read_text() for role in ("owner", "runner", "viewer")}
    assert not [word for word in passwords if word in out + err]
