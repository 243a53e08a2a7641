"""The script that draws charts: made once, kept, and served under a name that a browser may keep for ever."""

from __future__ import annotations

import gzip

from benchmarks.projections.render import chart_bundle as bundling
from benchmarks.projections.render.chart_bundle import chart_bundle


def test_the_script_is_named_by_its_content(client):
    address = client.simulate_get("/api/charts").json["script"]
    found = client.simulate_get(address, headers={"Accept-Encoding": "gzip"})
    assert found.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert found.headers["Content-Type"] == "text/javascript"
    script = gzip.decompress(found.content)
    assert b"vegaEmbed" in script and len(script) > 500_000
    assert client.simulate_get(address).content == script
    assert client.simulate_get("/charts/vega-0000000000000000.js").status_code == 404
    assert client.simulate_get("/charts/..%2fapp.py").status_code == 404


def test_the_script_is_made_once_or_again_if_it_cannot_be_kept(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(bundling, "_make", lambda: made.append(1) or b"script")
    monkeypatch.setenv("BENCHMARKS_CACHE", str(tmp_path / "cache"))
    assert chart_bundle() == chart_bundle()
    assert len(made) == 1
    [kept] = (tmp_path / "cache" / "charts").iterdir()
    assert kept.read_bytes() == b"script"
    kept.write_bytes(b"another")
    assert chart_bundle().name != bundling.ChartBundle("", b"").name and chart_bundle().content == b"another"
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("BENCHMARKS_CACHE", str(file))
    assert chart_bundle().content == b"script" and len(made) == 2
