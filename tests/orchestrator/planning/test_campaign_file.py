"""Campaign files: which cells a matrix means, and how an invalid file is reported."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.adapters.adapter import Adapter
from benchmarks.adapters.manifest import parse_manifest
from benchmarks.orchestrator.errors import UsageError
from benchmarks.orchestrator.models.providers import Endpoint, Provider
from benchmarks.orchestrator.models.targets import Target
from benchmarks.orchestrator.planning.campaign_file import cells_of, load_campaign_file


def adapter(id: str) -> Adapter:
    tables = {"id": id, "name": id, "run": {"argv": ["x"]}, "result": {"files": ["r"], "score": "s", "unit": "u"}}
    manifest = parse_manifest({**tables, "default_agent": "own"}, Path("x"), id)
    return Adapter(manifest=manifest, source="suite", origin=Path("x"), root=Path(), sha256="")


KNOWN = {id: adapter(id) for id in ("alpha", "beta", "gamma")}


def find(provider: str, model: str | None, base_url: str | None) -> Target:
    if provider == "elsewhere":
        raise UsageError("unknown provider 'elsewhere'")
    return Target(
        Endpoint(Provider(name=provider, openai_compatible=True), base_url, None, None), model or "d", model or "d"
    )


@pytest.fixture
def cells(tmp_path):
    def of(text: str):
        file = tmp_path / "weekend.toml"
        file.write_text(text)
        return [
            (cell.adapter.id, cell.agent, str(cell.target), cell.extra)
            for cell in cells_of(load_campaign_file(file), KNOWN, find)
        ]

    return of


def test_a_matrix_is_multiplied_one_model_after_the_other(cells):
    found = cells(
        """
        [matrix]
        benchmarks = ["beta", "alpha"]
        agents = ["one", "two"]
        models = ["groq:x", { provider = "local", model = "y", base_url = "http://127.0.0.1:1/v1" }]
        options = [{ seed = 1 }, { seed = 2 }]
        """
    )
    assert len(found) == len(set(map(str, found))) == 16
    assert found[0] == ("beta", "one", "groq:x", {"seed": 1})
    assert [model for _, _, model, _ in found] == ["groq:x"] * 8 + ["local:y"] * 8


def test_all_means_all_and_each_has_its_own_agent(cells):
    assert cells('[matrix]\nbenchmarks = "all"\nmodels = ["groq:x"]') == [
        (id, "own", "groq:x", {}) for id in ("alpha", "beta", "gamma")
    ]


def test_what_is_nearer_to_a_cell_comes_first(cells):
    found = cells(
        """
        options = { seed = 1, per_benchmark = { alpha = { size = 1, kept = 1 } } }
        [matrix]
        benchmarks = ["alpha", "beta"]
        models = ["groq:x", "groq:y"]
        options = [{ seed = 2 }, { per_benchmark = { alpha = { size = 2 } } }]
        [[override]]
        benchmark = "alpha"
        model = "*:y"
        options = { seed = 2 }
        set = { size = 3 }
        """
    )
    alpha = {"seed": 1, "per_benchmark": {"alpha": {"size": 1, "kept": 1}}}
    assert found[0][3] == {**alpha, "seed": 2}
    assert found[1][3] == {"seed": 1, "per_benchmark": {"alpha": {"size": 2, "kept": 1}}}
    assert found[4][3] == {"seed": 2, "per_benchmark": {"alpha": {"size": 3, "kept": 1}}}
    assert found[5][3] == found[1][3], "its seed is another one"


def test_what_is_excluded_is_left_out(cells):
    found = cells(
        """
        [matrix]
        benchmarks = "all"
        models = ["groq:x", "local:y"]
        options = [{ seed = 1 }, { seed = 2 }]
        [[exclude]]
        benchmark = "a*"
        model = "groq:*"
        [[exclude]]
        options = { seed = 2 }
        """
    )
    assert [(id, model) for id, _, model, _ in found] == [
        ("beta", "groq:x"),
        ("gamma", "groq:x"),
        ("alpha", "local:y"),
        ("beta", "local:y"),
        ("gamma", "local:y"),
    ]


MATRIX = '[matrix]\nbenchmarks = ["alpha"]\nmodels = ["groq:x"]\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[matrix", "weekend.toml is not valid: Expected"),
        ("name = 'x'", "missing required field `matrix`"),
        ('[matrix]\nbenchmarks = ["alpha"]', "missing required field `models`"),
        (MATRIX + "[run]\njbos = 2", "unknown key 'jbos' in run\nhint: did you mean jobs?"),
        ("nmae = 'x'\n" + MATRIX, "unknown key 'nmae'\nhint: did you mean name?"),
        (
            MATRIX + "[[exclude]]\nagent = 'x'\n[[exclude]]\nbenhcmark = ''",
            "unknown key 'benhcmark' in exclude 2\nhint: ",
        ),
        (
            MATRIX + "[[override]]\nzzzz = 1\nset = {}",
            "unknown key 'zzzz' in override 1\nhint: the keys are agent, benchmark,",
        ),
        (
            MATRIX.replace('["groq:x"]', '[{ providre = "x" }]'),
            "unknown key 'providre' in matrix.models 1\nhint: did you",
        ),
        (
            MATRIX.replace('["alpha"]', '"ok"'),
            "matrix.benchmarks must be a list of ids or \"all\", not 'ok'\nhint: write benchmarks",
        ),
        (
            MATRIX + "[[exclude]]\nbenchmark = 'alpha'\n[[exclude]]",
            "exclude 2 is empty, so it would leave out every cell\nhint: ",
        ),
        (
            MATRIX + "options = [{ day = 2026-01-02 }]",
            "matrix.options[0].day is a date, which an option cannot be\nhint: write it as text",
        ),
        ("options = { per_benchmark = { alpha = { at = [10:00:00] } } }\n" + MATRIX, "alpha.at[0] is a time, which"),
        (MATRIX + "[run]\njobs = 'two'", "$.run.jobs"),
        (
            '[matrix]\nbenchmarks = ["alhpa"]\nmodels = ["groq:x"]',
            "unknown benchmark 'alhpa'\nhint: did you mean alpha?",
        ),
        (
            '[matrix]\nbenchmarks = ["alpha"]\nmodels = ["qwen3"]',
            "'qwen3' does not name a provider\nhint: write it as provider:model",
        ),
        ('[matrix]\nbenchmarks = ["alpha"]\nmodels = ["elsewhere:x"]', "unknown provider 'elsewhere'"),
        ('[matrix]\nbenchmarks = []\nmodels = ["groq:x"]', "matrix.benchmarks is empty"),
        (MATRIX + "options = []", "matrix.options is empty"),
        (MATRIX + "agents = []", "matrix.agents is empty"),
        ("options = { per_benchmark = 3 }\n" + MATRIX, "per_benchmark must be a table"),
        (MATRIX + "options = [{ per_benchmark = { alpha = 3 } }]", "per_benchmark must be a table"),
        (MATRIX + '[[exclude]]\nbenchmark = "beta"', "exclude 1 matches no cell: {'benchmark': 'beta'}"),
        (MATRIX + '[[override]]\nagent = "other"\nset = {}', "override 1 matches no cell: {'agent': 'other'}"),
        (MATRIX + '[[exclude]]\nbenchmark = "*"', "its [[exclude]] rules leave out every cell"),
    ],
)
def test_an_invalid_file_is_refused_with_the_place(cells, text, told):
    with pytest.raises(UsageError) as problem:
        cells(text)
    assert told in str(problem.value)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        load_campaign_file(tmp_path / "none.toml")


NAMES = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3, unique=True)


@given(NAMES, NAMES, st.lists(st.integers(1, 3), min_size=1, max_size=3, unique=True))
def test_the_number_of_cells_is_the_product_of_the_axes(tmp_path_factory, agents, models, seeds):
    file = tmp_path_factory.getbasetemp() / "product.toml"
    file.write_text(
        f'[matrix]\nbenchmarks = "all"\nagents = {agents}\nmodels = {[f"p:{model}" for model in models]}\n'
        f"options = [{', '.join(f'{{ seed = {seed} }}' for seed in seeds)}]"
    )
    found = cells_of(load_campaign_file(file), KNOWN, find)
    assert len(found) == 3 * len(agents) * len(models) * len(seeds)
