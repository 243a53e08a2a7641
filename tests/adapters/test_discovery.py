"""Which benchmarks there are: shipped, catalogued, installed, or of the workspace."""

from __future__ import annotations

import subprocess

import pytest

from benchmarks.adapters import discovery
from benchmarks.adapters.discovery import discover, without_ignored
from benchmarks.adapters.requirements.missing import missing

MANIFEST = """
id = "{id}"
name = "{id}"
[run]
argv = ["x"]
[result]
files = ["r.json"]
score = "s"
unit = "ratio"
"""


@pytest.fixture
def workspace(tmp_path):
    def add(path, id=None):
        folder = tmp_path / path
        folder.mkdir(parents=True)
        if id:
            (folder / "benchmark.toml").write_text(MANIFEST.format(id=id))

    tmp_path_add = add
    tmp_path.joinpath(".keep").touch()
    return tmp_path, tmp_path_add


def test_the_shipped_suites_and_the_catalogue_are_always_there_and_sound(tmp_path):
    found = discover(tmp_path / "nowhere")
    assert found.problems == [] and found.directories == []
    suites = {id for id, adapter in found.adapters.items() if adapter.source == "suite"}
    own = {"context_recall", "action_calling", "reasoning_gym", "human_eval"}
    assert suites > own
    for id in own:
        adapter = found.adapters[id]
        assert adapter.manifest.default_agent == "bare-model" and adapter.root.is_dir()
        assert "seed" in adapter.manifest.options
        assert adapter.manifest.result.samples and adapter.manifest.result.stderr
    assert found.adapters["osworld"].root is None
    assert list(found.adapters) == sorted(found.adapters)


def test_directories_are_the_folders_and_those_of_suites(workspace):
    root, add = workspace
    for name in ("one", "suites/two", "suites/.hidden", "benchmark_results", ".git", "__pycache__", "suites/OSWorld"):
        add(name)
    found = discover(root)
    assert found.directories == ["one", "suites/OSWorld", "suites/two"]
    assert found.uncovered == ["one", "suites/two"]
    assert found.adapters["osworld"].root == root / "suites" / "OSWorld"


def test_a_manifest_of_the_workspace_covers_its_folder_and_comes_first(workspace):
    root, add = workspace
    add("mine", "mine")
    add("OSWorld", "osworld")
    found = discover(root)
    assert found.uncovered == []
    assert (found.adapters["osworld"].source, found.adapters["mine"].root) == ("workspace", root / "mine")


def test_two_manifests_with_one_id_are_told_and_the_first_counts(workspace):
    root, add = workspace
    add("a", "same")
    add("b", "same")
    found = discover(root)
    assert found.adapters["same"].root == root / "a"
    [problem] = found.problems
    assert problem.key == "id" and str(root / "a" / "benchmark.toml") in problem.reason


def test_a_broken_manifest_takes_no_other_down(workspace):
    root, add = workspace
    add("good", "good")
    add("bad", "Bad Id")
    found = discover(root)
    assert "good" in found.adapters
    [problem] = found.problems
    assert problem.path == root / "bad" / "benchmark.toml"
    assert found.broken == {"Bad Id": problem, "bad": problem}


def test_what_a_broken_manifest_replaces_is_not_taken_instead(workspace):
    root, add = workspace
    add("mine")
    (root / "mine" / "benchmark.toml").write_text('id = "human_eval"\nname = 5')
    found = discover(root)
    assert "human_eval" not in found.adapters and set(found.broken) == {"human_eval", "mine"}
    add("right", "human_eval")
    found = discover(root)
    assert found.adapters["human_eval"].root == root / "right" and set(found.broken) == {"mine"}


def test_the_workspace_says_which_folders_are_none(workspace):
    root, add = workspace
    for name in ("one", "two", "docs"):
        add(name)
    (root / "benchmarks.toml").write_text('exclude = ["doc*"]')
    assert discover(root).directories == ["one", "two"]
    (root / "benchmarks.toml").write_text('directories = ["t*"]')
    assert discover(root).directories == ["two"]


def git(root, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", root, *identity, *arguments], capture_output=True, check=True)


@pytest.mark.parametrize("is_committed", [True, False])
def test_what_git_ignores_is_residue(workspace, is_committed):
    """Caches that outlive their benchmark on another branch are not reported."""
    root, add = workspace
    for name in ("suites/gone/__pycache__", "suites/gone/results", "suites/venv/lib", "suites/new", "suites/old", "em"):
        add(name)
    for file in ("gone/__pycache__/x.pyc", "gone/results/r.json", "venv/lib/x.py", "new/run.py", "old/run.py"):
        (root / "suites" / file).touch()
    (root / ".gitignore").write_text("__pycache__/\nresults/\nvenv/\n")
    before = ["em", "suites/gone", "suites/new", "suites/old", "suites/venv"]
    assert discover(root).uncovered == before, "without git nothing is known to be residue"
    git(root, "init", "-q")
    git(root, "add", "suites/old")
    if is_committed:
        git(root, "commit", "-qm", "one")
    assert discover(root).uncovered == before, "git is a process, which only `without_ignored` starts"
    found = without_ignored(discover(root), root)
    assert found.uncovered == ["em", "suites/new", "suites/old"]
    assert found.directories == found.uncovered


def test_a_folder_of_caches_alone_is_not_a_benchmark(workspace):
    root, add = workspace
    for name in ("gone/__pycache__", "gone/deep/.pytest_cache", "mine/__pycache__", "empty/inside"):
        add(name)
    for file in ("gone/__pycache__/x.pyc", "gone/deep/.pytest_cache/v", "mine/__pycache__/x.pyc", "mine/run.py"):
        (root / file).touch()
    found = discover(root)
    assert found.uncovered == found.directories == ["empty", "mine"]


def test_a_workspace_that_git_ignores_has_folders_anyway(workspace, monkeypatch):
    root, add = workspace
    add("kept/suites/mine")
    (root / "kept" / "suites" / "mine" / "run.py").touch()
    (root / ".gitignore").write_text("kept/\n")
    git(root, "init", "-q")
    assert without_ignored(discover(root / "kept"), root / "kept").uncovered == ["suites/mine"]
    add("elsewhere")
    git(root / "elsewhere", "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(root / "elsewhere" / ".git"))
    found = without_ignored(discover(root / "kept"), root / "kept")
    assert found.uncovered == ["suites/mine"], "a hook's variables are not about the workspace"


def test_why_a_folder_is_none_is_reported(workspace):
    root, add = workspace
    for name in ("one", "gateway"):
        add(name)
    (root / "benchmarks.toml").write_text('[exclude]\n"gate*" = "carries requests"')
    found = discover(root)
    assert (found.directories, found.excluded) == (["one"], {"gateway": "carries requests"})


def test_a_checkout_of_elizaos_is_recognised_and_its_own_file_adds_to_what_is_known(workspace):
    root, add = workspace
    add("suites/extra", "extra")
    for file in ("registry/commands.py", "suites/orchestrator/adapters.py", "suites/mine/x", "docs/x"):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    found = discover(root)
    assert found.directories == ["suites/extra", "suites/mine"] and found.uncovered == ["suites/mine"]
    assert set(found.excluded) == {"registry", "docs", "suites/orchestrator"} and all(found.excluded.values())
    known = found.adapters["extra"].harnesses
    for text in ('exclude = ["mine"]', "exclude = 5"):
        (root / "benchmarks.toml").write_text(text)
        assert {"registry", "docs", "suites/orchestrator"} <= set(discover(root).excluded)
        assert discover(root).adapters["extra"].harnesses == known and known.checks
    (root / "benchmarks.toml").write_text('[exclude]\nmine = ""\ndocs = "our own reason"')
    assert discover(root).directories == ["suites/extra"]
    assert discover(root).excluded["docs"] == "our own reason"
    (root / "benchmarks.toml").unlink()
    (root / "registry" / "commands.py").unlink()
    assert discover(root).excluded == {}


def test_what_an_agent_of_the_workspace_needs(workspace):
    root, add = workspace
    add("mine", "mine")
    text = (root / "mine" / "benchmark.toml").read_text()
    options = '[options.mock]\ntype = "bool"\nargv = ["--mock"]\nsynthetic = [true]\n'
    (root / "mine" / "benchmark.toml").write_text(text + "\n" + options)
    (root / "benchmarks.toml").write_text(
        '[[checks]]\nname = "hermes"\nargv = ["test", "-e", "hermes"]\nagents = ["hermes"]'
    )

    def lacking(agent, **config):
        return missing(discover(root).adapters["mine"], agent=agent, environ={"PATH": "/usr/bin:/bin"}, config=config)

    assert lacking("hermes") == ["hermes (test -e hermes: exit 1)"]
    assert lacking("eliza") == lacking("hermes", mock=True) == []
    (root / "hermes").touch()
    assert lacking("hermes") == []


@pytest.mark.parametrize(
    ("text", "key"),
    [("exclude = 5", "exclude"), ("exlude = []", ""), ("x = ", ""), ('directories = ["../*"]', "directories")],
)
def test_a_broken_benchmarks_toml_is_reported(workspace, text, key):
    root, _ = workspace
    (root / "benchmarks.toml").write_text(text)
    [problem] = discover(root).problems
    assert (problem.path, problem.key) == (root / "benchmarks.toml", key)


class Point:
    dist = None
    value = "some.module:adapters"
    name = "some"

    def __init__(self, made):
        self.made = made

    def load(self):
        return self.made


def test_installed_packages_add_adapters_and_a_failing_one_is_a_problem(workspace, monkeypatch):
    root, add = workspace
    add("mine", "mine")
    template = discover(root).adapters["mine"]

    def fails():
        raise RuntimeError("no")

    from msgspec.structs import replace

    plugged = replace(template, manifest=replace(template.manifest, id="plugged"))
    points = [Point(lambda: [plugged]), Point(fails), Point(lambda: ["no adapter"])]
    monkeypatch.setattr(discovery, "entry_points", lambda group: points)
    found = discover(root)
    assert found.adapters["plugged"].source == "plugin"
    assert ["the plugin failed: RuntimeError: no" in str(p) or "not an Adapter" in str(p) for p in found.problems] == [
        True,
        True,
    ]
