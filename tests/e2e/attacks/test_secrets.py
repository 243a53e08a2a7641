"""Keys in every place where people put them are hidden, and values that only look like keys stay as they are."""

from __future__ import annotations

import json
import os
import random
import string
from hashlib import sha256

import pytest

from benchmarks.orchestrator.machine.processes import marked_processes
from tests.waiting import until

VARIABLES = """
OPENAI_API_KEY ANTHROPIC_API_KEY GROQ_API_KEY PGPASSWORD GITHUB_PAT GITHUB_TOKEN GH_TOKEN API_KEYS OPENAI_API_KEYS
AWS_SECRET_ACCESS_KEY AWS_ACCESS_KEY_ID AWS_SESSION_TOKEN HF_TOKEN HUGGING_FACE_HUB_TOKEN NPM_TOKEN TWINE_PASSWORD
WANDB_API_KEY MYSQL_PWD POSTGRES_PASSWORD REDISCLI_AUTH DB_PASS SMTP_PASS AZURE_OPENAI_KEY AZURE_CLIENT_SECRET
AZURE_STORAGE_CONNECTION_STRING SLACK_WEBHOOK_URL SLACK_BOT_TOKEN STRIPE_SECRET_KEY TWILIO_AUTH_TOKEN SENTRY_DSN
VAULT_TOKEN JWT_SECRET SECRET_KEY SECRET_KEY_BASE APIKEY NGROK_AUTHTOKEN LDAP_BIND_PW SSHPASS GPG_PASSPHRASE
OPENAI_API_KEY_PROD GOOGLE_API_KEY SOME_CREDENTIALS KAGGLE_KEY COMPOSER_AUTH DOCKER_PASSWORD
""".split()
WORDS = [
    *("ollama", "lm-studio", "none", "EMPTY", "not-needed", "no-key-required", "placeholder", "dummy"),
    *("good", "bare-model", "smollm2-135m", "succeeded", "finished", "started", "group_opened", "already_succeeded"),
    *("workspace", "benchmarks", "accuracy", "ratio", "result.json", "output", "suite.py", "seed", "signature"),
]
ECHO = "print('the key is', os.environ['OPENAI_API_KEY'])\nprint(os.environ['OPENAI_API_KEY'], file=sys.stderr)\n"
GOOD = 'output.joinpath("result.json").write_text(json.dumps({"score": 0.5, "n": 4, "note": "good succeeded ollama"}))'


def canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def test_a_value_that_is_a_word_or_a_name_changes_no_identity(bench, rng, tally, is_full):
    bench.add("good", ECHO + GOOD, result='metrics = { note = "note" }')
    values = WORDS if is_full else rng.sample(WORDS, 4)
    for value in values:
        printed = bench.run("good", more=("--model", "smollm2-135m", "--force"), OPENAI_API_KEY=value, SOME_TOKEN=value)
        assert printed.count("not hidden") == 1, (value, printed)
        tally["values that are not secrets"] += 1
    starts = [event["data"] for event in bench.events("started")]
    assert len(starts) == len(values)
    for start in starts:
        assert sha256(canonical(start["preimage"]).encode()).hexdigest() == start["signature"]
        work = (start["benchmark_id"], start["agent"], start["provider"], start["model"])
        assert work == ("good", "bare-model", "ollama", "smollm2-135m")
        assert start["extra_config"] == start["preimage"]["extra_config"] == {"seed": 1}
    assert len({start["signature"] for start in starts}) == 1
    assert "redacted" not in json.dumps(bench.events())
    again = bench("run", "--again", bench.runs()[-1]["run_id"], OPENAI_API_KEY="ollama", code=0)
    assert "1 succeeded" in again.stdout


def test_the_name_of_a_provider_as_its_key(bench):
    """OPENAI_API_KEY=ollama, as many set it for a server that asks for no key."""
    bench.add("good", ECHO + GOOD)
    bench("run", "--benchmarks", "good", "--provider", "openai", "--model", "gpt-9", OPENAI_API_KEY="openai")
    [start] = [event["data"] for event in bench.events("started")]
    assert start["provider"] == "openai"
    work = ("--benchmarks", "good", "--provider", "openai", "--model", "gpt-9")
    assert "1 skipped" in bench("run", *work, OPENAI_API_KEY="x").stdout


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [
        (("--model", "sk-proj-abcdefghijklmnop1234567890"), {}),
        (("--model", "org/ghp_abcdefghijklmnop1234567890abcd"), {}),
        (("--model", "https://me:hunter2hunter2@host/model"), {}),
        (("--agent", "AKIAIOSFODNN7EXAMPLE"), {}),
        (("--model", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"), {"MY_TOKEN": "0f1e2d3c4b5a69788796a5b4c3d2e1f0"}),
        (("--model", "sk-proj-abcdefghijklmnop1234567890", "--dry-run"), {}),
        (("--provider", "sk-proj-abcdefghijklmnop1234567890"), {}),
        (("--benchmarks", "sk-proj-abcdefghijklmnop1234567890"), {}),
    ],
)
def test_a_key_as_a_name_refuses_the_run_and_is_not_printed(bench, arguments, environ):
    bench.add("good", GOOD)
    more = () if "--provider" in arguments else ("--provider", "ollama")
    done = bench("run", "--benchmarks", "good", *more, *arguments, code=2, **environ)
    key = arguments[1].rpartition("/")[2] if "hunter2" not in arguments[1] else "hunter2"
    assert key not in done.stdout + done.stderr
    assert not bench.results.exists()


def test_a_name_that_is_also_the_value_of_a_variable_is_allowed(bench):
    bench.add("good", GOOD)
    printed = bench.run("good", more=("--model", "qwen2.5-7b-instruct"), LLM_KEY="qwen2.5-7b-instruct")
    assert printed.count("LLM_KEY") == 1
    assert bench.runs()[0]["model"] == "qwen2.5-7b-instruct"


def test_every_usual_variable_is_hidden(bench, rng, tally):
    """Printed by a child, left in its result, and reported as progress."""
    code = """
        values = json.loads(os.environ['PRINTED'])
        for value in values:
            print('is', value)
            print('and', value, file=sys.stderr)
        result = {'score': 0.5, 'n': 4, 'notes': values, 'of': {value: 1 for value in values}}
        output.joinpath('result.json').write_text(json.dumps(result))
    """
    bench.add("leaky", code, result='metrics = { notes = "notes", of = "of" }')
    letters = string.ascii_letters + string.digits
    values = {name: "".join(rng.choices(letters, k=rng.randint(12, 40))) for name in VARIABLES}
    bench.run("leaky", **values, PRINTED=json.dumps(list(values.values())))
    shown = json.dumps(bench.events()) + bench("show-run", bench.runs()[0]["run_id"]).stdout
    for log in bench.results.rglob("*.log"):
        shown += log.read_text()
    leaked = [name for name, value in values.items() if value in shown]
    assert leaked == []
    tally["variables hidden"] += len(values)


def test_secrets_inside_of_options_reach_the_benchmark_and_nothing_else(bench):
    seen = bench.root / "seen"
    bench.add(
        "good",
        f"open({str(seen)!r}, 'w').write(os.environ['CLIENT'] + os.environ['URL'])\n" + GOOD,
        more='[options.client]\ntype = "object"\nenv = "CLIENT"\n[options.url]\ntype = "str"\nenv = "URL"\n'
        '[options.token_budget]\ntype = "int"\nenv = "BUDGET"\n',
    )
    client = {"headers": {"Authorization": "Bearer s3cr3t-bearer-77"}, "password": "hunter2hunter2", "retries": 3}
    url = "https://me:pw-in-url-1@host/v1?sig=sig-in-url-2"
    extra = {"client": client, "url": url, "token_budget": 100}
    bench.run("good", more=("--extra", json.dumps(extra)))
    assert json.loads(seen.read_text().partition("https:")[0]) == client and url in seen.read_text()
    seen.unlink()
    text = bench.text()
    for secret in ("s3cr3t-bearer-77", "hunter2hunter2", "pw-in-url-1", "sig-in-url-2"):
        assert secret not in text
    # Another secret is the same work, another budget is other work.
    other = {**extra, "client": {**client, "password": "another-password-1"}}
    work = ("--benchmarks", "good", "--provider", "ollama")
    assert "1 skipped" in bench("run", *work, "--extra", json.dumps(other)).stdout
    more = {**extra, "token_budget": 200}
    assert "1 succeeded" in bench("run", *work, "--extra", json.dumps(more)).stdout
    [first, second] = [event["data"] for event in bench.events("started")]
    for start in (first, second):
        assert sha256(canonical(start["preimage"]).encode()).hexdigest() == start["signature"]
    assert first["extra_config"]["client"]["retries"] == 3
    refused = bench("run", "--again", bench.runs()[0]["run_id"], code=2)
    assert "held a secret" in refused.stderr


def test_recovery_hides_keys_that_it_does_not_have(bench, tmp_path):
    """The next orchestrator runs as a service, without the keys of the person who began the run."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    secret = "correct horse battery 9 staple"
    code = (
        "print('begun', flush=True)\nwith open(os.environ['GATE']) as gate: gate.read()\n"
        "output.joinpath('result.json').write_text(json.dumps({'score': 0.5, 'n': 4,"
        " 'note': 'with ' + os.environ['DB_PASSWORD'] + ', and ' + os.environ['GROQ_API_KEY']}))\n"
    )
    bench.add("slow", code, result='metrics = { note = "note" }')
    environ = {"GATE": str(gate), "DB_PASSWORD": secret, "GROQ_API_KEY": "gsk-from-env-1234"}
    process = bench.start("run", "--benchmarks", "slow", **environ)
    with gate.open("w"):
        [kept] = bench.results.rglob("secrets.digests")
        assert kept.stat().st_mode & 0o777 == 0o600
        assert secret not in kept.read_text()
        process.kill()
        process.communicate()
    until(lambda: not marked_processes(f"GATE={gate}"))
    assert "its result was adopted" in bench("recover-stale-runs", "--stale-seconds", "0").stdout
    [run] = bench.runs()
    assert run["metrics"] == {"note": "with [redacted:DB_PASSWORD], and [redacted:GROQ_API_KEY]"}
    assert not kept.exists()


def test_the_digests_are_gone_after_a_run_that_ends_by_itself(bench):
    bench.add("good", GOOD)
    bench.run("good", SOME_TOKEN="t0ken-" + "x" * 20)
    assert list(bench.results.rglob("secrets.digests")) == []


def test_an_import_loses_its_keys_and_keeps_its_names(bench, tmp_path):
    key = "ghp_" + "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=36))
    command = f"curl -H 'Authorization: Bearer {key}' -u me:hunter2hunter2 https://h/?sig=abc-sig-1 --api-key k-3y-1"
    results = [{"command": command, "mean": 1.0, "times": [1.0, 1.0], "exit_codes": [0, 1]}]
    (tmp_path / "hyperfine.json").write_text(json.dumps({"results": results}))
    rows = f"benchmark,model,score,error\nb,m-1,0.5,failed for https://me:pw-1-pw@host and {key}\n"
    (tmp_path / "runs.csv").write_text(rows)
    bench("import", str(tmp_path / "hyperfine.json"), str(tmp_path / "runs.csv"))
    text = bench.text()
    for secret in (key, key.lower(), "hunter2hunter2", "abc-sig-1", "k-3y-1", "k-3y-1".replace("-", "_"), "pw-1-pw"):
        assert secret not in text, secret
    assert "0 runs imported" in bench("import", str(tmp_path / "hyperfine.json"), str(tmp_path / "runs.csv")).stdout
    (tmp_path / "bad.csv").write_text(f"benchmark,model,score\nb,{key},0.5\n")
    refused = bench("import", str(tmp_path / "bad.csv"), str(tmp_path / "runs.csv"), code=1)
    assert "the model of a run holds" in refused.stderr and key not in refused.stderr


def test_a_reference_with_a_secret_in_its_source_is_published_once(bench):
    high_score = (
        '[high_score]\nlabel = "someone"\nvalue = 0.9\nsource = "https://me:pw-1-pw@host/?access_token=abc-1"\n'
    )
    bench.add("good", GOOD, more=high_score)
    bench.run("good")
    bench.run("good", more=("--force",))
    [published] = bench.events("high_score_published")
    assert "pw-1-pw" not in json.dumps(published) and "abc-1" not in json.dumps(published)
    assert {run["high_score_label"] for run in bench.runs()} == {"someone"}


def test_an_artifact_whose_name_is_a_key_is_left_out_and_the_ledger_is_sound(bench):
    code = "output.joinpath(os.environ['SOME_TOKEN'] + '.txt').write_text('')\n" + GOOD
    bench.add("good", code)
    bench.run("good", SOME_TOKEN="t0ken-" + "x" * 20)
    [run] = bench.runs()
    assert [artifact["path"] for artifact in run["artifacts"]] == ["output/result.json"]
    assert "1 artifacts are not listed" in run["notes"][0]
    assert bench("ledger", "verify").stdout
