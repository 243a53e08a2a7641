"""Whether a host on the network can be reached from here."""

from __future__ import annotations

import functools
import threading

_SECONDS = 3.0


@functools.cache
def is_reachable(host: str) -> bool:
    """Whether that host answers over HTTPS within a few seconds, whatever it says; asked once a process.

    The proxies that the environment names are used, as programs that fetch data use them.
    """
    answers: list[bool] = []
    # The look-up of a name has no time limit of its own, so a thread is left behind if it takes too long.
    asking = threading.Thread(target=lambda: answers.append(_ask(host)), name=f"asks {host}", daemon=True)
    asking.start()
    asking.join(_SECONDS)
    return bool(answers and answers[0])


def _ask(host: str) -> bool:
    import ssl
    import urllib.error
    import urllib.request

    request = urllib.request.Request(f"https://{host}", method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310
            return True
    except urllib.error.HTTPError:
        return True
    except urllib.error.URLError as problem:
        # Somebody answered, with a certificate that is trusted elsewhere, perhaps in the benchmark's environment.
        return isinstance(problem.reason, ssl.SSLCertVerificationError)
    except (OSError, ValueError):
        return False
