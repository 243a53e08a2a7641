"""`environments`: list, build and remove them; an environment in use is not removed."""

from __future__ import annotations

import json

import pytest

SIX = '[requires]\npython = ["six==1.17.0"]\n'
WAIT = """
import six
import time
while not pathlib.Path(__file__).with_name("go-on").exists():
    time.sleep(0.02)
output.joinpath("result.json").write_text(json.dumps({"score": 0.5, "n": 4}))
"""


@pytest.fixture(autouse=True)
def cache(bench, tmp_path):
    bench.environ["BENCHMARKS_CACHE"] = str(tmp_path / "cache")


def listed(bench):
    return json.loads(bench("environments", "list", "--json").stdout)


def test_environments_are_built_listed_and_removed(bench):
    bench.add("needy", more=SIX)
    bench.add("plain")
    assert listed(bench)["environments"] == []
    assert "needy" in listed(bench)["not_built"]
    assert "plain needs no environment" in bench("environments", "build", "needy", "plain").stderr
    [found] = listed(bench)["environments"]
    assert (found["used_by"], found["environment"]["packages"]) == (["needy"], ["six==1.17.0"])
    assert found["size_bytes"] > 10_000
    key = found["environment"]["key"]
    assert key in bench("environments", "list").stdout
    assert "nothing to remove" in bench("environments", "remove", "--unused").stdout
    assert f"removed {key}" in bench("environments", "remove", key[:6]).stdout
    assert listed(bench)["environments"] == []
    bench("environments", "build", "needy")
    bench.add("needy")
    assert f"removed {key}" in bench("environments", "remove", "--unused").stdout


def test_an_environment_in_use_is_not_removed(bench):
    bench.add("needy", WAIT, more=SIX)
    started = bench.start("run", "--benchmarks", "needy", "--provider", "ollama", "--json")
    assert started.stdout is not None
    kinds = iter(started.stdout.readline, "")
    while '"started"' not in next(kinds):
        pass
    [key] = [found["environment"]["key"] for found in listed(bench)["environments"]]
    assert f"{key} is in use" in bench("environments", "remove", "--all", code=1).stderr
    (bench.root / "needy" / "go-on").touch()
    assert started.wait(60) == 0
    started.communicate()
    assert f"removed {key}" in bench("environments", "remove", "--all").stdout


def test_a_failed_build_shows_the_message_of_uv_and_the_others_are_built(bench):
    bench.add("bad", more='[requires]\npython = ["no-such-package-of-anybody==0.0.1"]\n')
    bench.add("good", more=SIX)
    said = bench("environments", "build", "bad", "good", code=1)
    assert "bad: the environment of no-such-package-of-anybody==0.0.1 could not be built; uv said:" in said.stderr
    assert "good" in said.stdout
    assert (
        "unknown benchmark 'goood'\nhint: did you mean good?" in bench("environments", "build", "goood", code=2).stderr
    )
    assert "no benchmarks given\nhint: name benchmarks, or use --all" in bench("environments", "build", code=2).stderr
    assert "no environments have a key that begins with 'zz'" in bench("environments", "remove", "zz", code=2).stderr


def test_the_line_of_a_run_without_its_environment_has_the_message_of_uv(bench):
    bench.add("bad", more='[requires]\npython = ["no-such-package-of-anybody==0.0.1"]\n')
    said = bench.run("bad", code=1)
    [line] = [line for line in said.splitlines() if line.startswith("bad: failed (environment)")]
    assert "could not be built; uv said: " in line and "no-such-package-of-anybody" in line.partition("uv said")[2]
