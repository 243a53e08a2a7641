"""The pages about a team's ledger say what happens: every command and every statement of theirs is run."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from benchmarks.ledger.events import Counts, GroupClosed, GroupOpened, Request
from benchmarks.ledger.ledger import Ledger
from benchmarks.ledger.storage.jsonl import JsonlStore
from benchmarks.ledger.storage.open import open_store
from benchmarks.ledger.storage.postgres_address import Address
from benchmarks.ledger.storage.postgres_init import prepare_ledger
from tests.conftest import COMMAND, Bench

DOCS = Path(__file__).parents[3] / "docs"
HOST = "db.example.org"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)


def record(ledger: Ledger, histories, group: str, *run_ids: str) -> None:
    """A group with runs that have succeeded."""
    request = Request(benchmarks=["b"], agent=None, provider="local", model="m")
    ledger.append(group, GroupOpened(request=request, benchmarks=["b"]))
    for run_id in run_ids:
        ledger.append(run_id, histories.started(run_id, run_group_id=group))
        ledger.append(run_id, histories.finished())
    ledger.append(group, GroupClosed(counts=Counts(succeeded=len(run_ids)), reason="completed"))


class Reader:
    """A person who follows a page: the statements go to the server, and the commands run in a folder."""

    def __init__(self, server, root: Path) -> None:
        self.server, self.root = server, root
        self.environ = {**Bench(root).environ, "PGPASSFILE": str(root / ".pgpass")}
        (root / ".pgpass").touch(mode=0o600)

    def perform(self, page: str, *, skipped: tuple[str, ...] = ()) -> int:
        for statement in "".join(blocks(page, "sql")).split(";\n"):
            if statement.strip():
                self.server.execute("postgres", statement)
            if found := re.search(r"ROLE (\w+) LOGIN PASSWORD '(.*)'", statement):
                with (self.root / ".pgpass").open("a") as file:
                    file.write(f"127.0.0.1:{self.server.port}:*:{found[1]}:{found[2]}\n")
        number = 0
        for line in "".join(blocks(page, "sh")).replace("\\\n", " ").splitlines():
            words = shlex.split(line.replace(HOST, f"127.0.0.1:{self.server.port}"), comments=True)
            if words[:1] == ["export"]:
                name, _, value = words[1].partition("=")
                self.environ[name] = value
            elif words[:1] == ["benchmarks"] and not any(word in words for word in skipped):
                done = subprocess.run(
                    [*COMMAND, *words[1:]], cwd=self.root, env=self.environ, capture_output=True, text=True, timeout=120
                )
                assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
                number += 1
        return number


@pytest.fixture
def reader(server, tmp_path) -> Reader:
    (tmp_path / "benchmarks.toml").touch()
    return Reader(server, tmp_path)


def test_the_page_of_a_common_ledger(reader, tmp_path, histories):
    ledger = Ledger(JsonlStore(tmp_path / "benchmark_results" / "ledger", notice=print))
    record(ledger, histories, "rg_1", "run_1", "run_2", "run_3")
    # The history comes first: `ledger copy` needs an empty database. A local model is more than this page is about.
    assert reader.perform("team.md", skipped=("run", "copy")) == 6
    reader.environ.pop("BENCHMARKS_LEDGER")
    reader.server.execute("postgres", "DROP DATABASE benchmarks", "DROP ROLE keeper, alice, visitor")
    assert reader.perform("team.md", skipped=("run", "status", "show-runs", "leaderboard")) >= 3
    back = JsonlStore(tmp_path / "backup" / "ledger", notice=print)
    assert list(back.read_lines()) == list(ledger.store.read_lines())


def test_the_page_about_scale_federates_ledgers(reader, server, tmp_path, histories):
    for name in ("vision", "language"):
        server.execute("postgres", f"CREATE DATABASE {name}")
        url = server.url(name)
        server.execute("postgres", f"CREATE ROLE {name}_viewer LOGIN PASSWORD 'reads'")
        prepare_ledger(Address(url), writers=[], readers=[f"{name}_viewer"])
        with (tmp_path / ".pgpass").open("a") as file:
            file.write(f"127.0.0.1:{server.port}:*:{name}_viewer:reads\n")
        record(Ledger(open_store(url, notice=print)), histories, f"rg_{name}", f"run_{name}")
    assert reader.perform("scale.md") >= 3
    ids = Bench(tmp_path).runs()
    assert {row["run_id"] for row in ids} == {"run_vision", "run_language"}
    assert reader.perform("scale.md") >= 3, "repeated, it adds what is new"
