"""The model as AgentDojo asks it, with every call counted and no failure overlooked."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from typing import Any

import openai
from agentdojo.agent_pipeline.llms.local_llm import LocalLLM
from agentdojo.agent_pipeline.llms.openai_llm import OpenAILLM

from ..suitekit.answer import Answer, ErrorInAnswer, read_answer
from ..suitekit.command import SuiteError
from ..suitekit.parameters import Changes
from ..suitekit.usage import sum_of

_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0)


class CountedModel:
    """An element for AgentDojo's pipelines, and what its calls came to.

    AgentDojo's prompting client takes any error for an empty answer, so that a server that is gone looks like a model
    that knows nothing: `check` raises for what went wrong meanwhile. Only a request that the server refuses, such as
    one that is too long, is the model's own failure; `refused` counts those.
    """

    def __init__(self, model: str, *, tool_calls: str, max_tokens: int, seed: int) -> None:
        self._client = openai.OpenAI(max_retries=4)
        self._create = self._client.chat.completions.create
        self._client.chat.completions.create = self._counted
        self._fixed = {"max_tokens": max_tokens, "seed": seed}
        self._telemetry = os.environ.get("BENCHMARK_TELEMETRY_JSONL")
        self._failure: Exception | None = None
        self._answers: list[Answer] = []
        self.changes = Changes()
        self.refused = 0
        self.latencies: list[float] = []
        make = OpenAILLM if tool_calls == "native" else LocalLLM
        self.element = make(self._client, model)
        # By this name AgentDojo's attacks know how to call the model: "local" has no vendor.
        self.element.name = "local"

    def take(self, text: str) -> Answer:
        """What the calls since the last time took together, with the text that they came to."""
        answers, self._answers = self._answers, []
        return Answer(
            text=text,
            finish_reason=answers[-1].finish_reason if answers else "",
            model=next((answer.model for answer in answers if answer.model), ""),
            usage=sum_of(answer.usage for answer in answers),
            latency_ms=round(sum(answer.latency_ms for answer in answers), 3),
        )

    def check(self) -> None:
        """Raises SuiteError if the model could not be asked."""
        if self._failure is not None:
            raise SuiteError(f"the model could not be asked: {type(self._failure).__name__}: {self._failure}")

    def _counted(self, **asked: Any) -> Any:
        try:
            completion, answer = self._answered({**asked, **self._fixed})
        except (openai.BadRequestError, openai.UnprocessableEntityError):
            self.refused += 1
            raise
        except Exception as problem:
            self._failure = problem
            raise
        self._failure = None
        self._answers.append(answer)
        self.latencies.append(answer.latency_ms)
        self._note(answer)
        return completion

    def _answered(self, body: dict[str, Any]) -> tuple[Any, Answer]:
        """A completion and what it says. An error under HTTP 200 is tried again: AgentDojo took it for an answer."""
        for pause in (*_PAUSES_SECONDS, None):
            began = time.monotonic()
            completion = self._accepted(body)
            try:
                return completion, read_answer(completion.model_dump(), (time.monotonic() - began) * 1000)
            except ErrorInAnswer:
                if pause is None:
                    raise
                time.sleep(pause)
        raise AssertionError("the last pause is None")

    def _accepted(self, body: dict[str, Any]) -> Any:
        """What the server answers, asked without the parameters that it refuses."""
        given = {name: value for name, value in body.items() if not isinstance(value, openai.NotGiven | openai.Omit)}
        changes = self.changes
        while True:
            asked = changes.applied(given)
            try:
                completion = self._create(**asked)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as refusal:
                more = changes.after(asked, refusal.response.text)
                if more is None:
                    raise
                changes = more
            else:
                self.changes = changes
                return completion

    def _note(self, answer: Answer) -> None:
        if self._telemetry:
            line = {
                "ok": True,
                "model": answer.model,
                **asdict(answer.usage),
                "latency_ms": answer.latency_ms,
            }
            with open(self._telemetry, "a", encoding="utf-8") as file:  # noqa: PTH123 - a path as given
                file.write(json.dumps(line) + "\n")
