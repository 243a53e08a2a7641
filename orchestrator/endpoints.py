"""Where a campaign's runs find their model: a provider's address, or a server of our own, started when needed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from .providers import Endpoint

if TYPE_CHECKING:
    from .local_model import LocalServer

LOCAL = "local"


class ModelUnavailable(Exception):
    """The local model cannot be served; the message says why."""


class EndpointSource(contextlib.AbstractContextManager["EndpointSource"]):
    """Gives the endpoint to runs. With the provider `local`, the first run to ask starts the server.

    Leaving the context stops the server, whatever happens.
    """

    def __init__(self, endpoint: Endpoint, *, model: str, log_path: Path, announce: Callable[[str], None]) -> None:
        self._endpoint = endpoint
        self._model = model
        self._log_path = log_path
        self._announce = announce
        self._lock = threading.Lock()
        self._failure: ModelUnavailable | None = None
        self._stack = contextlib.ExitStack()

    def get(self) -> Endpoint:
        """The endpoint, ready to answer. Raises ModelUnavailable, the same to everyone who asks."""
        if self._endpoint.provider.name != LOCAL or self._endpoint.base_url:
            return self._endpoint
        with self._lock:
            if self._failure:
                raise self._failure
            if not self._endpoint.base_url:
                try:
                    server = self._start()
                    self._endpoint = replace(self._endpoint, base_url=server.base_url, model_sha256=server.model_sha256)
                except ModelUnavailable as failure:
                    self._failure = failure
                    raise
        return self._endpoint

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> LocalServer:
        from ..adapters.environment import EnvironmentBuildError, EnvironmentSpec, ensure
        from .local_model import NO_DEPS, REQUIREMENTS, LocalModelError, serve

        try:
            environment = ensure(EnvironmentSpec(REQUIREMENTS, NO_DEPS), announce=self._announce)
            self._log_path.parent.mkdir(parents=True, exist_ok=True)
            return self._stack.enter_context(
                serve(self._model, python=environment.python, log_path=self._log_path, announce=self._announce)
            )
        except (EnvironmentBuildError, LocalModelError) as problem:
            raise ModelUnavailable(f"the local model cannot be served: {problem}") from problem
