"""Makes the tables of a PostgreSQL ledger, brings them to the current version, and gives rights to roles."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..errors import LedgerUnwritable
from .postgres_address import Address
from .postgres_link import Link
from .postgres_schema import check_server, prepare
from .postgres_seen import Memory


class Made(msgspec.Struct, frozen=True):
    """The version of the schema before (0: there was none) and after, and the database for a sentence."""

    before: int
    after: int
    place: str


def prepare_ledger(address: Address, *, writers: Sequence[str], readers: Sequence[str]) -> Made:
    """Make or migrate the tables in a database, and give rights to existing roles; all or nothing.

    Doing it again changes nothing. Raises LedgerError.
    """
    import psycopg

    link = Link(address, Memory(None, "", address.url), lambda _: None)
    try:
        with address.connect(connect_timeout=10, application_name="benchmarks ledger init") as connection:
            check_server(connection, address.place)
            before, after = prepare(connection, place=address.place, writers=writers, readers=readers)
    except psycopg.errors.UndefinedObject as problem:
        raise LedgerUnwritable(
            f"cannot give rights to a role in {address.place}: {link.reason(problem)}. Nothing was changed",
            "make the role first: CREATE ROLE name LOGIN",
        ) from problem
    except psycopg.errors.InsufficientPrivilege as problem:
        raise LedgerUnwritable(
            f"this user may not make a ledger in {address.place}: {link.reason(problem)}. Nothing was changed",
            "run ledger init as the owner of the database",
        ) from problem
    except psycopg.Error as problem:
        raise link.failed_start(problem) from problem
    return Made(before, after, address.place)
