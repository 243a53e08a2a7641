"""The viewer as a WSGI application: its routes, and the files of its page."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from hashlib import sha256
from pathlib import Path

import falcon

from ..ledger.chain import BadLine
from ..ledger.errors import LedgerError
from ..ledger.store import EventStore
from ..projections.workspace import Workspace
from .answers import Archive, ledger_problem, problem_json
from .guard import LOOPBACK, Compress, Guard
from .run import ArtifactFile, Events, Log, OneRun, Samples
from .runs import Benchmarks, Runs, ViewerData

_HERE = Path(__file__).parent
_TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def create_app(
    workspace: Path, store: EventStore, *, hosts: Collection[str] = LOOPBACK, token: str | None = None
) -> falcon.App[falcon.Request, falcon.Response]:
    """The application; `hosts` are the names under which it answers, and with a `token` only whoever has it."""
    archive = Archive(Workspace(workspace), store)
    app = falcon.App()
    app.add_middleware(Guard(hosts, token))
    app.add_middleware(Compress())
    app.set_error_serializer(problem_json)
    for unreadable in (LedgerError, BadLine, sqlite3.DatabaseError):
        app.add_error_handler(unreadable, ledger_problem)
    app.req_options.strip_url_path_trailing_slash = True
    app.req_options.auto_parse_qs_csv = False
    app.add_route("/healthz", Health())
    app.add_route("/health", Health())
    app.add_route("/api/viewer-data", ViewerData(archive))
    app.add_route("/api/benchmarks", Benchmarks(archive))
    app.add_route("/api/runs", Runs(archive))
    app.add_route("/api/runs/{run_id}", OneRun(archive))
    app.add_route("/api/runs/{run_id}/events", Events(archive))
    app.add_route("/api/runs/{run_id}/logs/{name}", Log(archive))
    app.add_route("/api/runs/{run_id}/samples", Samples(archive))
    app.add_route("/api/runs/{run_id}/artifacts/{path:path}", ArtifactFile(archive))
    # Each file has a route of its own, made here: no path of a request ever becomes a path of the disk.
    for file in page_files():
        route = "/" + file.relative_to(_HERE).as_posix()
        app.add_route("/" if route == "/index.html" else route, PageFile(file))
    return app


def page_files() -> list[Path]:
    """The files that make up the page."""
    patterns = ("index.html", "*.svg", "css/*.css", "js/**/*.js")
    return sorted(file for pattern in patterns for file in _HERE.glob(pattern))


class Health:
    """For whoever waits for the server."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """It answers."""
        resp.text = "ok\n"
        resp.content_type = falcon.MEDIA_TEXT

    on_head = on_get


class PageFile:
    """A file of the page."""

    def __init__(self, file: Path) -> None:
        self._body = file.read_bytes()
        self._type = _TYPES[file.suffix]
        self._tag = f'"{sha256(self._body).hexdigest()[:16]}"'

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Its bytes, unless the browser has them."""
        resp.set_header("ETag", self._tag)
        if self._tag in (req.get_header("If-None-Match") or ""):
            resp.status = falcon.HTTP_304
            return
        resp.data = self._body
        resp.content_type = self._type

    on_head = on_get
