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

from ..suitekit.answer import Answer
from ..suitekit.command import SuiteError
from ..suitekit.usage import sum_of, usage_of


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
        """Raises SuiteError where the model could not be asked."""
        if self._failure is not None:
            raise SuiteError(f"the model could not be asked: {type(self._failure).__name__}: {self._failure}")

    def _counted(self, **asked: Any) -> Any:
        began = time.monotonic()
        try:
            completion = self._create(**{**asked, **self._fixed})
        except (openai.BadRequestError, openai.UnprocessableEntityError):
            self.refused += 1
            raise
        except Exception as problem:
            self._failure = problem
            raise
        milliseconds = round((time.monotonic() - began) * 1000, 3)
        self._failure = None
        used = completion.usage.model_dump() if completion.usage else None
        answer = Answer(
            text="",
            finish_reason=completion.choices[0].finish_reason or "",
            model=completion.model or "",
            usage=usage_of(used),
            latency_ms=milliseconds,
        )
        self._answers.append(answer)
        self.latencies.append(milliseconds)
        self._note(answer)
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
