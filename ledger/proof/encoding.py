"""Numbers and bytes as the texts of notes and proofs have them: each value has exactly one form."""

from __future__ import annotations

import base64

_MAX_DIGITS = 18


class BadText(ValueError):
    """A text that is not a note, a proof or a policy; the message says why."""


def encode64(raw: bytes) -> str:
    """Bytes in standard base64."""
    return base64.b64encode(raw).decode()


def decode64(text: str, what: str, *, size: int | None = None) -> bytes:
    """The bytes in a base64 text; `size` is their number. `what` names them. Raises BadText."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError as problem:
        raise BadText(f"{what} is not base64: {problem}") from problem
    if encode64(raw) != text:
        raise BadText(f"{what} is not base64 in its one right form")
    if size is not None and len(raw) != size:
        raise BadText(f"{what} must hold {size} bytes, got {len(raw)} bytes")
    return raw


def decimal(text: str, what: str) -> int:
    """The number in a text of digits, without leading zeros. `what` names it. Raises BadText."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
    if not is_number or (text.startswith("0") and text != "0"):
        raise BadText(f"{what} must be a position, got '{text[:40]}'")
    return int(text)
