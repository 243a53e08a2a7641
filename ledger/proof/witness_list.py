"""The witnesses of a workspace's ledger, in a file of lines as a tlog-policy has them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from ..errors import LedgerError, LedgerUnwritable
from ..storage import disk
from .policy import Witness, parse_policy
from .signing import COSIGNATURE, parse_verifier

NAME = "witnesses.txt"
_MAX_BYTES = 1024 * 1024


class WitnessError(LedgerError):
    """A witness that cannot be added or asked; the message says why."""


def read_witnesses(folder: Path) -> list[Witness]:
    """The witnesses in a folder's file; none without one. Raises PolicyError and WitnessError."""
    path = folder / NAME
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES).decode()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as problem:
        raise WitnessError(f"the list of witnesses {path} cannot be read: {problem}") from problem
    return parse_policy(text, needs_quorum=False).witnesses


def add_witness(folder: Path, url: str, key: str, name: str | None = None) -> Witness:
    """Add a witness to the file; of a key that is there, change the address and the name.

    Raises WitnessError, PolicyError, SigningError and LedgerUnwritable.
    """
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
    except ValueError:
        is_address = False
    if not is_address:
        raise WitnessError(
            f"'{url}' is not the address of a witness", "give one such as https://witness.example.org/w1"
        )
    if parts.username is not None or parts.password is not None:
        raise WitnessError("the address of a witness must not hold a password")
    verifier = parse_verifier(key, COSIGNATURE)
    witness = Witness(name or verifier.name, verifier, url)
    known = [other for other in read_witnesses(folder) if other.verifier.public != verifier.public]
    _write(folder, [*known, witness])
    return witness


def remove_witness(folder: Path, name: str) -> None:
    """Remove a witness from the file. Raises WitnessError if it is not there, PolicyError and LedgerUnwritable."""
    known = read_witnesses(folder)
    left = [witness for witness in known if witness.name != name]
    if left == known:
        names = ", ".join(witness.name for witness in known) or "none"
        raise WitnessError(f"there is not a witness of the name '{name}'", f"the names are: {names}")
    _write(folder, left)


def _write(folder: Path, witnesses: list[Witness]) -> None:
    text = "".join(f"{witness}\n" for witness in witnesses)
    parse_policy(text, needs_quorum=False)  # No name and no key twice.
    try:
        folder.mkdir(parents=True, exist_ok=True)
        disk.replace_file(folder / NAME, text.encode())
    except OSError as problem:
        raise LedgerUnwritable(f"cannot write {folder / NAME}: {problem.strerror}") from problem
