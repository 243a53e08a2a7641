"""The sandbox: a process of its own that runs one SELECT and answers in JSON. `sandbox.py` starts and kills it.

DuckDB's own limits are not hard: a long scalar function obeys neither its memory limit nor an interrupt, and its
authors say to treat SQL like code. So the system's limits stand around DuckDB's: address space, no file written, no
core, processor seconds, and an alarm. This script imports nothing of ours: it is started by its path.
"""

import json
import math
import re
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
_TABLE_FUNCTIONS = _SAFE_CATALOG | frozenset(
    "range generate_series unnest repeat repeat_row json_each json_tree icu_calendar_names pg_timezone_names".split()
)
"""Those that make rows of nothing but their arguments, or tell of the views. All others read, run or set something."""

_REFUSED = frozenset("current_setting json_execute_serialized_sql json_serialize_plan which_secret write_log".split())
"""Functions that reveal where files are, parse text that was not checked, or have effects."""


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
        is_allocation = "bad_alloc" in told or "failed to allocate" in told.lower()
        answer = {"exceeded": "memory_mb"} if is_allocation else {"bad": in_one_line(told, request["sql"])}
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
    try:
        relation = connection.sql(sql)
        columns = [(name, str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True)]
    except duckdb.Error:
        connection.execute(f"EXPLAIN\n{sql}")  # It says where, which a relation does not.
        raise
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
            raise Refused(f"Parser Error: {told}{_place(sql, _characters(sql, int(tree.get('position', 0))))}")
        raise Refused("only one SELECT is allowed (also FROM, WITH, VALUES, DESCRIBE, SUMMARIZE, SHOW TABLES)")
    if len(tree["statements"]) != 1:
        raise Refused(f"these are {len(tree['statements'])} statements: only one SELECT is allowed")
    for kind, name in _names(tree):
        is_table = kind == "table" and (name == "pg_settings" or name.startswith(("duckdb_", "pragma_")))
        if name in _REFUSED or ((kind == "table function" or is_table) and name not in _TABLE_FUNCTIONS):
            raise Refused(f"{name} is not allowed here: it is about the database's surroundings, not the history")


def in_one_line(told: str, sql: str) -> str:
    """What DuckDB says, with the place in the SQL that its second part points to.

    That part quotes a line, perhaps cut short at `...`, with carets below; its number may count lines that are ours.
    """
    text, _, pointer = told.partition("\n\nLINE ")
    text = " ".join(text.split())
    found = re.match(r"(\d+: )(.*)\n( *)\^", pointer)
    if not found:
        return text
    shown, column = found[2], len(found[3]) - len("LINE ") - len(found[1])
    if shown.startswith("..."):
        shown, column = shown[3:], column - 3
    begin = sql.find(shown.removesuffix("..."))
    return text if begin < 0 else text + _place(sql, begin + column)


def _place(sql: str, offset: int) -> str:
    line, column = sql.count("\n", 0, offset) + 1, offset - sql.rfind("\n", 0, offset)
    return f" (line {line}, column {column})"


def _characters(sql: str, size: int) -> int:
    """How many characters the first `size` bytes are."""
    return len(sql.encode()[:size].decode(errors="ignore"))


def without_end(sql: str) -> str:
    """The text without the semicolons and comments at its end, so that it can stand inside another query."""
    raw = sql.encode()
    end = len(raw)
    for offset, kind in reversed(duckdb.tokenize(sql)):
        if kind != duckdb.token_type.comment and raw[offset : offset + 1] != b";":
            break
        end = offset
    return raw[:end].decode()


def _names(node: Any) -> list[tuple[str, str]]:
    """The functions, table functions and tables that a parsed statement names, each with which of them it is."""
    found: list[tuple[str, str]] = []
    rest = [node]
    while rest:
        part = rest.pop()
        if isinstance(part, dict):
            if part.get("type") == "TABLE_FUNCTION":
                found.append(("table function", part["function"]["function_name"].lower()))
            kinds = {"function_name": "function", "table_name": "table"}
            found += [(kind, part[key].lower()) for key, kind in kinds.items() if isinstance(part.get(key), str)]
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
                values[place] = decoded(values[place])
        line = msgspec.json.encode(values)
        size += len(line)
        if size > limits["answer_mb"] * _MIB:
            raise TooLong
        pieces.append(line)
    return msgspec.Raw(b"[" + b",".join(pieces) + b"]"), len(rows) > limits["rows"]


def decoded(text: str) -> Any:
    """The value of JSON as DuckDB writes it: a number that JSON does not have becomes None, as it does elsewhere."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return _finite(json.loads(text))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    main()
