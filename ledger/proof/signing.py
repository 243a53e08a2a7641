"""Signed notes: a signer confirms a text. Ed25519, in the forms of C2SP signed-note and tlog-cosignature.

A private key is the text `PRIVATE+KEY+<name>+<hash>+<base64>`, and a public key is `<name>+<hash>+<base64>`: the
forms that Go's `sumdb/note` and the tools around transparency logs read. A key has one of two kinds: that of a signer,
or that of a witness, whose signatures (`cosignature/v1`) also carry a time. Needs the extra `signing`.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from ..errors import LedgerError
from .encoding import BadText, decode64, encode64

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

NOTE, COSIGNATURE = b"\x01", b"\x04"
"""The kinds of keys."""

_PRIVATE = "PRIVATE+KEY+"
_DASH = "\N{EM DASH} "
_MAX_SIGNATURES = 64
_ID_BYTES = 4
_TIME_BYTES = 8
_MAX_TIME = 2**63 - 1


class SigningError(LedgerError):
    """A key or a signature that cannot be used; the message says why."""


class BadSignature(ValueError):
    """A signature that names a known key and is not by that key. Such a note must not be believed at all."""


class SignatureLine(msgspec.Struct, frozen=True):
    """One signature of a note: the name of the key, the four bytes that identify it, and the signature."""

    name: str
    id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {encode64(self.id + self.signature)}\n"


class Note(msgspec.Struct, frozen=True):
    """A text that ends with a newline, and its signatures."""

    text: str
    signatures: list[SignatureLine]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(map(str, self.signatures)) if self.signatures else self.text

    def with_signatures(self, more: Iterable[SignatureLine]) -> Note:
        """The note with these signatures in place of earlier ones by the same keys."""
        new = list(more)
        keys = {(line.name, line.id) for line in new}
        return Note(self.text, [line for line in self.signatures if (line.name, line.id) not in keys] + new)


def parse_signed(text: str) -> Note:
    """The parts of a note; it may be without signatures. Raises BadText."""
    if any(letter < " " and letter != "\n" for letter in text):
        raise BadText("a note must not have control characters")
    if not text.endswith("\n"):
        raise BadText("a note ends with a newline")
    body, blank, rest = text.rpartition("\n\n")
    if not blank:
        return Note(text, [])
    lines = rest.removesuffix("\n").split("\n")
    if len(lines) > _MAX_SIGNATURES:
        raise BadText(f"a note has 1 to {_MAX_SIGNATURES} signatures after its empty line, got {len(lines)}")
    return Note(body + "\n", [_signature_line(line) for line in lines])


def parse_signatures(text: str) -> list[SignatureLine]:
    """Lines of signatures alone, as a witness answers. Raises BadText."""
    return parse_signed(f"-\n\n{text}").signatures


def _signature_line(line: str) -> SignatureLine:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not (line.startswith(_DASH) and space and _is_name(name)):
        raise BadText("a signature has the form: em dash, name of the key, base64")
    raw = decode64(encoded, "a signature")
    if len(raw) <= _ID_BYTES:
        raise BadText("a signature is too short")
    return SignatureLine(name, raw[:_ID_BYTES], raw[_ID_BYTES:])


class Verifier:
    """Verifies signatures with one public key of a signer or a witness."""

    def __init__(self, name: str, public: bytes, kind: bytes = NOTE) -> None:
        self.name = name
        self.kind = kind
        self.public = public
        self.hash = sha256(name.encode() + b"\n" + kind + public).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.hash.hex()}+{encode64(self.kind + self.public)}"

    def has_signed(self, note: str) -> bool:
        """Whether the text of a note carries a signature by this key."""
        try:
            return self.signature_of(parse_signed(note)) is not None
        except (BadText, BadSignature):
            return False

    def signature_of(self, note: Note) -> SignatureLine | None:
        """The signature of a note by this key, after it is verified; None if there is none.

        Raises BadSignature if a signature names this key and is not by it, or if there are several.
        """
        mine = [line for line in note.signatures if (line.name, line.id) == (self.name, self.hash)]
        if len(mine) > 1:
            raise BadSignature(f"the note has {len(mine)} signatures by {self.name}")
        if mine and not self._is_right(mine[0], note.text):
            raise BadSignature(f"the signature by {self.name} is not by its key, or not for this text")
        return mine[0] if mine else None

    def _is_right(self, line: SignatureLine, text: str) -> bool:
        from cryptography.exceptions import InvalidSignature

        message, signature = text.encode(), line.signature
        if self.kind == COSIGNATURE:
            if len(signature) < _TIME_BYTES or not 0 < (time := time_of(line)) <= _MAX_TIME:
                return False
            message, signature = cosigned(text, time), signature[_TIME_BYTES:]
        try:
            _public_key(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


def time_of(line: SignatureLine) -> int:
    """The time of a witness's signature, in seconds since 1970."""
    return int.from_bytes(line.signature[:_TIME_BYTES], "big")


def cosigned(text: str, time: int) -> bytes:
    """What a witness signs for a note's text, at a time in seconds since 1970."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


class Signer:
    """Signs notes with one private key of a signer or a witness."""

    def __init__(self, name: str, seed: bytes, kind: bytes = NOTE) -> None:
        self._key = _private_key(seed)
        self._seed = seed
        self.verifier = Verifier(name, self._key.public_key().public_bytes_raw(), kind)

    def __str__(self) -> str:
        encoded = encode64(self.verifier.kind + self._seed)
        return f"{_PRIVATE}{self.verifier.name}+{self.verifier.hash.hex()}+{encoded}"

    def sign(self, note: str) -> str:
        """The note with this signer's signature added, or in place of an earlier one by this key. Raises BadText."""
        parsed = parse_signed(note)
        signature = self._key.sign(parsed.text.encode())
        return str(parsed.with_signatures([SignatureLine(self.verifier.name, self.verifier.hash, signature)]))

    def sign_bytes(self, message: bytes) -> bytes:
        """The signature for a message of another form than a note. Its beginning must say what it is, as in DSSE."""
        return self._key.sign(message)

    def cosign(self, text: str, time: int) -> SignatureLine:
        """A witness's signature for a note's text, at a time in seconds since 1970."""
        signature = time.to_bytes(_TIME_BYTES, "big") + self._key.sign(cosigned(text, time))
        return SignatureLine(self.verifier.name, self.verifier.hash, signature)


def new_signer(name: str, kind: bytes = NOTE) -> Signer:
    """A signer with a new key. Raises SigningError for a name with spaces or a plus."""
    import secrets

    if not _is_name(name):
        raise SigningError(
            f"'{name}' cannot be the name of a key\nhint: give a name that is not empty and has no spaces and no plus"
        )
    return Signer(name, secrets.token_bytes(32), kind)


def parse_signer(text: str, kind: bytes = NOTE) -> Signer:
    """The signer in the text of a private key of that kind. Raises SigningError."""
    if not text.startswith(_PRIVATE):
        raise SigningError(f"a private key begins with {_PRIVATE}")
    name, hash, key = _parts(text.strip().removeprefix(_PRIVATE), kind)
    signer = Signer(name, key, kind)
    if signer.verifier.hash.hex() != hash:
        raise SigningError("the private key is damaged: its hash does not match its name and key")
    return signer


def parse_verifier(text: str, kind: bytes = NOTE) -> Verifier:
    """The verifier in the text of a public key of that kind. Raises SigningError."""
    if text.startswith(_PRIVATE):
        raise SigningError("this is a private key\nhint: give the public key, which `ledger keygen` printed")
    name, hash, key = _parts(text.strip(), kind)
    verifier = Verifier(name, key, kind)
    if verifier.hash.hex() != hash:
        raise SigningError("the key is damaged: its hash does not match its name and key")
    return verifier


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(letter.isspace() or letter < " " for letter in name)


def _parts(text: str, kind: bytes) -> tuple[str, str, bytes]:
    name, _, rest = text.partition("+")
    hash, _, encoded = rest.partition("+")
    try:
        key = decode64(encoded, "the key")
    except BadText as problem:
        raise SigningError(str(problem)) from problem
    if not _is_name(name) or len(key) != 33 or key[:1] not in (NOTE, COSIGNATURE):
        raise SigningError("a key has the form <name>+<hash>+<base64>, and is of Ed25519")
    if key[:1] != kind:
        kinds = {NOTE: "a signer", COSIGNATURE: "a witness"}
        hint = "`benchmarks witness keygen` makes keys of witnesses, and `benchmarks ledger keygen` those of signers"
        raise SigningError(f"this is the key of {kinds[key[:1]]}, and that of {kinds[kind]} is needed", hint)
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
