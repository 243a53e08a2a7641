"""A client of OpenAI-compatible chat completions, on the standard library alone."""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

Message = dict[str, str]

_RETRIED = {408, 409, 429, 500, 502, 503, 504}
_LONGEST_WAIT_SECONDS = 60.0
_LONGEST_REFUSAL = 2000
_NO_KEY = "none"
"""What a server gets that asks for no key."""


class ChatError(Exception):
    """A model could not be asked: which address, and what it answered. Never shows the key."""

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


@dataclass(frozen=True)
class Answer:
    """What a model said, the tokens that it took, and how long it took in milliseconds."""

    text: str
    finish_reason: str
    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    latency_ms: float


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for the failure that it is: followed, it would carry the key to whatever host it names."""

    def redirect_request(self, *_: object) -> None:
        return None


class ChatClient:
    """Asks one model. Failures that may pass are tried again, with a growing pause or the one the server names.

    Without `base_url` and `key`, OPENAI_BASE_URL and OPENAI_API_KEY are used. Raises ChatError where there is no
    address to ask.
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
        self.schema_refused = False
        """Whether the server turned out not to take `response_format`, so that answers rest on the prompt alone."""

    def ask(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        seed: int,
        schema: Mapping[str, Any] | None = None,
    ) -> Answer:
        """The model's answer at temperature 0; with `schema`, in JSON that fits it where the server can enforce that.

        A server that refuses `response_format` is asked without it, and the prompt alone has to do.
        Raises ChatError.
        """
        body: dict[str, Any] = {
            "model": self.model,
            "messages": list(messages),
            "temperature": 0,
            "seed": seed,
            "max_tokens": max_tokens,
        }
        if schema is None or self.schema_refused:
            return self._post(body)
        wrapped = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
        try:
            return self._post({**body, "response_format": wrapped})
        except ChatError as refusal:
            if refusal.status not in (400, 422):
                raise
            answer = self._post(body)
            self.schema_refused = True
            return answer

    def _post(self, body: Mapping[str, Any]) -> Answer:
        for attempt in range(1, self._attempts + 1):
            began = time.monotonic()
            wait = None
            try:
                document = self._request(body)
                answer = _answer(document, (time.monotonic() - began) * 1000)
            except urllib.error.HTTPError as problem:
                error = ChatError(f"POST {self._url}: HTTP {problem.code}: {self._refusal(problem)}", problem.code)
                wait = _named_wait(problem.headers.get("Retry-After"))
            except (OSError, http.client.HTTPException) as problem:
                error = ChatError(f"POST {self._url}: {type(problem).__name__}: {problem}")
            except (ValueError, LookupError, TypeError, AttributeError) as problem:
                error = ChatError(f"POST {self._url}: the answer is no chat completion: {problem!r}")
            else:
                self._note_answer(answer)
                return answer
            milliseconds = (time.monotonic() - began) * 1000
            self._note({"ok": False, "status": error.status, "latency_ms": round(milliseconds, 3)})
            if error.status is not None and error.status not in _RETRIED:
                break
            if attempt < self._attempts:
                self._sleep(min(wait if wait is not None else 0.5 * 2 ** (attempt - 1), _LONGEST_WAIT_SECONDS))
        raise error

    def _request(self, body: Mapping[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - the address is the user's own choice of provider
            self._url,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"},
        )
        with self._opener.open(request, timeout=self._timeout) as response:
            document: dict[str, Any] = json.load(response)
        return document

    def _refusal(self, problem: urllib.error.HTTPError) -> str:
        """What the server said; some repeat the key that they refuse."""
        try:
            told = problem.read(_LONGEST_REFUSAL).decode(errors="replace").strip()
        except (OSError, http.client.HTTPException):
            return problem.reason  # The status is what counts; its explanation was cut off.
        return told if self._key == _NO_KEY else told.replace(self._key, "[redacted]")

    def _note_answer(self, answer: Answer) -> None:
        total = answer.input_tokens + answer.output_tokens
        self._note(
            {
                "ok": True,
                "model": answer.model or self.model,
                "input_tokens": answer.input_tokens,
                "output_tokens": answer.output_tokens,
                "total_tokens": total,
                "cached_tokens": answer.cached_tokens,
                "latency_ms": answer.latency_ms,
            }
        )

    def _note(self, call: Mapping[str, Any]) -> None:
        if self._telemetry:
            with open(self._telemetry, "a", encoding="utf-8") as file:  # noqa: PTH123 - a path as given
                file.write(json.dumps({"model": self.model, **call, "at": round(time.time(), 3)}) + "\n")


def _answer(document: dict[str, Any], milliseconds: float) -> Answer:
    choice = document["choices"][0]
    usage = document.get("usage") or {}
    details = usage.get("prompt_tokens_details") or {}
    return Answer(
        text=choice["message"].get("content") or "",
        finish_reason=choice.get("finish_reason") or "",
        model=document.get("model") or "",
        input_tokens=int(usage.get("prompt_tokens") or 0),
        output_tokens=int(usage.get("completion_tokens") or 0),
        cached_tokens=int(details.get("cached_tokens") or 0),
        latency_ms=round(milliseconds, 3),
    )


def opener(url: str) -> urllib.request.OpenerDirector:
    """Opens addresses as urllib does, but follows no redirect and reaches this machine past any proxy."""
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
    if urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1"):
        handlers.append(urllib.request.ProxyHandler({}))
    return urllib.request.build_opener(*handlers)


def _named_wait(header: str | None) -> float | None:
    """The seconds of a Retry-After header; None where it names none (or a date, which our own pauses do for)."""
    try:
        return max(0.0, float(header)) if header is not None else None
    except ValueError:
        return None
