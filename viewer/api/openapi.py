"""The API's description for programs, OpenAPI 3.1: made from the descriptions of the resources."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import falcon
import msgspec

from .answers import answer
from .parameters import MAX_NUMBER, Form, Parameter

_TEMPLATE = "#/components/schemas/{name}"
_IN_PATH = {
    "run_id": "the id of a run",
    "name": "stdout or stderr",
    "path": "the path of an artifact, as the run recorded it",
    "benchmark_id": "the id of a benchmark",
    "run_group_id": "the id of a campaign",
    "registration_id": "the id of a registered plan",
}


class Problem(msgspec.Struct, frozen=True):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


class Route(msgspec.Struct, frozen=True):
    """An address and its resource, which has `about`, `parameters`, `answer`, and `on_get` or `on_post`.

    `answer` is the type of a JSON answer, or the media type of another; `question` (of `on_post`) the type of its body.
    """

    path: str
    resource: Any


class Description:
    """`/api/openapi.json`."""

    about = "This description"
    parameters = Form()
    answer = dict[str, Any]

    def __init__(self, routes: Sequence[Route]) -> None:
        self._document = describe([*routes, Route("/api/openapi.json", self)])

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The document."""
        self.parameters.read(req)
        # Behind a proxy, the API begins at the proxy's prefix.
        answer(req, resp, {**self._document, "servers": [{"url": req.root_path or "/"}]})

    on_head = on_get


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """The OpenAPI document of some routes."""
    types = [route.resource.answer for route in routes if not isinstance(route.resource.answer, str)]
    types += [route.resource.question for route in routes if hasattr(route.resource, "question")]
    schemas, components = msgspec.json.schema_components([*types, Problem], ref_template=_TEMPLATE)
    schema_of = dict(zip(map(repr, types), schemas, strict=False))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Benchmark Orchestrator viewer",
            "version": "1",
            "description": "Reads the ledger's history. Only corrections of runs are written.",
        },
        "paths": {re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path): _path(route, schema_of) for route in routes},
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _path(route: Route, schema_of: dict[str, Any]) -> dict[str, Any]:
    resource = route.resource
    is_json = not isinstance(resource.answer, str)
    kind = "application/json" if is_json else resource.answer
    content = {kind: {"schema": schema_of[repr(resource.answer)] if is_json else {"type": "string"}}}
    if any(parameter.name == "format" for parameter in resource.parameters.parameters):
        content["text/csv"] = {"schema": {"type": "string"}}
        content[kind] = {"schema": {"anyOf": [content[kind]["schema"], {"type": "array"}]}}
    if any(parameter.name == "view" for parameter in resource.parameters.parameters):
        content["text/plain"] = {"schema": {"type": "string"}}
    operation: dict[str, Any] = {
        "operationId": type(resource).__name__,
        "summary": resource.about,
        "parameters": [
            *(_in_path(name) for name in re.findall(r"\{(\w+)", route.path)),
            *map(_in_query, resource.parameters.parameters),
        ],
        "responses": {
            "200": {"description": "The answer", "content": content},
            "206": {"description": "A piece", "content": content},
            "304": {"description": "Not modified"},
            "default": {
                "description": "An error",
                "content": {"application/problem+json": {"schema": {"$ref": _TEMPLATE.format(name="Problem")}}},
            },
        },
    }
    if hasattr(resource, "on_get"):
        return {"get": operation}
    operation["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": schema_of[repr(resource.question)]}},
    }
    return {"post": operation}


def _in_path(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "minLength": 1}
    if name == "name":
        schema["enum"] = ["stdout", "stderr"]
    return {"name": name, "in": "path", "required": True, "description": _IN_PATH[name], "schema": schema}


def _in_query(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if parameter.kind == "number":
        schema = {"type": "integer", "minimum": parameter.minimum, "maximum": min(parameter.maximum, MAX_NUMBER)}
    elif parameter.kind == "moment":
        schema["format"] = "date-time"
    elif parameter.choices:
        schema["enum"] = list(parameter.choices)
    if parameter.default is not None:
        schema["default"] = int(parameter.default) if parameter.kind == "number" else parameter.default
    if parameter.is_list:
        schema = {"type": "array", "items": schema}
    described = {"name": parameter.name, "in": "query", "description": parameter.about, "schema": schema}
    return {**described, "required": True} if parameter.is_required else described
