"""Secrets are replaced wherever text goes, however it is cut into pieces."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.adapters.secret_shapes import hide
from benchmarks.ledger.events import Artifact, Failed, Progress
from benchmarks.orchestrator.redaction import Redactor, secrets_of

SECRETS = {"GROQ_API_KEY": "gsk_abcabcab", "OTHER": "gsk_abcabcab-longer", "QUOTED": 'pass"word\\x'}

WORDS = [
    *SECRETS.values(),
    *("gsk_abc", "g", "x", "task-", "https://me:pw-1@host/", "h?sig=abc&n=1", "why?", "Bearer", "bear", "Basic"),
    *("12:30", "sk-", "sk-proj-0123456789abcdef0123", "AKIAIOSFODNN7EXAMPLE", "AKIA", "eyJ", "https:"),
    "1234567890:AA" + "x1" * 17,
    *("dXNlcjpwYXNz", "abc123def", "-----", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"),
]


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


@given(words=st.lists(st.sampled_from(WORDS), max_size=8), at=st.lists(st.integers(0, 400), max_size=20))
def test_a_stream_with_keys_cut_anywhere_equals_the_text_redacted_whole(words: list[str], at: list[int]) -> None:
    text = " ".join(words)
    stream = Redactor(SECRETS).stream()
    out = b"".join(stream.feed(piece) for piece in cut(text.encode(), at)) + stream.flush()
    values = re.compile("|".join(map(re.escape, sorted(SECRETS.values(), key=len, reverse=True))))
    names = {value: name for name, value in SECRETS.items()}
    assert out.decode() == hide(values.sub(lambda found: f"[redacted:{names[found[0]]}]", text))


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


def test_nothing_but_one_place_opens_a_ledger_for_writing() -> None:
    """Every event that goes in passes the redactor: so no caller can forget it."""
    root = Path(__file__).parents[2]
    files = [file for folder in ("cli", "orchestrator") for file in (root / folder).rglob("*.py")]
    opening = [file.relative_to(root).as_posix() for file in files if re.search(r"\bLedger\(", file.read_text())]
    assert opening == ["orchestrator/location.py"]


def test_identities_stay_and_words_lose_their_secrets(histories) -> None:
    redactor = Redactor(SECRETS)
    started = histories.started(
        model="gsk_abcabcab", cwd="/gsk_abcabcab", command=["x", "--api-key", "k-1", "gsk_abcabcab"]
    )
    clean = redactor.event(started)
    assert (clean.model, clean.cwd) == ("gsk_abcabcab", "/gsk_abcabcab")
    assert clean.command == ["x", "--api-key", "[redacted:api-key]", "[redacted:GROQ_API_KEY]"]
    recovered = histories.recovered(
        histories.finished(
            metrics={"note": "gsk_abcabcab"}, artifacts=[Artifact("output/gsk_abcabcab.txt", 1, "0" * 64)]
        )
    )
    adopted = redactor.event(recovered).adopted
    assert adopted.metrics == {"note": "[redacted:GROQ_API_KEY]"}
    assert adopted.artifacts == [] and "1 artifacts are not listed" in adopted.notes[0]


def test_words_and_names_are_not_taken_for_secrets() -> None:
    redactor = Redactor(
        {"A_KEY": "ollama", "B_KEY": "group_opened", "C_KEY": "qwen2.5-7b", "D_KEY": "t0p-s3cret-value"}
    )
    redactor.learn(identities=["Qwen2.5-7B"])
    assert redactor.ignored == ["A_KEY", "B_KEY", "C_KEY"]
    assert redactor.text("ollama group_opened qwen2.5-7b t0p-s3cret-value") == (
        "ollama group_opened qwen2.5-7b [redacted:D_KEY]"
    )


def test_a_key_in_a_name_is_reported_by_its_variable() -> None:
    redactor = Redactor({"A_KEY": "0123456789abcdef0123", "B_KEY": "qwen2.5-7b-instruct"})
    assert redactor.key_in("org/0123456789abcdef0123") == "the value of A_KEY"
    assert redactor.key_in("ghp_" + "a1" * 18) == "what looks like a key"
    assert redactor.key_in("qwen2.5-7b-instruct") is None


def test_progress_notes_are_text_too() -> None:
    assert Redactor(SECRETS).value({"note": "gsk_abcabcab", "done": 1.5}) == {
        "note": "[redacted:GROQ_API_KEY]",
        "done": 1.5,
    }
    assert Progress(done=1).note == ""
