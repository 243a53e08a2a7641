"""The viewer as one HTML file: the same page with its data inside. It needs no server."""

from __future__ import annotations

import base64
import gzip
import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import falcon.testing
import msgspec

from ..ledger.output_file import written_whole
from ..ledger.store import EventStore
from ..projections.render.chart_bundle import chart_bundle
from ..projections.sqlite.keeping import ProjectionError
from .api.parameters import MAX_TEXT
from .app import create_app
from .index.proof import ChainProof

_PAGE = Path(__file__).with_name("page")
_ROWS_AT_ONCE = 1000
_DAYS = (1, 7, 30, 365)
_CAMPAIGNS = 50
_COMPARED = 6
_IMPORT = re.compile(r'(\bfrom |\bimport |\bimport\()"\./([\w-]+)\.js"')
_STYLESHEET = re.compile(r'<link rel="stylesheet" href="css/([\w-]+\.css)">\n')


_SAMPLE_BYTES = 6_000_000
"""Bytes of samples, before they are compressed; those of the newest runs come first, and the rest is named."""
_SAMPLES_OF_A_RUN = 500


def write_page(workspace: Path, store: EventStore, file: Path, *, details: int, with_charts: bool = True) -> int:
    """Write the file. Returns the number of runs in it.

    Of the newest `details` runs it has everything but logs, and samples as far as there is room. Raises LedgerDamaged,
    and OSError if the file cannot be written.
    """
    asked = _Asked(workspace, store)
    runs = list(asked.runs())
    benchmarks = sorted({run["benchmark_id"] for run in runs} - {""})
    inside = {
        "head": asked.get("/api/ledger")["head"],
        "runs": runs,
        "details": {
            run["run_id"]: {"run": asked.get(path), "events": asked.get(f"{path}/events")}
            for run in runs[:details]
            for path in [f"/api/runs/{_part(run['run_id'])}"]
            if run["run_id"]
        },
        "answers": dict(asked.answers(benchmarks)),
        "samples": asked.samples([run["run_id"] for run in runs[:details] if run["status"] == "succeeded"]),
    }
    content = _page(inside, chart_bundle().content if with_charts else b"")
    with written_whole(file) as target:
        target.write_text(content, encoding="utf-8")
    return len(runs)


class _Asked:
    """The viewer's own API, without a server."""

    def __init__(self, workspace: Path, store: EventStore) -> None:
        self._store = store
        self._client = falcon.testing.TestClient(create_app(workspace, store), headers={"Host": "127.0.0.1"})

    def get(self, path: str, **parameters: Any) -> Any:
        """The answer of the API. Raises LedgerDamaged, or ProjectionError with the API's error."""
        found = self._client.simulate_get(path, params=parameters)
        if found.status_code != 200:
            for _ in self._store.read():  # If the ledger is damaged, this error says where.
                pass
            raise ProjectionError(f"{path} failed: {found.json.get('detail', found.text)}")
        return found.json

    def runs(self) -> Iterable[Any]:
        """Every row of a run, the newest first."""
        offset, rows = 0, None
        while rows is None or len(rows) == _ROWS_AT_ONCE:
            rows = self.get("/api/runs", offset=offset, limit=_ROWS_AT_ONCE, facets=0)["runs"]
            yield from rows
            offset += _ROWS_AT_ONCE

    def answers(self, benchmarks: Iterable[str]) -> Iterable[tuple[str, Any]]:
        """Addresses with their answers, as the page asks for them."""
        for path in ("/api/leaderboard", "/api/benchmarks", "/api/high-scores", "/api/ledger", "/api/board"):
            yield path, self.get(path)
        yield "/api/board?runs=repeats", self.get("/api/board", runs="repeats")
        for days in _DAYS:
            for path in ("/api/overview", "/api/leaders", "/api/attention", "/api/timeline"):
                yield f"{path}?days={days}", self.get(path, days=days)
        yield from self._campaigns()
        yield "/api/integrity", self.proven("/api/integrity")
        yield from self._comparisons()
        for benchmark in benchmarks:
            path = f"/api/benchmarks/{_part(benchmark)}"
            history = self.get(path)
            yield path, history
            for task in history["tasks"]:
                key = task["comparison_key"]
                if len(key) <= MAX_TEXT:
                    yield f"{path}?task={_part(key)}", self.get(path, task=key)

    def samples(self, run_ids: Iterable[str]) -> dict[str, Any]:
        """The samples of runs, each with everything about it, as far as there is room."""
        found: dict[str, Any] = {}
        room = _SAMPLE_BYTES
        for run_id in run_ids:
            path = f"/api/runs/{_part(run_id)}"
            listed = self.get(f"{path}/samples", brief=1, limit=_SAMPLES_OF_A_RUN)
            rows = listed["rows"]
            if not rows or len(rows) < listed["total"]:
                continue
            one = {}
            for row in rows:
                named = {"id": row["id"], **({"line": row["line"]} if row["is_repeated"] else {})}
                one[str(row["line"])] = self.get(f"{path}/sample", **named)
            room -= len(msgspec.json.encode([listed, one]))
            if room < 0:
                break
            found[run_id] = {"list": listed, "one": one}
        return found

    def proven(self, path: str) -> Any:
        """An answer after the whole chain was proven: without a server, no thread does that in the background."""
        proof = ChainProof(self._store)
        while proof.step():
            pass
        found = self.get(path)
        return {
            **found,
            "state": proof.state(found["head"]["position"], len(found["problems"])),
            "proven": proof.position,
            "damage": proof.damage,
        }

    def _campaigns(self) -> Iterable[tuple[str, Any]]:
        listed = self.get("/api/campaigns", limit=_CAMPAIGNS)
        yield "/api/campaigns", listed
        for one in listed["campaigns"]:
            path = f"/api/campaigns/{_part(one['run_group_id'])}"
            yield path, self.get(path)

    def _comparisons(self) -> Iterable[tuple[str, Any]]:
        """Each model with each other, and each agent, if there are not too many."""
        board = self.get("/api/board")["contenders"]
        for kind in ("model", "agent"):
            names = sorted({one[kind] for one in board})
            if len(names) <= _COMPARED:
                for a, b in itertools.permutations(names, 2):
                    sides = [f"{kind}:{a}", f"{kind}:{b}"]
                    found = self._client.simulate_get("/api/compare", params={"of": sides})
                    if found.status_code == 200:
                        yield f"/api/compare?{urlencode({'of': sides}, doseq=True, quote_via=quote_plus)}", found.json


def _part(name: str) -> str:
    """A name as a part of a path, as `encodeURIComponent` writes it in the page."""
    return quote(name, safe="!'()*")


def _page(inside: dict[str, Any], charts: bytes) -> str:
    """The page's own files in one: styles and scripts inline, modules by an import map."""
    page = (_PAGE / "index.html").read_text(encoding="utf-8")
    page = page.replace('<html lang="en">', '<html lang="en" data-inside>')
    page = _STYLESHEET.sub(lambda found: f"<style>\n{_read('css', found[1])}</style>\n", page)
    icon = base64.b64encode((_PAGE / "icon.svg").read_bytes()).decode()
    page = page.replace("icon.svg", f"data:image/svg+xml;base64,{icon}")
    page = page.replace('<script src="js/theme.js"></script>', f"<script>{_script(_read('js', 'theme.js'))}</script>")
    start = '<script type="module">import "page/offline.js"; import("page/main.js");</script>'
    script = f"{_packed('data', msgspec.json.encode(inside))}\n{_packed('charts', charts)}\n{_modules()}\n{start}"
    # At the end of the body: the import map must come before the modules, and the data are long.
    page = page.replace('<script type="module" src="js/main.js"></script>\n', "")
    return page.replace("</body>", f"{script}\n</body>")


def _modules() -> str:
    """The import map: each module as an address that holds it."""
    imports = {}
    for file in sorted((_PAGE / "js").glob("*.js")):
        text = _IMPORT.sub(r'\1"page/\2.js"', file.read_text(encoding="utf-8"))
        imports[f"page/{file.name}"] = f"data:text/javascript;base64,{base64.b64encode(text.encode()).decode()}"
    return f'<script type="importmap">{msgspec.json.encode({"imports": imports}).decode()}</script>'


def _packed(name: str, content: bytes) -> str:
    """Bytes, compressed, in an element that no browser runs. No text of a benchmark can end it."""
    if not content:
        return ""
    packed = base64.b64encode(gzip.compress(content, mtime=0)).decode()
    return f'<script type="application/gzip" id="{name}">{packed}</script>'


def _script(text: str) -> str:
    """A script for use inside a page: nothing in it looks like the end of an element."""
    return text.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _read(folder: str, name: str) -> str:
    return (_PAGE / folder / name).read_text(encoding="utf-8")
