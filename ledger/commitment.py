"""Binds the end of a run to the processes that may report it: its owner, and the shell around its benchmark.

`started` holds a commitment: a digest of two secrets. The owner keeps one in its memory and reveals it in the event
that ends the run. The shell holds the other, and writes it down with the exit status after the benchmark has
ended, so that an end without an owner can be proven, too. A benchmark runs as the same user and may write anything
into the ledger or into any run's folder, but it knows neither secret.

    commitment = H(H(owner's secret) + " " + H(shell's secret))        H: SHA-256, as hex

One secret is revealed together with the digest of the other.
"""

from __future__ import annotations

import os
from hashlib import sha256

import msgspec


class Secrets(msgspec.Struct, frozen=True):
    """The two secrets of a run, each of 256 random bits."""

    owner: str
    shell: str

    @property
    def commitment(self) -> str:
        """The commitment that `started` holds."""
        return _hash(f"{_hash(self.owner)} {_hash(self.shell)}")

    @property
    def by_owner(self) -> str:
        """The text that the owner reveals in the event that ends the run."""
        return f"{self.owner} {_hash(self.shell)}"

    @property
    def by_shell(self) -> str:
        """The text that the shell writes down with the exit status."""
        return f"{_hash(self.owner)} {self.shell}"


def new_secrets() -> Secrets:
    """Secrets for a run that begins."""
    return Secrets(os.urandom(32).hex(), os.urandom(32).hex())


def is_from_owner(commitment: str, revealed: str) -> bool:
    """Whether this is what the owner of the run reveals."""
    secret, _, other = revealed.partition(" ")
    return _hash(f"{_hash(secret)} {other}") == commitment


def is_from_shell(commitment: str, revealed: str) -> bool:
    """Whether this is what the shell around the run's benchmark reveals after the benchmark has ended."""
    other, _, secret = revealed.partition(" ")
    return _hash(f"{other} {_hash(secret)}") == commitment


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
