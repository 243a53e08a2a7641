"""What is wrong with an address, a role or a schema is said in one sentence with the way out, without a password."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psycopg
import pytest

from benchmarks.ledger.events import Annotated, NewEvent
from benchmarks.ledger.storage import postgres_schema
from benchmarks.ledger.storage.open import open_store
from benchmarks.ledger.storage.postgres_address import Address
from benchmarks.ledger.storage.postgres_init import prepare_ledger
from tests.conftest import COMMAND, Bench

from .server import SUPERUSER

SECRET = "s3cret-Passw0rd/with@signs"
ENCODED = "s3cret-Passw0rd%2Fwith%40signs"


@pytest.fixture
def bench(tmp_path) -> Bench:
    bench = Bench(tmp_path / "workspace")
    bench.root.mkdir()
    for name in ("BENCHMARKS_LEDGER", "PGPASSWORD"):
        bench.environ.pop(name, None)
    bench.environ["HOME"] = str(tmp_path)
    return bench


def refused(bench, url: str, *command: str, **environ: str) -> str:
    """What the command prints: two lines, exit code 2."""
    done = bench("--ledger", url, *(command or ("status",)), code=2, **environ)
    for text in (done.stdout, done.stderr):
        for secret in (SECRET, ENCODED, "s3cret", "correct horse", "correct%20horse"):
            assert secret not in text
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 2 and lines[1].startswith("hint: "), done.stderr
    return done.stderr


def login(server, name: str, *grants: str, password: str = SECRET) -> None:
    server.execute("postgres", f"DROP ROLE IF EXISTS {name}", f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")


@pytest.fixture
def member(server, database):
    """A role that may append and read."""
    name = f"member_{database.name}"
    login(server, name)
    prepare_ledger(Address(database.url), writers=[name], readers=[])
    return name


def test_a_wrong_password_or_user(bench, server, database):
    told = refused(bench, server.url(database.name, password=ENCODED))
    assert f'password authentication failed for user "{SUPERUSER}"' in told and "PGPASSWORD" in told
    told = refused(bench, server.url(database.name, user="stranger", password=ENCODED))
    assert 'password authentication failed for user "stranger"' in told
    refused(bench, server.url(database.name, user="stranger"), PGPASSWORD=SECRET)
    refused(bench, server.url(database.name, user=SUPERUSER, password=""))


def test_a_host_that_cannot_be_reached(bench, server, database):
    assert "Connection refused" in refused(bench, f"postgresql://owner:{ENCODED}@127.0.0.1:1/x")
    assert "check the host" in refused(bench, f"postgresql://owner:{ENCODED}@no-such-host.invalid/x")
    began = time.monotonic()
    refused(bench, f"postgresql://owner:{ENCODED}@127.0.0.1:1/x", "run", "--benchmarks", "nothing")
    assert time.monotonic() - began < 60


def test_a_database_that_is_missing(bench, server):
    assert 'database "no_such" does not exist' in refused(bench, server.url("no_such"))


@pytest.mark.parametrize(
    "command",
    [("status",), ("show-runs",), ("ledger", "verify"), ("ledger", "log"), ("ledger", "head"), ("query", "SELECT 1")],
    ids=" ".join,
)
def test_a_database_without_a_ledger(bench, server, command):
    told = refused(bench, server.url(server.new_database()), *command)
    assert "does not hold a ledger yet" in told and "ledger init" in told


def test_a_schema_of_a_newer_version(bench, database):
    database.execute("UPDATE benchmark_ledger.about SET version = 99")
    assert "has version 99" in refused(bench, database.url)
    assert "update benchmark-orchestrator" in refused(bench, database.url, "ledger", "init")


def test_a_schema_of_the_first_version_is_migrated_by_init(server, database, monkeypatch):
    """Its writers keep their rights, and its functions are gone."""
    old, writer = server.new_database(), f"writer_{database.name}"
    login(server, writer)
    owner = Address(server.url(old))
    with monkeypatch.context() as earlier:
        earlier.setattr(postgres_schema, "MIGRATIONS", postgres_schema.MIGRATIONS[:1])
        prepare_ledger(owner, writers=[writer], readers=[])
    store = open_store(server.url(old, user=writer, password=ENCODED), notice=pytest.fail)
    with pytest.raises(postgres_schema.NoSchema, match=r"has version 1, and this program needs 2(.|\n)*ledger init"):
        store.head()
    made = prepare_ledger(owner, writers=[], readers=[])
    assert (made.before, made.after) == (1, 2)
    store.append(lambda _: [NewEvent("run_1", Annotated(author="a", note="n"))], lambda _: None)
    assert store.head().seq == 1
    with pytest.raises(psycopg.errors.UndefinedFunction):
        server.execute(old, "SELECT benchmark_ledger.take_turn(0, 1)")
    server.drop(old)


def test_a_migration_is_done_completely_or_not_at_all(database, monkeypatch):
    broken = (*postgres_schema.MIGRATIONS, "CREATE TABLE benchmark_ledger.more (a int); SELECT no_such_function()")
    monkeypatch.setattr(postgres_schema, "MIGRATIONS", broken)
    with pytest.raises(Exception, match="no_such_function"):
        prepare_ledger(Address(database.url), writers=[], readers=[])
    monkeypatch.undo()
    assert prepare_ledger(Address(database.url), writers=[], readers=[]).before == len(postgres_schema.MIGRATIONS)
    with pytest.raises(Exception, match="does not exist"):
        database.execute("SELECT * FROM benchmark_ledger.more")


def test_a_role_that_may_only_read(bench, server, database):
    login(server, "guest")
    prepare_ledger(Address(database.url), writers=[], readers=["guest"])
    url = server.url(database.name, user="guest", password=ENCODED)
    assert "no runs in progress" in bench("--ledger", url, "status").stdout
    assert "0 events" in bench("--ledger", url, "ledger", "verify").stdout
    bench.add("one")
    told = refused(bench, url, "high-scores", "set", "one", "--label", "l", "--value", "0.5", "--source", "s")
    assert "permission denied" in told and "ledger init --writer" in told


def test_a_role_without_any_right(bench, server, database):
    login(server, "outsider")
    told = refused(bench, server.url(database.name, user="outsider", password=ENCODED))
    assert "permission denied" in told
    assert "permission denied" in refused(
        bench, server.url(database.name, user="outsider", password=ENCODED), "ledger", "init"
    )
    assert "does not exist" in refused(bench, database.url, "ledger", "init", "--writer", "no_such_role")


def test_a_session_that_is_read_only(bench, server, member, database):
    server.execute("postgres", f"ALTER ROLE {member} SET default_transaction_read_only = on")
    url = server.url(database.name, user=member, password=ENCODED)
    bench.add("one")
    told = refused(bench, url, "high-scores", "set", "one", "--label", "l", "--value", "0.5", "--source", "s")
    assert "read-only" in told and "primary" in told


def test_a_server_that_is_too_old(database, monkeypatch):
    monkeypatch.setattr(postgres_schema, "OLDEST_SERVER", 990000)
    with pytest.raises(Exception, match=r"which is too old\nhint: use PostgreSQL 99"):
        database.open().head()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://owner:s3cret@Pass@127.0.0.1/x",
        "postgresql://owner:s3cret/Pass@127.0.0.1/x",
        "postgresql://owner:s3cret?Pass@127.0.0.1/x",
        "postgresql://owner:s3cret@127.0.0.1:port/x",
        "postgresql://owner:s3cret@127.0.0.1:99999/x",
        "postgresql://owner:s3cret@127.0.0.1/x?no_such=1",
        "postgresql://owner@127.0.0.1/x?password=s3cret&no_such=1",
        "postgresql://owner:s3cret@[::1/x",
        "postgres://owner:s3cret@%zz/x",
    ],
)
def test_a_url_that_is_not_valid(bench, url):
    told = refused(bench, url)
    assert "Pass" not in told
    refused(bench, url, "ledger", "init")
    refused(bench, url, "ledger", "copy", url, url)


def test_the_extra_is_missing(bench, tmp_path, database):
    (tmp_path / "hide" / "psycopg").mkdir(parents=True)
    (tmp_path / "hide" / "psycopg" / "__init__.py").write_text("raise ImportError('not here')")
    told = refused(bench, database.url, PYTHONPATH=str(tmp_path / "hide"))
    assert "needs the package psycopg" in told and "benchmark-orchestrator[postgres]" in told


@pytest.mark.parametrize("how", ["argument", "variable", "PGPASSWORD", "pgpass", "service"])
def test_no_password_is_shown_however_it_is_given(bench, server, database, member, tmp_path, how):
    """Neither in an event, in a log, in the process list, nor in the environment of a benchmark."""
    plain = server.url(database.name, user=member)
    whole = server.url(database.name, user=member, password=ENCODED)
    environ, option = {}, ["--ledger", whole if how == "argument" else plain]
    if how == "variable":
        environ, option = {"BENCHMARKS_LEDGER": whole}, []
    elif how == "PGPASSWORD":
        environ = {"PGPASSWORD": SECRET}
    elif how == "pgpass":
        (tmp_path / ".pgpass").write_text(f"127.0.0.1:{server.port}:*:{member}:{SECRET}\n")
        (tmp_path / ".pgpass").chmod(0o600)
        environ = {"PGPASSFILE": str(tmp_path / ".pgpass")}
    elif how == "service":
        (tmp_path / "services").write_text(
            f"[team]\nhost=127.0.0.1\nport={server.port}\ndbname={database.name}\nuser={member}\npassword={SECRET}\n"
        )
        environ, option = {"PGSERVICEFILE": str(tmp_path / "services")}, ["--ledger", "postgresql:///?service=team"]
    code = """
    import os, subprocess
    # What another user of the machine could see, and what this benchmark was given.
    pids = [pid for pid in os.listdir("/proc") if pid.isdigit()]
    for pid in pids:
        try:
            print(pid, open(f"/proc/{pid}/cmdline", "rb").read().replace(bytes(1), b" ").decode(errors="replace"))
        except OSError:
            pass
    print(sorted(os.environ.items()))
    output.joinpath("result.json").write_text(json.dumps({"score": 0.5, "n": 4}))
    """
    bench.add("curious", code)
    done = bench(*option, "run", "--benchmarks", "curious", "--provider", "ollama", "--model", "m", **environ)
    told = [done.stdout, done.stderr]
    for command in (["status"], ["show-runs", "--json"], ["ledger", "log", "--json"], ["ledger", "verify"]):
        done = bench(*option, *command, **environ)
        told += [done.stdout, done.stderr]
    told += [line.decode() for line in database.open().read_lines()]
    told += [
        path.read_text(errors="replace") for path in bench.results.rglob("*") if path.is_file() and path.stat().st_size
    ]
    logs = [path.read_text() for path in bench.results.rglob("stdout.log")]
    assert any("benchmarks" in log and "run --benchmarks curious" in log.replace("  ", " ") for log in logs)
    assert not [text for text in told if "s3cret" in text]


def test_what_a_python_program_shows_has_no_password(database, tmp_path):
    import benchmarks

    place = benchmarks.open(tmp_path, database.url)
    store = place.store()
    for text in (repr(place), repr(store), store.url, repr(Address(database.url)), str(vars(store))):
        assert "correct" not in text


def test_a_password_with_every_sign_reaches_the_server_by_argument(server, database, tmp_path):
    """It goes from the arguments into the environment of the same process, and from there to the server."""
    odd = "a b%c:d/e?f#g&h=i@j'k\"l\\m"
    login(server, "odd", password=odd.replace("'", "''"))
    prepare_ledger(Address(database.url), writers=["odd"], readers=[])
    encoded = "".join(f"%{ord(sign):02X}" for sign in odd)
    url = server.url(database.name, user="odd", password=encoded)
    environ = {**os.environ, "BENCHMARKS_WORKSPACE": str(tmp_path)}
    for argv in ([*COMMAND], [sys.executable, "-m", "benchmarks.orchestrator"]):
        for option in (["--ledger", url], [f"--ledger={url}"]):
            done = subprocess.run([*argv, *option, "status"], capture_output=True, text=True, env=environ)
            assert (done.returncode, done.stdout) == (0, "no runs in progress\n"), done.stderr
