"""Which files of a run can hold samples. What stays in a bundle must not say anything about a private test set."""

from __future__ import annotations

import io

import pytest

from benchmarks.ledger.transfer import private
from benchmarks.ledger.transfer.private import Private, hashes_in

EVENT = b'{"data":{"model":"qwen3","extra_config":{"parts":["easy","hard"]}}}'
SAMPLES = b'{"id": "q1", "input": "What is it?", "target": "Paris", "model": "qwen3"}\n{"id": 7}\n[' + b"[" * 100_000


@pytest.fixture
def known() -> Private:
    found = Private(set(hashes_in(EVENT)))
    found.learn(io.BytesIO(SAMPLES))
    return found


@pytest.mark.parametrize(
    "content",
    [
        b'{"score": 0.5, "n": 2, "interval": [0.1, 0.9], "model": "qwen3", "done": true, "error": null}',
        b'{"parts": ["easy", "hard"], "by_part": {"easy": {"acc": 0.5}, "hard": {"acc": 0.1}}}',
        b'{"revision": "main", "date": "2026-11-23"}',
        b"0.5",
    ],
)
def test_figures_of_the_whole_run_stay(known, content):
    file = io.BytesIO(content)
    assert known.reason(file) == "" and file.read() == content


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"samples": [{"question": "?"}]}', "a list of records"),
        (b'{"answers": ["A", "B"]}', "a list of records"),
        (b'{"correct": [1, 0, 1]}', "a list of records"),
        (b'{"best": "Paris"}', "a text or an id of a sample"),
        (b'{"per_question": {"q1": 1.0}}', "a text or an id of a sample"),
        (b'{"per_question": {"7": 1.0}}', "a text or an id of a sample"),
        (b'{"What is it?": true}', "a text or an id of a sample"),
        (b'{"prompt": "' + b"word " * 30 + b'"}', "a long text"),
        (b"Q: What is it?", "not a JSON document"),
        (b"\x89PNG\r\n", "not a JSON document"),
        (b"[" * 100_000, "not a JSON document"),
        (b'"\xff"', "not a JSON document"),
    ],
)
def test_what_can_hold_a_sample_is_left_out_and_the_reason_is_given(known, content, reason):
    assert reason in known.reason(io.BytesIO(content))


def test_a_large_document_and_samples_that_cannot_be_read_are_not_looked_through(known, monkeypatch):
    monkeypatch.setattr(private, "MAX_BYTES", 8)
    assert "more than 8 bytes" in known.reason(io.BytesIO(b'{"a": 12}'))
    known.give_up()
    assert "cannot be compared" in known.reason(io.BytesIO(b"0"))
