"""The samples of an Inspect log, each epoch as a sample of its own: https://inspect.aisi.org.uk/eval-logs.html

An archive has a file for each sample and epoch, and a summary of all; a JSON log has a list. Long texts are kept apart
from a sample as attachments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..suites.inspect_ai.samples import reduced as reduced_in
from ..suites.inspect_ai.samples import row
from .found import Document, ForeignRun, rows, table
from .inspect_log import BROKEN, MAX_MEMBER_BYTES, open_archive, read_member
from .instances import (
    MAX_LOG_BYTES,
    MAX_SAMPLES,
    Remark,
    Row,
    UnreadableSamples,
    object_in,
    objects_of,
    read_file,
)


def read_archive(path: Path, run: ForeignRun) -> Iterator[Row | Remark]:
    """The samples of an `.eval` file. Raises UnreadableSamples."""
    try:
        with open_archive(path) as archive:
            names = archive.namelist()
            members = [name for name in names if name.startswith("samples/") and name.endswith(".json")]
            summaries = _summaries(archive, names)
            reduced = (
                reduced_in(read_member(archive, "reductions.json"), run.sought) if "reductions.json" in names else {}
            )
            yield from _rows(_members(archive, sorted(members, key=_in_order), summaries), run, reduced)
    except BROKEN as problem:
        raise UnreadableSamples(f"the samples of the log cannot be read: {problem}") from problem


def read_json(path: Path, run: ForeignRun) -> Iterator[Row | Remark]:
    """The samples of a log that is one JSON file. Raises UnreadableSamples."""
    content = read_file(path)
    try:
        parts = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        parts = {name: msgspec.Raw(msgspec.json.encode(part)) for name, part in object_in(content, path.name).items()}
    if "samples" not in parts:
        return
    reduced = (
        reduced_in(list(objects_of(bytes(parts["reductions"]), "reductions")), run.sought)
        if "reductions" in parts
        else {}
    )
    yield from _rows(objects_of(bytes(parts["samples"]), "samples"), run, reduced)


def _summaries(archive: Any, names: Iterable[str]) -> dict[tuple[str, object], Document]:
    """What the archive says of each sample in short, by id and epoch."""
    names = list(names)
    wanted = ["summaries.json"] if "summaries.json" in names else [n for n in names if "_journal/summaries/" in n]
    found = [summary for name in wanted for summary in rows(read_member(archive, name))]
    return {(str(one.get("id")), one.get("epoch")): one for one in found[:MAX_SAMPLES]}


def _members(
    archive: Any, names: Iterable[str], summaries: dict[tuple[str, object], Document]
) -> Iterator[Document | Remark]:
    """Each sample; one that is too large by its summary, without its transcript."""
    left, seen, large = MAX_LOG_BYTES, set(), 0
    for name in names:
        size = archive.getinfo(name).file_size
        if size > min(left, MAX_MEMBER_BYTES):
            large += 1
            continue
        left -= size
        document = table(read_member(archive, name))
        seen.add((str(document.get("id")), document.get("epoch")))
        yield document
    yield from (summary for key, summary in summaries.items() if key not in seen)
    if large:
        yield Remark(f"{large} samples are too large: their scores are taken from the summary, without transcripts")


def _in_order(name: str) -> list[object]:
    """Of `samples/10_epoch_2.json`, numbers by their value."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"([0-9]{1,18})", name)]


def _rows(
    samples: Iterable[Document | Remark], run: ForeignRun, reduced: Mapping[str, object]
) -> Iterator[Row | Remark]:
    """The samples as rows. If epochs are reduced, a sample has one row, with the reduced value."""
    done: set[str] = set()
    for one in samples:
        if isinstance(one, Remark):
            yield one
            continue
        id = str(one.get("id"))
        if reduced and id in done:
            continue
        done.add(id)
        yield row(one, run.sought, reduced)
