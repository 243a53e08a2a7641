"""What a model said and did on a sample, in the shapes of several harnesses."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]

_FILES = {
    "parser": ("src/parser.py", "return tokens[0]", "return tokens[0] if tokens else None"),
    "cli": ("src/cli.py", "args = parse(argv)", "args = parse(argv or sys.argv[1:])"),
    "cache": ("src/cache.py", "if key in cache:", "if key in cache and not cache[key].is_expired():"),
    "dates": ("src/dates.py", "datetime.now()", "datetime.now(UTC)"),
}


def openai(question: str, name: str, arguments: Json, found: Json, answer: str) -> list[Json]:
    """A question with one call of a tool, as chat messages."""
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    return [
        {"role": "system", "content": "Use the tools to answer. Call no tool if none fits."},
        {"role": "user", "content": question},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "name": name, "content": json.dumps(found)},
        {"role": "assistant", "content": answer},
    ]


def inspect(question: str, answer: str, model: str) -> list[Json]:
    """A question and an answer with reasoning, as Inspect writes messages."""
    thought = {"type": "reasoning", "reasoning": "The numbers are in the text. I add them step by step."}
    return [
        {"id": "m1", "role": "user", "source": "input", "content": question},
        {
            "id": "m2",
            "role": "assistant",
            "source": "generate",
            "model": model,
            "content": [thought, {"type": "text", "text": answer}],
        },
    ]


def repair(topic: str) -> tuple[str, str, str, str]:
    """The file, the line, its repair and the failing test's output of a bug."""
    path, before, after = _FILES[topic]
    output = "\n".join(
        [
            "============================= test session starts ==============================",
            f"collected 14 items from tests/test_{topic}.py",
            *(f"tests/test_{topic}.py::test_case_{number:02d} PASSED" for number in range(1, 14)),
            f"tests/test_{topic}.py::test_case_14 FAILED",
            "    def test_case_14():",
            f">       assert run({topic!r}) == expected",
            f"E       AssertionError: {path} gave None",
            "========================= 1 failed, 13 passed in 0.42s =========================",
        ]
    )
    return path, before, after, output


def anthropic(issue: str, topic: str, is_solved: bool, seconds: float) -> list[Json]:
    """A repair as messages with blocks: text, tool_use and tool_result, with usage and latency of each turn."""
    path, before, after, output = repair(topic)
    final = output.replace("FAILED", "PASSED").replace("1 failed, 13 passed", "14 passed") if is_solved else output

    def use(number: int, name: str, **given: str) -> Json:
        return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": given}

    def result(number: int, content: str, is_error: bool = False) -> Json:
        block: Json = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": content}
        return {"role": "user", "content": [{**block, "is_error": True} if is_error else block]}

    def turn(number: int, text: str, *blocks: Json) -> Json:
        usage = {"input_tokens": 900 + 700 * number, "output_tokens": 120 + 30 * number}
        content = [{"type": "text", "text": text}, *blocks]
        return {"role": "assistant", "content": content, "usage": usage, "latency_ms": round(seconds * 1000)}

    return [
        {"role": "user", "content": issue},
        turn(0, "I run the tests first.", use(1, "bash", command=f"pytest tests/test_{topic}.py")),
        result(1, output, is_error=True),
        turn(1, f"The fault is in {path}.", use(2, "bash", command=f"grep -n '{before}' {path}")),
        result(2, f"41:    {before}"),
        turn(
            2, "I replace the line.", use(3, "str_replace", path=path, old=before, new=after if is_solved else before)
        ),
        result(3, "1 replacement" if is_solved else "the file is unchanged"),
        turn(3, "I run the tests again.", use(4, "bash", command=f"pytest tests/test_{topic}.py")),
        result(4, final, is_error=not is_solved),
        turn(4, "All tests pass." if is_solved else "I could not repair it."),
    ]


def atif(issue: str, topic: str, is_solved: bool, model: str, session: str) -> Json:
    """The same as an ATIF trajectory: steps with tool calls, observations and metrics."""
    path, before, after, output = repair(topic)
    final = output.replace("FAILED", "PASSED").replace("1 failed, 13 passed", "14 passed") if is_solved else output
    acts = [
        ("I look at the repository.", "execute_bash", {"command": "ls src tests"}, "src:\n" + path + "\ntests:"),
        ("I run the tests.", "execute_bash", {"command": f"pytest tests/test_{topic}.py"}, output),
        ("I edit the file.", "str_replace_editor", {"path": path, "old": before, "new": after}, "1 replacement"),
        ("I run the tests again.", "execute_bash", {"command": f"pytest tests/test_{topic}.py"}, final),
    ]
    steps: list[Json] = [{"step_id": 1, "source": "user", "message": issue}]
    for number, (text, name, arguments, content) in enumerate(acts, 2):
        call = {"tool_call_id": f"c{number}", "function_name": name, "arguments": arguments}
        observed = {"results": [{"source_call_id": f"c{number}", "content": content}]}
        spent = {"prompt_tokens": 1500 * number, "completion_tokens": 90 + 10 * number, "cost_usd": 0.002 * number}
        step = {"step_id": number, "source": "agent", "message": text, "model_name": model}
        steps.append({**step, "tool_calls": [call], "observation": observed, "metrics": spent})
    steps.append({"step_id": len(steps) + 1, "source": "agent", "message": "Finished." if is_solved else "I give up."})
    agent = {"name": "openhands", "version": "0.60", "model_name": model}
    return {"schema_version": "ATIF-v1.4", "session_id": session, "agent": agent, "steps": steps}


def eliza(question: str, name: str, arguments: Json, found: Json, answer: str, is_right: bool, ms: int) -> Json:
    """A trajectory as elizaOS writes it: steps with model calls, and the action that followed."""
    calls = [
        ("should_respond", "RESPOND", 40),
        ("plan", json.dumps({"action": name, "parameters": arguments}), ms),
    ]
    made = [
        {
            "callId": f"call-{number}",
            "purpose": purpose,
            "systemPrompt": "You are an agent. Choose one action.",
            "userPrompt": question,
            "response": response,
            "promptTokens": 310,
            "completionTokens": 45,
            "latencyMs": latency,
        }
        for number, (purpose, response, latency) in enumerate(calls, 1)
    ]
    action = {"actionType": "tool", "actionName": name, "parameters": arguments, "success": is_right, "result": found}
    last = {"callId": "call-3", "purpose": "reply", "userPrompt": json.dumps(found), "response": answer}
    return {
        "trajectoryId": f"t-{name}-{ms}",
        "agentId": "eliza",
        "steps": [
            {"stepNumber": 0, "llmCalls": made, "providerAccesses": [{"providerName": "TIME"}], "action": action},
            {
                "stepNumber": 1,
                "llmCalls": [{**last, "promptTokens": 420, "completionTokens": 40, "latencyMs": ms // 2}],
            },
        ],
        "totalReward": float(is_right),
        "metrics": {"finalStatus": "completed"},
    }
