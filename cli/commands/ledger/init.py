"""`ledger init`: make the tables of a PostgreSQL ledger."""

from __future__ import annotations

import click

from ....ledger.storage.postgres_address import Address, is_postgres, shown_url
from ...context import Place, in_place


@click.command()
@click.option("--writer", "writers", multiple=True, metavar="ROLE", help="Let this role append and read (repeatable).")
@click.option("--reader", "readers", multiple=True, metavar="ROLE", help="Let this role read (repeatable).")
@in_place
def init(place: Place, writers: tuple[str, ...], readers: tuple[str, ...]) -> None:
    """Make the tables of a PostgreSQL ledger, or bring them to the current version, and give rights to roles.

    The owner of the database does this once, and after an update that needs it. The roles must exist; they get no right
    to change or remove an event. Doing it again changes nothing.
    """
    url = place.ledger_url
    if not is_postgres(url):
        print(f"{shown_url(url)}: nothing to prepare; the first event makes this ledger")
        return
    address = Address(url)
    from ....ledger.storage.postgres_init import prepare_ledger  # It needs psycopg, which `Address` has found.

    made = prepare_ledger(address, writers=writers, readers=readers)
    if made.before == made.after:
        print(f"{made.place}: the ledger is there, in version {made.after}")
    elif made.before:
        print(f"{made.place}: the ledger was brought from version {made.before} to version {made.after}")
    else:
        print(f"{made.place}: an empty ledger was made, in version {made.after}")
    for role in dict.fromkeys((*writers, *readers)):
        print(f"{role} may {'append and read' if role in writers else 'read'}")
