"""The address of a PostgreSQL ledger: where its database is, and the texts that no message may show.

A password can be in the URL, in the variable PGPASSWORD, in a password file or in a service file. The address is shown
without it, and every text of the server or of libpq is cleaned before it goes into a message.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from ..errors import UnsupportedLedger
from ..terminal import plain

if TYPE_CHECKING:
    import psycopg

SCHEMES = ("postgresql", "postgres")

KEPT_APART = "BENCHMARKS_LEDGER_PASSWORDS"
"""The variable for passwords that were taken out of arguments: `URL PASSWORD` pairs, quoted, with spaces between."""

SECRET_VARIABLES = ("PGPASSWORD", KEPT_APART)
"""Variables of PostgreSQL's own clients and of this module that hold a password."""

_SECRET_PARAMETERS = {"password", "sslpassword", "oauth_client_secret"}
_SHOWN_PARAMETERS = ("service", "sslmode", "target_session_attrs")
_MIN_SECRET = 3
"""A shorter text is part of ordinary words: to replace it would garble every message."""


class Address:
    """A PostgreSQL URL, parsed. Its `repr` and `str` do not have the password."""

    def __init__(self, url: str) -> None:
        """Raises UnsupportedLedger if the URL is not valid, or if psycopg is not installed."""
        self._parameters = _parsed(url)
        self._secrets = {
            value for name, value in self._parameters.items() if name in _SECRET_PARAMETERS and isinstance(value, str)
        }
        self._secrets |= {os.environ[name] for name in ("PGPASSWORD",) if os.environ.get(name)}
        self.url = self._shown()

    def __repr__(self) -> str:
        return f"Address({self.url!r})"

    def __str__(self) -> str:
        return self.url

    @property
    def place(self) -> str:
        """The database and its server, for a sentence."""
        given = self._parameters
        if given.get("service") and not given.get("host"):
            return f"the service {given['service']}"
        host = given.get("host") or given.get("hostaddr") or os.environ.get("PGHOST") or "this machine"
        port = given.get("port") or os.environ.get("PGPORT")
        return f"{self.database} on {host}" + (f":{port}" if port else "")

    @property
    def database(self) -> str:
        """The name of the database."""
        given = self._parameters
        name = given.get("dbname") or os.environ.get("PGDATABASE") or given.get("user") or os.environ.get("PGUSER")
        return str(name or "the default database")

    @property
    def key(self) -> str:
        """A name for files that belong to this address; the password makes no difference."""
        return sha256(self.url.encode()).hexdigest()[:32]

    def connect(self, **settings: Any) -> psycopg.Connection[Any]:
        """A connection in autocommit mode. Settings of the URL have precedence. Raises psycopg.Error."""
        import psycopg

        connection = psycopg.connect(autocommit=True, **{**settings, **self._parameters})
        # A password file or a service file may have given it.
        if connection.info.password:
            self._secrets.add(connection.info.password)
        return connection

    def clean(self, text: str) -> str:
        """A text of libpq or of the server, on one line, without any password."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            for form in {secret, quote(secret, safe=""), quote(secret)}:
                if len(form) >= _MIN_SECRET:
                    text = text.replace(form, "[redacted]")
        return plain(" ".join(text.split()))

    @property
    def secrets(self) -> dict[str, str]:
        """The passwords that are known, by a name for their replacement."""
        return {f"LEDGER_PASSWORD{number or ''}": secret for number, secret in enumerate(sorted(self._secrets))}

    def _shown(self) -> str:
        given = self._parameters
        user, host, port = (str(given.get(name) or "") for name in ("user", "host", "port"))
        if "/" in host or "," in host or "," in port:
            rest = {"host": host, "port": port}
            authority = f"{quote(user)}@" if user else ""
        else:
            rest = {}
            shown_host = f"[{host}]" if ":" in host else host
            authority = (f"{quote(user)}@" if user else "") + shown_host + (f":{port}" if port else "")
        rest |= {name: str(given[name]) for name in _SHOWN_PARAMETERS if given.get(name)}
        query = "&".join(f"{name}={quote(value, safe='/,')}" for name, value in rest.items() if value)
        return f"postgresql://{authority}/{quote(str(given.get('dbname') or ''))}" + (f"?{query}" if query else "")


def is_postgres(url: str) -> bool:
    """Whether a ledger URL names a PostgreSQL database."""
    return url.partition("://")[0] in SCHEMES and "://" in url


def shown_url(url: str) -> str:
    """A ledger URL without its password; nothing is checked."""
    bare, _ = _without_password(url)
    return bare


def secrets_in(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The passwords that a ledger URL and the environment have for it, by a name for their replacement."""
    if not is_postgres(url):
        return {}
    found = [_without_password(url)[1], environ.get("PGPASSWORD"), _kept_apart(environ).get(url)]
    return {f"LEDGER_PASSWORD{number or ''}": text for number, text in enumerate(filter(None, found))}


def without_secrets(environ: Mapping[str, str], url: str) -> Mapping[str, str]:
    """An environment without the passwords of a PostgreSQL ledger; the same one if the ledger is another kind."""
    if not is_postgres(url):
        return environ
    kept = {name: value for name, value in environ.items() if name not in SECRET_VARIABLES}
    return {name: shown_url(value) if value == url or is_postgres(value) else value for name, value in kept.items()}


def keep_apart(arguments: list[str]) -> tuple[list[str], str]:
    """Arguments without the passwords of their PostgreSQL URLs, and the value for the variable KEPT_APART.

    Every user of a machine can list the arguments of its processes.
    """
    bare, kept = [], []
    for argument in arguments:
        before, equals, url = argument.partition("=") if argument.startswith("--") else ("", "", argument)
        # An ambiguous URL stays as it is: it is refused at once.
        shown, password = (url, None) if _is_ambiguous(url) else _without_password(url)
        if password is not None:
            kept.append(f"{quote(shown, safe='')} {quote(password, safe='')}")
        bare.append(f"{before}{equals}{shown}")
    return bare, " ".join(kept)


def _kept_apart(environ: Mapping[str, str]) -> dict[str, str]:
    words = [unquote(word) for word in environ.get(KEPT_APART, "").split()]
    return dict(zip(words[0::2], words[1::2], strict=False))


def _without_password(url: str) -> tuple[str, str | None]:
    """A URL without its password, and the password as it is meant; None if the URL has none."""
    if not is_postgres(url):
        return url, None
    scheme, _, rest = url.partition("://")
    before, mark, query = rest.partition("?")
    password = None
    # The last `@`: if a password has an `@` or a `/` of its own, the URL is refused later, but never shown.
    user, at, place = before.rpartition("@")
    if not at and "@" in query:
        return f"{scheme}://", None  # A `?` in the password: where the password ends cannot be said.
    if ":" in user:
        user, _, password = user.partition(":")
        password = unquote(password)
    parameters = query.split("&") if query else []
    kept = []
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if unquote(name) in _SECRET_PARAMETERS:
            password = unquote(value) if unquote(name) == "password" else password
        else:
            kept.append(parameter)
    if len(kept) == len(parameters) and password is None:
        return url, None
    return f"{scheme}://{user}{at}{place}" + (mark + "&".join(kept) if kept else ""), password


def _is_ambiguous(url: str) -> bool:
    """Whether the place of an `@` in the URL says that a character of its password was not encoded."""
    authority = url.partition("://")[2].partition("/")[0].partition("?")[0]
    return url.count("@") > 1 or (url.count("@") == 1 and "@" not in authority)


def _parsed(url: str) -> dict[str, Any]:
    """The connection parameters of a URL. Raises UnsupportedLedger."""
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError as problem:
        raise UnsupportedLedger(
            "a PostgreSQL ledger needs the package psycopg, which is not installed",
            "pip install 'benchmark-orchestrator[postgres]'",
        ) from problem
    shown, password = _without_password(url)
    if _is_ambiguous(url):
        # libpq would take a part of the password for the host, and name it in its messages.
        raise UnsupportedLedger(
            "the URL of the ledger has an @, / or ? in its user or password, which would be read as another part of it",
            "write %40 for @, %2F for / and %3F for ?, or put the password into PGPASSWORD or ~/.pgpass",
        )
    try:
        parameters = {name: value for name, value in conninfo_to_dict(url).items() if value is not None}
        if (port := str(parameters.get("port", "5432"))) and not all(
            part.isdecimal() and 0 < int(part) < 65536 for part in port.split(",") if part
        ):
            raise ProgrammingError("the port is not a number from 1 to 65535")
    except ProgrammingError as problem:
        # libpq quotes the URL.
        reason = "" if password is not None else f": {' '.join(str(problem).split())}"
        raise UnsupportedLedger(
            f"'{plain(shown)}' is not a valid URL of a PostgreSQL ledger{plain(reason)}",
            "write postgresql://USER@HOST:PORT/DATABASE, with the password in PGPASSWORD or ~/.pgpass",
        ) from None
    if "password" not in parameters and (kept := _kept_apart(os.environ).get(url)):
        parameters["password"] = kept
    return parameters
