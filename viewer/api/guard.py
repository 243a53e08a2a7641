"""The guard of every request: who may ask, and what a browser may do with the answer."""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection
from typing import Any
from urllib.parse import parse_qsl, urlencode

import falcon

from .visitor import user_of

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

# No inline code, no other origin, no frame: text of a ledger cannot become a program in the page.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_HOST = re.compile(
    r"(?:\[(?P<six>[0-9a-f.]*:[0-9a-f:.]*)\]|(?P<name>[a-z0-9._-]+))(?::[0-9]{1,5})?", re.IGNORECASE | re.ASCII
)
"""RFC 9110, 7.2, for the names that a machine can have."""

_OPEN = frozenset({"/healthz", "/health"})


class Guard:
    """Refuses foreign hosts and pages, and requests without the token.

    A page of another site may point its own name at this address (DNS rebinding): then `Host` is not ours. Or it asks
    under our name: then `Origin` is not ours, or the browser says that the request crosses sites.
    """

    def __init__(self, hosts: Collection[str], token: str | None) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._token = token

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Raises HTTPForbidden or HTTPUnauthorized, and HTTPSeeOther for a page whose address holds the token."""
        if host_name(req.get_header("Host") or "") not in self._hosts:
            raise falcon.HTTPForbidden(
                title="unknown host",
                description=f"the viewer answers only as {', '.join(sorted(self._hosts))}; allow another name with "
                "--allowed-host",
            )
        self._check_origin(req)
        # Whom a trusted proxy has signed in needs no token.
        if self._token is not None and req.path not in _OPEN and user_of(req) is None:
            self._check_token(req, resp, self._token)

    def process_response(self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool) -> None:
        """Adds the headers of every answer."""
        if not resp.get_header("Content-Security-Policy"):
            resp.set_header("Content-Security-Policy", _POLICY)
        resp.set_headers(_ALWAYS)
        if not resp.get_header("Cache-Control"):
            # Ask again each time; with an ETag the answer is then mostly empty.
            resp.set_header("Cache-Control", "no-cache")

    def _check_origin(self, req: falcon.Request) -> None:
        origin = req.get_header("Origin")
        if origin is not None and not self._is_own(origin, (req.get_header("Host") or "").lower()):
            raise falcon.HTTPForbidden(
                title="unknown origin",
                description=f"pages of '{origin}' may not use this server; --allowed-host allows the name of a proxy",
            )
        # Any page may link to the viewer; scripts and images of other sites may not use it.
        if req.get_header("Sec-Fetch-Site") == "cross-site" and req.get_header("Sec-Fetch-Mode") != "navigate":
            raise falcon.HTTPForbidden(
                title="unknown origin", description="pages of other sites may not use this server"
            )

    def _is_own(self, origin: str, host: str) -> bool:
        """Whether a page came from this server: another port of this machine is another site.

        A proxy may use another name than the one that its visitors see.
        """
        scheme, _, seen = origin.lower().partition("://")
        name = host_name(seen)
        if scheme not in ("http", "https") or not name:
            return False
        is_proxied = name in self._hosts - LOOPBACK and name != host_name(host)
        return seen == host or is_proxied

    def _check_token(self, req: falcon.Request, resp: falcon.Response, token: str) -> None:
        given = req.params.get("token", "")
        if isinstance(given, str) and _equal(given, token):
            resp.set_cookie(
                _cookie(req),
                token,
                http_only=True,
                same_site="Strict",
                secure=req.scheme == "https",
                path=f"{req.root_path}/",
            )
            if req.path == "/" and _is_opened_by_hand(req):
                # Neither the address nor the browser's history should keep the token. After a foreign link the page
                # itself removes it: then the browser would not send the cookie with the redirect.
                others = [(name, value) for name, value in parse_qsl(req.query_string) if name != "token"]
                raise falcon.HTTPSeeOther("./" + (f"?{urlencode(others)}" if others else ""))
            return
        kind, _, carried = (req.get_header("Authorization") or "").partition(" ")
        if kind.lower() == "bearer" and _equal(carried.strip(), token):
            return
        if not any(_equal(kept, token) for kept in req.get_cookie_values(_cookie(req)) or ()):
            raise falcon.HTTPUnauthorized(
                title="a token is needed",
                description="open the URL that serve-viewer printed, with its ?token=...",
                challenges=["Bearer"],
            )


def _is_opened_by_hand(req: falcon.Request) -> bool:
    """Whether a person typed the address, or followed a link of the viewer itself."""
    is_page = req.get_header("Sec-Fetch-Mode") == "navigate"
    return is_page and req.get_header("Sec-Fetch-Site") in ("none", "same-origin")


def _cookie(req: falcon.Request) -> str:
    """The cookie's name: browsers keep one jar for all ports of a host, where another viewer may listen too."""
    return f"viewer_token_{req.env['SERVER_PORT']}"


def _equal(given: str, token: str) -> bool:
    """Compare in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode(errors="replace"), token.encode())


def host_name(header: str) -> str:
    """The name in a Host header, without its port and brackets; empty if the header is not one name and one port."""
    found = _HOST.fullmatch(header)
    return (found["six"] or found["name"]).lower() if found else ""
