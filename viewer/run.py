"""`/api/runs/{id}` and what belongs to one run: its events, logs, artifacts and samples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import falcon
import msgspec

from ..ledger.chain import GENESIS, BadLine, check
from ..ledger.codec import decode
from ..ledger.fold import Run
from ..ledger.staleness import is_stale
from ..projections.database import read_runs
from ..projections.rows import event_row, run_row
from .answers import Archive, answer, check_parameters, find_run, is_known, whole_number

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
        with self._archive.history() as (connection, state):
            run = find_run(connection, run_id)
            stale = is_stale(run)
            if is_known(req, resp, state, [run_id] if stale else []):
                return
            same = list(read_runs(connection, "WHERE signature = ? AND run_id <> ?", (run.signature, run.run_id)))
        attempts = [
            {"run_id": other.run_id, "attempt": other.attempt, "status": other.status, "score": other.score}
            | {"started_at": other.started_at}
            for other in same
            if run.signature
        ]
        head = {"position": state.position, "hash": state.head_hash, "at": state.at}
        answer(resp, {"run": run_row(run), "stale": stale, "attempts": attempts, "head": head})

    on_head = on_get


class Events:
    """The events of a run, each with the proof that it stands unchanged in the chain."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: str) -> None:
        """`chain_verified`: the line's hash was computed anew, and it follows the line before it."""
        # No ETag: that an answer stands as it was would be no proof.
        run = self._archive.find_run(run_id)
        answer(resp, {"events": list(self._events(run))})

    on_head = on_get

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
            yield {**event_row(record), "chain_verified": verified}


class Log:
    """A run's output as plain text, also while it grows."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: str, name: str) -> None:
        """`offset` in bytes, a negative one from the end; `limit` in bytes. Headers say the size and where to go on."""
        check_parameters(req, "offset", "limit")
        if name not in _LOGS:
            raise falcon.HTTPNotFound(title="no such log", description=f"there are {', '.join(_LOGS)}")
        folder = self._archive.folder(self._archive.find_run(run_id))
        offset = whole_number(req, "offset", 0, least=-(2**53), most=2**53)
        limit = whole_number(req, "limit", _MOST_LOG_BYTES, least=1, most=_MOST_LOG_BYTES)
        size, begin, piece = 0, 0, b""
        if (folder / _LOGS[name]).exists():
            file, size = open_inside(folder, _LOGS[name])
            with file:
                begin = max(0, size + offset) if offset < 0 else min(offset, size)
                file.seek(begin)
                piece = file.read(min(limit, size - begin))
        resp.data = piece
        resp.content_type = "text/plain; charset=utf-8"
        resp.set_header("X-Log-Size", str(size))
        resp.set_header("X-Next-Offset", str(begin + len(piece)))

    on_head = on_get


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

    on_head = on_get


class Samples:
    """The samples that a run recorded in a `samples.jsonl`."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def on_get(self, req: falcon.Request, resp: falcon.Response, run_id: str) -> None:
        """`offset` and `limit` count samples; `correct` (0 or 1) keeps only the wrong or the right ones."""
        check_parameters(req, "offset", "limit", "correct")
        run = self._archive.find_run(run_id)
        offset = whole_number(req, "offset", 0, least=0, most=2**53)
        limit = whole_number(req, "limit", 100, least=1, most=_MOST_SAMPLES)
        only = whole_number(req, "correct", -1, least=0, most=1)
        recorded = next((a.path for a in run.artifacts if PurePosixPath(a.path).name == "samples.jsonl"), None)
        if recorded is None:
            answer(resp, {"samples": [], "total": 0, "unreadable": 0})
            return
        file, _ = open_artifact(run, self._archive.folder(run), recorded)
        samples: list[dict[str, Any]] = []
        total = unreadable = 0
        with file:
            for line in file:
                sample = _sample(line)
                if sample is None:
                    unreadable += bool(line.strip())
                elif only < 0 or sample.get("correct") is bool(only):
                    if offset <= total < offset + limit:
                        samples.append(sample)
                    total += 1
        answer(resp, {"samples": samples, "total": total, "unreadable": unreadable})

    on_head = on_get


def open_artifact(run: Run, folder: Path, path: str) -> tuple[BinaryIO, int]:
    """A recorded artifact, opened, and its size. Raises HTTPNotFound."""
    if path not in {artifact.path for artifact in run.artifacts}:
        raise falcon.HTTPNotFound(title="no such artifact", description="the run recorded no file of that name")
    return open_inside(folder, path)


def open_inside(folder: Path, path: str) -> tuple[BinaryIO, int]:
    """A file of a run's folder, opened, and its size: links may lead about in the folder, but not out of it.

    Raises HTTPNotFound.
    """
    try:
        file = (folder / path).resolve(strict=True)
        if not file.is_relative_to(folder.resolve(strict=True)) or not file.is_file():
            raise FileNotFoundError
        return file.open("rb"), file.stat().st_size
    except (OSError, ValueError):
        raise falcon.HTTPNotFound(
            title="file gone", description=f"'{path}' belongs to the run, but is no file of the run's folder any more"
        ) from None


def _sample(line: bytes) -> dict[str, Any] | None:
    try:
        row = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return None
    return row if isinstance(row, dict) else None
