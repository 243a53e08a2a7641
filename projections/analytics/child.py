"""The sandbox: a process of its own that runs one SELECT and answers in JSON. `sandbox.py` starts and kills it.

DuckDB's own limits are no limits: a long scalar function heeds neither its memory limit nor an interrupt, and it asks
that SQL be treated like code. So the system's limits stand around DuckDB's: address space, no file written, no core,
processor seconds, and an alarm. This script imports nothing of ours: it is started by its path.
"""

import resource
import signal
import sys
import time
from typing import Any

import duckdb
import msgspec

_MIB = 1024 * 1024
_AROUND = 1024 * _MIB
"""Address space on top of DuckDB's memory: the interpreter, libraries, stacks, the answer."""

_SAFE_CATALOG = frozenset(
    f"duckdb_{name}" for name in "columns constraints functions indexes keywords schemas tables types views".split()
)
_REFUSED = frozenset(
    "current_setting query query_table which_secret write_log pg_settings force_checkpoint checkpoint".split()
)
"""They tell where files are, run text that nobody has looked at, or do something."""


class Refused(Exception):
    """The SQL is not what is allowed here; the message says why."""


def main() -> None:
    """Read a request from stdin, answer it on stdout."""
    request = msgspec.json.decode(sys.stdin.buffer.read())
    limits = request["limits"]
    try:
        answer: dict[str, Any] = {"result": run(request["database"], request["sql"], limits)}
    except Refused as problem:
        answer = {"bad": str(problem)}
    except TooLong:
        answer = {"exceeded": "answer_mb"}
    except (MemoryError, duckdb.OutOfMemoryException):
        answer = {"exceeded": "memory_mb"}
    except duckdb.Error as problem:
        # An allocation that the system refused comes as an error of any kind.
        told = str(problem)
        answer = (
            {"exceeded": "memory_mb"} if "bad_alloc" in told or "failed to allocate" in told.lower() else {"bad": told}
        )
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    sys.stdout.buffer.flush()


class TooLong(Exception):
    """The answer has more bytes than granted."""


def run(database: str, sql: str, limits: dict[str, Any]) -> dict[str, Any]:
    """The result of the SELECT as a `QueryResult`."""
    check(sql)
    sql = without_end(sql)
    connection = open_sealed(database, limits)
    bound_process(limits)
    begin = time.perf_counter()
    relation = connection.sql(sql)
    columns = [(name, str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True)]
    plain = relation.project(", ".join(_plain(place, kind) for place, (_, kind) in enumerate(columns, 1)))
    rows, truncated = fetch(plain, columns, limits)
    return {"columns": columns, "rows": rows, "truncated": truncated, "seconds": time.perf_counter() - begin}


def check(sql: str) -> None:
    """Raises Refused where the text is not one SELECT, or names what it may not."""
    with duckdb.connect(config={"threads": 1}) as parser:
        row = parser.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    tree: dict[str, Any] = msgspec.json.decode(row[0]) if row else {"error": True}
    if tree.get("error"):
        told = tree.get("error_message", "it can't be read")
        if tree.get("error_type") == "parser":
            raise Refused(f"Parser Error: {told}")
        raise Refused("only one SELECT is allowed (also FROM, WITH, VALUES, DESCRIBE, SUMMARIZE, SHOW TABLES)")
    if len(tree["statements"]) != 1:
        raise Refused(f"these are {len(tree['statements'])} statements: only one SELECT is allowed")
    for name in _names(tree):
        if name in _REFUSED or (name.startswith(("duckdb_", "pragma_")) and name not in _SAFE_CATALOG):
            raise Refused(f"{name} is not allowed here: it is about the database's surroundings, not the history")


def without_end(sql: str) -> str:
    """The text without the semicolons and comments at its end, so that it can stand inside another query."""
    raw = sql.encode()
    end = len(raw)
    for offset, kind in reversed(duckdb.tokenize(sql)):
        if kind != duckdb.token_type.comment and raw[offset : offset + 1] != b";":
            break
        end = offset
    return raw[:end].decode()


def _names(node: Any) -> list[str]:
    """The functions and tables that a parsed statement names."""
    found: list[str] = []
    rest = [node]
    while rest:
        part = rest.pop()
        if isinstance(part, dict):
            found += [part[key].lower() for key in ("function_name", "table_name") if isinstance(part.get(key), str)]
            rest += part.values()
        elif isinstance(part, list):
            rest += part
    return found


def open_sealed(database: str, limits: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """The database, read-only, with every way to files, settings and extensions shut."""
    config: dict[str, Any] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "python_enable_replacements": "false",
        "memory_limit": f"{limits['memory_mb']}MiB",
        "threads": limits["threads"],
        "temp_directory": "",
        "max_temp_directory_size": "0B",
    }
    connection = duckdb.connect(database, read_only=True, config=config)
    # In this order: after the last one nothing can be set any more.
    for name, value in (
        ("TimeZone", "UTC"),
        ("home_directory", "none"),
        ("secret_directory", "none"),
        ("extension_directory", "none"),
        ("enable_external_access", "false"),
        ("lock_configuration", "true"),
    ):
        connection.execute(f"SET {name} = '{value}'")
    return connection


def bound_process(limits: dict[str, Any]) -> None:
    """The system's limits around what follows."""
    space = limits["memory_mb"] * _MIB + _AROUND
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    seconds = int(limits["seconds"] * limits["threads"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    # Also where the parent is gone. Its default action ends the process in whatever it is.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, limits["seconds"])


def _plain(place: int, kind: str) -> str:
    """The column at that place as something that becomes a plain JSON value."""
    column = f"#{place}"
    if kind in _AS_IT_IS:
        return column
    if kind.startswith("DECIMAL") and not kind.endswith("]"):
        return f"CAST({column} AS DOUBLE)"
    if kind in ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S"):
        return f"strftime(CAST({column} AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%fZ')"
    if kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION")):
        return f"CAST(to_json({column}) AS VARCHAR)"
    return f"CAST({column} AS VARCHAR)"


_AS_IT_IS = frozenset(
    "BOOLEAN TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT FLOAT DOUBLE "
    "VARCHAR".split()
)


def fetch(
    relation: duckdb.DuckDBPyRelation, columns: list[tuple[str, str]], limits: dict[str, Any]
) -> tuple[msgspec.Raw, bool]:
    """The rows as JSON, and whether there were more. Raises TooLong."""
    as_json = [
        place
        for place, (_, kind) in enumerate(columns)
        if kind == "JSON" or kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION"))
    ]
    pieces: list[bytes] = []
    size = 0
    rows = relation.limit(limits["rows"] + 1).fetchall()
    for row in rows[: limits["rows"]]:
        values = list(row)
        for place in as_json:
            if values[place] is not None:
                values[place] = msgspec.Raw(values[place].encode())
        line = msgspec.json.encode(values)
        size += len(line)
        if size > limits["answer_mb"] * _MIB:
            raise TooLong
        pieces.append(line)
    return msgspec.Raw(b"[" + b",".join(pieces) + b"]"), len(rows) > limits["rows"]


if __name__ == "__main__":
    main()
