"""Every answer of the API is as its own description says."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from benchmarks import viewer

pytestmark = pytest.mark.slow

EXAMPLES = 8
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_as_described(client, add, mode):
    add("run_a", 0.5, files={"output/samples.jsonl": b'{"id": "1", "correct": true}\n', "stdout.log": b"one\ntwo\n"})
    add("run_b", 0.9, start={"agent": "other"})
    add("run_c", end=False)
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", client.app)
    asked = 0
    for operation in (found.ok() for found in schema.get_all_operations()):
        if operation.path == "/api/stream":
            continue  # It goes on for half a minute.

        @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), derandomize=True)
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case):
            case.call_and_validate(checks=CHECKS, headers={"Accept-Encoding": "identity"})

        with contextlib.suppress(Unsatisfiable):  # Nothing is wrong with a question without parameters.
            check()
            asked += 1
    assert asked > 10


def test_the_description_names_every_route_and_every_parameter(client):
    document = client.simulate_get("/api/openapi.json").json
    assert document["openapi"].startswith("3.1")
    assert "/api/runs/{run_id}/artifacts/{path}" in document["paths"]
    runs = document["paths"]["/api/runs"]["get"]
    assert {"sort", "cursor", "as_of", "q", "format"} <= {parameter["name"] for parameter in runs["parameters"]}
    assert "RunRow" in document["components"]["schemas"]


PRESENT = {
    "/api/runs/{run_id}/logs/{name}",
    "/api/runs/{run_id}/logs/{name}/matches",
    "/api/runs/{run_id}/artifacts",
    "/api/runs/{run_id}/artifacts/{path}",
    "/api/runs/{run_id}/corrections",
    "/api/ledger",
    "/api/query",
    "/api/query/views",
    "/api/stream",
    "/api/corrections",
    "/api/charts",
    "/api/openapi.json",
    "/healthz",
    "/metrics",
}
"""Files as they are now, the server itself, and the query, whose body has `as_of`."""


def test_every_view_of_the_history_can_be_had_as_of_a_moment(client):
    paths = client.simulate_get("/api/openapi.json").json["paths"]
    without = {
        path
        for path, item in paths.items()
        if "as_of" not in {one["name"] for operation in item.values() for one in operation.get("parameters", [])}
    }
    assert without == PRESENT
    body = paths["/api/query"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert "as_of" in str(body) or "as_of" in str(client.simulate_get("/api/openapi.json").json["components"])


def test_what_the_page_asks_for_is_described(client):
    paths = client.simulate_get("/api/openapi.json").json["paths"]
    known = {re.sub(r"\{\w+\}", "{}", path) for path in paths}
    scripts = Path(viewer.__file__).parent.glob("page/js/*.js")
    name = r"\$\{encodeURIComponent\([^)]*\)\}"
    address = re.compile(rf"""["`]/?(api/(?:[^"`?$]|{name})*)""")
    asked = {
        re.sub(rf"{name}|\{{\w+\}}", "{}", f"/{found}")
        for script in scripts
        for found in address.findall(script.read_text())
    }
    assert len(asked) > 20
    assert asked - known == set()
