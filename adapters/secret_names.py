"""Which names say that they hold a secret: of options, environment variables, parameters of addresses, keys of JSON.

This is the only list of such names. A name is read as words (`apiKey`, `API_KEY` and `api-key` are the same), and its
last words decide: `OPENAI_API_KEY` holds a key, `token_budget`, `tokenizer` and `key_value` hold none.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")

_SURE = frozenset(
    """
    password passwords passwd passphrase passcode pwd secret secrets apikey apikeys credential credentials creds pat
    authtoken accesstoken accesskey secretkey privatekey cookie jwt bearer authorization mnemonic webhook dsn
    """.split()
)
_FUSED = (
    *("password", "passwd", "passphrase", "apikey", "apikeys", "authtoken", "accesstoken", "apitoken"),
    *("accesskey", "secretkey", "privatekey", "sshpass"),
)
"""Ends of a name that is written in one word, such as PGPASSWORD."""
_PHRASES = (
    *(("access", "key", "id"), ("secret", "id"), ("auth", "config"), ("seed", "phrase"), ("connection", "string")),
    *(("conn", "str"), ("webhook", "url"), ("service", "account"), ("secret", "key", "base"), ("key", "base")),
)
_KINDS_OF_KEY = frozenset("api access secret private auth encryption signing ssh service account master".split())
"""Before `keys`: lists of other keys are too common."""
_KINDS_OF_TOKEN = frozenset("api access auth bearer refresh secret session bot personal github gitlab hf".split())
"""Before `tokens`: everything else counts them."""
_OTHER_KEYS = frozenset(
    """
    primary foreign sort partition cache public answer comparison lookup index row group dedup idempotency metric map
    dict join unique natural composite object registry score label field column json data sample input output target
    hot search query config option result task routing shard range
    """.split()
)
_OTHER_TOKENS = frozenset(
    """
    max min eos bos pad unk stop mask sep cls end start special image video audio think next per first last prev
    prompt completion output input num total cost new cached reasoning single each one page
    """.split()
)
_OTHER_PASSES = frozenset(
    "first second third single multi one two three forward backward max min num n must all any by low high band".split()
)
_FLAGS = frozenset("use has is require requires required allow enable disable no with show check needs num max".split())
"""A name that begins with one of these asks for a yes, a no or a number."""
_POINTERS = frozenset(
    """
    env file path dir folder name id var variable url uri header type count limit budget index prefix required source
    helper command cmd ttl length size field format ref hash value values version set map
    """.split()
)
"""After `api_key`: the name speaks of the key, and does not hold it."""
_FILLERS = frozenset("prod dev test staging live old new default backup primary secondary json b 64 raw".split())
"""At the end of a name, these say which of several secrets it is."""

UNSURE = frozenset("key token pass pw auth code session sid ticket sign".split())
"""Names that also mean something else: what stands under them is a secret only if it looks like one."""
_IN_ADDRESSES = frozenset(
    """
    sig signature code auth sign pwd hmac ticket session sid awsaccesskeyid x-amz-signature x-amz-credential
    x-amz-security-token x-goog-signature x-goog-credential
    """.split()
)
"""Parameters of an address that hold secrets, beyond the names that say so everywhere."""

KEY_BEGINNINGS = (
    *("sk-", "sk_", "rk_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "hf_", "gsk_", "r8_", "fw_", "jina_", "esecret_"),
    *("npm_", "ntn_", "lin_api_", "shpat_", "shpss_", "e2b_", "api_org_", "dop_v1_", "doo_v1_", "dor_v1_", "whsec_"),
    *("xai-", "pplx-", "csk-", "dckr_pat_", "github_pat_", "nvapi-", "tvly-", "pypi-", "sntrys_", "wandb_v1_", "lsv2_"),
    *("GOCSPX-", "ya29.", "hvs.", "hvb.", "hvr.", "glpat-", "glptt-", "gldt-", "glrt-", "glcbt-", "gloas-", "xapp-"),
    *("xoxa-", "xoxb-", "xoxc-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-"),
    *("SG.", "AKIA", "ASIA", "ABIA", "ACCA", "AIza", "AGE-SECRET-KEY-", "eyJ"),
)
"""How the keys of well-known services begin; `secret_shapes` says how they go on."""

_PLACEHOLDERS = frozenset(
    """
    placeholder unnecessary notrequired unspecified localhost lm-studio not-needed not-required not-used no-key
    no-key-required no-api-key sk-no-key-required dummy-key fake-key test-key bare-model openai-compatible
    """.split()
)
"""What people write for a key that is asked for but not needed, besides plain words."""
_PLAIN_WORD = re.compile(r"[a-z]{1,8}|[A-Z][a-z]{0,7}|[A-Z]{1,8}", re.ASCII)
_PAIR = re.compile(r"([A-Za-z_]+)=([^;]+)")


@functools.lru_cache(4096)
def names_a_secret(name: str) -> bool:
    """Whether an option, a variable or a key of that name holds a secret."""
    words = [word.lower() for word in _WORDS.findall(name[:200])]
    while len(words) > 1 and (words[-1].isdigit() or words[-1] in _FILLERS):
        words.pop()
    if not words or (len(words) > 1 and words[0] in _FLAGS) or words == ["pwd"]:
        return False
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last in _SURE or last.endswith(_FUSED) or any(tuple(words[-len(phrase) :]) == phrase for phrase in _PHRASES):
        return True
    if last == "key":
        return before not in _OTHER_KEYS
    if last == "token":
        return before not in _OTHER_TOKENS
    if last == "keys":
        return before in _KINDS_OF_KEY
    if last == "tokens":
        return before in _KINDS_OF_TOKEN
    if last == "pass":
        return before not in _OTHER_PASSES
    if last in ("auth", "pw"):
        return True
    return words[-3:-1] == ["api", "key"] and last not in _POINTERS


def is_unsure(name: str) -> bool:
    """Whether a name that holds a secret elsewhere may also mean something else, such as a bare `key`."""
    return name.lower() in UNSURE


def names_a_secret_of_an_address(name: str) -> bool:
    """Whether a parameter of an address holds a secret."""
    return name.lower() in _IN_ADDRESSES or names_a_secret(name)


def is_plain(value: str) -> bool:
    """Whether a value is a short plain word or a number, as people write it if a key is not needed: not a secret."""
    if value.isdigit():
        return len(value) < 6
    return value.lower().replace("_", "-") in _PLACEHOLDERS or bool(_PLAIN_WORD.fullmatch(value))


def secrets_of(environ: Mapping[str, str]) -> dict[str, str]:
    """The secrets in an environment, by the names of their variables: whole values, and passwords inside of addresses,
    connection strings and JSON.
    """
    found: dict[str, str] = {}
    for name, value in environ.items():
        if not value:
            continue
        inside = dict(_inside(value))
        if names_a_secret(name) and not _is_path(value):
            found[name] = value
        for key, secret in inside.items():
            found.setdefault(f"{name}.{key}", secret)
    return found


def secrets_of_url(url: str) -> dict[str, str]:
    """The secrets in an address: what stands before its host, and the parameters whose names say so."""
    try:
        parts = urlsplit(url)
        # As they stand there, and as they are meant.
        pieces = [piece.partition("=")[::2] for piece in f"{parts.query}&{parts.fragment}".split("&")]
        found = {name: value for name, value in pieces if value and names_a_secret_of_an_address(unquote(name))}
        if parts.password:
            found["password"] = parts.password
        elif parts.username and not is_plain(parts.username):
            found["username"] = parts.username
    except ValueError:
        return {}  # Not an address: nothing of it is used as one either.
    return found | {f"{name} of the address": unquote(value) for name, value in found.items()}


def _inside(value: str) -> Iterator[tuple[str, str]]:
    """The secrets inside the value of a variable, whatever the variable is called."""
    if "://" in value:
        yield from secrets_of_url(value).items()
    if value.startswith("{"):
        try:
            yield from _named_in(json.loads(value))
        except (ValueError, RecursionError):
            return  # It only looks like JSON.
    elif ";" in value:
        yield from ((name, secret) for name, secret in _PAIR.findall(value) if names_a_secret(name))


def _named_in(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for item in value:
            yield from _named_in(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str) and names_a_secret(key) and not (is_unsure(key) and is_plain(item)):
                yield key, item
            else:
                yield from _named_in(item)


def _is_path(value: str) -> bool:
    """Whether a variable such as GOOGLE_APPLICATION_CREDENTIALS only says where its secret lies."""
    if not value.startswith(("/", "~/", "./")) or "\n" in value or len(value) > 1000:
        return False
    try:
        return Path(value).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return False
