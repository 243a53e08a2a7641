"""The instance rows of Every Eval Ever (`instance_level_eval.schema.json`), in the file that a record names.

https://github.com/evaleval/every_eval_ever
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path, PurePosixPath

from .found import Document, ForeignRun, rows, table
from .instances import Remark, Row, UnreadableSamples, object_in, read_file, sample, text_of


def read(path: Path, run: ForeignRun) -> Iterator[Row | Remark]:
    """The samples of one result, from the file beside its record. Raises UnreadableSamples.

    A record names the file by its path in a data store; it is looked for beside the record, by its name alone.
    """
    named = PurePosixPath(str(run.sought.get("file") or "")).name or f"{path.stem}_samples.jsonl"
    file = path.with_name(named)
    if not file.exists() and not file.is_symlink():
        if run.sought.get("file"):
            raise UnreadableSamples(f"{named} is not beside the record")
        return
    content = read_file(file)
    checksum = run.sought.get("checksum")
    if checksum and checksum != sha256(content).hexdigest():
        raise UnreadableSamples(f"{named} does not have the checksum that the record names")
    is_only = run.sought.get("is_only")
    for place, line in enumerate(content.split(b"\n"), 1):
        if line.strip():
            row = object_in(line, f"line {place} of {named}")
            if _is_of(row, run.sought, is_only=bool(is_only)):
                yield _row(row)


def _is_of(row: Document, sought: Document, *, is_only: bool) -> bool:
    """Whether a row is of the result: by the result's id, else by its name, which must be the only one of its kind."""
    if (id := row.get("evaluation_result_id")) is not None:
        return bool(id == sought.get("result"))
    return is_only and row.get("evaluation_name") == sought.get("name")


def _row(row: Document) -> Row:
    asked, output, judged = (table(row.get(name)) for name in ("input", "output", "evaluation"))
    tokens = table(row.get("token_usage"))
    reference = asked.get("reference")
    answers = output.get("raw")
    correct = judged.get("is_correct")
    score = judged.get("score")
    return sample(
        row.get("sample_id"),
        input=asked.get("raw"),
        expected=_single(reference),
        output=_single(answers),
        score=correct if score is None else score,
        correct=correct if isinstance(correct, bool) and not row.get("error") else None,
        error=row.get("error"),
        choices=asked.get("choices"),
        messages=[_message(message) for message in rows(row.get("messages"))],
        input_tokens=tokens.get("input_tokens"),
        output_tokens=tokens.get("output_tokens"),
        latency_ms=table(row.get("performance")).get("latency_ms"),
    )


def _single(values: object) -> object:
    """The only value of a list, else the list."""
    return values[0] if isinstance(values, list) and len(values) == 1 else values


def _message(message: Document) -> Row:
    calls = [{name: call.get(name) for name in ("id", "name", "arguments")} for call in rows(message.get("tool_calls"))]
    row = {"role": message.get("role"), "content": text_of(message.get("content")), "tool_calls": calls}
    row |= {"reasoning": message.get("reasoning_trace"), "tool_call_id": _single(message.get("tool_call_id"))}
    return {name: value for name, value in row.items() if name in ("role", "content") or value not in (None, [])}
