"""Secrets are replaced wherever text goes, however it is cut into pieces."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.ledger.events import Failed, Progress
from benchmarks.orchestrator.redaction import Redactor, secrets_of

SECRETS = {"GROQ_API_KEY": "gsk_abcabcab", "OTHER": "gsk_abcabcab-longer", "QUOTED": 'pass"word\\x'}


def cut(text: bytes, at: list[int]) -> list[bytes]:
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in at)})
    return [text[begin:end] for begin, end in itertools.pairwise(edges)]


@given(
    parts=st.lists(st.sampled_from([*SECRETS.values(), "gsk_abc", "g", "x\n", "abcab", "-longer"]), max_size=12),
    at=st.lists(st.integers(0, 500), max_size=20),
)
def test_a_stream_cut_anywhere_equals_the_text_redacted_whole(parts: list[str], at: list[int]) -> None:
    text = "".join(parts)
    redactor = Redactor(SECRETS)
    stream = redactor.stream()
    out = b"".join(stream.feed(piece) for piece in cut(text.encode(), at)) + stream.flush()
    assert out.decode() == redactor.text(text)
    assert not any(secret.encode() in out for secret in SECRETS.values())


def test_a_stream_holds_back_nothing_but_the_beginning_of_a_secret() -> None:
    stream = Redactor(SECRETS).stream()
    assert stream.feed(b"ready\n") == b"ready\n"
    assert stream.feed(b"key gsk_ab") == b"key "
    assert stream.feed(b"solutely not") == b"gsk_absolutely not"


def test_an_event_is_redacted_in_every_field() -> None:
    event = Failed(
        ended_at="now", reason="exit_code", error="401 for gsk_abcabcab", metrics={"gsk_abcabcab": ["gsk_abcabcab"]}
    )
    clean = Redactor(SECRETS).event(event)
    mark = "[redacted:GROQ_API_KEY]"
    assert (clean.error, clean.metrics) == (f"401 for {mark}", {mark: [mark]})
    assert Redactor({}).event(event) is event


def test_a_secret_inside_a_json_text_is_found_in_its_escaped_form() -> None:
    assert Redactor(SECRETS).text(r'{"k": "pass\"word\\x"}') == '{"k": "[redacted:QUOTED]"}'
    both = Redactor({"BOTH": 'sch"lüssel'})
    assert both.text(r'["sch\"lüssel", "sch\"l\u00fcssel"]') == '["[redacted:BOTH]", "[redacted:BOTH]"]'


def test_variables_hold_secrets_by_their_names_and_short_values_are_left_alone() -> None:
    found = secrets_of({"GROQ_API_KEY": "k" * 9, "MY_TOKEN": "t" * 9, "MAX_TOKENS": "4096", "HOME": "/x", "A_KEY": ""})
    assert set(found) == {"GROQ_API_KEY", "MY_TOKEN"}
    numbered = {"GITHUB_TOKEN_2": "t" * 9, "API_KEY1": "k" * 9, "SECRET_KEY_BASE": "b" * 9, "KEY_PATH": "/home/me/key"}
    assert set(secrets_of(numbered)) == {"GITHUB_TOKEN_2", "API_KEY1", "SECRET_KEY_BASE"}
    assert Redactor({"A_TOKEN": "true"}).text("this is true") == "this is true"


def test_progress_notes_are_text_too() -> None:
    assert Redactor(SECRETS).value({"note": "gsk_abcabcab", "done": 1.5}) == {
        "note": "[redacted:GROQ_API_KEY]",
        "done": 1.5,
    }
    assert Progress(done=1).note == ""
