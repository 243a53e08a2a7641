"""The promises of every store, kept by PostgreSQL."""

from __future__ import annotations

import unittest

import pytest

from benchmarks.ledger.storage.contract import EventStoreContract


class TestPostgresStore(EventStoreContract, unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _database(self, database) -> None:
        self.database = database
        self.stores = []

    def open_store(self):
        store = self.database.open()
        self.stores.append(store)
        self.addCleanup(store.close)
        return store
