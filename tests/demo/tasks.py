"""The benchmarks, models and agents of the demonstration history. Every score is simulated."""

from __future__ import annotations

import msgspec


class Model(msgspec.Struct, frozen=True):
    """A model with a simulated ability, in logits. Prices are US dollars per million tokens; None: it runs locally."""

    provider: str
    name: str
    ability: float
    prices: tuple[float, float] | None
    seconds_per_call: float


class Agent(msgspec.Struct, frozen=True):
    """An agent, and how much it adds to the ability of its model."""

    name: str
    bonus: float = 0.0


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A benchmark with one set of options.

    `ease` is added to every ability. `kind` names how samples are made; `agents` are those that run it every week.
    """

    benchmark: str
    name: str
    about: str
    kind: str
    unit: str
    samples: int
    ease: float
    tokens: tuple[int, int]
    calls: int = 1
    upward: bool = True
    options: dict[str, int] = {}
    agent: str = "bare-model"
    categories: tuple[str, ...] = ()


HAIKU = Model("anthropic", "claude-haiku", 2.3, (1.0, 5.0), 1.9)
MINI = Model("openai", "gpt-5-mini", 2.1, (0.25, 2.0), 2.6)
QWEN = Model("groq", "qwen3-32b", 1.5, (0.29, 0.59), 0.8)
SCOUT = Model("groq", "meta-llama/Llama-4-Scout-17B-16E-Instruct", 0.7, (0.11, 0.34), 0.5)
SMOL = Model("local", "smollm2-135m", -1.9, None, 4.2)
MODELS = (HAIKU, MINI, QWEN, SCOUT, SMOL)

AGENTS = {
    agent.name: agent
    for agent in (Agent("bare-model"), Agent("eliza"), Agent("mini-swe"), Agent("openhands", bonus=0.35))
}

GSM = Task(
    benchmark="gsm_hard",
    name="GSM Hard",
    about="Word problems of several steps; the answer is a number",
    kind="math",
    unit="ratio",
    samples=100,
    ease=0.4,
    tokens=(180, 240),
    categories=("rates", "money", "geometry", "ages"),
)
SWE = Task(
    benchmark="swe_mini",
    name="SWE-mini",
    about="Fix a bug in a small repository until its tests pass",
    kind="repair",
    unit="percent",
    samples=50,
    ease=-1.6,
    tokens=(9_000, 1_300),
    calls=6,
    agent="mini-swe",
    categories=("parser", "cli", "cache", "dates"),
)
TOOLS = Task(
    benchmark="tool_calling",
    name="Tool calling",
    about="Call the right tool with the right arguments",
    kind="tools",
    unit="accuracy",
    samples=120,
    ease=0.6,
    tokens=(620, 90),
    calls=2,
    agent="eliza",
    categories=("single", "parallel", "refuse"),
)
LONG_32 = Task(
    benchmark="long_context",
    name="Long context",
    about="Answer questions about a long text; the score is the mean token F1",
    kind="context",
    unit="f1",
    samples=40,
    ease=0.1,
    tokens=(29_000, 60),
    options={"context": 32_000},
    categories=("begin", "middle", "end"),
)
LONG_128 = msgspec.structs.replace(LONG_32, ease=-0.8, tokens=(118_000, 60), options={"context": 128_000})
SAFETY = Task(
    benchmark="refusal_safety",
    name="Refusal safety",
    about="Refuse harmful requests, and answer harmless ones; another model judges",
    kind="judged",
    unit="ratio",
    samples=60,
    ease=0.7,
    tokens=(140, 160),
    categories=("harmful", "harmless", "borderline"),
)
SPEED = Task(
    benchmark="first_token",
    name="Time to first token",
    about="Seconds until the first token of an answer; lower is better",
    kind="speed",
    unit="seconds",
    samples=40,
    ease=0.0,
    tokens=(400, 40),
    upward=False,
)
TASKS = (GSM, SWE, TOOLS, LONG_32, LONG_128, SAFETY, SPEED)
