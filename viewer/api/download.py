"""Lists as files: written to the disk, and sent by the server's own loop, so that a slow reader holds no thread."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Sequence
from typing import Any, BinaryIO, cast

import falcon
import msgspec

from ..index.row import RunRow

_IN_MEMORY = 1024 * 1024
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def send_csv(resp: falcon.Response, rows: Sequence[RunRow]) -> None:
    """The rows as CSV, structured values as JSON.

    A text that a spreadsheet would take for a formula gets an apostrophe in front: it may come from a benchmark.
    """
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the server closes it
    text = io.TextIOWrapper(cast(BinaryIO, file), encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(RunRow.__struct_fields__)
    for row in rows:
        writer.writerow([_cell(value) for value in msgspec.structs.astuple(row)])
    text.detach()
    _send(resp, file, "text/csv; charset=utf-8", "runs.csv")


def send_json(resp: falcon.Response, rows: Sequence[RunRow]) -> None:
    """The rows as a JSON array, one a line."""
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the server closes it
    encode = msgspec.json.Encoder().encode
    file.write(b"[")
    for number, row in enumerate(rows):
        file.write((b",\n" if number else b"\n") + encode(row))
    file.write(b"\n]\n")
    _send(resp, file, falcon.MEDIA_JSON, "runs.json")


def _send(resp: falcon.Response, file: Any, kind: str, name: str) -> None:
    size = file.tell()
    file.seek(0)
    resp.content_type = kind
    resp.set_header("Content-Disposition", f'attachment; filename="{name}"')
    resp.set_stream(file, size)


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return "'" + value if value.startswith(_FORMULA) else value
    return msgspec.json.encode(value).decode()
