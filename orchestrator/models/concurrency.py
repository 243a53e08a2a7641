"""How many calls of an endpoint may be in flight: `[endpoints]` of a campaign file or of `benchmarks.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ...ledger.suggestions import did_you_mean
from ..errors import UsageError
from .providers import Endpoint, providers

_KEY = "max_concurrency"


class Concurrency(msgspec.Struct, frozen=True):
    """The limits, by the name of a provider or a base URL; `every` is for all other endpoints. None: no limit."""

    every: int | None = None
    named: dict[str, int] = {}

    def of(self, endpoint: Endpoint) -> int | None:
        """The limit of an endpoint: that of its address, else of its provider, else of every endpoint."""
        address = (endpoint.base_url or "").rstrip("/")
        return self.named.get(address) or self.named.get(endpoint.provider.name) or self.every

    def over(self, other: Concurrency) -> Concurrency:
        """These limits, and where they say nothing, the other ones."""
        return Concurrency(self.every or other.every, {**other.named, **self.named})


def parse_concurrency(table: Mapping[str, Any], source: str) -> Concurrency:
    """The limits of a table `[endpoints]`. Raises UsageError, which names the key and the `source`."""
    every, named = None, {}
    for name, value in table.items():
        if name == _KEY:
            every = _limit(value, f"{source}: endpoints.{_KEY}")
        elif not isinstance(value, dict) or set(value) != {_KEY}:
            raise UsageError(
                f"{source}: endpoints.{name} must be a table with {_KEY} alone",
                f"the keys of [endpoints] are {_KEY}, names of providers and base URLs",
            )
        elif "://" not in name and name not in providers():
            raise UsageError(
                f"{source}: endpoints: unknown provider '{name}'",
                did_you_mean(
                    name, providers(), "benchmarks providers lists them; an address begins with http:// or https://"
                ),
            )
        else:
            named[name.rstrip("/")] = _limit(value[_KEY], f"{source}: endpoints.{name}.{_KEY}")
    return Concurrency(every, named)


def _limit(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"{name} must be a whole number from 1, got {value!r}")
    return value
