"""Whether a host on the network can be reached from here."""

from __future__ import annotations

_SECONDS = 3.0


def answers_over_https(host: str) -> bool:
    """Whether that host answers over HTTPS, with any status. The look-up of its name has no time limit.

    The proxies that the environment names are used, as programs that fetch data use them.
    """
    import http.client
    import ssl
    import urllib.error
    import urllib.request

    try:
        request = urllib.request.Request(f"https://{host}", method="HEAD")
        with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310
            return True
    except urllib.error.HTTPError:
        return True
    except urllib.error.URLError as problem:
        # The host answered with a certificate that the benchmark's environment may trust.
        return isinstance(problem.reason, ssl.SSLCertVerificationError)
    except (OSError, ValueError, http.client.HTTPException):
        return False
