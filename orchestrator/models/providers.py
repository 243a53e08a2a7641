"""Providers of models: their addresses, the variables that hold their keys, and the environment of a child process."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from ...ledger.suggestions import did_you_mean
from ..errors import UsageError

_FILE = Path(__file__).with_name("providers.toml")


class Provider(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A row of `providers.toml`."""

    name: str
    openai_compatible: bool
    key: list[str] = []
    optional_key: list[str] = []
    base_url: str | None = None
    needs_base_url: bool = False
    note: str = ""

    @property
    def key_variables(self) -> list[str]:
        """The variables that may hold the provider's key, in order of preference."""
        return [*self.key, *self.optional_key]

    @property
    def base_url_variable(self) -> str:
        """The variable that replaces the provider's public address."""
        return f"{self.name.upper().replace('-', '_')}_BASE_URL"


class Endpoint(msgspec.Struct, frozen=True):
    """The address of a provider in this run, and the key for it.

    `model_sha256` is the digest of the model's file, if this machine serves it. If `base_url` is that of a proxy on
    this machine, `behind` is the address of the endpoint itself, which is recorded.
    """

    provider: Provider
    base_url: str | None
    key_variable: str | None
    key: str | None
    model_sha256: str | None = None
    behind: str | None = None

    @property
    def recorded(self) -> Endpoint:
        """The endpoint without the proxy before it."""
        return msgspec.structs.replace(self, base_url=self.behind, behind=None) if self.behind else self

    def missing(self) -> list[str]:
        """The requirements of the provider that this machine does not meet; empty if the provider can be used."""
        missing = []
        if self.provider.key and self.key is None:
            names = " or ".join(self.provider.key)
            missing.append(f"environment variable {names} (the key of provider {self.provider.name})")
        if self.provider.needs_base_url and not self.base_url:
            missing.append(f"--base-url or environment variable {self.provider.base_url_variable}")
        return missing

    def environment(self) -> dict[str, str]:
        """The variables that give this endpoint to a child process."""
        variables = {}
        if self.key_variable and self.key:
            variables[self.key_variable] = self.key
        if self.base_url:
            variables[self.provider.base_url_variable] = self.base_url
        if self.provider.openai_compatible:
            # Clients do not start without a key, so they get a placeholder if the server needs none.
            variables["OPENAI_API_KEY"] = self.key or "none"
            if self.base_url:
                variables["OPENAI_BASE_URL"] = self.base_url
        return variables


NO_MODEL = "none"
"""The provider and the model of a run that uses no model."""

WITHOUT_MODEL = Endpoint(Provider(name=NO_MODEL, openai_compatible=False), None, None, None)


@functools.cache
def providers() -> dict[str, Provider]:
    """Every provider by its name, in the order of the file."""
    rows = tomllib.loads(_FILE.read_text())
    return {name: msgspec.convert({"name": name, **row}, Provider) for name, row in rows.items()}


def find_provider(name: str) -> Provider:
    """The provider of that name, in any letter case. Raises UsageError with the nearest name."""
    known = providers()
    if provider := known.get(name.lower()):
        return provider
    hint = did_you_mean(name, known, f"the providers are {', '.join(known)}")
    raise UsageError(f"unknown provider '{name}'", f"{hint} (any other: --provider openai-compatible --base-url URL)")


def resolve(provider: Provider, *, base_url: str | None, environ: Mapping[str, str]) -> Endpoint:
    """The provider's endpoint: `base_url` if given, else `<PROVIDER>_BASE_URL`, else its public address.

    Raises UsageError for an address that is not an http(s) URL.
    """
    if base_url is None:
        variable = provider.base_url_variable
        base_url = environ.get(variable) or (environ.get("OPENAI_BASE_URL") if provider.needs_base_url else None)
        base_url = base_url or provider.base_url
    if base_url is not None:
        _check_address(base_url)
    key_variable = next((name for name in provider.key_variables if environ.get(name)), None)
    return Endpoint(
        provider=provider,
        base_url=base_url.rstrip("/") if base_url else None,
        key_variable=key_variable,
        key=environ[key_variable] if key_variable else None,
    )


def _check_address(base_url: str) -> None:
    try:
        parts = urlsplit(base_url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as problem:
        raise UsageError(f"'{base_url}' is not a base URL: {problem}") from problem
    if not is_address:
        raise UsageError(f"'{base_url}' is not a base URL: it must begin with http:// or https:// and name a host")


def without_other_keys(environ: Mapping[str, str], provider: Provider, kept: Iterable[str] = ()) -> dict[str, str]:
    """The environment without the keys of other providers, except the variables in `kept`."""
    others = {name for other in providers().values() for name in other.key_variables} - {*provider.key_variables, *kept}
    return {name: value for name, value in environ.items() if name not in others}
