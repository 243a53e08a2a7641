"""A client of OpenAI-compatible chat completions, on the standard library alone."""

from __future__ import annotations

import email.utils
import http.client
import json
import math
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from .answer import Answer, ErrorInAnswer, read_answer
from .parameters import Changes, refused
from .usage import Usage

Message = dict[str, str]

_PASSING = {408, 409, 425, 429}
"""Refusals below 500 that may pass."""
_FOR_GOOD = {501, 505}
_LASTING = re.compile(
    r"invalid_api_key|authentication|permission|not_found|invalid_request|context_length|"
    r"insufficient[_ ](?:quota|balance|credit|fund)",
    re.I,
)
"""Words of an error without a status that will not pass."""
_REACHED = re.compile(r"output limit was reached|could not finish the message because max_", re.I)
"""Words of servers that refuse to give an answer because it was cut off."""
_SPENT = "insufficient_quota"
"""With HTTP 429: not too many requests at once, but no money for any."""
_MAX_WAIT_SECONDS = 60.0
_MAX_REFUSAL = 2000
_MAX_BODY = 64 * 1024
_MAX_BEGINNING = 300
_MAX_ANSWER_BYTES = 64 * 1024 * 1024
_NO_KEY = "none"
"""What a server gets that asks for no key."""


class ChatError(Exception):
    """A model could not be asked: which address, and what it answered. Never shows the key.

    `status` is the HTTP status, or the code of an error that came under HTTP 200; `explanation` are the server's words.
    `may_pass` is whether the same request may succeed later.
    """

    def __init__(
        self, message: str, status: int | None = None, *, explanation: str = "", may_pass: bool = True
    ) -> None:
        self.status = status
        self.explanation = explanation
        self.may_pass = may_pass
        super().__init__(message)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for the failure that it is: followed, it would carry the key to whatever host it names."""

    def redirect_request(self, *_: object) -> None:
        return None


class ChatClient:
    """Asks one model. Failures that may pass are tried again, with a growing pause or the one the server names.

    Without `base_url` and `key`, OPENAI_BASE_URL and OPENAI_API_KEY are used. Raises ChatError without
    an address to ask.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        key: str | None = None,
        timeout_seconds: float = 120.0,
        attempts: int = 5,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.model = model
        base = base_url or os.environ.get("OPENAI_BASE_URL", "")
        if urlsplit(base).scheme not in ("http", "https"):
            raise ChatError(f"OPENAI_BASE_URL is '{base}': set it to the http address of an OpenAI-compatible API")
        self._url = f"{base.rstrip('/')}/chat/completions"
        self._opener = opener(self._url)
        self._key = key or os.environ.get("OPENAI_API_KEY") or _NO_KEY
        self._timeout = timeout_seconds
        self._attempts = attempts
        self._sleep = sleep
        self._telemetry = os.environ.get("BENCHMARK_TELEMETRY_JSONL")
        self._changes = Changes()

    @property
    def schema_refused(self) -> bool:
        """Whether the server turned out not to take `response_format`, so that answers rest on the prompt alone."""
        return "response_format" in self._changes.names

    def facts(self) -> dict[str, Any]:
        """What the reader of a score has to know of the requests: the temperature, and what was left out or renamed."""
        return {"temperature": None if "temperature" in self._changes.names else 0, **self._changes.facts()}

    def notes(self) -> list[str]:
        """The same as sentences, if there is something to say."""
        return self._changes.notes()

    def ask(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        seed: int,
        schema: Mapping[str, Any] | None = None,
    ) -> Answer:
        """The model's answer at temperature 0; with `schema`, in JSON that fits it where the server can enforce that.

        A server that refuses a parameter is asked without it, from then on: see `facts`. Raises ChatError.
        """
        body: dict[str, Any] = {
            "model": self.model,
            "messages": list(messages),
            "temperature": 0,
            "seed": seed,
            "max_tokens": max_tokens,
        }
        if schema is not None:
            wrapped = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
            body["response_format"] = wrapped
        changes = self._changes
        while True:
            asked = changes.applied(body)
            try:
                answer = self._post(asked)
            except ChatError as refusal:
                if _REACHED.search(refusal.explanation):
                    return Answer("", "length", self.model)
                # An error under HTTP 200 may have no status: then only its words can refuse a parameter.
                is_refusal = refusal.status in (400, 422) or (
                    refusal.status is None and refused(asked, refusal.explanation)
                )
                more = changes.after(asked, refusal.explanation) if is_refusal else None
                if more is None:
                    raise
                changes = more
            else:
                self._changes = changes  # Only what a server answers is known to be right.
                return answer

    def _post(self, body: Mapping[str, Any]) -> Answer:
        for attempt in range(1, self._attempts + 1):
            began = time.monotonic()
            wait = None
            used: dict[str, int] = {}
            try:
                answer = read_answer(self._request(body), (time.monotonic() - began) * 1000)
            except urllib.error.HTTPError as problem:
                error = self._refusal(problem)
                wait = named_wait(problem.headers.get)
            except ErrorInAnswer as problem:
                error = self._error_in_answer(problem)
                used = {name: count for name, count in asdict(problem.usage).items() if count is not None}
            except (OSError, http.client.HTTPException) as problem:
                error = ChatError(f"POST {self._url}: {type(problem).__name__}: {problem}")
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as problem:
                error = ChatError(f"POST {self._url}: the answer is not a chat completion: {problem}")
            else:
                self._note_answer(answer)
                return answer
            milliseconds = (time.monotonic() - began) * 1000
            self._note({"ok": False, "status": error.status, "latency_ms": round(milliseconds, 3), **used})
            if not error.may_pass:
                break
            if attempt < self._attempts:
                self._sleep(min(wait if wait is not None else 0.5 * 2 ** (attempt - 1), _MAX_WAIT_SECONDS))
        raise error

    def _request(self, body: Mapping[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - the address is the user's own choice of provider
            self._url,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"},
        )
        with self._opener.open(request, timeout=self._timeout) as response:
            content = response.read(_MAX_ANSWER_BYTES)
            if response.length:
                # With a limit, `read` says nothing of an answer that is cut off.
                raise http.client.IncompleteRead(content, response.length)
        if content.lstrip().startswith((b"data:", b"event:")):
            raise ValueError("the server streams, although it was not asked to")
        try:
            document: dict[str, Any] = json.loads(content)
        except ValueError as problem:
            beginning = self._without_key(content[:_MAX_BODY].decode(errors="replace").strip())
            raise ValueError(f"it is not JSON ({problem}): {beginning[:_MAX_BEGINNING]!r}") from problem
        return document

    def _refusal(self, problem: urllib.error.HTTPError) -> ChatError:
        """What the server said."""
        try:
            explanation = self._without_key(problem.read(_MAX_BODY).decode(errors="replace").strip())
        except (OSError, http.client.HTTPException):
            explanation = problem.reason  # The status is what counts; its explanation was cut off.
        if place := problem.headers.get("Location"):
            to = f"it redirects to {self._without_key(place)}; hint: set the base URL to the final address"
            explanation = f"{explanation}\n{to}".strip()
        message = f"POST {self._url}: HTTP {problem.code}: {explanation[:_MAX_REFUSAL]}"
        return ChatError(message, problem.code, explanation=explanation, may_pass=may_pass(problem.code, explanation))

    def _error_in_answer(self, problem: ErrorInAnswer) -> ChatError:
        explanation = self._without_key(str(problem))
        words = [str(code) for code in problem.codes]
        status = next((int(word) for word in words if word.isascii() and word.isdigit() and len(word) == 3), None)
        message = f"POST {self._url}: an error under HTTP 200: {explanation}"
        return ChatError(
            message, status, explanation=explanation, may_pass=may_pass(status, " ".join([explanation, *words]))
        )

    def _without_key(self, text: str) -> str:
        """Some servers repeat the key that they refuse."""
        return text if self._key == _NO_KEY else text.replace(self._key, "[redacted]")

    def _note_answer(self, answer: Answer) -> None:
        used: Usage = answer.usage
        self._note(
            {
                "ok": True,
                "model": answer.model or self.model,
                "served_model": answer.model,
                "system_fingerprint": answer.fingerprint,
                "input_tokens": used.input_tokens,
                "output_tokens": used.output_tokens,
                "total_tokens": used.total_tokens,
                "cached_tokens": used.cached_tokens,
                "reasoning_tokens": used.reasoning_tokens,
                "finish_reason": answer.finish_reason,
                "latency_ms": answer.latency_ms,
            }
        )

    def _note(self, call: Mapping[str, Any]) -> None:
        if self._telemetry:
            with open(self._telemetry, "a", encoding="utf-8") as file:  # noqa: PTH123 - a path as given
                file.write(json.dumps({"model": self.model, **call, "at": round(time.time(), 3)}) + "\n")


def may_pass(status: int | None, explanation: str) -> bool:
    """Whether an error may pass by itself: by its status, and by the server's words."""
    if status is None:
        return not _LASTING.search(explanation)
    if _SPENT in explanation or status in _FOR_GOOD:
        return False
    return status >= 500 or status in _PASSING


def opener(url: str) -> urllib.request.OpenerDirector:
    """Opens addresses as urllib does, but follows no redirect and reaches this machine past any proxy."""
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
    if urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1"):
        handlers.append(urllib.request.ProxyHandler({}))
    return urllib.request.build_opener(*handlers)


def named_wait(header: Callable[[str], str | None]) -> float | None:
    """The seconds that a server asks to wait: Retry-After in seconds or as a date, or retry-after-ms.

    `header` gives a header of the answer by its name. None if it names none, or a time that is over.
    """
    for name, unit in (("retry-after-ms", 0.001), ("Retry-After", 1.0)):
        if (text := header(name)) is None:
            continue
        try:
            seconds = float(text) * unit
        except ValueError:
            seconds = _seconds_until(text)
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    return None


def _seconds_until(date: str) -> float:
    """Seconds from now to an HTTP date; less than 0 for one that is over, and for other text."""
    try:
        moment = email.utils.parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        return -1.0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - datetime.now(UTC)).total_seconds()
