"""Names, notes, errors and files with terminal sequences or invisible text: no command passes any of it on."""

from __future__ import annotations

import json
import re

import pytest

from tests.e2e.terminal import on_a_terminal

ORDERS = {
    "clipboard": "\x1b]52;c;Y3VybCBldmls\x07",
    "title": "\x1b]0;owned\x1b\\",
    "clear": "\x1b[2J\x1b[H",
    "c1": "\x9b2J\x9d52;c;eA==\x9c",
    "bidi": "safe\u202egnp.exe\u2066",
    "separators": "a\u2028b\u2029c",
    "invisible": "a\u200bb\ufeffc\U000e0041",
    "overwrite": "bad\rgood",
    "bell": "\x07\x08\x08\x7f",
}
ALL = " ".join(ORDERS.values())
OURS = re.compile(rb"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[[0-9]*[AK]|\x1b\[2K|\r")
"""What our own bars and tables say to a terminal: colours, the cursor, and the line that they draw anew."""

CODE = """
import time
with open(os.environ['BENCHMARK_PROGRESS_FILE'], 'w') as file:
    print(json.dumps({'done': 1, 'total': 2, 'note': ALL}), file=file, flush=True)
time.sleep(1)
print(ALL, file=sys.stderr)
output.joinpath('result.json').write_text(json.dumps({'score': 0.5, 'n': 4, 'note': ALL, 'of': {ALL: ALL}}))
if os.environ.get('BREAK'): sys.exit(ALL)
"""


def assert_harmless(screen: bytes, where: str) -> None:
    left = OURS.sub(b"", screen)
    text = left.decode()
    orders = [c for c in text if (ord(c) < 32 and c not in "\t\n") or 0x7F <= ord(c) < 0xA0]
    assert orders == [], (where, text)
    hidden = set(text) & set("\u202e\u2066\u2028\u2029\u200b\ufeff\U000e0041")
    assert hidden == set(), (where, text)


@pytest.fixture
def evil(bench):
    """A workspace in which every foreign text has such sequences."""
    code = f"ALL = json.loads({json.dumps(json.dumps(ALL))})\n{CODE}"
    bench.add("good", code, result='metrics = { note = "note", of = "of" }')
    manifest = bench.root / "good" / "benchmark.toml"
    text = json.dumps(ALL.replace("\U000e0041", ""))
    manifest.write_text(manifest.read_text().replace('id = "good"', f'id = "good"\ndescription = {text}', 1))
    bench.add("broken\u202e", more='[nonsense]\n"a\\u001b]0;x\\u0007" = 1\n')
    return bench


def test_no_command_passes_terminal_sequences_on(evil, rng, tally, is_full, tmp_path):
    model = f"m {ALL}"
    work = ("--benchmarks", "good", "--provider", "ollama", "--model", model)
    screens = {"run": on_a_terminal(evil, "run", *work)[1]}
    screens["run that fails"] = on_a_terminal(evil, "run", *work, "--force", BREAK="1")[1]
    run_id = evil.runs()[0]["run_id"]
    (tmp_path / f"x{ORDERS['bidi']}.csv").write_text(f"benchmark,model,score,error\nb {ALL},m {ALL},0.5,{ALL}\n")
    (tmp_path / f"y{ORDERS['clear']}.json").write_text("{nonsense")
    commands: list[tuple[str, ...]] = [
        ("import", str(tmp_path)),
        ("show-runs",),
        ("show-runs", "--json"),
        ("show-run", run_id),
        ("show-run", run_id, "--json"),
        ("show-run", ALL),
        ("leaderboard",),
        ("leaderboard", "--include", "imported", "--markdown"),
        ("compare", f"ollama:{model}", f"ollama:{model}"),
        ("check",),
        ("status",),
        ("list-benchmarks", "--all"),
        ("list-benchmarks", "--json"),
        ("ledger", "log"),
        ("ledger", "log", "--json"),
        ("ledger", "verify"),
        ("query", "SELECT model, error, metrics FROM runs"),
        ("query", "SELECT model FROM runs", "--csv"),
        ("query", f"SELECT '{ALL}' AS \"{ALL}\""),
        ("export", "--format", "csv"),
        ("export", "--format", "json"),
        ("export", "--format", "junit"),
        ("run", "--benchmarks", ALL),
        ("run", *work, "--explain"),
        ("run", *work, "--dry-run", "--force"),
        ("adapters", "validate"),
        (ALL,),
    ]
    for arguments in commands if is_full else [commands[0], *rng.sample(commands[1:], 5)]:
        screens[" ".join(map(repr, arguments))[:80]] = on_a_terminal(evil, *arguments)[1]
    for where, screen in screens.items():
        assert screen, where
        assert_harmless(screen, where)
        tally["screens"] += 1


def test_output_for_other_programs_is_harmless_too(evil, tally, tmp_path):
    model = f"=m {ALL}"
    evil.run("good", more=("--model", model))
    files = {}
    for kind, ending in (("csv", "csv"), ("junit", "xml")):
        files[kind] = tmp_path / f"runs.{ending}"
        evil("export", "--format", kind, "--output", str(files[kind]))
    files["report"], files["markdown"] = tmp_path / "report.html", tmp_path / "report.md"
    evil("report", "--output", str(files["report"]))
    evil("report", "--output", str(files["markdown"]))
    summary = tmp_path / "summary.md"
    printed = evil.run(
        "good",
        more=("--model", model, "--force"),
        code=1,
        BREAK="1",
        GITHUB_ACTIONS="true",
        GITHUB_STEP_SUMMARY=str(summary),
    )
    assert_harmless(printed.encode(), "GitHub")
    files["summary"] = summary
    for kind, file in files.items():
        assert_harmless(file.read_bytes().replace(b"\r\n", b"\n"), kind)
        tally["files"] += 1
    assert ",'=m" in files["csv"].read_text()


def test_a_name_is_not_a_command_for_the_runner_of_github(bench):
    bench.add("good")
    printed = bench.run(
        "good", more=("--model", "m\n::set-output name=a::b\n##[error]x", "--explain"), GITHUB_ACTIONS="true"
    )
    lines = [line for line in printed.splitlines() if line.lstrip().startswith("::")]
    assert all(re.match(r"::(group|endgroup|stop-commands|[0-9a-f]{16}|error)", line) for line in lines), printed
    assert "##[" not in printed


def test_programs_get_the_recorded_text(bench):
    """Without a terminal, JSON has the bytes over which the hashes were taken."""
    bench.add("good")
    bench.run("good", more=("--model", "m\u202e\x9b"))
    assert bench.runs()[0]["model"] == "m\u202e\x9b"
    [segment] = (bench.results / "ledger").glob("*.jsonl")
    assert bench("ledger", "log", "--json").stdout == segment.read_text()
