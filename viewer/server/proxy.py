"""A reverse proxy in front of the viewer: what it may say about a visitor, and the prefix of its paths.

Forwarded headers and the name of the user count only if the connection comes from an address that is listed as trusted;
otherwise they are removed. Waitress reads the forwarded headers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import msgspec

from ..api.visitor import USER

Environ = dict[str, Any]
App = Callable[[Environ, Any], Iterable[bytes]]

_FORWARDED = frozenset({"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port"})
_PREFIX_HEADER = "HTTP_X_FORWARDED_PREFIX"
_PREFIX = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
_OWN_PATHS = frozenset({"api", "js", "css", "charts", "health", "healthz", "metrics"})
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_OTHER_MEANING = frozenset(
    {"host", "cookie", "authorization", "origin", "referer", "content-type", "content-length", "connection"}
)
_MAX_USER_LENGTH = 200


class BadProxySetting(ValueError):
    """A setting of the proxy is not valid; the message says why."""


class Proxy(msgspec.Struct, frozen=True):
    """The settings for a reverse proxy. By default no header of a proxy is believed."""

    trusted: tuple[IPv4Network | IPv6Network, ...] = ()
    prefix: str = ""
    user_header: str | None = None

    @property
    def user_key(self) -> str | None:
        """The key of the header with the user's name in a WSGI environment."""
        return None if self.user_header is None else f"HTTP_{self.user_header.upper().replace('-', '_')}"

    def trusts(self, peer: str) -> bool:
        """Whether a connection comes from a trusted proxy."""
        try:
            address: IPv4Address | IPv6Address = ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self.trusted)


def proxy_of(trusted: Iterable[str], prefix: str, user_header: str | None) -> Proxy:
    """The settings that a user wrote. Raises BadProxySetting."""
    networks = []
    for text in trusted:
        try:
            networks.append(ip_network(text, strict=False))
        except ValueError:
            raise BadProxySetting(
                f"--trusted-proxy: '{text}' is not an address or a network\nhint: write it like 10.0.0.5 or 10.0.0.0/8"
            ) from None
    if user_header is not None:
        if not networks:
            raise BadProxySetting(
                "--user-header has no effect without --trusted-proxy\nhint: name the address of the proxy that sets it"
            )
        if not _HEADER.fullmatch(user_header) or user_header.lower() in _OTHER_MEANING:
            raise BadProxySetting(
                f"--user-header: '{user_header}' cannot be the header of a user's name\n"
                "hint: write it like X-Forwarded-User"
            )
    stripped = prefix.rstrip("/")
    if stripped and (not _PREFIX.fullmatch(stripped) or stripped.split("/")[1] in _OWN_PATHS):
        raise BadProxySetting(
            f"--prefix: '{prefix}' cannot be the path of the viewer\nhint: write it like /benchmarks; it must not "
            f"begin with a path of the viewer itself ({', '.join(sorted(_OWN_PATHS))})"
        )
    return Proxy(tuple(networks), stripped, user_header)


def behind(proxy: Proxy, app: App) -> App:
    """The application as it is seen through the proxy."""
    from waitress.proxy_headers import proxy_headers_middleware

    from_proxy: App = proxy_headers_middleware(app, trusted_proxy="*", trusted_proxy_headers=set(_FORWARDED))
    from_others: App = proxy_headers_middleware(app, trusted_proxy=None)

    def respond(environ: Environ, start_response: Any) -> Iterable[bytes]:
        given_prefix = environ.pop(_PREFIX_HEADER, "")
        given_user = environ.pop(proxy.user_key, "") if proxy.user_key else ""
        environ["SCRIPT_NAME"] = proxy.prefix
        if not proxy.trusts(str(environ.get("REMOTE_ADDR", ""))):
            return from_others(environ, start_response)
        if given_prefix:
            if not _PREFIX.fullmatch(stripped := given_prefix.strip().rstrip("/")) and stripped:
                return _refuse(start_response, "X-Forwarded-Prefix must be one path")
            environ["SCRIPT_NAME"] = stripped
        if given_user:
            user = _text(given_user).strip()
            # A proxy that adds its header to that of the visitor would give two names, and one of them is invented.
            if "," in user or not user.isprintable() or not 0 < len(user) <= _MAX_USER_LENGTH:
                return _refuse(
                    start_response, f"{proxy.user_header} must be one name; the proxy must replace the header"
                )
            environ[USER] = user
        return from_proxy(environ, start_response)

    return respond


def _text(header: str) -> str:
    """A header's text. WSGI gives its bytes as Latin-1, and names are UTF-8."""
    raw = header.encode("latin-1", errors="replace")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return header


def _refuse(start_response: Any, reason: str) -> list[bytes]:
    body = msgspec.json.encode({"type": "about:blank", "title": "bad proxy header", "status": 400, "detail": reason})
    headers = [("Content-Type", "application/problem+json"), ("Content-Length", str(len(body)))]
    start_response("400 Bad Request", headers)
    return [body]
