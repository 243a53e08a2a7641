"""What a secret looks like: the keys of well-known services, private keys, tokens in headers and addresses.

This is the only list of such shapes. A digest, a commit, a UUID and Base64 have none of them: each shape begins with a
word that a service puts before its keys, or stands at a place where only a secret stands.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from .secret_names import KEY_BEGINNINGS, is_plain, is_unsure, names_a_secret, names_a_secret_of_an_address

_MARK = "[redacted"
_RUN = r"[A-Za-z0-9]{20,}[A-Za-z0-9_-]*"
_LOOSE = r"[A-Za-z0-9_-]{20,}"
_MAX_PEM = 16 * 1024

_KEYS = (
    # OpenAI and everybody who writes keys alike; words with hyphens, as in sk-no-key-required, are none.
    r"sk-(?:[a-z0-9]{1,12}-){0,3}(?:(?=[A-Za-z]*[0-9])[A-Za-z0-9]{16,}|[A-Za-z0-9]{20,})[A-Za-z0-9_-]*",
    rf"sk-(?:ant|proj|svcacct|admin|or)-{_LOOSE}",
    r"sk-lf-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
    rf"(?:gh[pousr]|hf|gsk|r8|fw|jina|esecret|npm|ntn|lin_api|shpat|shpss|e2b|api_org|do[por]_v1|whsec)_{_RUN}",
    rf"(?:xai|pplx|csk)-{_RUN}",
    rf"(?:github_pat_|nvapi-|tvly-|pypi-|sntrys_|wandb_v1_|lsv2_[a-z]{{2}}_|dckr_pat_|GOCSPX-|ya29\.|hv[sbr]\.){_LOOSE}",
    r"gl(?:pat|ptt|dt|rt|cbt|oas)-[A-Za-z0-9_-]{16,}",
    r"xox[abceoprs]-[A-Za-z0-9-]{16,}|xapp-[0-9]-[A-Za-z0-9-]{16,}",
    r"A(?:KI|SI|BI|CC)A[A-Z0-9]{16}(?![A-Za-z0-9+/=_-])",
    r"AIza[A-Za-z0-9_-]{32,40}(?![A-Za-z0-9+/=_-])",
    r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    r"AGE-SECRET-KEY-1[0-9A-Z]{20,}",
    r"[0-9]{8,10}:AA[A-Za-z0-9_-]{32,}",
    r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}",
)
_KEY = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(_KEYS)})", re.ASCII)
_MAX_BEGINNING = max(map(len, KEY_BEGINNINGS))
_UP_TO_MARK = tuple(beginning.encode() for beginning in KEY_BEGINNINGS if not beginning[-1].isalnum())
_FROM_A = tuple(beginning.encode() for beginning in KEY_BEGINNINGS if beginning.startswith("A"))
_CLASSES = bytes(97 if (chr(code).isalnum() and code < 128) or chr(code) in "-_" else 32 for code in range(256))
"""Turns every letter, digit, hyphen and underscore into an `a`, and everything else into a space."""
_LONG_WORD = b"a" * 16


def _clue(mark: str) -> str:
    """A pattern for the last character of the beginning of a key, after the two before it."""
    ends = {beginning[-3:] for beginning in KEY_BEGINNINGS if beginning.endswith(mark)}
    return f"{re.escape(mark)}(?<={'|'.join(map(re.escape, sorted(ends)))})"


_CLUE = re.compile(
    rf"(?:{'|'.join(map(_clue, '-_.J'))}|:(?<=[0-9][0-9]:)|A(?=KIA|SIA|BIA|CCA|Iza|GE-SEC))"
    r"(?=[A-Za-z0-9_-]{12})".encode()
)
"""Every key has one of these, with that much of the key after it."""
_PARTS_OF_BEGINNINGS = frozenset(
    beginning[:length]
    for beginning in (*KEY_BEGINNINGS, "bearer", "basic", "Bearer", "Basic", "BEARER", "BASIC")
    for length in range(1, len(beginning) + 1)
)
_NUMBER = re.compile(r"(?<![A-Za-z0-9])[0-9]{1,10}(?::A{0,2})?\Z|[0-9]{8,10}:AA", re.ASCII)
_ANY_BEGINNING = re.compile("|".join(map(re.escape, KEY_BEGINNINGS)), re.ASCII)

_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----"
    rf"[\s\S]{{0,{_MAX_PEM}}}?(?:-----END [A-Z0-9 ]{{0,24}}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.ASCII,
)
# A pattern that begins with plain letters is searched for many times faster than one that does not.
_USER = re.compile(r"://([^\s/?#\"'<>\\`|]{1,512})@", re.ASCII)
_PARAMETER = re.compile(r"([?&#](?:amp;)?)([A-Za-z0-9_.%-]{1,64})=([^&\s\"'<>#;\\`|]{1,4096})", re.ASCII)
_SLACK_HOOK = re.compile(r"hooks\.slack\.com/services/([A-Za-z0-9/_-]{8,})", re.ASCII)
_DISCORD_HOOK = re.compile(r"/api/webhooks/([0-9]{8,}/[A-Za-z0-9_-]{16,})", re.ASCII)
_SCHEME = re.compile(r"\b(bearer|basic)([ \t]+)([A-Za-z0-9._~+/-]{6,4096}={0,2})", re.ASCII | re.IGNORECASE)
_HEADER = re.compile(
    r"\b(authorization[\"']?[ \t]*[:=][ \t]*[\"']?(?:(?:token|apikey|digest)[ \t]+)?)([^\s\"',;\\]{6,4096})",
    re.ASCII | re.IGNORECASE,
)
_NAMED = re.compile(
    r"(?<![\w.-])(-{0,2})(\\?[\"']?)([A-Za-z_][\w.-]{0,63})\2([ \t]*[=:][ \t]*|(?<=[\w.-])[ \t]+(?=[^\s-]))", re.ASCII
)
_VALUE = re.compile(r"(?:\\?[\"'])?([^\s\"',;&\\]{3,4096})", re.ASCII)
_USER_OPTION = re.compile(r"((?<![\w-])(?:-u|--user)[ \t=]+[\"']?[^\s:\"']{1,64}:)([^\s\"']{3,512})", re.ASCII)
_HINTS = (
    *("key", "token", "secret", "pass", "pwd", "cred", "auth", "cookie", "jwt", "bearer", "dsn", "mnemonic", "webhook"),
    *("pat=", "pat:", "pw=", "pw:", "_pat", "_pw", "conn", "service", "phrase"),
)
"""Every name that holds a secret has one of these in it."""
# It begins only with a word. Tried at each letter of a long word, it would take time by the square of its length.
_RANDOM = re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{16,}", re.ASCII)
_MAX_JUDGED = 256
"""This number of characters distinguishes a value from a word. A value may have thousands."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def hide(text: str) -> str:
    """The text without what has the shape of a secret, wherever it stands."""
    return _hide(text, text.encode("ascii", "replace"))


def hide_bytes(text: bytes) -> bytes:
    """The same for a piece of a log, fast: most pieces hold nothing that even looks like the beginning of a secret."""
    if _is_clean(text):
        return text
    return _hide(text.decode("latin-1"), text).encode("latin-1")


def _is_clean(text: bytes) -> bool:
    """Whether no step of `_hide` can find anything. Each test is one quick search."""
    return (
        text.translate(_CLASSES).find(_LONG_WORD) < 0
        and not (b"@" in text and b"://" in text)
        and not (b"=" in text and (b"?" in text or b"&" in text or b"#" in text))
        and b"earer " not in text
        and b"asic " not in text
        and b"PRIVATE KEY" not in text
    )


def _hide(text: str, data: bytes) -> str:
    """`data` is the same text with a byte for each character, so that places are the same."""
    if "PRIVATE KEY" in text:
        text = _PEM.sub("[redacted:private key]", text)
        data = text.encode("ascii", "replace")
    if places := list(_keys(data, text)):
        text = _replace(text, places)
    if "@" in text and "://" in text:
        text = _USER.sub(_hide_user, text)
    if "=" in text and ("?" in text or "&" in text or "#" in text):
        text = _PARAMETER.sub(_hide_parameter, text)
    if "hooks" in text:
        for hook in (_SLACK_HOOK, _DISCORD_HOOK):
            text = hook.sub(lambda found: found[0].replace(found[1], "[redacted:webhook]"), text)
    if "earer " in text or "asic " in text:
        text = _SCHEME.sub(_hide_scheme, text)
    return text


def _keys(data: bytes, text: str) -> Iterator[tuple[int, int]]:
    """Where keys of known shapes stand in a text; `data` is the same text, a byte for each character."""
    # Most texts hold no long word. To see that is ten times as fast as to look for keys.
    if data.translate(_CLASSES).find(_LONG_WORD) < 0:
        return
    done = 0
    for clue in _CLUE.finditer(data):
        place = clue.start()
        begin = _beginning(data, place)
        if begin is not None and begin >= done and (found := _KEY.match(text, begin)):
            done = found.end()
            yield begin, done


def _beginning(data: bytes, place: int) -> int | None:
    """Where a key begins that has its clue at this place; None if none can."""
    clue = data[place : place + 1]
    if clue == b"A":
        return place if data.startswith(_FROM_A, place) else None
    if clue == b"J":
        return place - 2 if data.endswith(b"eyJ", 0, place + 1) else None
    if clue == b":":
        digits = place
        while digits > 0 and place - digits < 11 and data[digits - 1 : digits].isdigit():
            digits -= 1
        return digits
    if not data.endswith(_UP_TO_MARK, max(0, place + 1 - _MAX_BEGINNING), place + 1):
        return None
    return place + 1 - max(len(mark) for mark in _UP_TO_MARK if data.endswith(mark, 0, place + 1))


def _replace(text: str, places: list[tuple[int, int]]) -> str:
    parts, done = [], 0
    for begin, end in places:
        parts += [text[done:begin], "[redacted:key]"]
        done = end
    return "".join([*parts, text[done:]])


def hide_named(text: str) -> str:
    """The same, and what is assigned to a name that says that it is a secret: for errors, notes and command lines.

    Logs are spared: there such words are too common, and the values of variables are known.
    """
    text = hide(text)
    if "-u" in text:
        text = _USER_OPTION.sub(_hide_user_option, text)
    if "=" not in text and ":" not in text and "--" not in text:
        return text
    lower = text.lower()
    if not any(word in lower for word in _HINTS):
        return text
    if "authorization" in lower:
        text = _HEADER.sub(_hide_header, text)
    parts, done = [], 0
    for name, begin, end in _assigned(text):
        parts += [text[done:begin], f"[redacted:{name}]"]
        done = end
    return "".join([*parts, text[done:]])


def hide_in(value: Any, *, names: bool = True) -> Any:
    """A JSON value without secrets: those of a known shape, and, with `names`, those under a name that says so."""
    if isinstance(value, str):
        return hide_named(value)
    if isinstance(value, list):
        return [hide_in(item, names=names) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        hide(key): f"[redacted:{key}]" if names and is_secret_item(key, item) else hide_in(item, names=names)
        for key, item in value.items()
    }


def hide_arguments(arguments: list[str]) -> list[str]:
    """A command without secrets: also the argument after one such as `--api-key`."""
    hidden, name = [], ""
    for argument in arguments:
        if name and not argument.startswith("-") and _is_value(name, argument):
            hidden.append(f"[redacted:{name}]")
        else:
            hidden.append(hide_named(argument))
        name = argument.lstrip("-") if argument.startswith("-") and names_a_secret(argument) else ""
    return hidden


def is_secret_item(key: str, item: Any) -> bool:
    """Whether an entry of a JSON object holds a secret, by its key, and for keys such as `token` by its look."""
    if isinstance(item, bool) or not item or not names_a_secret(key):
        return False
    if not is_unsure(key):
        # A number under such a name is a password of digits; an object may hold anything, and is looked into.
        return not isinstance(item, dict) and not _is_marked(item)
    return isinstance(item, str) and looks_random(item)


def secrets_within(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The secrets in a JSON value with the names of their places: what `hide_in` hides of it."""
    if isinstance(value, dict):
        for key, item in value.items():
            if is_secret_item(key, item):
                yield from ((key, text) for text in _texts(item))
            else:
                yield from secrets_within(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from secrets_within(item, name)
    elif isinstance(value, str):
        for pattern in (_PEM, _KEY):
            yield from ((name or "key", found[0]) for found in pattern.finditer(value))
        for hook in (_SLACK_HOOK, _DISCORD_HOOK):
            yield from (("webhook", found[1]) for found in hook.finditer(value))
        yield from ((name or "key", found[3]) for found in _SCHEME.finditer(value) if _is_shown_scheme(found))
        for found in _USER.finditer(value):
            user, _, password = found[1].partition(":")
            yield "password", unquote(password or user)
            yield "password", password or user
        for found in _PARAMETER.finditer(value):
            if _is_secret_parameter(found[2], found[3]):
                yield found[2], found[3]
                yield found[2], unquote(found[3])
        yield from ((name, value[begin:end]) for name, begin, end in _assigned(value))


def holds_a_key(text: str) -> bool:
    """Whether a text that names something holds a secret instead, or as well."""
    return hide(text) != text


def looks_random(value: str) -> bool:
    """Whether a value looks as keys do: a known shape, or letters and digits without a word among them."""
    return bool(_RANDOM.search(value) or _UUID.search(value)) or holds_a_key(value)


def may_go_on(word: str) -> bool:
    """Whether a word at the end of a piece of text may be the beginning of a secret whose rest is still to come."""
    if word.endswith((":", ":/", "-")) or any(mark in word for mark in ("://", "?", "&", "#", "-----")):
        return True
    if _ANY_BEGINNING.search(word) or _NUMBER.search(word):
        return True
    return any(
        word[-length:] in _PARTS_OF_BEGINNINGS and not word[-length - 1 : -length].isalnum()
        for length in range(1, min(len(word), _MAX_BEGINNING) + 1)
    )


def _texts(item: Any) -> Iterator[str]:
    if isinstance(item, str):
        yield item
    elif isinstance(item, list):
        for inner in item:
            yield from _texts(inner)
    elif isinstance(item, int | float):
        yield str(item)


def _is_marked(item: Any) -> bool:
    return isinstance(item, str) and item.startswith(_MARK)


def _is_value(name: str, value: str) -> bool:
    """Whether a word after a secret's name is its value: neither a mark nor a reference to a variable."""
    if value.startswith((_MARK, "$", "{", "<", "env:", "@")):
        return False
    return looks_random(value[:_MAX_JUDGED]) if is_unsure(name) else not is_plain(value)


def _hide_user(found: re.Match[str]) -> str:
    # As in ssh://git@github.com: that name is public.
    is_public = found.string.endswith("ssh", 0, found.start()) and is_plain(found[1])
    return found[0] if is_public or found[1].startswith(_MARK) else "://[redacted:credentials]@"


def _is_secret_parameter(name: str, value: str) -> bool:
    name = unquote(name)
    if value.startswith(_MARK) or not names_a_secret_of_an_address(name):
        return False
    return not (is_unsure(name) and is_plain(value))


def _hide_parameter(found: re.Match[str]) -> str:
    if not _is_secret_parameter(found[2], found[3]):
        return found[0]
    return f"{found[1]}{found[2]}=[redacted:{found[2]}]"


def _is_shown_scheme(found: re.Match[str]) -> bool:
    """Whether a word after `Bearer` or `Basic` is a token, and no part of a sentence."""
    value = found[3]
    if found[1].lower() == "basic":
        try:
            return b":" in base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
        except (binascii.Error, ValueError):
            return False
    return len(value) >= 20 or not value.isalpha() or not (value.islower() or value.istitle() or value.isupper())


def _hide_scheme(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]}[redacted:token]" if _is_shown_scheme(found) else found[0]


def _hide_header(found: re.Match[str]) -> str:
    value = found[2]
    if value.startswith(_MARK) or value.lower() in ("bearer", "basic") or is_plain(value):
        return found[0]
    return f"{found[1]}[redacted:authorization]"


def _hide_user_option(found: re.Match[str]) -> str:
    return found[0] if found[2].startswith((_MARK, "$")) else f"{found[1]}[redacted:password]"


def _assigned(text: str) -> Iterator[tuple[str, int, int]]:
    """The names of secrets in a text to which something is assigned, each with the place of its value."""
    done = 0
    for found in _NAMED.finditer(text):
        dashes, quote, name, sign = found.groups()
        if found.start() < done or not names_a_secret(name):
            continue
        value = _VALUE.match(text, found.end())
        if value is None or not _is_value(name, value[1]):
            continue
        if sign.isspace() and dashes != "--":
            continue  # --api-key VALUE; without the dashes it is a sentence.
        if ":" in sign and not quote and not any(letter.isdigit() for letter in value[1]):
            continue  # "password: incorrect" is a sentence, too.
        done = value.end(1)
        yield name, value.start(1), done
