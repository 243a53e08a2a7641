"""The viewer as a WSGI application: its routes, and the files of its page."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Collection
from pathlib import Path

import falcon

from ..ledger.errors import LedgerError
from ..ledger.storage.chain import BadLine
from ..ledger.store import EventStore
from ..projections.published.page import PROVING
from ..projections.sqlite.keeping import Notice, ProjectionError
from ..projections.workspace import Workspace
from .api.answers import Replies, ledger_problem, no_such_moment, problem_json
from .api.guard import LOOPBACK, Guard
from .api.metrics import Metrics
from .api.openapi import Description, Route
from .api.raw_path import CONVERTERS, RawPath, template
from .api.site import Site
from .index.archive import Archive, NoSuchMoment
from .index.kept import Locks
from .index.notable import NotableEvents
from .index.pairing import Pairs
from .index.proof import ChainProof
from .resources.artifacts import ArtifactFile, Artifacts
from .resources.attention import Attention, warm_up
from .resources.benchmarks import Benchmarks, OneBenchmark
from .resources.board import ByContender
from .resources.campaign import OneCampaign
from .resources.campaigns import Campaigns
from .resources.charts import ChartFile, Charts
from .resources.compare import Compare
from .resources.corrections import Corrections, OpenLedger, Writing
from .resources.dataset import ViewerData
from .resources.heat_map import BenchmarkSamples
from .resources.high_scores import HighScores
from .resources.integrity import Changes, Integrity
from .resources.leaderboard import Standings
from .resources.leaders import Leaders
from .resources.ledger import LedgerExtent
from .resources.logs import Log, LogMatches
from .resources.overview import Overview
from .resources.page_files import PageFile
from .resources.paired import CompareSamples, CompareSettings, CompareTranscripts
from .resources.proof import ProofOfRun
from .resources.query import AskQuery, QueryViews
from .resources.registrations import OneRegistration, Registrations
from .resources.run import Events, OneRun
from .resources.runs import Runs
from .resources.samples import OneSample, Samples, Trajectories
from .resources.status import Health, PrometheusMetrics
from .resources.stream import Stream
from .resources.timeline import RunsOverTime

_PAGE = Path(__file__).with_name("page")


def create_app(
    workspace: Path | Workspace,
    store: EventStore,
    *,
    hosts: Collection[str] = LOOPBACK,
    token: str | None = None,
    max_streams: int = 2,
    closing: threading.Event | None = None,
    eager: bool = False,
    notice: Notice | None = None,
    open_ledger: OpenLedger | None = None,
) -> falcon.App[falcon.Request, falcon.Response]:
    """The application. It answers under the names in `hosts`; with a `token`, only to clients that have it.

    At most `max_streams` streams hold a thread at a time; they end when `closing` is set. If it is `eager`, a thread
    reads the history at once, and not with the first request. `notice` is called with what another program has changed
    in the projection. With `open_ledger`, visitors who have the token, or whom a trusted proxy names, may write
    corrections.
    """
    archive = Archive(workspace if isinstance(workspace, Workspace) else Workspace(workspace), store, notice)
    site = site_of(archive, closing or threading.Event())
    if eager:
        threading.Thread(target=_work_in_background, args=(site,), daemon=True).start()
    app = falcon.App()
    app.add_middleware(site.metrics)
    app.add_middleware(RawPath())
    app.add_middleware(Guard(hosts, token))
    app.add_middleware(site.replies)
    app.set_error_serializer(problem_json)
    for unreadable in (LedgerError, BadLine, ProjectionError, sqlite3.DatabaseError):
        app.add_error_handler(unreadable, ledger_problem)
    app.add_error_handler(NoSuchMoment, no_such_moment)
    app.router_options.converters.update(CONVERTERS)
    app.req_options.strip_url_path_trailing_slash = True
    app.req_options.auto_parse_qs_csv = False
    charts = Charts()
    routes = [
        *_routes(site, max_streams),
        Route("/api/corrections", Writing(open_ledger, has_token=token is not None)),
        Route("/api/runs/{run_id}/corrections", Corrections(site, open_ledger, has_token=token is not None)),
        Route("/api/charts", charts),
    ]
    for route in [*routes, Route("/api/openapi.json", Description(routes))]:
        app.add_route(template(route.path), route.resource)
    app.add_route("/health", Health())
    app.add_route(template("/charts/{name}"), ChartFile(charts))
    # Each file has a route of its own: the path of a request never becomes a path of the disk.
    for path, file in page_files().items():
        app.add_route("/" if path == "/index.html" else path, PageFile(file))
    return app


def site_of(archive: Archive, closing: threading.Event) -> Site:
    """What all resources share."""
    return Site(
        archive=archive,
        proof=ChainProof(archive.store),
        replies=Replies(archive),
        metrics=Metrics(),
        closing=closing,
        slow=Locks(),
        pairs=Pairs(archive),
        notable=NotableEvents(archive.store),
    )


def _work_in_background(site: Site) -> None:
    site.archive.prepare()
    with contextlib.suppress(LedgerError, BadLine, ProjectionError, sqlite3.DatabaseError, OSError):
        warm_up(site)
    site.proof.run(site.closing)


def _routes(site: Site, max_streams: int) -> list[Route]:
    return [
        Route("/api/viewer-data", ViewerData(site)),
        Route("/api/overview", Overview(site)),
        Route("/api/runs", Runs(site)),
        Route("/api/runs/{run_id}", OneRun(site)),
        Route("/api/runs/{run_id}/events", Events(site)),
        Route("/api/runs/{run_id}/proof", ProofOfRun(site)),
        Route("/api/runs/{run_id}/logs/{name}", Log(site)),
        Route("/api/runs/{run_id}/logs/{name}/matches", LogMatches(site)),
        Route("/api/runs/{run_id}/samples", Samples(site)),
        Route("/api/runs/{run_id}/sample", OneSample(site)),
        Route("/api/runs/{run_id}/trajectories", Trajectories(site)),
        Route("/api/runs/{run_id}/artifacts", Artifacts(site)),
        Route("/api/runs/{run_id}/artifacts/{path:path}", ArtifactFile(site)),
        Route("/api/benchmarks", Benchmarks(site)),
        Route("/api/benchmarks/{benchmark_id}", OneBenchmark(site)),
        Route("/api/benchmarks/{benchmark_id}/samples", BenchmarkSamples(site)),
        Route("/api/leaderboard", Standings(site)),
        Route("/api/board", ByContender(site)),
        Route("/api/leaders", Leaders(site)),
        Route("/api/attention", Attention(site)),
        Route("/api/timeline", RunsOverTime(site)),
        Route("/api/campaigns", Campaigns(site)),
        Route("/api/campaigns/{run_group_id}", OneCampaign(site)),
        Route("/api/compare", Compare(site)),
        Route("/api/compare/samples", CompareSamples(site)),
        Route("/api/compare/transcripts", CompareTranscripts(site)),
        Route("/api/compare/settings", CompareSettings(site)),
        Route("/api/high-scores", HighScores(site)),
        Route("/api/ledger", LedgerExtent(site)),
        Route("/api/integrity", Integrity(site)),
        Route("/api/registrations", Registrations(site)),
        Route("/api/registrations/{registration_id}", OneRegistration(site)),
        Route("/api/changes", Changes(site)),
        Route("/api/query", AskQuery(site)),
        Route("/api/query/views", QueryViews(site)),
        Route("/api/stream", Stream(site, max_streams)),
        Route("/healthz", Health()),
        Route("/metrics", PrometheusMetrics(site)),
    ]


def page_files() -> dict[str, Path]:
    """The files that make up the page, by their paths. It checks proofs as a published table does, by the same ones."""
    patterns = ("index.html", "*.svg", "css/*.css", "js/**/*.js")
    files = sorted(file for pattern in patterns for file in _PAGE.glob(pattern))
    shared = {f"/js/{file.name}": file for file in PROVING}
    return {**shared, **{"/" + file.relative_to(_PAGE).as_posix(): file for file in files}}
