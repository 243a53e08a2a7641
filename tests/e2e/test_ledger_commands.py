"""`ledger`: verify, export, import, copy, repair, log and replay."""

from __future__ import annotations

import json
import signal

import pytest


@pytest.fixture
def filled(bench):
    bench.add("good")
    bench.run("good")
    return bench


def segment(bench):
    [path] = (bench.results / "ledger").glob("*.jsonl")
    return path


def test_a_checkpoint_proves_the_history_up_to_it(filled, tmp_path):
    note = tmp_path / "checkpoint"
    note.write_text(filled("ledger", "checkpoint").stdout)
    assert len(note.read_text().splitlines()) == 3
    filled.run("good", more=("--force",))
    filled("ledger", "verify", "--checkpoint", str(note))
    path = segment(filled)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    assert "cut off" in filled("ledger", "verify", "--checkpoint", str(note), code=3).stdout
    assert "is not a checkpoint" in filled("ledger", "verify", "--checkpoint", str(path), code=2).stderr
    assert "No such file" in filled("ledger", "verify", "--checkpoint", str(tmp_path / "nothing"), code=2).stderr


def test_the_head_is_the_last_event_and_can_be_expected(filled):
    last = filled.events()[-1]
    position, digest = filled("ledger", "head").stdout.split()
    assert (int(position), digest) == (last["seq"], last["hash"])
    filled("ledger", "verify", "--expect-head", digest.upper())
    filled.run("good", more=("--force",))
    assert f", not {digest}" in filled("ledger", "verify", "--expect-head", digest, code=3).stdout


def test_an_unfinished_last_line_is_exit_code_1_until_the_next_append(filled):
    with segment(filled).open("ab") as file:
        file.write(b'{"torn')
    done = filled("ledger", "verify", code=1)
    assert "6 bytes of an unfinished line" in done.stdout and "sound" in done.stdout
    assert "were moved to" in filled.run("good", more=("--force",))
    filled("ledger", "verify")


def test_stat_shows_the_content_of_the_ledger(filled):
    shown = json.loads(filled("ledger", "stat", "--json").stdout)
    events = filled.events()
    assert (shown["events"], shown["bytes"]) == (len(events), segment(filled).stat().st_size)
    assert {kind: row["count"] for kind, row in shown["by_type"].items()} == {
        "group_opened": 1,
        "started": 1,
        "finished": 1,
        "group_closed": 1,
    }
    assert (shown["runs"], shown["groups"], shown["head"]) == ({"succeeded": 1}, 1, events[-1]["hash"])
    assert "succeeded" in filled("ledger", "stat").stdout


@pytest.mark.parametrize("command", ["head", "checkpoint", "stat", "verify", "log"])
def test_an_empty_ledger_is_not_an_error(bench, command):
    bench("ledger", command)
    assert not bench.results.exists()


def test_only_what_came_after_a_checkpoint_is_checked(filled, tmp_path):
    note = tmp_path / "note"
    note.write_text(filled("ledger", "checkpoint").stdout)
    filled.run("good", more=("--force",))
    told = filled("ledger", "verify", "--since", str(note)).stdout
    assert told.startswith("sound: events 5 to 8 in 1 file")
    assert json.loads(filled("ledger", "verify", "--since", str(note), "--json").stdout)["since"] == 4
    both = filled("ledger", "verify", "--since", str(note), "--checkpoint", str(note), code=2).stderr
    assert "hint: give one of them" in both
    path = segment(filled)
    path.write_bytes(path.read_bytes().replace(b'"score":0.5', b'"score":0.9'))
    filled.is_damaged = True
    assert "damage: event 7" in filled("ledger", "verify", "--since", str(note), code=3).stdout


def test_a_checkpoint_of_a_damaged_ledger_is_an_error(filled):
    path = segment(filled)
    path.write_bytes(path.read_bytes().replace(b'"score":0.5', b'"score":0.9'))
    filled.is_damaged = True
    assert "ledger damaged" in filled("ledger", "checkpoint", code=3).stderr


@pytest.mark.parametrize(("old", "new"), [(b"completed", b"finished."), (b'"type"', b'"typo"'), (b"}", b"]")])
def test_the_head_is_an_error_if_its_own_line_was_changed(filled, old, new):
    """It reads no other line; `verify` does."""
    path = segment(filled)
    *lines, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, last.replace(old, new)]))
    filled.is_damaged = True
    assert "ledger damaged" in filled("ledger", "head", code=3).stderr


def other_bench(filled, tmp_path):
    """A workspace on another machine."""
    other = type(filled)(tmp_path / "elsewhere")
    other.root.mkdir()
    other.add("theirs")
    other.run("theirs")
    return other


def test_an_export_can_be_imported_elsewhere(filled, tmp_path):
    lines = filled("ledger", "log", "--json").stdout
    head = filled("ledger", "head").stdout.split()[1]
    for name in ("x.jsonl", "x.jsonl.gz", "folder"):
        assert head in filled("ledger", "export", str(tmp_path / name)).stdout or name == "folder"
        fresh = type(filled)(tmp_path / f"from-{name}")
        fresh.root.mkdir()
        assert "4 events added" in fresh("ledger", "import", str(tmp_path / name)).stdout
        assert "0 events added, 4 were already here" in fresh("ledger", "import", str(tmp_path / name)).stdout
        assert fresh("ledger", "log", "--json").stdout == lines
        assert [run["status"] for run in fresh.runs()] == ["succeeded"]
    assert (tmp_path / "x.jsonl").read_text() == lines
    filled.run("good", more=("--force",))
    assert "folder: 4 events added" in filled("ledger", "export", str(tmp_path / "folder")).stdout


def test_the_ledger_of_another_machine_is_merged_once(filled, tmp_path):
    other = other_bench(filled, tmp_path)
    folder = str(other.results / "ledger")
    assert "4 events added, 0 were already here (merged)" in filled("ledger", "import", folder).stdout
    assert "0 events added, 4 were already here (merged)" in filled("ledger", "import", folder).stdout
    other.run("theirs", more=("--force",))
    assert "4 events added, 4 were already here (merged)" in filled("ledger", "import", folder).stdout
    assert sorted(run["benchmark_id"] for run in filled.runs()) == ["good", "theirs", "theirs"]
    assert "sound" in filled("ledger", "verify", "--no-artifacts").stdout
    ours, theirs = filled.events(), other.events()
    assert {event["id"]: event["at"] for event in theirs}.items() <= {e["id"]: e["at"] for e in ours}.items()


def test_a_merged_ledger_with_files_can_be_verified(filled, tmp_path):
    other = other_bench(filled, tmp_path)
    path = tmp_path / "theirs.tar.zst"
    assert "give a FILE that ends with .tar" in other("ledger", "export", "x.jsonl", "--with-files", code=2).stderr
    assert "give --with-files" in other("ledger", "export", str(path), code=2).stderr
    printed = other("ledger", "export", str(path), "--with-files").stdout
    files = int(printed.split(" files")[0].split()[-1])
    assert files >= 1
    filled("ledger", "import", str(other.results / "ledger"))
    assert "files of 1 runs of other ledgers are not here" in filled("ledger", "verify").stdout
    printed = filled("ledger", "import", str(path)).stdout
    assert "0 events added" in printed and f"{files} files added, 0 were already here" in printed
    assert f"0 files added, {files} were already here" in filled("ledger", "import", str(path)).stdout
    assert "not here" not in filled("ledger", "verify").stdout
    [run] = filled.runs("--benchmark", "theirs")
    [result] = filled.results.glob(f"*/*/{run['run_id']}/output/result.json")
    result.write_text("{}")
    assert "output/result.json is not the file that was recorded" in filled("ledger", "verify", code=1).stdout
    assert "would replace another file" in filled("ledger", "import", str(path), code=1).stderr


def test_a_copy_in_sqlite_can_be_used_as_the_ledger(filled, tmp_path):
    url = f"sqlite://{tmp_path / 'ledger.sqlite'}"
    lines = filled("ledger", "log", "--json").stdout
    assert "4 events" in filled("ledger", "copy", str(filled.results / "ledger"), url).stdout
    filled("run", "--benchmarks", "good", "--provider", "ollama", "--ledger", url)
    more = filled("--ledger", url, "ledger", "log", "--json").stdout
    assert more.startswith(lines)
    assert json.loads(more.splitlines()[-2])["data"]["reason"] == "already_succeeded"
    filled("--ledger", url, "ledger", "verify")
    back = tmp_path / "back"
    filled("ledger", "copy", url, str(back))
    assert "".join(path.read_text() for path in sorted(back.glob("*.jsonl"))) == more
    other = other_bench(filled, tmp_path)
    wrong = filled("ledger", "copy", str(other.results / "ledger"), url, code=2)
    assert "not an earlier copy" in wrong.stderr
    assert filled("--ledger", url, "ledger", "log", "--json").stdout == more


def is_one_line_and_a_hint(error):
    _, *hints = error.splitlines()
    return len(hints) <= 1 and all(hint.startswith("hint: ") for hint in hints)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("import", "nowhere"), "nowhere does not exist"),
        (("import", "sqlite:///nowhere/x.sqlite"), "x.sqlite does not contain a ledger"),
        (("import", "ftp://x"), "unknown kind of ledger: 'ftp://x'"),
        (("export", "nowhere/x.jsonl"), "the folder nowhere does not exist"),
        (("copy", "nowhere", "there"), "nowhere does not contain a ledger"),
        (("replay", "run_x"), "the ledger has no events of 'run_x'"),
        (("verify", "--verify-key", "k"), "--verify-key checks a signed note\nhint: give the note with --checkpoint"),
        (("log", "--since", "yesterday"), "'yesterday' is neither a time"),
        (("keygen", "a name", "--output", "key"), "cannot be the name of a key"),
    ],
)
def test_wrong_usage_is_one_line_with_hints(filled, arguments, message):
    done = filled("ledger", *arguments, code=2)
    first, *hints = done.stderr.splitlines()
    assert first.startswith("benchmarks ledger ")
    assert message in done.stderr and all(line.startswith("hint: ") for line in hints)
    assert len(filled.events()) == 4


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz"])
def test_a_file_that_is_not_a_ledger_is_refused(filled, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"no ledger\n")
    assert is_one_line_and_a_hint(filled("ledger", "import", str(path), code=2).stderr)
    lines = filled("ledger", "log", "--json").stdout.replace('"score":0.5', '"score":0.9')
    (tmp_path / "y.jsonl").write_text(lines)
    assert "its hash does not match" in filled("ledger", "import", str(tmp_path / "y.jsonl"), code=3).stderr
    assert len(filled.events()) == 4


def test_another_database_is_refused_as_a_ledger(filled):
    url = f"sqlite://{filled.results / 'orchestrator.sqlite'}"
    before = (filled.results / "orchestrator.sqlite").read_bytes()
    for command in (("ledger", "log"), ("run", "--benchmarks", "good", "--provider", "ollama")):
        assert "not a ledger" in filled(*command, "--ledger", url, code=2).stderr
    assert (filled.results / "orchestrator.sqlite").read_bytes() == before


def test_repair_asks_for_yes_and_keeps_the_bytes_that_it_cuts(filled):
    filled.run("good", more=("--force",))
    path = segment(filled)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:5]) + lines[5].replace(b'"attempt":2', b'"attempt":3') + b"".join(lines[6:]))
    filled("run", "--benchmarks", "good", "--provider", "ollama", code=3)
    printed = filled("ledger", "repair", code=3).stdout
    assert "damage:" in printed and "with --yes, everything after event 5 is moved to quarantine" in printed
    assert "repaired: events 1 to 5" in filled("ledger", "repair", "--yes", "--reason", "no backup").stdout
    [event] = filled.events("repaired")
    assert event["seq"] == 6 and event["data"]["reason"] == "no backup" and event["data"]["position"] == 5
    [name] = event["data"]["quarantined"]
    assert (filled.results / "ledger" / "quarantine" / name).read_bytes().count(b"\n") == len(lines) - 5
    assert "nothing to repair" in filled("ledger", "repair").stdout
    filled.run("good", more=("--force",))
    assert filled("ledger", "verify").stdout.startswith("sound")


def test_replay_shows_a_run_event_by_event(filled):
    [run] = filled.runs()
    steps = json.loads(filled("ledger", "replay", run["run_id"], "--json").stdout)
    assert [step["type"] for step in steps] == ["started", "finished"]
    assert steps[1]["changes"]["status"] == ["running", "succeeded"]
    assert "status: running -> succeeded" in filled("ledger", "replay", run["run_id"]).stdout
    assert "counts:" in filled("ledger", "replay", run["run_group_id"]).stdout


def test_the_log_is_filtered(filled):
    filled.add("other")
    filled.run("other")
    [other] = filled.runs("--benchmark", "other")

    def seqs(*more):
        return [json.loads(line)["seq"] for line in filled("ledger", "log", "--json", *more).stdout.splitlines()]

    everything = filled.events()
    assert seqs("--run", other["run_id"]) == [
        event["seq"] for event in everything if event["stream"] == other["run_id"]
    ]
    assert seqs("--benchmark", "good") == [2, 3]
    assert seqs("--type", "started", "--type", "finished") == [2, 3, 6, 7]
    assert seqs("--type", "started", "--benchmark", "other", "--limit", "5") == [6]
    middle = everything[4]["at"]
    assert seqs("--since", middle) == [5, 6, 7, 8] and seqs("--until", middle) == [1, 2, 3, 4, 5]
    done = filled("ledger", "log", "--type", "strated")
    assert done.stdout == "" and "did you mean started?" in done.stderr


def test_following_the_log_shows_new_events_until_interrupted(filled):
    follower = filled.start("ledger", "log", "--follow", "--type", "finished", "--json")
    assert json.loads(follower.stdout.readline())["seq"] == 3
    filled.run("good", more=("--force",))
    assert json.loads(follower.stdout.readline())["seq"] == 7
    follower.send_signal(signal.SIGINT)
    _, errors = follower.communicate(timeout=20)
    assert follower.returncode == 130 and "Traceback" not in errors


def test_show_runs_as_of_a_time(filled):
    finished = filled.events("finished")[0]
    filled.run("good", more=("--force",))
    assert [run["status"] for run in filled.runs("--as-of", "2")] == ["running"]
    assert [run["status"] for run in filled.runs("--as-of", finished["at"])] == ["succeeded"]
    assert filled.runs("--as-of", "1") == [] and len(filled.runs()) == 2


def test_a_signed_checkpoint_names_its_signer(filled, tmp_path):
    key, other = (filled("ledger", "keygen", name, "--output", str(tmp_path / name)).stdout.strip() for name in "ab")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    assert "cannot write the key" in filled("ledger", "keygen", "a", "--output", str(tmp_path / "a"), code=2).stderr
    note = tmp_path / "note"
    note.write_text(filled("ledger", "checkpoint", "--sign", str(tmp_path / "a")).stdout)
    verify = ("ledger", "verify", "--checkpoint", str(note), "--verify-key")
    filled(*verify, key)
    (tmp_path / "a.pub").write_text(key + "\n")
    filled(*verify, str(tmp_path / "a.pub"))
    assert "is not signed by b+" in filled(*verify, other, code=3).stdout
    assert "private key" in filled(*verify, str(tmp_path / "a"), code=2).stderr
    note.write_text(note.read_text().replace("\n4\n", "\n3\n"))
    assert "is not signed by a+" in filled(*verify, key, code=3).stdout


def test_counts_are_of_the_events_that_can_be_read(filled):
    """As every reader, `stat` proves nothing; it says so if a line is not an event."""
    path = segment(filled)
    path.write_bytes(path.read_bytes().replace(b'"score":0.5', b'"score":0.9'))
    filled.is_damaged = True
    assert json.loads(filled("ledger", "stat", "--json").stdout)["events"] == 4
    path.write_bytes(path.read_bytes().replace(b'{"seq":3', b'["seq":3'))
    assert "ledger damaged" in filled("ledger", "stat", code=3).stderr
