"""Vega-Lite specifications as pictures, by the Vega that vl-convert carries: no browser and no network."""

from __future__ import annotations

import re
from typing import Any

from ....ledger.events import Json
from ..text import xml_text

VEGA_LITE = "5.21"

_NAMED = re.compile(r'(\bid="|url\(#|href="#)')


def draw_svg(spec: Json, *, prefix: str = "") -> str:
    """The picture as SVG. With a `prefix` of its own, it can stand beside others in one page: ids are the page's.

    Raises ValueError if it is not a specification.
    """
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(_drawable(spec), vl_version=VEGA_LITE, allowed_base_urls=[])
    return _NAMED.sub(rf"\g<1>{prefix}", drawn) if prefix else drawn


def draw_png(spec: Json, *, scale: float = 2.0) -> bytes:
    """The picture as PNG, with `scale` pixels for a CSS pixel. Raises ValueError if it is not a specification."""
    import vl_convert

    drawn: bytes = vl_convert.vegalite_to_png(_drawable(spec), vl_version=VEGA_LITE, scale=scale, allowed_base_urls=[])
    return drawn


def _drawable(part: Any) -> Any:
    """The same without what an SVG can't hold: at a control character vl-convert would end this process."""
    if isinstance(part, dict):
        return {name: _drawable(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_drawable(value) for value in part]
    return xml_text(part) if isinstance(part, str) else part
