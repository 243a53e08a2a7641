"""`/api/charts` and `/charts/…`: the script that draws charts. Only pages with charts load it."""

from __future__ import annotations

import threading

import falcon
import msgspec

from ...projections.render.chart_bundle import ChartBundle, chart_bundle
from ..api.answers import answer, pack, send_packed
from ..api.parameters import Form

_FOR_EVER = "public, max-age=31536000, immutable"


class ChartScript(msgspec.Struct, frozen=True):
    """The address of the script. Another script has another address, so a browser keeps it for ever."""

    script: str


class _Bundle:
    """The script, read with the first request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: tuple[ChartBundle, bytes | None] | None = None

    def get(self) -> tuple[ChartBundle, bytes | None]:
        """The script, plain and compressed."""
        with self._lock:
            if (made := self._made) is None:
                bundle = chart_bundle()
                made = self._made = bundle, pack(bundle.content)
            return made


class Charts:
    """Gives the address of the script."""

    about = "The address of the script that draws Vega-Lite charts"
    parameters = Form()
    answer = ChartScript

    def __init__(self) -> None:
        self.bundle = _Bundle()

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Its address."""
        self.parameters.read(req)
        answer(req, resp, ChartScript(f"/charts/{self.bundle.get()[0].name}"))

    on_head = on_get


class ChartFile:
    """The script itself."""

    def __init__(self, charts: Charts) -> None:
        self._bundle = charts.bundle

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """Its bytes. Raises HTTPNotFound for another name."""
        bundle, packed = self._bundle.get()
        if name != bundle.name:
            raise falcon.HTTPNotFound(title="no such script", description="/api/charts has its address")
        resp.content_type = "text/javascript"
        resp.set_header("Cache-Control", _FOR_EVER)
        send_packed(req, resp, bundle.content, packed)

    on_head = on_get
