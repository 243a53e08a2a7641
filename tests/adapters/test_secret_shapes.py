"""Keys of well-known services are seen by their shape; digests, ids and answers are not taken for keys."""

from __future__ import annotations

import base64
import random
import string
import uuid
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.adapters.secret_shapes import (
    hide,
    hide_arguments,
    hide_bytes,
    hide_in,
    hide_named,
    holds_a_key,
    secrets_within,
)

LETTERS = string.ascii_letters + string.digits


def random_text(seed: object, length: int, letters: str = LETTERS) -> str:
    return "".join(random.Random(str(seed)).choices(letters, k=length))


def keys_of(seed: int) -> list[str]:
    """One key of each kind, with random letters."""

    def some(length: int, letters: str = LETTERS) -> str:
        return random_text(f"{seed} {length}", length, letters)

    url_safe = LETTERS + "-_"
    return [
        f"sk-{some(48)}",
        f"sk-proj-{some(74, url_safe)}",
        f"sk-ant-api03-{some(93, url_safe)}AA",
        f"sk-or-v1-{some(64, '0123456789abcdef')}",
        f"sk-lf-{uuid.UUID(int=random.Random(seed).getrandbits(128))}",
        f"ghp_{some(36)}",
        f"ghs_{some(36)}",
        f"github_pat_{some(22)}_{some(59)}",
        f"glpat-{some(20, url_safe)}",
        f"xoxb-{some(12, string.digits)}-{some(13, string.digits)}-{some(24)}",
        f"AKIA{some(16, string.ascii_uppercase + string.digits)}",
        f"AIza{some(35, url_safe)}",
        f"hf_{some(34)}",
        f"gsk_{some(52)}",
        f"r8_{some(37)}",
        f"xai-{some(80)}",
        f"pplx-{some(48)}",
        f"nvapi-{some(64, url_safe)}",
        f"npm_{some(36)}",
        f"pypi-AgEIcHlwaS5vcmc{some(100, url_safe)}",
        f"sk_live_{some(24)}",
        f"SG.{some(22, url_safe)}.{some(43, url_safe)}",
        f"hvs.{some(24, url_safe)}",
        f"ya29.{some(60, url_safe)}",
        f"{some(10, '123456789')}:AA{some(33, url_safe)}",
        f"eyJhbGciOiJIUzI1NiJ9.eyJ{some(40, url_safe)}.{some(43, url_safe)}",
    ]


@given(
    seed=st.integers(0, 10**6),
    before=st.sampled_from(["", " ", "key=", '"', "model: ", "Bearer ", "ü ", "("]),
    after=st.sampled_from(["", " ", "\n", '"', ",", ")", " ü"]),
)
def test_a_key_is_hidden_wherever_it_stands(seed: int, before: str, after: str) -> None:
    for key in keys_of(seed):
        hidden = hide(f"{before}{key}{after}")
        assert "redacted" in hidden and key[12:] not in hidden, key
        assert hide(hidden) == hidden
        assert holds_a_key(key)
        log = hide_bytes(f"{before}{key}{after}".encode())
        assert log.decode() == hidden


def answers(seed: int) -> list[str]:
    digest = sha256(str(seed).encode()).hexdigest()
    data = random.Random(seed).randbytes(48)
    return [
        digest,
        digest[:40],
        str(uuid.UUID(bytes=data[:16])),
        base64.b64encode(data).decode(),
        base64.urlsafe_b64encode(data).decode().replace("sk-", "st-"),
        base64.b64encode(b'{"answer": 42, "why": "because"}').decode(),
        f"run_human_eval_20261123T072916Z_1_{digest[:8]}",
        f"rg_20261123T072916Z_{digest[:8]}",
        f"sha256:{digest}",
        "claude-sonnet-4-5-20250929",
        "meta-llama/Llama-3.3-70B-Instruct",
        "task-abcdefghijklmnopqrstuv1",
        "sk-no-key-required",
        "disk-0123456789abcdef0123",
        "https://example.org/a?page=2&max_tokens=512&key_value=abc#part=2",
        "ssh://git@github.com/someone/something.git",
        "max_tokens=4096 token_budget: 100000 tokenizer=gpt2-medium-v11",
        "invalid token: expected a number",
        "password: incorrect",
        "the bearer of this letter, in a basic understanding",
    ]


@given(seed=st.integers(0, 10**6))
def test_what_is_not_a_key_is_left_alone(seed: int) -> None:
    for answer in answers(seed):
        assert hide_named(answer) == answer
        assert hide_bytes(answer.encode()) == answer.encode()
        assert not holds_a_key(answer)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("http://T0KEN@host/v1", "http://[redacted:credentials]@host/v1"),
        ("postgres://app:p@ss1@db/x", "postgres://[redacted:credentials]@db/x"),
        ("note: password=hunter2, and more", "note: password=[redacted:password], and more"),
        ("GET /v1?sig=abc&auth=xyz1&n=2", "GET /v1?sig=[redacted:sig]&auth=[redacted:auth]&n=2"),
        (
            "https://h/?X-Amz-Signature=00ff&code=a1",
            "https://h/?X-Amz-Signature=[redacted:X-Amz-Signature]&code=[redacted:code]",
        ),
        ("h/cb#access_token=abc&state=1", "h/cb#access_token=[redacted:access_token]&state=1"),
        ("Authorization: Bearer abc123def", "Authorization: Bearer [redacted:token]"),
        ("Authorization: Token abc123def", "Authorization: Token [redacted:authorization]"),
        ("Basic dXNlcjpwYXNz", "Basic [redacted:token]"),
        ("PASSWORD=hunter2 ./run", "PASSWORD=[redacted:PASSWORD] ./run"),
        ("curl -u me:hunter22 h", "curl -u me:[redacted:password] h"),
        ("tool --api-key k-1234 --max-tokens 9", "tool --api-key [redacted:api-key] --max-tokens 9"),
        ("tool --api-key=$KEY", "tool --api-key=$KEY"),
        ('{"api_key": "abc1", "token": "hello"}', '{"api_key": "[redacted:api_key]", "token": "hello"}'),
        (r"{\"api_key\": \"abc1\"}", r"{\"api_key\": \"[redacted:api_key]\"}"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----\nrest",
            "[redacted:private key]\nrest",
        ),
        ("hooks.slack.com/services/T00/B00/xxxxxxxx", "hooks.slack.com/services/[redacted:webhook]"),
    ],
)
def test_what_stands_where_only_a_secret_stands_is_hidden(text: str, hidden: str) -> None:
    assert hide_named(text) == hidden
    assert hide_named(hidden) == hidden


def test_the_argument_after_the_name_of_a_secret_is_hidden() -> None:
    command = ["curl", "--api-key", "k-1234", "--password", "-v", "--max-tokens", "512", "PASSWORD=hunter2"]
    assert hide_arguments(command) == [
        *("curl", "--api-key", "[redacted:api-key]", "--password", "-v", "--max-tokens", "512"),
        "PASSWORD=[redacted:PASSWORD]",
    ]


def test_a_json_value_is_hidden_by_the_names_in_it() -> None:
    value = {"a": [{"password": "p-1", "token": "hello", "key": "accuracy", "keys": ["x"]}], "tokens": {"api_key": 7}}
    hidden = hide_in(value)
    assert hidden == {
        "a": [{"password": "[redacted:password]", "token": "hello", "key": "accuracy", "keys": ["x"]}],
        "tokens": {"api_key": "[redacted:api_key]"},
    }
    assert hide_in(hidden) == hidden
    assert dict(secrets_within(value)) == {"password": "p-1", "api_key": "7"}


@given(st.text(max_size=200))
def test_hiding_twice_is_hiding_once(text: str) -> None:
    once = hide_named(text)
    assert hide_named(once) == once
