"""`report`: one self-contained file, of real runs."""

from __future__ import annotations

import json


def test_a_report_of_the_whole_history_or_of_a_group(bench, tmp_path):
    bench.add("good")
    bench.run("good", more=("--model", "one"))
    bench.run("good", more=("--model", "two"))
    head = bench.events()[-1]
    page = tmp_path / "page.html"
    pictures = [tmp_path / "svg", tmp_path / "png"]
    done = bench("report", "--output", str(page), "--svg", str(pictures[0]), "--png", str(pictures[1]))
    assert done.stdout.strip() == str(page)
    text = page.read_text()
    assert text.startswith("<!doctype html>") and "<svg" in text and head["hash"] in text
    assert f"ledger verify --expect-head {head['hash']}" in text
    bench("ledger", "verify", "--expect-head", head["hash"])
    assert [path.suffix for folder in pictures for path in folder.iterdir()] == [".svg", ".png"]
    bench("report", "--output", str(tmp_path / "again.html"))
    assert (tmp_path / "again.html").read_text() == text
    group = bench.runs()[0]["run_group_id"]
    shown = json.loads(bench("report", group, "--json").stdout)
    assert [standing["model"] for standing in shown["standings"]] == ["one"] and shown["scope"] == f"group {group}"
    bench("report", "two", "--markdown", "--output", str(tmp_path / "page.md"))
    assert "| good |" in (tmp_path / "page.md").read_text()
    first_closed = bench.events("group_closed")[0]["seq"]
    then = json.loads(bench("report", "--json", "--as-of", str(first_closed)).stdout)
    assert then["head"]["position"] == first_closed and len(then["standings"]) == 1
    assert "unknown run, group, model or agent 'three'" in bench("report", "three", "--json", code=2).stderr
    assert (
        "WHAT cannot be as-of:TIME here\nhint: use the option --as-of TIME"
        in bench("report", "as-of:3", "--json", code=2).stderr
    )
