"""The endpoints of a campaign's models: a provider's address, or a server on this machine.

A server is started when the first run needs its model. It serves later runs until the campaign is over, or until
another model is needed and no run uses this one, because two models may not fit into memory.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec.structs import replace

from ...ledger.holders import describe_holders
from .gate import AnyGate
from .local_model import NO_DEPS, REQUIREMENTS, LocalModelError, LocalServer, serve
from .node_server import shared
from .providers import Endpoint
from .proxy import proxied
from .targets import Target


class ModelUnavailable(Exception):
    """The local model cannot be served; the message gives the cause."""


class _Server:
    """A local server, and the number of runs that use it."""

    def __init__(self) -> None:
        self.stack = contextlib.ExitStack()
        self.users = 0
        self.endpoint: Endpoint | None = None


class Endpoints(contextlib.AbstractContextManager["Endpoints"]):
    """Gives endpoints to runs; safe for many threads. The end of the context always stops every server."""

    def __init__(
        self,
        *,
        log_path: Path,
        announce: Callable[[str], None],
        cancelled: Callable[[], bool] = lambda: False,
        gate: AnyGate | None = None,
        shares: bool = False,
    ) -> None:
        """Calls to endpoints that have a limit at the `gate` pass it.

        If it `shares`, other processes of this machine use the same local servers, which end after their last user.
        """
        self._shares = shares
        self._gate = gate
        self._proxies: dict[str, str] = {}
        self._stack = contextlib.ExitStack()
        self._log_path = log_path
        self._announce = announce
        self._cancelled = cancelled
        self._lock = threading.Lock()
        self._servers: dict[str, _Server] = {}
        self._failures: dict[str, ModelUnavailable] = {}

    @contextlib.contextmanager
    def lease(self, target: Target) -> Iterator[Endpoint]:
        """The target's endpoint, ready to answer during the context.

        Raises ModelUnavailable; if that happened once for a model, it is raised for later runs too.
        """
        if not target.is_served_here:
            yield self._behind_gate(target.endpoint)
            return
        with self._lock:
            server = self._servers.get(target.model) or self._start(target)
            server.users += 1
        try:
            assert server.endpoint is not None  # noqa: S101 - for the type checker: it was started
            yield server.endpoint
        finally:
            with self._lock:
                server.users -= 1
                if self._shares and not server.users:
                    self._servers.pop(target.model, server).stack.close()

    def _behind_gate(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint, through a proxy if the number of its calls in flight is limited."""
        address = endpoint.base_url
        if self._gate is None or address is None or self._gate.limit(address) is None:
            return endpoint
        with self._lock:
            if address not in self._proxies:
                self._proxies[address] = self._stack.enter_context(proxied(address, self._gate))
            return replace(endpoint, base_url=self._proxies[address], behind=address)

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        for server in self._servers.values():
            server.stack.close()

    def _start(self, target: Target) -> _Server:
        if failure := self._failures.get(target.model):
            raise failure
        for model in [model for model, server in self._servers.items() if not server.users]:
            self._servers.pop(model).stack.close()
        from ...adapters.environment import EnvironmentBuildError, EnvironmentSpec, ensure

        server = _Server()
        try:
            spec = EnvironmentSpec(REQUIREMENTS, NO_DEPS)
            environment = ensure(
                spec, announce=self._announce, cancelled=self._cancelled, describe_holders=describe_holders
            )
            ready = server.stack.enter_context(self._serve(target.requested, environment.python))
        except (EnvironmentBuildError, LocalModelError) as problem:
            failure = ModelUnavailable(f"the local model cannot be served: {problem}")
            self._failures[target.model] = failure
            raise failure from problem
        server.endpoint = replace(target.endpoint, base_url=ready.base_url, model_sha256=ready.model_sha256)
        self._servers[target.model] = server
        return server

    def _serve(self, model: str, python: Path) -> contextlib.AbstractContextManager[LocalServer]:
        announce, cancelled = self._announce, self._cancelled
        if self._shares:
            return shared(model, python=python, announce=announce, cancelled=cancelled)
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        return serve(model, python=python, log_path=self._log_path, announce=announce, cancelled=cancelled)
