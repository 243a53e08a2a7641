"""The model that a run uses: a provider's endpoint and the name of the model."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ..errors import UsageError
from .local_model import EMBEDDED, LocalModelError, model_label
from .providers import NO_MODEL, WITHOUT_MODEL, Endpoint, find_provider, resolve

LOCAL = "local"
"""The provider whose models this machine serves itself."""

DEFAULT_MODEL = "qwen3"
"""The default model, which is that of the first orchestrator."""


class Target(msgspec.Struct, frozen=True):
    """An endpoint and a model; `requested` is the given name of the model, and `model` its name in the ledger.

    The two names differ for a model file: its name in the ledger holds a part of its digest.
    """

    endpoint: Endpoint
    requested: str
    model: str

    @property
    def is_served_here(self) -> bool:
        """Whether a local server has to be started for this target."""
        return self.endpoint.provider.name == LOCAL and not self.endpoint.base_url

    def __str__(self) -> str:
        return f"{self.endpoint.provider.name}:{self.model}"


NO_TARGET = Target(WITHOUT_MODEL, NO_MODEL, NO_MODEL)
"""The target of a benchmark that uses no model."""


def find_target(provider: str, model: str | None, *, base_url: str | None, environ: Mapping[str, str]) -> Target:
    """The target of a provider's name and a model. Raises UsageError if the provider or the model is unknown."""
    endpoint = resolve(find_provider(provider), base_url=base_url, environ=environ)
    is_served_here = endpoint.provider.name == LOCAL and not endpoint.base_url
    requested = (EMBEDDED if is_served_here else DEFAULT_MODEL) if model is None else model
    if not requested.strip():
        raise UsageError("--model is empty")
    if not is_served_here:
        return Target(endpoint, requested, requested)
    try:
        return Target(endpoint, requested, model_label(requested))
    except LocalModelError as problem:
        raise UsageError(str(problem)) from problem
