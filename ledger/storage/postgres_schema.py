"""The tables and functions of a PostgreSQL ledger, and how they are made and brought to the current version.

Writers have no right to change a table. They call two functions, which run with the rights of the schema's owner:
`take_turn` locks the one row of `head`, so that one writer at a time decides, and `append` adds lines, but only if they
continue the chain. Triggers refuse every change of an event, even by the owner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import UnsupportedLedger
from ..events import GENESIS

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

SCHEMA = "benchmark_ledger"
CHANNEL = "benchmark_ledger"
"""The channel on which each append is announced."""

OLDEST_SERVER = 130000
"""PostgreSQL 13, as the server itself numbers its versions."""

_INIT_LOCK = 0x62656E63686C6764
"""The key of the advisory lock under which one process at a time changes the schema."""

_FIRST = f"""
CREATE SCHEMA IF NOT EXISTS {SCHEMA};

CREATE TABLE {SCHEMA}.about (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  version integer NOT NULL,
  ledger uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO {SCHEMA}.about (version) VALUES (0);

-- `stream` and `id` are digests of 16 bytes: a name may be longer than an index allows, and hold characters that text
-- does not have. The names themselves are in the line.
CREATE TABLE {SCHEMA}.events (
  seq bigint PRIMARY KEY,
  version bigint NOT NULL,
  id bytea NOT NULL UNIQUE,
  stream bytea NOT NULL,
  type text NOT NULL,
  line bytea NOT NULL,
  UNIQUE (stream, version)
);
CREATE INDEX events_by_type ON {SCHEMA}.events (type, seq);

CREATE TABLE {SCHEMA}.head (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  seq bigint NOT NULL,
  hash text NOT NULL
);
INSERT INTO {SCHEMA}.head (seq, hash) VALUES (0, '{GENESIS}');

CREATE FUNCTION {SCHEMA}.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'the ledger is append-only: % of %.% is refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {SCHEMA}.events
  FOR EACH STATEMENT EXECUTE FUNCTION {SCHEMA}.refuse_change();
CREATE TRIGGER append_only BEFORE INSERT OR DELETE OR TRUNCATE ON {SCHEMA}.head
  FOR EACH STATEMENT EXECUTE FUNCTION {SCHEMA}.refuse_change();
CREATE FUNCTION {SCHEMA}.refuse_return() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NEW.seq <= OLD.seq THEN
    RAISE EXCEPTION 'the ledger is append-only: its head cannot go back'
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER only_forward BEFORE UPDATE ON {SCHEMA}.head
  FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.refuse_return();
ALTER TABLE {SCHEMA}.events ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE {SCHEMA}.head ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE {SCHEMA}.head ENABLE ALWAYS TRIGGER only_forward;

-- The head, locked until the transaction ends, the time, and the lines after a known position (unless there are too
-- many: then they are read in pieces). Each statement in here sees what was committed before it.
CREATE FUNCTION {SCHEMA}.take_turn(
  known bigint, most bigint, OUT seq bigint, OUT hash text, OUT at timestamptz, OUT lines bytea
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  SELECT h.seq, h.hash INTO STRICT seq, hash FROM {SCHEMA}.head h FOR UPDATE;
  at := clock_timestamp();
  IF known >= 0 AND seq > known AND seq - known <= most THEN
    SELECT string_agg(e.line, '\\x0a' ORDER BY e.seq) INTO lines
      FROM {SCHEMA}.events e WHERE e.seq > known
      HAVING sum(octet_length(e.line)) < 8388608;
  END IF;
END $$;

-- Adds lines after a head. False if it is not the head any more; an error if a line does not continue the chain.
CREATE FUNCTION {SCHEMA}.append(
  known_seq bigint, known_hash text, versions bigint[], ids bytea[], streams bytea[], types text[], lines bytea[]
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  line bytea;
  size integer;
  position bigint := known_seq;
  previous text := known_hash;
  own_hash text;
  start bytea;
BEGIN
  IF current_setting('synchronous_commit') = 'off' THEN
    RAISE EXCEPTION 'synchronous_commit is off: an event could be lost after it was acknowledged'
      USING ERRCODE = 'invalid_transaction_state';
  END IF;
  -- A line begins with {{"seq":<position>, and ends with ,"prev":"<64 digits>","hash":"<64 digits>"}} (149 bytes); its
  -- hash is over what precedes ,"hash" (75 bytes).
  FOREACH line IN ARRAY lines LOOP
    position := position + 1;
    size := length(line);
    start := convert_to('{{"seq":' || position || ',', 'UTF8');
    IF size < 160 OR substring(line, 1, length(start)) <> start THEN
      RAISE EXCEPTION 'a line is not event %', position USING ERRCODE = 'check_violation';
    END IF;
    own_hash := encode(sha256(substring(line, 1, size - 75)), 'hex');
    IF substring(line, size - 148) <> convert_to(
      ',"prev":"' || previous || '","hash":"' || own_hash || '"}}', 'UTF8'
    ) THEN
      RAISE EXCEPTION 'the line of event % does not continue the chain', position USING ERRCODE = 'check_violation';
    END IF;
    previous := own_hash;
  END LOOP;
  IF position = known_seq THEN
    RAISE EXCEPTION 'there is nothing to append' USING ERRCODE = 'check_violation';
  END IF;
  UPDATE {SCHEMA}.head AS h SET seq = position, hash = previous
    WHERE h.seq = known_seq AND h.hash = known_hash;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  INSERT INTO {SCHEMA}.events (seq, version, id, stream, type, line)
    SELECT known_seq + u.n, u.version, u.id, u.stream, u.type, u.line
      FROM unnest(versions, ids, streams, types, lines)
        WITH ORDINALITY AS u(version, id, stream, type, line, n);
  PERFORM pg_notify('{CHANNEL}', position::text);
  RETURN true;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {SCHEMA} FROM PUBLIC;
"""  # noqa: S608 - our own names

_APPEND = f"{SCHEMA}.append(bigint, text, double precision, bigint[], bytea[], bytea[], text[], bytea[])"

# The lines that are new to a writer are rows of a question of their own now: an aggregate of them took twice as long.
# `append` gets the time of its events from a writer that has no turn, and returns its own time.
_SECOND = f"""
CREATE FUNCTION {SCHEMA}.take_turn(OUT seq bigint, OUT hash text, OUT at double precision)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  SELECT h.seq, h.hash INTO STRICT seq, hash FROM {SCHEMA}.head h FOR UPDATE;
  at := extract(epoch FROM clock_timestamp());
END $$;

-- Adds lines after a head, and returns the time. NULL if it is not the head any more. A writer without a turn says
-- which time it gave its events (`at`): NULL if that is in the future, or more than a second ago. An error if a line
-- does not continue the chain.
CREATE FUNCTION {SCHEMA}.append(
  known_seq bigint, known_hash text, at double precision,
  versions bigint[], ids bytea[], streams bytea[], types text[], lines bytea[]
) RETURNS double precision LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  line bytea;
  size integer;
  position bigint := known_seq;
  previous text := known_hash;
  own_hash text;
  start bytea;
  clock double precision := extract(epoch FROM clock_timestamp());
BEGIN
  IF current_setting('synchronous_commit') = 'off' THEN
    RAISE EXCEPTION 'synchronous_commit is off: an event could be lost after it was acknowledged'
      USING ERRCODE = 'invalid_transaction_state';
  END IF;
  IF at > clock OR at < clock - 1 THEN
    RETURN NULL;
  END IF;
  -- A line begins with {{"seq":<position>, and ends with ,"prev":"<64 digits>","hash":"<64 digits>"}} (149 bytes); its
  -- hash is over what precedes ,"hash" (75 bytes).
  FOREACH line IN ARRAY lines LOOP
    position := position + 1;
    size := length(line);
    start := convert_to('{{"seq":' || position || ',', 'UTF8');
    IF size < 160 OR substring(line, 1, length(start)) <> start THEN
      RAISE EXCEPTION 'a line is not event %', position USING ERRCODE = 'check_violation';
    END IF;
    own_hash := encode(sha256(substring(line, 1, size - 75)), 'hex');
    IF substring(line, size - 148) <> convert_to(
      ',"prev":"' || previous || '","hash":"' || own_hash || '"}}', 'UTF8'
    ) THEN
      RAISE EXCEPTION 'the line of event % does not continue the chain', position USING ERRCODE = 'check_violation';
    END IF;
    previous := own_hash;
  END LOOP;
  IF position = known_seq THEN
    RAISE EXCEPTION 'there is nothing to append' USING ERRCODE = 'check_violation';
  END IF;
  UPDATE {SCHEMA}.head AS h SET seq = position, hash = previous
    WHERE h.seq = known_seq AND h.hash = known_hash;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  INSERT INTO {SCHEMA}.events (seq, version, id, stream, type, line)
    SELECT known_seq + u.n, u.version, u.id, u.stream, u.type, u.line
      FROM unnest(versions, ids, streams, types, lines)
        WITH ORDINALITY AS u(version, id, stream, type, line, n);
  PERFORM pg_notify('{CHANNEL}', position::text);
  RETURN clock;
END $$;

REVOKE ALL ON FUNCTION {SCHEMA}.take_turn(), {_APPEND} FROM PUBLIC;

DO $$
DECLARE
  writer text;
BEGIN
  FOR writer IN
    SELECT DISTINCT quote_ident(pg_get_userbyid(a.grantee)) FROM pg_proc p, aclexplode(p.proacl) a
      WHERE p.oid = '{SCHEMA}.take_turn(bigint, bigint)'::regprocedure AND a.grantee <> 0
  LOOP
    EXECUTE 'GRANT EXECUTE ON FUNCTION {SCHEMA}.take_turn(), {_APPEND} TO ' || writer;
  END LOOP;
END $$;

DROP FUNCTION {SCHEMA}.take_turn(bigint, bigint);
DROP FUNCTION {SCHEMA}.append(bigint, text, bigint[], bytea[], bytea[], text[], bytea[]);
"""  # noqa: S608 - our own names

MIGRATIONS = (_FIRST, _SECOND)
"""The statements that lead from each version of the schema to the next one; a new ledger goes through all."""

_READER = f"""
GRANT USAGE ON SCHEMA {SCHEMA} TO {{0}};
GRANT SELECT ON {SCHEMA}.about, {SCHEMA}.events, {SCHEMA}.head TO {{0}};
"""
_WRITER = f"""
GRANT EXECUTE ON FUNCTION {SCHEMA}.take_turn, {SCHEMA}.append TO {{0}};
"""


class NoSchema(UnsupportedLedger):
    """The database has no ledger, or one of another version."""


def check_server(connection: Connection, place: str) -> None:
    """Raises UnsupportedLedger if the server is too old."""
    if connection.info.server_version < OLDEST_SERVER:
        raise UnsupportedLedger(
            f"the server of {place} is PostgreSQL {_shown(connection.info.server_version)}, which is too old",
            f"use PostgreSQL {_shown(OLDEST_SERVER)} or later",
        )


def _shown(version: int) -> str:
    return str(version // 10000) if version >= 100000 else f"{version // 10000}.{version // 100 % 100}"


def version_of(connection: Connection) -> int:
    """The version of the schema; 0 if the database has none. Raises psycopg.Error."""
    exists = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.about",)).fetchone()
    if not exists or not exists[0]:
        return 0
    row = connection.execute(f"SELECT version FROM {SCHEMA}.about").fetchone()  # noqa: S608 - our own name
    return int(row[0]) if row else 0


def check_version(version: int, place: str, url: str) -> None:
    """Raises NoSchema unless this version of the program can use the schema."""
    if version == 0:
        raise NoSchema(
            f"the database {place} does not hold a ledger yet",
            f"its owner makes it once: benchmarks --ledger '{url}' ledger init",
        )
    if version > len(MIGRATIONS):
        raise NoSchema(
            f"the ledger in the database {place} has version {version}, and this program knows versions up to "
            f"{len(MIGRATIONS)}",
            "update benchmark-orchestrator on this machine",
        )
    if version < len(MIGRATIONS):
        raise NoSchema(
            f"the ledger in the database {place} has version {version}, and this program needs {len(MIGRATIONS)}",
            f"its owner brings it to the current version: benchmarks --ledger '{url}' ledger init",
        )


def prepare(connection: Connection, *, place: str, writers: Sequence[str], readers: Sequence[str]) -> tuple[int, int]:
    """Make or migrate the schema and give rights to roles, all or nothing. Returns the versions before and after.

    Raises NoSchema if the schema is of a newer version, and psycopg.Error.
    """
    from psycopg import sql

    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_INIT_LOCK,))
        before = version_of(connection)
        if before > len(MIGRATIONS):
            check_version(before, place, "")
        for number, statements in enumerate(MIGRATIONS[before:], before + 1):
            connection.execute(statements.encode())
            connection.execute(f"UPDATE {SCHEMA}.about SET version = %s", (number,))  # noqa: S608 - our own name
        for roles, grants in ((readers, _READER), (writers, _READER + _WRITER)):
            for role in roles:
                connection.execute(sql.SQL(grants).format(sql.Identifier(role)))
    return before, len(MIGRATIONS)
