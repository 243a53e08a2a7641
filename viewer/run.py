"""`/api/runs/{id}` and what belongs to one run: its events, logs, artifacts and samples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import falcon
import msgspec

from ..ledger.codec import GENESIS, BadLine, check, decode
from ..ledger.events import Unknown
from ..ledger.fold import Run
from ..ledger.identity import liveness, parse_utc
from ..projections.database import read_runs
from ..projections.rows import run_row
from .answers import Archive, answer, whole_number

STALE_SECONDS = 300
_MOST_LOG_BYTES = 1024 * 1024
_MOST_SAMPLES = 500
_LOGS = {"stdout": "stdout.log", "stderr": "stderr.log"}
_UNSAFE_IN_NAME = re.compile(r"[^A-Za-z0-9._-]")


class OneRun:
    """Everything about a run."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: str) -> None:
        """The run's row, whether it is stale, and the other attempts at the same work."""
        run = self._archive.find_run(run_id)
        with self._archive.history() as (connection, _):
            same = list(read_runs(connection, "WHERE signature = ? AND run_id <> ?", (run.signature, run.run_id)))
        attempts = [
            {"run_id": other.run_id, "attempt": other.attempt, "status": other.status, "score": other.score}
            | {"started_at": other.started_at}
            for other in same
            if run.signature
        ]
        answer(resp, {"run": run_row(run), "stale": is_stale(run), "attempts": attempts})


class Events:
    """The events of a run, each with the proof that it stands unchanged in the chain."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: str) -> None:
        """`chain_verified`: the line's hash was computed anew, and it follows the line before it."""
        run = self._archive.find_run(run_id)
        answer(resp, {"events": list(self._events(run))})

    def _events(self, run: Run) -> Iterator[dict[str, Any]]:
        lines = self._archive.store.read_lines(after=max(0, run.first_seq - 2))
        prev = GENESIS if run.first_seq == 1 else decode(next(lines)).hash
        for line in lines:
            record = decode(line)
            if record.seq > run.last_seq:
                return
            try:
                check(line, seq=record.seq, prev=prev)
                verified = True
            except BadLine:
                verified = False
            prev = record.hash
            if record.stream != run.run_id:
                continue
            data: Any = record.data.raw if isinstance(record.data, Unknown) else record.data
            yield {
                "seq": record.seq,
                "id": record.id,
                "at": record.at,
                "type": record.type,
                "version": record.version,
                "data": data,
                "prev": record.prev,
                "hash": record.hash,
                "chain_verified": verified,
            }


class Log:
    """A run's output as plain text, also while it grows."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: str, name: str) -> None:
        """`offset` in bytes, a negative one from the end; `limit` in bytes. Headers say the size and where to go on."""
        if name not in _LOGS:
            raise falcon.HTTPNotFound(title="no such log", description=f"there are {', '.join(_LOGS)}")
        path = self._archive.folder(self._archive.find_run(run_id)) / _LOGS[name]
        size = path.stat().st_size if path.is_file() else 0
        offset = whole_number(req, "offset", 0, least=-(2**53), most=2**53)
        limit = whole_number(req, "limit", _MOST_LOG_BYTES, least=1, most=_MOST_LOG_BYTES)
        begin = max(0, size + offset) if offset < 0 else min(offset, size)
        piece = b""
        if size:
            with path.open("rb") as file:
                file.seek(begin)
                piece = file.read(limit)
        resp.data = piece
        resp.content_type = "text/plain; charset=utf-8"
        resp.set_header("X-Log-Size", str(size))
        resp.set_header("X-Next-Offset", str(begin + len(piece)))


class ArtifactFile:
    """A file that a run left, to keep: never shown by the browser itself."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: str, path: str) -> None:
        """Only a path that the run recorded, and only where it is still a file of the run's own folder."""
        run = self._archive.find_run(run_id)
        file, size = open_artifact(run, self._archive.folder(run), path)
        name = _UNSAFE_IN_NAME.sub("_", PurePosixPath(path).name)
        resp.content_type = "application/octet-stream"
        resp.set_header("Content-Disposition", f'attachment; filename="{name}"')
        resp.set_stream(file, size)


class Samples:
    """The samples that a run recorded in a `samples.jsonl`."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: str) -> None:
        """`offset` and `limit` count samples; `correct` (0 or 1) keeps only the wrong or the right ones."""
        run = self._archive.find_run(run_id)
        offset = whole_number(req, "offset", 0, least=0, most=2**53)
        limit = whole_number(req, "limit", 100, least=1, most=_MOST_SAMPLES)
        only = whole_number(req, "correct", -1, least=0, most=1)
        recorded = next((a.path for a in run.artifacts if PurePosixPath(a.path).name == "samples.jsonl"), None)
        if recorded is None:
            answer(resp, {"samples": [], "total": 0})
            return
        file, _ = open_artifact(run, self._archive.folder(run), recorded)
        with file:
            rows = [row for line in file if (row := _sample(line)) is not None]
        if only >= 0:
            rows = [row for row in rows if bool(row.get("correct")) is bool(only)]
        answer(resp, {"samples": rows[offset : offset + limit], "total": len(rows)})


def is_stale(run: Run) -> bool:
    """Whether a run that should be under way gives no sign of life, and its owner is not provably alive."""
    if run.status != "running":
        return False
    silence = (datetime.now(UTC) - parse_utc(run.last_seen_at)).total_seconds()
    return silence > STALE_SECONDS and liveness(run.owner) != "alive"


def open_artifact(run: Run, folder: Path, path: str) -> tuple[BinaryIO, int]:
    """A recorded artifact, opened, and its size. Raises HTTPNotFound."""
    if path not in {artifact.path for artifact in run.artifacts}:
        raise falcon.HTTPNotFound(title="no such artifact", description="the run recorded no file of that name")
    try:
        file = (folder / path).resolve(strict=True)
        if not file.is_relative_to(folder.resolve(strict=True)) or not file.is_file():
            raise FileNotFoundError
        return file.open("rb"), file.stat().st_size
    except (OSError, ValueError):
        raise falcon.HTTPNotFound(
            title="artifact gone", description="the run recorded this file, but it is not in the run's folder any more"
        ) from None


def _sample(line: bytes) -> dict[str, Any] | None:
    try:
        row = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return None
    return row if isinstance(row, dict) else None
