"""Every Eval Ever: every document is valid by the coalition's own schema, and says what the run said."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from benchmarks.projections.render.exports.every_eval_ever import SCHEMA_VERSION, Evaluator, documents, write_documents


@pytest.fixture(scope="session")
def schemas(tmp_path_factory) -> Path:
    """The schemas that the coalition ships in its own package (MIT), which itself needs a later Python."""
    folder = tmp_path_factory.mktemp("every_eval_ever")
    package = f"every-eval-ever=={SCHEMA_VERSION}"
    install = ["pip", "install", "--quiet", "--no-deps", "--python-version", "3.12", "--target", str(folder), package]
    subprocess.run([sys.executable, "-m", "uv", *install, "--python", sys.executable], check=True)
    return folder / "every_eval_ever" / "schemas"


def validator_of(schemas: Path, name: str) -> Draft7Validator:
    schema = json.loads((schemas / name).read_text())
    assert schema["version"] == SCHEMA_VERSION
    return Draft7Validator(schema)


@pytest.fixture(scope="session")
def validator(schemas) -> Draft7Validator:
    return validator_of(schemas, "eval.schema.json")


def no_rows(run):
    return []


@pytest.mark.parametrize(
    "changes",
    [
        {"stderr": 0.05, "samples": 100, "metrics": {"by": [1, None]}, "usage": {"calls": 3}, "provenance": {"x": {}}},
        {"unit": None, "higher_is_better": None},
        {"unit": "seconds", "higher_is_better": False, "extra_config": {"n": 1, "deep": {"a": [True]}}},
        {"model": "meta-llama/Llama-3.1-8B-Instruct", "provider": "groq", "doubt": "imported"},
        {"model": "../../etc/passwd", "provenance": {"orchestrator": "0.1.0", "model_sha256": "0" * 64}},
    ],
)
def test_documents_are_valid(make_run, validator, changes):
    [document] = documents([make_run(0.25, ended_at="2026-11-23T10:00:00.000000Z", **changes)], Evaluator())
    assert [problem.message for problem in validator.iter_errors(document)] == []


def test_an_imported_time_that_is_none_gives_way_to_that_of_the_import(make_run, validator):
    run = make_run(0.25, doubt="imported", started_at="long ago", ended_at="later", created_at="2026-11-23T10:00:00Z")
    [document] = documents([run], Evaluator())
    assert document["retrieved_timestamp"] == "1795428000.000000"
    assert validator.is_valid(document)


def test_the_schema_finds_what_is_wrong(make_run, validator):
    [document] = documents([make_run(0.25)], Evaluator())
    del document["evaluation_results"][0]["metric_config"]["lower_is_better"]
    assert not validator.is_valid(document)


def test_a_document_says_what_the_run_said(make_run):
    run = make_run(0.25, stderr=0.05, samples=100, model="meta-llama/Llama-3.1-8B", provider="groq", last_seq=7)
    [document] = documents([run], Evaluator("us", "third_party"))
    assert document["model_info"]["developer"] == "meta-llama"
    assert document["model_info"]["id"] == "meta-llama/Llama-3.1-8B"
    assert document["source_metadata"]["source_organization_name"] == "us"
    assert document["source_metadata"]["additional_details"]["ledger_position"] == "7"
    [result] = document["evaluation_results"]
    assert result["score_details"]["score"] == 0.25
    uncertainty = result["score_details"]["uncertainty"]
    assert (uncertainty["standard_error"]["value"], uncertainty["num_samples"]) == (0.05, 100)
    # Wilson's interval with the effective size of a sample with that standard error, by Student's t.
    assert uncertainty["confidence_interval"]["lower"] == pytest.approx(0.165, abs=1e-3)
    assert uncertainty["confidence_interval"]["method"] == "Wilson score"
    assert result["metric_config"]["metric_unit"] == "proportion"


@pytest.mark.parametrize(
    ("unit", "score", "bounds"),
    [
        ("ratio", 0.25, (0, 1)),
        ("percent", 25.0, (0, 100)),
        ("percent", 104.0, ("-Infinity", "Infinity")),
        ("s", 2.0, ("-Infinity", "Infinity")),
        (None, 45.25, ("-Infinity", "Infinity")),
    ],
)
def test_a_score_without_bounds_says_so_as_the_validator_of_the_format_wants_it(
    make_run, validator, unit, score, bounds
):
    [document] = documents([make_run(score, unit=unit)], Evaluator())
    config = document["evaluation_results"][0]["metric_config"]
    assert (config["min_score"], config["max_score"]) == bounds and validator.is_valid(document)


def test_nothing_is_made_up_of_a_model_that_nobody_names(make_run):
    [document] = documents([make_run(0.25, model="gpt-4.1", provider="openai")], Evaluator())
    assert "developer" not in document["model_info"]
    assert document["model_info"]["additional_details"] == {
        "deployment_type": "unknown",
        "model_availability": "unknown",
    }


def test_files_have_the_paths_of_the_data_store_and_stay_in_the_folder(make_run, tmp_path):
    runs = [make_run(0.25, model="org/m", run_id="run_x"), make_run(0.5, benchmark_id="../b", model="../../m/../..")]
    runs.append(make_run(0.5, benchmark_id="..", model="."))
    paths = write_documents(runs, Evaluator(), tmp_path, no_rows)
    assert write_documents(runs, Evaluator(), tmp_path, no_rows) == paths, "the same run is the same file"
    folders = [path.parent.relative_to(tmp_path) for path in paths]
    assert folders[0] == Path("data/b/org/m")
    assert all(path.resolve().is_relative_to(tmp_path) and len(path.relative_to(tmp_path).parts) == 5 for path in paths)
    assert json.loads(paths[0].read_text())["evaluation_results"][0]["evaluation_result_id"] == "run_x"


@pytest.mark.parametrize(
    ("provider", "model", "folders"),
    [
        ("openai", "b", "openai/b"),
        ("groq", "org/m", "org/m"),
        ("groq", "org/sub/m", "org/sub_m"),
        ("local", "m:latest", "local/m_latest"),
        ("local", "m (revision=step1)", "local/m (revision=step1)"),
        ("", "m", "unknown/m"),
        ("a", "data", "a/_data"),
        ("a", "nul.gguf", "a/_nul.gguf"),
        ("a", "数学", "a/数学"),
    ],
)
def test_a_document_lies_where_the_store_looks_for_its_model(make_run, tmp_path, provider, model, folders):
    [path] = write_documents([make_run(0.25, model=model, provider=provider)], Evaluator(), tmp_path, no_rows)
    assert path.parent.relative_to(tmp_path / "data" / "b").as_posix() == folders


def test_names_that_no_folder_can_have_are_folders_of_their_own(make_run, tmp_path):
    names = ["q?*", "q??", "b\\c", "b|c", "M.", "M ", "..", "...", " "]
    runs = [make_run(0.25, model=name, run_id=str(number)) for number, name in enumerate(names)]
    folders = {path.parent for path in write_documents(runs, Evaluator(), tmp_path, no_rows)}
    assert len(folders) == len(names)
    runs = [make_run(0.25, benchmark_id=name, run_id=name) for name in ["数学", "物理", "a b", "a_b", "a/b"]]
    assert len({path.parents[2] for path in write_documents(runs, Evaluator(), tmp_path, no_rows)}) == 5


def test_names_of_three_hundred_letters_have_a_folder_each(make_run, tmp_path):
    runs = [make_run(0.25, model="é" * 300 + end, run_id=end) for end in "ab"]
    paths = write_documents(runs, Evaluator(), tmp_path, no_rows)
    assert len({path.parent for path in paths}) == 2


def test_a_benchmark_of_another_program_keeps_its_name(make_run):
    [document] = documents([make_run(0.25, extra_config={"benchmark_name": "C++"})], Evaluator())
    [result] = document["evaluation_results"]
    assert (result["evaluation_name"], result["source_data"]["dataset_name"]) == ("C++", "C++")


ROWS = [
    {"id": 1, "input": "2+2?", "expected": 4, "output": "4", "score": 1.0, "correct": True, "latency_ms": 3.5}
    | {"input_tokens": 5, "output_tokens": 1},
    {"id": "x", "input": "ü?", "output": "", "score": 0.5},
]


def test_samples_stand_beside_the_document_and_are_valid(make_run, schemas, validator, tmp_path):
    [path] = write_documents([make_run(0.75, model="org/m")], Evaluator(), tmp_path, lambda run: ROWS)
    document = json.loads(path.read_text())
    assert [problem.message for problem in validator.iter_errors(document)] == []
    told = document["detailed_evaluation_results"]
    content = (tmp_path / told["file_path"]).read_bytes()
    assert (told["checksum"], told["total_rows"]) == (sha256(content).hexdigest(), 2)
    instances = [json.loads(line) for line in content.splitlines()]
    check = validator_of(schemas, "instance_level_eval.schema.json")
    assert [problem.message for instance in instances for problem in check.iter_errors(instance)] == []
    assert {instance["evaluation_id"] for instance in instances} == {document["evaluation_id"]}
    assert [instance["evaluation"] for instance in instances] == [
        {"score": 1.0, "is_correct": True},
        {"score": 0.5, "is_correct": False},
    ]
    assert instances[0]["input"] == {"raw": "2+2?", "reference": ["4"]}
    assert instances[0]["token_usage"]["total_tokens"] == 6 and "token_usage" not in instances[1]


def test_samples_without_a_question_and_an_answer_are_left_out(make_run, tmp_path):
    [path] = write_documents([make_run(0.75)], Evaluator(), tmp_path, lambda run: [*ROWS, {"id": 3, "score": 1.0}])
    assert "detailed_evaluation_results" not in json.loads(path.read_text())
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [path]


def test_no_exported_interval_of_a_ratio_ends_beyond_1(make_run):
    """Five of six right: score ± 1.96 standard errors ends at 1.16."""
    [document] = documents([make_run(5 / 6, samples=6, stderr=1 / 6)], Evaluator())
    interval = document["evaluation_results"][0]["score_details"]["uncertainty"]["confidence_interval"]
    assert 0 < interval["lower"] < 5 / 6 < interval["upper"] < 1
    [flat] = documents([make_run(0.0, samples=10, stderr=0.0)], Evaluator())
    known = flat["evaluation_results"][0]["score_details"]["uncertainty"]
    assert "standard_error" not in known and known["confidence_interval"]["upper"] == pytest.approx(0.2775, abs=1e-4)
