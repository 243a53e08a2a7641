"""Asks a model every question of questions.jsonl, and leaves result.json. Change `ask_for` and `score` to your taste.

Needs the standard library alone. The orchestrator sets variables: where the model answers, and where to report.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    """Ask, score, report."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", required=True)
    arguments.add_argument("--output-dir", type=Path, required=True)
    arguments.add_argument("--max-samples", type=int)
    given = arguments.parse_args()
    lines = (HERE / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line) for line in lines if line.strip()][: given.max_samples]
    rows: list[dict] = []
    usage: dict[str, int | None] = {"input_tokens": 0, "output_tokens": 0}
    with (given.output_dir / "samples.jsonl").open("w", encoding="utf-8") as samples:
        for done, question in enumerate(questions, 1):
            answer = fed(questions, done) or ask(given.model, ask_for(question))
            text, finish_reason = said_in(answer)
            row = {"id": str(done), **question, "said": text, "score": score(question, text)}
            rows.append({**row, "finish_reason": finish_reason})
            samples.write(json.dumps(rows[-1]) + "\n")
            add_usage(usage, answer.get("usage") or {})
            progress(done, len(questions))
    scores = [row["score"] for row in rows]
    topics = sorted({row["topic"] for row in rows})
    result = {
        "score": statistics.fmean(scores),
        "stderr": statistics.stdev(scores) / len(scores) ** 0.5 if len(scores) > 1 else None,
        "n": len(scores),
        "by_topic": {t: statistics.fmean(row["score"] for row in rows if row["topic"] == t) for t in topics},
        "usage": usage,
        "notes": notes_on(rows),
    }
    (given.output_dir / "result.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def ask_for(question: dict) -> str:
    """What the model is asked."""
    return f"{question['question']} Answer in one short sentence."


def score(question: dict, said: str) -> float:
    """1 if the answer contains the expected word, in any letter case; else 0."""
    return float(question["answer"].lower() in re.findall(r"\w+", said.lower()))


def said_in(answer: dict | list) -> tuple[str, str]:
    """The text of an answer, which may come in parts, and why it ended. Servers also send errors under HTTP 200."""
    choice = (answer.get("choices") or [{}])[0] if isinstance(answer, dict) else {}
    if "message" not in choice or answer.get("error") or choice.get("error") or choice.get("finish_reason") == "error":
        raise SystemExit(f"the model could not be asked: {json.dumps(answer)[:1000]}")
    content = choice["message"].get("content") or ""
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    text = "".join(part["text"] for part in parts if part.get("type") == "text")
    return text, str(choice.get("finish_reason") or "")


def notes_on(rows: list[dict]) -> list[str]:
    """What the reader of the score has to know: an answer that was cut off looks like a wrong one."""
    cut_off = sum(any(word in row["finish_reason"].lower() for word in ("length", "token", "limit")) for row in rows)
    return [f"{cut_off} of {len(rows)} answers cut off"] if cut_off else []


def add_usage(usage: dict[str, int | None], reported: dict) -> None:
    """Add the tokens of an answer. Some servers do not count them: a sum that lacks a part is unknown."""
    for name, theirs in (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens")):
        before, count = usage[name], reported.get(theirs)
        usage[name] = None if before is None or count is None else before + count


def fed(questions: list[dict], number: int) -> dict | None:
    """What a player of `benchmarks calibrate` says to question `number`, from 1; None if a model is to be asked."""
    player = os.environ.get("BENCHMARK_CALIBRATION")
    if not player:
        return None
    drawn = random.Random(number).choice(questions)  # noqa: S311 - the number makes it the same again
    right = drawn if player == "random" else questions[number - 1]
    is_right = player in ("perfect", "random") or (player == "half" and number % 2)
    text = right["answer"] if is_right else "This is not the answer."
    return {"choices": [{"message": {"content": text}}], "usage": {"prompt_tokens": 0, "completion_tokens": 0}}


def ask(model: str, prompt: str) -> dict:
    """The answer of an OpenAI-compatible chat API, at temperature 0."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "temperature": 0,
        "seed": 42,
        "max_tokens": 32,
    }
    request = urllib.request.Request(
        os.environ["OPENAI_BASE_URL"].rstrip("/") + "/chat/completions",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"},
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.load(response)


def progress(done: int, total: int) -> None:
    """Shown while it runs."""
    if path := os.environ.get("BENCHMARK_PROGRESS_FILE"):
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"done": done, "total": total}) + "\n")


if __name__ == "__main__":
    main()
