"""A client of OpenAI-compatible chat completions, on the standard library alone."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Message = dict[str, str]

_RETRIED = {408, 409, 429, 500, 502, 503, 504}
_LONGEST_WAIT_SECONDS = 60.0


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


class ChatClient:
    """Asks one model. Failures that may pass are tried again, with a growing pause or the one the server names."""

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
        self._url = f"{(base_url or os.environ.get('OPENAI_BASE_URL', '')).rstrip('/')}/chat/completions"
        self._key = key or os.environ.get("OPENAI_API_KEY", "none")
        self._timeout = timeout_seconds
        self._attempts = attempts
        self._sleep = sleep
        self._telemetry = os.environ.get("BENCHMARK_TELEMETRY_JSONL")
        self._schema_refused = False

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
        if schema is None or self._schema_refused:
            return self._post(body)
        wrapped = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
        try:
            return self._post({**body, "response_format": wrapped})
        except ChatError as refusal:
            if refusal.status not in (400, 422):
                raise
            answer = self._post(body)
            self._schema_refused = True
            return answer

    def _post(self, body: Mapping[str, Any]) -> Answer:
        for attempt in range(1, self._attempts + 1):
            began = time.monotonic()
            try:
                document = self._request(body)
                answer = self._answer(document, (time.monotonic() - began) * 1000)
            except urllib.error.HTTPError as problem:
                told = problem.read(2000).decode(errors="replace")
                error = ChatError(f"POST {self._url}: HTTP {problem.code}: {told}", problem.code)
                wait = _named_wait(problem.headers.get("Retry-After"))
                if problem.code not in _RETRIED:
                    self._note({"ok": False, "status": problem.code})
                    raise error from problem
            except (OSError, ValueError, KeyError, TypeError) as problem:
                # A connection that fails, or an answer that is not what the API promises.
                error = ChatError(f"POST {self._url}: {type(problem).__name__}: {problem}")
                wait = None
            else:
                return answer
            self._note({"ok": False, "status": error.status})
            if attempt < self._attempts:
                self._sleep(min(wait if wait is not None else 0.5 * 2 ** (attempt - 1), _LONGEST_WAIT_SECONDS))
        raise error

    def _request(self, body: Mapping[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - the address is the user's own choice of provider
            self._url,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"},
        )
        with urllib.request.urlopen(request, timeout=self._timeout) as response:  # noqa: S310 - the same
            document: dict[str, Any] = json.load(response)
        return document

    def _answer(self, document: dict[str, Any], milliseconds: float) -> Answer:
        choice = document["choices"][0]
        usage = document.get("usage") or {}
        details = usage.get("prompt_tokens_details") or {}
        answer = Answer(
            text=choice["message"].get("content") or "",
            finish_reason=choice.get("finish_reason") or "",
            model=document.get("model") or "",
            input_tokens=int(usage.get("prompt_tokens") or 0),
            output_tokens=int(usage.get("completion_tokens") or 0),
            cached_tokens=int(details.get("cached_tokens") or 0),
            latency_ms=round(milliseconds, 3),
        )
        self._note(
            {
                "ok": True,
                "model": answer.model,
                "input_tokens": answer.input_tokens,
                "output_tokens": answer.output_tokens,
                "total_tokens": answer.input_tokens + answer.output_tokens,
                "cached_tokens": answer.cached_tokens,
                "latency_ms": answer.latency_ms,
            }
        )
        return answer

    def _note(self, call: Mapping[str, Any]) -> None:
        if self._telemetry:
            with open(self._telemetry, "a", encoding="utf-8") as file:  # noqa: PTH123 - a path as given
                file.write(json.dumps({**call, "at": round(time.time(), 3)}) + "\n")


def _named_wait(header: str | None) -> float | None:
    """The seconds of a Retry-After header; None where it names none (or a date, which our own pauses do for)."""
    try:
        return max(0.0, float(header)) if header is not None else None
    except ValueError:
        return None
