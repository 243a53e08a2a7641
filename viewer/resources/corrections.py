"""`/api/runs/{run_id}/corrections`: corrections that a visitor writes, as events; and whether this visitor may."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from typing import Annotated

import falcon
import msgspec
from msgspec import Meta

from ...ledger import corrections
from ...ledger.errors import LedgerError, LedgerUnwritable
from ...ledger.events import Record, ScoreAnew
from ...ledger.fold import Run
from ...ledger.ledger import Ledger
from ...projections.scores.corrected import score_without
from ...projections.sqlite.keeping import Notice, ProjectionError
from ...projections.sqlite.refresh import update_all
from ..api.answers import answer
from ..api.parameters import Form
from ..api.site import Site
from ..api.visitor import user_of
from .run import find_run

HEADER = "X-Benchmarks-Write"
"""Every request that writes must have it: a form or an image of another site cannot set a header."""

OpenLedger = Callable[[], Ledger]
"""Opens the ledger to append to it."""

_MAX_BODY = 1024 * 1024
_MAX_SAMPLES = corrections.MAX_EXCLUDED

_Text = Annotated[str, Meta(max_length=10_000)]
_Reason = Annotated[str, Meta(min_length=1, max_length=2_000)]
_Name = Annotated[str, Meta(max_length=200)]
_Samples = Annotated[list[Annotated[str, Meta(max_length=2_000)]], Meta(max_length=_MAX_SAMPLES)]


class _Correction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """A correction; `author` is who makes it. A user whom a trusted proxy names is always the author."""

    author: _Name = ""


class Annotate(_Correction, frozen=True, kw_only=True, tag="annotate"):
    """A remark, with words to find the run by."""

    note: _Text = ""
    tags: Annotated[list[_Name], Meta(max_length=20)] = []


class Retract(_Correction, frozen=True, kw_only=True, tag="retract"):
    """The run no longer counts."""

    reason: _Reason


class Reinstate(_Correction, frozen=True, kw_only=True, tag="reinstate"):
    """The retracted run counts again."""

    reason: _Reason


class Exclude(_Correction, frozen=True, kw_only=True, tag="exclude"):
    """The score is computed anew without these samples."""

    samples: _Samples
    reason: _Reason


class Include(_Correction, frozen=True, kw_only=True, tag="include"):
    """These samples count again; without `samples`, all that are excluded."""

    samples: _Samples = []
    reason: _Reason


Asked = Annotate | Retract | Reinstate | Exclude | Include


class Recorded(msgspec.Struct, frozen=True):
    """The event that was appended; None if nothing had to change."""

    run_id: str
    seq: int | None
    type: str | None


class MayWrite(msgspec.Struct, frozen=True):
    """Whether this visitor may write corrections, or why not; and the author, if a trusted proxy names one."""

    may_write: bool
    reason: str = ""
    author: str | None = None


class Writing:
    """Says whether a visitor may write."""

    about = "Whether you may write corrections"
    parameters = Form()
    answer = MayWrite

    def __init__(self, open_ledger: OpenLedger | None, *, has_token: bool) -> None:
        self._open_ledger = open_ledger
        self._has_token = has_token

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The answer."""
        self.parameters.read(req)
        why_not = _why_not(req, self._open_ledger, has_token=self._has_token)
        answer(req, resp, MayWrite(not why_not, why_not, user_of(req)))

    on_head = on_get


class Corrections:
    """Appends a correction of a run, as the command line does."""

    about = "Append a correction of a run: a remark, a retraction, a reinstatement, samples to exclude or include"
    parameters = Form()
    question = Asked
    answer = Recorded

    def __init__(self, site: Site, open_ledger: OpenLedger | None, *, has_token: bool) -> None:
        self._site = site
        self._open_ledger = open_ledger
        self._has_token = has_token

    def on_post(self, req: falcon.Request, resp: falcon.Response, run_id: str) -> None:
        """Record it. Raises HTTPForbidden, HTTPBadRequest with the reason, HTTPNotFound."""
        self.parameters.read(req)
        why_not = _why_not(req, self._open_ledger, has_token=self._has_token)
        if why_not or self._open_ledger is None:
            raise falcon.HTTPForbidden(title="corrections cannot be written here", description=why_not)
        asked = _read(req)
        run = find_run(self._site, run_id)
        author = user_of(req) or asked.author
        try:
            with contextlib.closing(self._open_ledger()) as ledger:
                record = self._record(ledger, run, asked, author)
        except corrections.Refused as problem:
            raise falcon.HTTPBadRequest(title="the correction was refused", description=str(problem)) from problem
        except LedgerUnwritable as problem:
            raise falcon.HTTPForbidden(title="the ledger cannot be written", description=str(problem)) from problem
        if record is not None:
            self._bring_up_to_date()
        resp.status = falcon.HTTP_200 if record is None else falcon.HTTP_201
        answer(req, resp, Recorded(run_id, record.seq if record else None, record.type if record else None))

    def _record(self, ledger: Ledger, run: Run, asked: Asked, author: str) -> Record | None:
        if isinstance(asked, Annotate):
            return corrections.annotate(ledger, run.run_id, author=author, note=asked.note, tags=asked.tags)
        if isinstance(asked, Retract):
            return corrections.retract(ledger, run.run_id, author=author, reason=asked.reason)
        if isinstance(asked, Reinstate):
            return corrections.reinstate(ledger, run.run_id, author=author, reason=asked.reason)
        change = corrections.exclude if isinstance(asked, Exclude) else corrections.include
        return change(ledger, run, asked.samples, author=author, reason=asked.reason, score=self._score)

    def _bring_up_to_date(self) -> None:
        """Bring `orchestrator.sqlite` and `viewer_data.json` up to the correction, as a command does.

        The correction is recorded already. So if this fails, a notice says it, and the next command catches up.
        """
        archive = self._site.archive
        notice: Notice = archive.notice or (lambda _: None)
        try:
            update_all(archive.workspace.database, archive.workspace.viewer_data, archive.store, notice=notice)
        except (LedgerError, ProjectionError, sqlite3.Error, OSError) as problem:
            notice(f"a correction was recorded, but the files beside the ledger are not up to date: {problem}")

    def _score(self, run: Run, excluded: frozenset[str]) -> ScoreAnew:
        return score_without(run, self._site.archive.workspace, excluded)


def _why_not(req: falcon.Request, open_ledger: OpenLedger | None, *, has_token: bool) -> str:
    """Why this visitor may not write; empty if they may. The guard has checked the token already."""
    if open_ledger is None:
        return "this viewer only reads"
    if not has_token and user_of(req) is None:
        return "a viewer without a token only reads; serve-viewer --token-file FILE gives it one"
    return ""


_decoder: msgspec.json.Decoder[Asked] = msgspec.json.Decoder(Asked)


def _read(req: falcon.Request) -> Asked:
    """The correction. Raises HTTPBadRequest, HTTPForbidden and HTTPUnsupportedMediaType."""
    if (req.content_type or "").partition(";")[0].strip() != falcon.MEDIA_JSON:
        raise falcon.HTTPUnsupportedMediaType(title="not JSON", description='send {"kind": "annotate", ...} as JSON')
    if req.get_header("Content-Encoding"):
        raise falcon.HTTPUnsupportedMediaType(title="compressed body", description="send it without compression")
    if not req.get_header(HEADER):
        raise falcon.HTTPForbidden(title="not from the page", description=f"a request that writes needs {HEADER}: 1")
    body = req.bounded_stream.read(_MAX_BODY + 1)
    if len(body) > _MAX_BODY:
        raise falcon.HTTPContentTooLarge(title="too long", description=f"a correction has at most {_MAX_BODY} bytes")
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError as problem:
        raise falcon.HTTPBadRequest(title="bad correction", description=str(problem)) from problem
