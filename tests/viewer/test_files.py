"""Logs and artifacts: in pieces, by ranges, searched, and listed as they were recorded and as they are now."""

from __future__ import annotations

import pytest


@pytest.fixture
def log(client, add):
    add("run_a", files={"stdout.log": b"one\nTwo \x1b[31mred\x1b[0m lines\nthree\r\ntwo again\nno end"})
    return "/api/runs/run_a/logs/stdout"


@pytest.mark.parametrize(
    ("header", "content", "told"),
    [
        ("bytes=0-2", b"one", "bytes 0-2/50"),
        ("bytes=44-", b"no end", "bytes 44-49/50"),
        ("bytes=-6", b"no end", "bytes 44-49/50"),
        ("bytes=0-999", None, "bytes 0-49/50"),
    ],
)
def test_a_range_of_a_log(client, log, header, content, told):
    answer = client.simulate_get(log, headers={"Range": header})
    assert (answer.status_code, answer.headers["content-range"]) == (206, told)
    assert content is None or answer.content == content


def test_a_range_after_the_end_is_refused(client, log):
    answer = client.simulate_get(log, headers={"Range": "bytes=50-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */50")
    assert client.simulate_get(log, headers={"Range": "bytes=x"}).status_code == 400


def test_the_lines_that_contain_a_text(client, log):
    told = client.simulate_get(f"{log}/matches?q=TWO").json
    assert told["matches"] == [
        {"offset": 4, "line": 2, "text": "Two red lines", "context_offset": 0, "lines_before": 1},
        {"offset": 34, "line": 4, "text": "two again", "context_offset": 0, "lines_before": 3},
    ]
    assert (told["next_offset"], told["size"]) == (None, 50)
    assert len(client.simulate_get(f"{log}/matches", params={"q": "two red"}).json["matches"]) == 1
    first = client.simulate_get(f"{log}/matches?q=two&limit=1").json
    rest = client.simulate_get(f"{log}/matches?q=two&offset={first['next_offset']}").json
    assert [match["offset"] for match in first["matches"] + rest["matches"]] == [4, 34]
    assert client.simulate_get(f"{log}/matches").status_code == 400
    assert client.simulate_get("/api/runs/run_a/logs/stderr/matches?q=x").json["matches"] == []


def test_a_line_without_end_is_searched_in_pieces(client, add):
    add("run_a", files={"stdout.log": b"x" * 200_000 + b"needle" + b"x" * 200_000})
    [match] = client.simulate_get("/api/runs/run_a/logs/stdout/matches?q=needle").json["matches"]
    assert len(match["text"]) == 500 and match["line"] == 1


def test_artifacts_as_recorded_and_as_they_are(client, add, workspace):
    add("run_a", files={"output/result.json": b"{}", "output/model.bin": b"\0\1", "output/gone.txt": b"x"})
    (workspace.run_folder("rg_1", "b", "b", "run_a") / "output" / "gone.txt").unlink()
    listed = client.simulate_get("/api/runs/run_a/artifacts").json["artifacts"]
    assert [(some["path"], some["present"], some["is_text"]) for some in listed] == [
        ("output/result.json", True, True),
        ("output/model.bin", True, False),
        ("output/gone.txt", False, True),
    ]
    assert listed[0]["bytes"] == 2 and len(listed[0]["sha256"]) == 64


def test_an_artifact_as_text_in_pieces(client, add):
    add("run_a", files={"output/notes.txt": b"0123456789"})
    path = "/api/runs/run_a/artifacts/output/notes.txt?view=text"
    answer = client.simulate_get(f"{path}&offset=2&limit=3")
    assert (answer.content, answer.headers["x-next-offset"], answer.headers["x-log-size"]) == (b"234", "5", "10")
    assert client.simulate_get(f"{path}&offset=-2").content == b"89"


def test_a_run_has_the_sizes_of_its_growing_logs(client, add, workspace):
    add("run_a", files={"stdout.log": b"one"}, end=False)
    first = client.simulate_get("/api/runs/run_a")
    assert first.json["logs"] == {"stdout": 3, "stderr": None}
    with (workspace.run_folder("rg_1", "b", "b", "run_a") / "stdout.log").open("ab") as log:
        log.write(b"two")
    again = client.simulate_get("/api/runs/run_a", headers={"If-None-Match": first.headers["etag"]})
    assert again.json["logs"]["stdout"] == 6


def test_samples_are_searched_and_counted(client, add):
    content = b'{"id": "1", "correct": true, "answer": "Paris"}\n{"id": "2", "correct": false}\n{"id": "3"}\n[]\n'
    add("run_a", files={"output/samples.jsonl": content})
    told = client.simulate_get("/api/runs/run_a/samples?q=paris").json
    assert [sample["id"] for sample in told["samples"]] == ["1"]
    assert (told["total"], told["right"], told["wrong"], told["unreadable"]) == (1, 1, 1, 1)
