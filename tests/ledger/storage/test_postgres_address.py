"""The address of a PostgreSQL ledger: what is read from it, and that its password is shown nowhere."""

from __future__ import annotations

import pytest

from benchmarks.ledger.errors import UnsupportedLedger
from benchmarks.ledger.storage.open import open_store
from benchmarks.ledger.storage.postgres_address import (
    KEPT_APART,
    Address,
    keep_apart,
    secrets_in,
    shown_url,
    without_secrets,
)

SHOWN = {
    "postgresql://u:secret@h:5433/db": "postgresql://u@h:5433/db",
    "postgres://u:secret@h/db?sslmode=require&password=secret": "postgresql://u@h/db?sslmode=require",
    "postgresql:///db?host=/run/postgresql&user=u": "postgresql://u@/db?host=/run/postgresql",
    "postgresql://u@a:1,b:2/db": "postgresql://u@/db?host=a,b&port=1,2",
    "postgresql://u@[::1]:5432/db": "postgresql://u@[::1]:5432/db",
    "postgresql:///?service=team": "postgresql:///?service=team",
}


@pytest.mark.parametrize(("url", "shown"), SHOWN.items())
def test_an_address_is_shown_without_its_password_and_still_leads_there(url, shown):
    address = Address(url)
    assert (address.url, str(address), repr(address)) == (shown, shown, f"Address('{shown}')")
    assert Address(shown).url == shown
    assert "secret" not in shown_url(url)


def test_texts_of_the_server_are_cleaned(monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "from the environment")
    address = Address("postgresql://u:p%40ss%20word@h/db")
    told = address.clean("no p@ss word,\n\tno p%40ss%20word, not what is from the environment\x1b[31m")
    assert told == "no [redacted], no [redacted], not what is [redacted]"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:secret@more@h/db",
        "postgresql://u:sec/secret@h/db",
        "postgresql://u:sec?secret@h/db",
        "postgresql://u:secret@h:port/db",
        "postgresql://u:secret@h:0/db",
        "postgresql://u:secret@h/db?unknown=1",
        "postgresql://u@h/db?password=secret&unknown=1",
        "postgresql://u:secret@[::1/db",
    ],
)
def test_a_url_that_is_not_valid_is_refused_without_its_password(url):
    with pytest.raises(UnsupportedLedger) as raised:
        open_store(url, notice=pytest.fail)
    assert "sec" not in str(raised.value).replace("second", "") and "\nhint: " in str(raised.value)


def test_an_unknown_kind_of_ledger_is_named_without_a_password():
    with pytest.raises(UnsupportedLedger) as raised:
        open_store("postgresq://u@h/db", notice=pytest.fail)
    assert "postgresql://user@host/database" in str(raised.value)


def test_passwords_move_from_the_arguments_into_the_environment(monkeypatch):
    first, second = "postgresql://u:a%20b@h/one", "postgresql://u@h/two?password=c%26d&sslmode=require"
    bare, kept = keep_apart(["benchmarks", f"--ledger={first}", "ledger", "copy", first, second, "x:y@z", "://"])
    assert bare == [
        "benchmarks",
        "--ledger=postgresql://u@h/one",
        "ledger",
        "copy",
        "postgresql://u@h/one",
        "postgresql://u@h/two?sslmode=require",
        "x:y@z",
        "://",
    ]
    monkeypatch.setenv(KEPT_APART, kept)
    assert Address(bare[4])._parameters["password"] == "a b"
    assert Address(bare[5])._parameters["password"] == "c&d"
    assert secrets_in(bare[5], {KEPT_APART: kept}) == {"LEDGER_PASSWORD": "c&d"}
    assert keep_apart(bare) == (bare, "")


def test_a_benchmark_does_not_get_the_password_of_the_ledger():
    url = "postgresql://u:secret@h/db"
    environ = {"BENCHMARKS_LEDGER": url, "PGPASSWORD": "secret", KEPT_APART: "x secret", "HOME": "/home", "PGUSER": "u"}
    assert without_secrets(environ, url) == {
        "BENCHMARKS_LEDGER": "postgresql://u@h/db",
        "HOME": "/home",
        "PGUSER": "u",
    }
    assert without_secrets(environ, "/a/folder") is environ, "a benchmark of databases may have a server of its own"
