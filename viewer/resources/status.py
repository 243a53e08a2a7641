"""For monitoring: `/healthz` and `/metrics`."""

from __future__ import annotations

from typing import get_args

import falcon

from ...ledger.fold import Status
from ..api.parameters import Form
from ..api.site import Site


class Health:
    """Says that the server answers."""

    about = "Whether the server answers"
    parameters = Form()
    answer = "text/plain"

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The text `ok`."""
        resp.text = "ok\n"
        resp.content_type = falcon.MEDIA_TEXT

    on_head = on_get


class PrometheusMetrics:
    """The counts of the server and of the history, in Prometheus' text format."""

    about = "Counts for Prometheus"
    parameters = Form()
    answer = "text/plain"

    def __init__(self, site: Site) -> None:
        self._site = site

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Each metric with its meaning."""
        with self._site.archive.look() as view:
            statuses = view.table.names("status").counts(None)
            position, stale = view.head.position, len(view.stale)
        metrics = self._site.metrics
        lines: list[str] = []

        def add(name: str, kind: str, about: str, *values: tuple[str, float]) -> None:
            lines.extend((f"# HELP {name} {about}", f"# TYPE {name} {kind}"))
            lines.extend(f"{name}{labels} {value}" for labels, value in values)

        requests = [(f'{{status="{status}"}}', count) for status, count in sorted(metrics.requests.items())]
        add("viewer_requests_total", "counter", "Answered requests.", *requests)
        add("viewer_request_seconds_total", "counter", "Seconds spent on them.", ("", round(metrics.seconds, 6)))
        add("viewer_open_streams", "gauge", "Server-sent event streams that are open.", ("", metrics.streams))
        add("viewer_resident_memory_bytes", "gauge", "Memory of the server.", ("", _resident_bytes()))
        add("benchmarks_ledger_position", "gauge", "Position of the ledger's last event.", ("", position))
        runs = [(f'{{status="{status}"}}', statuses.get(status, 0)) for status in get_args(Status)[:3]]
        add("benchmarks_runs", "gauge", "Runs by status.", *runs)
        add("benchmarks_stale_runs", "gauge", "Running runs without a heartbeat for a long time.", ("", stale))
        resp.text = "\n".join(lines) + "\n"
        resp.content_type = "text/plain; version=0.0.4; charset=utf-8"

    on_head = on_get


def _resident_bytes() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)
