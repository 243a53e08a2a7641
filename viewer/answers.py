"""The history behind the answers, and the forms in which answers are given."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import falcon
import msgspec

from ..ledger.fold import Run
from ..ledger.store import EventStore
from ..projections.database import State, read_runs, read_state
from ..projections.reading import open_history
from ..projections.workspace import Workspace

_DETAILS = {
    404: "nothing is at this address; the API begins at /api/runs",
    405: "the viewer only shows: it answers GET and HEAD",
}


class Archive:
    """What the resources ask: the projection, kept up to the ledger's head, and the files of runs."""

    def __init__(self, workspace: Workspace, store: EventStore) -> None:
        self.workspace = workspace
        self.store = store

    @contextmanager
    def history(self) -> Iterator[tuple[sqlite3.Connection, State]]:
        """The history as tables, and how far it reaches."""
        with open_history(self.workspace, self.store) as connection:
            yield connection, read_state(connection) or State(0, "", "")

    def find_run(self, run_id: str) -> Run:
        """The run of that id. Raises HTTPNotFound."""
        with self.history() as (connection, _):
            return find_run(connection, run_id)

    def folder(self, run: Run) -> Path:
        """Where the run's files are, by the workspace's layout: paths that stand in events are not trusted."""
        return self.workspace.run_folder(run.run_group_id, run.benchmark_directory, run.benchmark_id, run.run_id)


def find_run(connection: sqlite3.Connection, run_id: str) -> Run:
    """The run of that id, of an open projection. Raises HTTPNotFound."""
    run = next(read_runs(connection, "WHERE run_id = ?", (run_id,)), None)
    if run is None:
        raise falcon.HTTPNotFound(title="no such run", description=f"the ledger has no run '{run_id}'")
    return run


def answer(resp: falcon.Response, value: Any) -> None:
    """A JSON answer."""
    resp.data = msgspec.json.encode(value)
    resp.content_type = falcon.MEDIA_JSON


def is_known(req: falcon.Request, resp: falcon.Response, state: State, stale: Iterable[str] = ()) -> bool:
    """Whether the asker has this answer already: then it is `304`, and nothing more has to be done.

    An answer changes only with the ledger's head, with the question, which is the URL, and with what is `stale`.
    """
    silent = sha256("\n".join(stale).encode()).hexdigest()[:8] if stale else "0"
    tag = f'W/"{state.position}-{state.head_hash[:16]}-{silent}"'
    resp.set_header("ETag", tag)
    if tag not in (req.get_header("If-None-Match") or ""):
        return False
    resp.status = falcon.HTTP_304
    return True


def bad_parameter(name: str, reason: str) -> falcon.HTTPBadRequest:
    """The error for a parameter that makes no sense."""
    return falcon.HTTPBadRequest(title=f"bad parameter {name}", description=f"{name}: {reason}")


def check_parameters(req: falcon.Request, *known: str) -> None:
    """Refuse a parameter of another name: a filter with a typing error must not show everything.

    Raises HTTPBadRequest.
    """
    for name in req.params:
        if name not in known and name != "token":
            raise bad_parameter(name, f"there is no such parameter; there are {', '.join(sorted(known))}")


def whole_number(req: falcon.Request, name: str, default: int, *, least: int, most: int) -> int:
    """A parameter as a number within bounds. Raises HTTPBadRequest."""
    text = req.get_param(name)
    if text is None:
        return default
    try:
        number = int(text)
    except ValueError:
        raise bad_parameter(name, f"'{text}' is no whole number") from None
    if not least <= number <= most:
        raise bad_parameter(name, f"{number} is not between {least} and {most}")
    return number


def ledger_problem(req: falcon.Request, resp: falcon.Response, problem: Exception, params: dict[str, Any]) -> None:
    """What is said where the history cannot be read: the reason, as the ledger or the projection gives it."""
    raise falcon.HTTPServiceUnavailable(title="the history cannot be read", description=str(problem)) from problem


def problem_json(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError) -> None:
    """Errors as RFC 9457 problem details."""
    status = error.status_code
    detail = error.description or _DETAILS.get(status, error.title)
    resp.data = msgspec.json.encode({"type": "about:blank", "title": error.title, "status": status, "detail": detail})
    resp.content_type = "application/problem+json"
