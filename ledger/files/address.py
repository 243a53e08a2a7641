"""Addresses of places that keep files of runs: `file:///mnt/runs`, `s3://bucket/prefix`.

An address stands in events, messages and pages. So it never holds a credential: those come from the environment or from
the configuration of the library for that scheme.
"""

from __future__ import annotations

import re

import msgspec

from ..errors import ExpectedError
from ..suggestions import did_you_mean

PACKAGES = {
    "file": "",
    "memory": "",
    "s3": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "az": "adlfs",
    "sftp": "paramiko",
    "smb": "smbprotocol",
    "hdfs": "pyarrow",
    "webhdfs": "requests",
}
"""The known schemes, with the package beside fsspec that each needs."""

_EXTRAS = {"": "artifacts", "s3fs": "s3", "gcsfs": "gcs"}
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)", re.DOTALL)
_MAX_LENGTH = 1000


class BadAddress(ExpectedError):
    """The text is not the address of a place that can keep files."""


class Address(msgspec.Struct, frozen=True):
    """A checked address: its scheme, and the whole of it without a slash at the end."""

    scheme: str
    url: str

    def __str__(self) -> str:
        return self.url

    @property
    def folder(self) -> str:
        """The path of a `file` address."""
        return self.url.removeprefix("file://") or "/"

    @property
    def installation(self) -> str:
        """What installs the packages that the scheme needs."""
        package = PACKAGES[self.scheme]
        if extra := _EXTRAS.get(package):
            return f'pip install "benchmark-orchestrator[{extra}]"'
        return f'pip install "benchmark-orchestrator[artifacts]" {package}'


def parse_address(text: str) -> Address:
    """The address in a text that a user wrote. Raises BadAddress, without repeating what may be a credential."""
    found = _SCHEME.fullmatch(text.strip())
    if found is None:
        shown = text if text.startswith(("/", ".", "~")) and "@" not in text else ""
        hint = (
            f"write file://{shown}" if shown.startswith("/") else "write it like s3://bucket/runs or file:///mnt/runs"
        )
        raise BadAddress(f"the place for artifacts must be an address with a scheme{_quoted(shown)}", hint)
    scheme, rest = found["scheme"].lower(), found["rest"]
    if scheme not in PACKAGES:
        raise BadAddress(f"'{scheme}' is not a scheme of a place for artifacts", did_you_mean(scheme, PACKAGES))
    host = rest.partition("/")[0]
    if "@" in host or any(mark in rest for mark in "?#"):
        raise BadAddress(
            f"the {scheme} address holds a user, a password or parameters, which would be recorded",
            "give credentials in the environment (AWS_ACCESS_KEY_ID, …) or in the configuration of fsspec",
        )
    if not rest.isprintable() or "::" in rest or "\\" in rest or " " in rest or len(rest) > _MAX_LENGTH:
        raise BadAddress(f"the {scheme} address has characters that an address cannot have, or is too long")
    parts = rest.strip("/").split("/")
    if any(part in (".", "..") for part in parts) or (parts != [""] and "" in parts):
        raise BadAddress(f"the {scheme} address has an empty part, '.' or '..'", "write the whole path")
    if scheme == "file" and host:
        raise BadAddress(f"'{scheme}://{rest}' is not the address of a folder", f"write file:///{rest}")
    if scheme not in ("file", "memory") and not host:
        raise BadAddress(f"the {scheme} address names no bucket or host", f"write it like {scheme}://bucket/runs")
    return Address(scheme, f"{scheme}://{rest.rstrip('/')}")


def _quoted(text: str) -> str:
    return f", not '{text}'" if text else ""
