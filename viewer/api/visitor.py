"""Who visits, as far as a trusted proxy says so. Nothing that a visitor sends by itself ends up here."""

from __future__ import annotations

import falcon

USER = "benchmarks.user"
"""The key of the WSGI environment with the name of the user, as a trusted proxy gives it."""


def user_of(req: falcon.Request) -> str | None:
    """The name of the user that a trusted proxy has signed in; None without such a proxy."""
    user = req.env.get(USER)
    return user if isinstance(user, str) and user else None
