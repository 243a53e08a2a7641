"""`ledger`: what an auditor types."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def filled(bench):
    bench.add("good")
    bench.run("good")
    return bench


def segment(bench):
    [path] = (bench.results / "ledger").glob("*.jsonl")
    return path


def test_a_checkpoint_kept_elsewhere_proves_the_history_up_to_it(filled, tmp_path):
    note = tmp_path / "checkpoint"
    note.write_text(filled("ledger", "checkpoint").stdout)
    assert len(note.read_text().splitlines()) == 3
    filled.run("good", more=("--force",))
    filled("ledger", "verify", "--checkpoint", str(note))
    path = segment(filled)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    assert "cut off" in filled("ledger", "verify", "--checkpoint", str(note), code=3).stdout
    assert "is no checkpoint" in filled("ledger", "verify", "--checkpoint", str(path), code=2).stderr
    assert "No such file" in filled("ledger", "verify", "--checkpoint", str(tmp_path / "nothing"), code=2).stderr


def test_the_head_is_the_last_event_and_can_be_expected(filled):
    last = filled.events()[-1]
    position, digest = filled("ledger", "head").stdout.split()
    assert (int(position), digest) == (last["seq"], last["hash"])
    filled("ledger", "verify", "--expect-head", digest.upper())
    filled.run("good", more=("--force",))
    assert "and not" in filled("ledger", "verify", "--expect-head", digest, code=3).stdout


def test_an_unfinished_last_line_is_exit_code_1_until_the_next_append(filled):
    with segment(filled).open("ab") as file:
        file.write(b'{"torn')
    done = filled("ledger", "verify", code=1)
    assert "6 bytes of an unfinished line" in done.stdout and "sound" in done.stdout
    assert "were moved to" in filled.run("good", more=("--force",))
    filled("ledger", "verify")


def test_stat_tells_what_the_ledger_holds(filled):
    told = json.loads(filled("ledger", "stat", "--json").stdout)
    events = filled.events()
    assert (told["events"], told["bytes"]) == (len(events), segment(filled).stat().st_size)
    assert {kind: row["count"] for kind, row in told["by_type"].items()} == {
        "group_opened": 1,
        "started": 1,
        "finished": 1,
        "group_closed": 1,
    }
    assert (told["runs"], told["groups"], told["head"]) == ({"succeeded": 1}, 1, events[-1]["hash"])
    assert "succeeded" in filled("ledger", "stat").stdout


@pytest.mark.parametrize("command", ["head", "checkpoint", "stat", "verify", "log"])
def test_an_empty_ledger_is_no_error(bench, command):
    bench("ledger", command)
    assert not bench.results.exists()


@pytest.mark.parametrize("command", ["head", "checkpoint"])
def test_a_damaged_ledger_has_no_head_to_rely_on(filled, command):
    path = segment(filled)
    path.write_bytes(path.read_bytes().replace(b'"score":0.5', b'"score":0.9'))
    filled.is_damaged = True
    assert "ledger damaged" in filled("ledger", command, code=3).stderr
