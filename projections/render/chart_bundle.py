"""The script that draws Vega-Lite charts in a page: Vega Embed with all that it needs, made once and kept on disk."""

from __future__ import annotations

import contextlib
import os
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import msgspec

from ...ledger.output_file import written_whole

_CACHE_VARIABLE = "BENCHMARKS_CACHE"


class ChartBundle(msgspec.Struct, frozen=True):
    """The script, and a name that is another one for another script."""

    name: str
    content: bytes


def chart_bundle() -> ChartBundle:
    """The script; making it takes a second or two, reading it from the cache a few milliseconds.

    It sets `vegaEmbed` on the window. A cache that can't be written is done without.
    """
    file = _folder() / f"vega-{version('vl-convert-python')}.js"
    try:
        content = file.read_bytes()
    except OSError:
        content = _make()
        with contextlib.suppress(OSError):
            _keep(file, content)
    return ChartBundle(f"vega-{sha256(content).hexdigest()[:16]}.js", content)


def _make() -> bytes:
    import vl_convert

    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return script.encode()


def _keep(file: Path, content: bytes) -> None:
    """Write the file in one step: another process may be reading or writing it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(file) as build:
        build.write_bytes(content)


def _folder() -> Path:
    if chosen := os.environ.get(_CACHE_VARIABLE):
        return Path(chosen).absolute() / "charts"
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "benchmark-orchestrator" / "charts"
