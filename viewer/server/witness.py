"""The HTTP interface of a witness (C2SP tlog-witness), on the same server as the viewer."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable

import falcon

from ...ledger.proof.witnessing import MAX_REQUEST_BYTES, Refused, StateUnusable, WitnessState
from .listening import ended_by_signals, listen

_THREADS = 4


def create_witness_app(state: WitnessState) -> falcon.App[falcon.Request, falcon.Response]:
    """The witness as a WSGI application: `POST /add-checkpoint`, and `GET /<SHA-256 of the origin>/checkpoint`."""
    app = falcon.App(media_type="text/plain; charset=utf-8")
    app.add_route("/add-checkpoint", _AddCheckpoint(state))
    app.add_route("/{origin_hash}/checkpoint", _LastCheckpoint(state))
    app.add_error_handler(Refused, _refuse)
    app.add_error_handler(StateUnusable, _fail)
    return app


class _AddCheckpoint:
    def __init__(self, state: WitnessState) -> None:
        self._state = state

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        response.text = self._state.add_checkpoint(request.bounded_stream.read(MAX_REQUEST_BYTES + 1))


class _LastCheckpoint:
    def __init__(self, state: WitnessState) -> None:
        self._state = state

    def on_get(self, _: falcon.Request, response: falcon.Response, origin_hash: str) -> None:
        note = self._state.checkpoint_of(origin_hash)
        if note is None:
            raise Refused(404, "no checkpoint of this log was signed here\n")
        response.text = note


def _refuse(_: falcon.Request, response: falcon.Response, problem: Refused, __: object) -> None:
    response.status = falcon.code_to_http_status(problem.status)
    response.content_type = problem.content_type
    response.text = problem.text


def _fail(_: falcon.Request, response: falcon.Response, problem: StateUnusable, __: object) -> None:
    logging.getLogger("benchmarks").error("%s", problem)
    response.status = falcon.HTTP_500
    response.text = "the state of this witness cannot be used: nothing was signed\n"


def serve_witness(state: WitnessState, *, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `on_ready` is called with the URL. Port 0 takes any free one.

    Raises PortInUse, and ViewerError if the address cannot be used.
    """
    from .channels import create_limited_server

    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    listening = listen(host, port)
    with contextlib.closing(listening):
        server = create_limited_server(create_witness_app(state), listening, _THREADS)
        shown = f"[{host}]" if ":" in host else host
        on_ready(f"http://{shown}:{listening.getsockname()[1]}")
        with ended_by_signals(threading.Event()), contextlib.suppress(KeyboardInterrupt):
            server.run()
        server.close()
