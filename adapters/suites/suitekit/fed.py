"""Answers of a known quality in a model's place: what shows whether a suite's scorer measures anything.

The variable BENCHMARK_CALIBRATION names one of these players: `perfect` gives every right answer, `wrong` none, `half`
every other one, and `random` the right answer to a question that was drawn by chance.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from typing import Any

from .answer import Answer
from .chat import ChatClient, Message

PLAYERS = ("perfect", "wrong", "half", "random")
WRONG = "This is not the answer."


class FedClient:
    """Asks no model: gives the answers to the questions in the order in which they will be asked."""

    schema_refused = False

    def __init__(self, player: str, rights: Sequence[str], seed: int) -> None:
        self._answers = iter(answers_of(player, rights, seed))
        self.model = player

    def ask(
        self, messages: Sequence[Message], *, max_tokens: int, seed: int, schema: Mapping[str, Any] | None = None
    ) -> Answer:
        """The next answer, whatever is asked."""
        return Answer(text=next(self._answers), finish_reason="stop", model=self.model)

    def facts(self) -> dict[str, Any]:
        """Nothing was left out of requests that were never made."""
        return {"temperature": 0, "left_out": [], "renamed": {}}

    def notes(self) -> list[str]:
        """What the reader of the score has to know."""
        return [f"the answers are those of the player '{self.model}': no model was asked"]


def open_client(model: str, rights: Sequence[str], seed: int) -> ChatClient | FedClient:
    """The model, or the player that the orchestrator asks for, who gets the right answers in the order of asking."""
    player = os.environ.get("BENCHMARK_CALIBRATION", "")
    return FedClient(player, rights, seed) if player in PLAYERS else ChatClient(model)


def answers_of(player: str, rights: Sequence[str], seed: int) -> list[str]:
    """What a player answers to each question; `rights` are the right answers."""
    if player == "perfect":
        return list(rights)
    if player == "half":
        return [right if number % 2 == 0 else WRONG for number, right in enumerate(rights)]
    if player == "random":
        chance = random.Random(seed)  # noqa: S311 - a seed makes it the same again
        return [chance.choice(rights) for _ in rights]
    return [WRONG] * len(rights)
