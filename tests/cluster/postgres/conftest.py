"""One real PostgreSQL server for the tests of this folder; each test has a database of its own."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.ledger.storage.open import open_store
from benchmarks.ledger.storage.postgres_address import Address
from benchmarks.ledger.storage.postgres_init import prepare_ledger

from .proxy import Proxy
from .server import Server

SEED = int(os.environ.get("TEST_SEED", random.randrange(10**6)))


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def rng(request) -> random.Random:
    print(f"TEST_SEED={SEED}")
    return random.Random(f"{SEED} {request.node.name}")


class Database:
    """A database with an empty ledger, and stores on it."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.name = server.new_database()
        self.url = server.url(self.name)
        self.notices: list[str] = []
        prepare_ledger(Address(self.url), writers=[], readers=[])

    def open(self, cache: str | None = None, url: str | None = None):
        folder = None if cache is None else self.folder / cache
        return open_store(url or self.url, notice=self.notices.append, cache=folder)

    def execute(self, *statements: str) -> None:
        self.server.execute(self.name, *statements)


@pytest.fixture
def database(server, tmp_path) -> Iterator[Database]:
    database = Database(server, tmp_path)
    yield database
    server.drop(database.name)


@pytest.fixture
def proxy(server) -> Iterator[Proxy]:
    proxy = Proxy(server.port)
    yield proxy
    proxy.close()


@pytest.fixture
def through(database, server, proxy):
    """A store that reaches its server through the proxy."""
    store = database.open(url=server.url(database.name, port=proxy.port))
    yield store
    store.close()
