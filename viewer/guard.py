"""What every request passes: who may ask, and what a browser may do with the answer."""

from __future__ import annotations

import gzip
import hmac
from collections.abc import Collection
from typing import Any

import falcon

COOKIE = "viewer_token"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_GZIP_FROM_BYTES = 1024

# No inline code, no other origin, no frame: text of a ledger can't become a program in the page.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Guard:
    """Refuses a foreign Host (a page of another site that points its name here), and whoever lacks the token."""

    def __init__(self, hosts: Collection[str], token: str | None) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._token = token

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Raises HTTPForbidden or HTTPUnauthorized."""
        if host_name(req.get_header("Host") or "") not in self._hosts:
            raise falcon.HTTPForbidden(
                title="unknown host",
                description=f"the viewer answers only as {', '.join(sorted(self._hosts))}; allow another name with "
                "--allowed-host",
            )
        if self._token is not None:
            self._check_token(req, resp, self._token)

    def process_response(self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool) -> None:
        """Adds the headers of every answer."""
        resp.set_header("Content-Security-Policy", _POLICY)
        resp.set_header("X-Content-Type-Options", "nosniff")
        resp.set_header("Referrer-Policy", "no-referrer")
        resp.set_header("Cross-Origin-Resource-Policy", "same-origin")
        if not resp.get_header("Cache-Control"):
            # Ask again each time; with an ETag the answer is then mostly empty.
            resp.set_header("Cache-Control", "no-cache")

    def _check_token(self, req: falcon.Request, resp: falcon.Response, token: str) -> None:
        given = req.get_param("token") or ""
        if hmac.compare_digest(given.encode(), token.encode()):
            resp.set_cookie(COOKIE, token, http_only=True, same_site="Strict", secure=False, path="/")
            return
        kept = (req.get_cookie_values(COOKIE) or [""])[0]
        if not hmac.compare_digest(kept.encode(), token.encode()):
            raise falcon.HTTPUnauthorized(
                title="a token is needed", description="open the URL that serve-viewer printed, with its ?token=..."
            )


class Compress:
    """Packs larger JSON answers for those who can unpack them."""

    def process_response(self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool) -> None:
        """Replaces the body, and says so."""
        body = resp.data
        if body is None or len(body) < _GZIP_FROM_BYTES or "json" not in (resp.content_type or ""):
            return
        resp.append_header("Vary", "Accept-Encoding")
        if "gzip" in (req.get_header("Accept-Encoding") or ""):
            resp.data = gzip.compress(body, compresslevel=5)
            resp.set_header("Content-Encoding", "gzip")


def host_name(header: str) -> str:
    """The name in a Host header, without its port and brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()
