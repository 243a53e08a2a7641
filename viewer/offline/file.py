"""The page's own files and its data, in one file."""

from __future__ import annotations

import base64
import gzip
import re
from pathlib import Path

import msgspec

from ...ledger.output_file import written_whole
from ...ledger.store import EventStore
from ...projections.published.page import PROVING
from ...projections.render.chart_bundle import chart_bundle
from .asked import Asked, part
from .shared import Shared
from .states import States

_PAGE = Path(__file__).parents[1] / "page"
MOMENTS = 40
_START = "inside-start.js"
_IMPORT = re.compile(r'(\bfrom |\bimport |\bimport\()"\./([\w-]+)\.js"')
_STYLESHEET = re.compile(r'<link rel="stylesheet" href="css/([\w-]+\.css)">\n')


def write_page(
    workspace: Path, store: EventStore, file: Path, *, details: int, moments: int = MOMENTS, with_charts: bool = True
) -> int:
    """Write the file. Returns the number of runs in it.

    Of the newest `details` runs it has everything but logs, and samples as far as there is room. It has the history as
    of at most `moments` earlier moments. Raises LedgerDamaged, and OSError if the file cannot be written.
    """
    asked = Asked(workspace, store)
    newest = [run for _, run in zip(range(details), asked.runs(), strict=False) if run["run_id"]]
    run_ids = [run["run_id"] for run in newest]
    states = States(asked, store, run_ids)
    pool = Shared()
    inside = {
        "head": asked.get("/api/ledger")["head"],
        **states.packed(pool, moments),
        "events": {run_id: asked.get(f"/api/runs/{part(run_id)}/events") for run_id in run_ids},
        "samples": asked.samples([run["run_id"] for run in newest if run["status"] == "succeeded"]),
    }
    content = _page(pool.content(inside), chart_bundle().content if with_charts else b"")
    with written_whole(file) as target:
        target.write_text(content, encoding="utf-8")
    return len(states.now.runs)


def _page(data: bytes, charts: bytes) -> str:
    """The page's own files in one: styles inline, scripts compressed."""
    page = (_PAGE / "index.html").read_text(encoding="utf-8")
    page = page.replace('<html lang="en">', '<html lang="en" data-inside>')
    page = _STYLESHEET.sub(lambda found: f"<style>\n{_read('css', found[1])}</style>\n", page)
    icon = base64.b64encode((_PAGE / "icon.svg").read_bytes()).decode()
    page = page.replace("icon.svg", f"data:image/svg+xml;base64,{icon}")
    page = page.replace('<script src="js/theme.js"></script>', f"<script>{_script(_read('js', 'theme.js'))}</script>")
    parts = [
        _packed("data", data),
        _packed("charts", charts),
        _packed("scripts", msgspec.json.encode(_modules())),
        f"<script>{_script(_read('js', _START))}</script>",
    ]
    # At the end of the body: the script that starts the page needs what stands before it.
    page = page.replace('<script type="module" src="js/main.js"></script>\n', "")
    return page.replace("</body>", "\n".join([*filter(None, parts), "</body>"]))


def _modules() -> dict[str, str]:
    """Each module by the name that the others import it by."""
    return {
        f"page/{file.name}": _IMPORT.sub(r'\1"page/\2.js"', file.read_text(encoding="utf-8"))
        for file in [*sorted((_PAGE / "js").glob("*.js")), *PROVING]
        if file.name != _START
    }


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
