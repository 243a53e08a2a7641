"""Signed checkpoints: a signer confirms the state of a ledger. Ed25519, in the form of C2SP signed notes.

A private key is the text `PRIVATE+KEY+<name>+<hash>+<base64>`, and a public key is `<name>+<hash>+<base64>`: the
forms that Go's `sumdb/note` and the tools around transparency logs read. Needs the extra `signing`.
"""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import TYPE_CHECKING

from ..errors import LedgerError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_PRIVATE = "PRIVATE+KEY+"
_DASH = "\N{EM DASH} "


class SigningError(LedgerError):
    """A key or a signature that cannot be used; the message says why."""


class Verifier:
    """Verifies signatures with one signer's public key."""

    def __init__(self, name: str, public: bytes) -> None:
        self.name = name
        self.hash = sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]
        self._public = public

    def __str__(self) -> str:
        return f"{self.name}+{self.hash.hex()}+{base64.b64encode(_ED25519 + self._public).decode()}"

    def has_signed(self, note: str) -> bool:
        """Whether the note carries a signature of this signer over its text."""
        text, _, signatures = note.rpartition("\n\n")
        if not text:
            return False
        return any(self._is_mine(line, (text + "\n").encode()) for line in signatures.splitlines())

    def _is_mine(self, line: str, text: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature

        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        try:
            signature = base64.b64decode(encoded, validate=True)
        except ValueError:
            return False
        if not line.startswith(_DASH) or name != self.name or signature[:4] != self.hash:
            return False
        try:
            _public_key(self._public).verify(signature[4:], text)
        except InvalidSignature:
            return False
        return True


class Signer:
    """Signs notes with one signer's private key."""

    def __init__(self, name: str, seed: bytes) -> None:
        self._key = _private_key(seed)
        self._seed = seed
        self.verifier = Verifier(name, self._key.public_key().public_bytes_raw())

    def __str__(self) -> str:
        encoded = base64.b64encode(_ED25519 + self._seed).decode()
        return f"{_PRIVATE}{self.verifier.name}+{self.verifier.hash.hex()}+{encoded}"

    def sign(self, note: str) -> str:
        """The note with this signer's signature added."""
        text, blank, signatures = note.partition("\n\n")
        text = text if blank else note.removesuffix("\n")
        signature = base64.b64encode(self.verifier.hash + self._key.sign((text + "\n").encode())).decode()
        return f"{text}\n\n{signatures}{_DASH}{self.verifier.name} {signature}\n"


def new_signer(name: str) -> Signer:
    """A signer with a new key. Raises SigningError for a name with spaces or a plus."""
    import secrets

    if not name or "+" in name or any(letter.isspace() for letter in name):
        raise SigningError(
            f"'{name}' cannot be the name of a key\nhint: give a name that is not empty and has no spaces and no plus"
        )
    return Signer(name, secrets.token_bytes(32))


def parse_signer(text: str) -> Signer:
    """The signer in the text of a private key. Raises SigningError."""
    if not text.startswith(_PRIVATE):
        raise SigningError(f"a private key begins with {_PRIVATE}")
    name, hash, key = _parts(text.strip().removeprefix(_PRIVATE))
    signer = Signer(name, key)
    if signer.verifier.hash.hex() != hash:
        raise SigningError("the private key is damaged: its hash does not match its name and key")
    return signer


def parse_verifier(text: str) -> Verifier:
    """The verifier in the text of a public key. Raises SigningError."""
    if text.startswith(_PRIVATE):
        raise SigningError("this is a private key\nhint: give the public key, which `ledger keygen` printed")
    name, hash, key = _parts(text.strip())
    verifier = Verifier(name, key)
    if verifier.hash.hex() != hash:
        raise SigningError("the key is damaged: its hash does not match its name and key")
    return verifier


def _parts(text: str) -> tuple[str, str, bytes]:
    name, _, rest = text.partition("+")
    hash, _, encoded = rest.partition("+")
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError as problem:
        raise SigningError(f"the key is not base64: {problem}") from problem
    if not name or key[:1] != _ED25519 or len(key) != 33:
        raise SigningError("a key has the form <name>+<hash>+<base64>, and is of Ed25519")
    return name, hash, key[1:]


def _private_key(seed: bytes) -> Ed25519PrivateKey:
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError:
        raise _missing() from None
    return Ed25519PrivateKey.from_private_bytes(seed)


def _public_key(public: bytes) -> Ed25519PublicKey:
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise _missing() from None
    return Ed25519PublicKey.from_public_bytes(public)


def _missing() -> SigningError:
    return SigningError(
        "signatures need a package that is not installed\nhint: pip install 'benchmark-orchestrator[signing]'"
    )
