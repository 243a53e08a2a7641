"""Answers are read as data. The package itself runs some of them as Python, beside the key of the provider."""

from __future__ import annotations

import ast
import importlib
from typing import Any

_EVALUATING = (
    "algorithmic.binary_matrix",
    "algorithmic.spiral_matrix",
    "algorithmic.string_insertion",
    "games.n_queens",
)
"""Modules of the package that call `eval` on an answer, in which they expect a list."""
_PARSING = ("games.countdown", "games.puzzle24")
"""Modules that hold SymPy's parser, which evaluates what it parsed, under a name of their own."""
_ARITHMETIC = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Constant, ast.Name, ast.Load, ast.Call, ast.operator, ast.unaryop,
)  # fmt: skip
_MAX_CHARACTERS = 10_000


def install() -> None:
    """Let the package read literals instead of evaluating answers, and arithmetic instead of parsing them."""
    import sympy
    from sympy.parsing import sympy_parser

    parse = sympy_parser.parse_expr

    def parse_arithmetic(text: str, *arguments: Any, **named: Any) -> Any:
        check_arithmetic(text)
        return parse(text, *arguments, **named)

    sympy.parse_expr = sympy_parser.parse_expr = parse_arithmetic
    for name in _PARSING:
        importlib.import_module(f"reasoning_gym.{name}").parse_expr = parse_arithmetic  # type: ignore[attr-defined]
    for name in _EVALUATING:
        importlib.import_module(f"reasoning_gym.{name}").eval = ast.literal_eval  # type: ignore[attr-defined]


def check_arithmetic(text: str) -> None:
    """Raises ValueError unless a text is an expression of numbers, names, operators and mathematical functions."""
    from sympy.core.function import FunctionClass

    if len(text) > _MAX_CHARACTERS:
        raise ValueError("a longer expression than any answer needs")
    import sympy

    for node in ast.walk(ast.parse(text.strip().replace("!", ""), mode="eval")):
        if not isinstance(node, _ARITHMETIC):
            raise ValueError(f"{type(node).__name__} is not part of an arithmetic expression")
        if isinstance(node, ast.Constant) and not isinstance(node.value, int | float | complex):
            raise ValueError("only numbers are part of an arithmetic expression")
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            function = getattr(sympy, name, None)
            if node.keywords or not (isinstance(function, FunctionClass) or name in ("sqrt", "Rational", "Integer")):
                raise ValueError(f"'{name}' is not a function of an arithmetic expression")
