"""JMESPath expressions of a manifest: whether they can be read, and whether they can have a value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_INTO_A_VALUE = ("subexpression", "index_expression", "projection", "filter_projection", "value_projection", "flatten")


def expression_faults(expression: str) -> Iterator[str]:
    """What is wrong with an expression."""
    import jmespath.exceptions
    import jmespath.parser

    try:
        parsed = jmespath.parser.Parser().parse(expression).parsed
    except jmespath.exceptions.JMESPathError as problem:
        yield f"'{expression}' is not JMESPath: {' '.join(str(problem).split())}"
        return
    except RecursionError:
        yield "is nested too deeply"
        return
    if _looks_into_a_truth(parsed):
        yield f"'{expression}' is always null: JMESPath reads !a.b as (!a).b; write !(a.b)"


def _looks_into_a_truth(node: Any) -> bool:
    """Whether an expression takes a field, or elements, of the true or false that `!` makes. They have none."""
    children = node.get("children", ())
    if node["type"] in _INTO_A_VALUE and children[0]["type"] == "not_expression":
        return True
    return any(_looks_into_a_truth(child) for child in children)
