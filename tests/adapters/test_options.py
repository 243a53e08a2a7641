"""Options: what may be set, in one form, with secrets apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.adapters.options import Option, OptionError, UnknownOption, coerce, effective_config, render

KINDS = ["int", "float", "bool", "str", "list", "object"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def option(kind: str, **more) -> Option:
    return Option(type=kind, env="X", **more)


@given(st.sampled_from(KINDS), VALUES)
def test_a_value_in_its_form_stays_in_it(kind, value):
    try:
        once = coerce(option(kind), value)
    except OptionError:
        return
    assert coerce(option(kind), once) == once
    assert type(coerce(option(kind), once)) is type(once)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("int", 2, 2),
        ("int", 2.0, 2),
        ("float", 2, 2.0),
        ("list", [1.0, 2.5], [1, 2.5]),
        ("object", {"a": {"b": 1.0}}, {"a": {"b": 1}}),
        ("bool", True, True),
        ("str", "x", "x"),
    ],
)
def test_equal_values_get_one_form(kind, value, expected):
    coerced = coerce(option(kind), value)
    assert coerced == expected and type(coerced) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", 2.5),
        ("int", True),
        ("int", "2"),
        ("float", "2"),
        ("float", float("nan")),
        ("float", float("inf")),
        ("bool", 1),
        ("bool", "true"),
        ("str", 2),
        ("list", "a,b"),
        ("list", [float("inf")]),
        ("object", []),
    ],
)
def test_a_value_of_another_type_is_refused(kind, value):
    with pytest.raises(OptionError):
        coerce(option(kind), value)


@pytest.mark.parametrize(("kind", "value"), [("str", "a\0b"), ("list", ["a\0"]), ("object", {"a": ["\0"]})])
def test_no_command_can_hold_a_nul_character(kind, value):
    with pytest.raises(OptionError, match="contains a NUL character"):
        coerce(Option(type=kind, argv=["{value}"]), value)


def test_how_a_number_is_written_as_text_is_reported_and_only_there():
    with pytest.raises(OptionError, match=r'^5 is not a text; write "5"$'):
        coerce(Option(type="str", argv=["{value}"]), 5)
    with pytest.raises(OptionError, match=r'^\["a"\] is not a text$'):
        coerce(Option(type="str", argv=["{value}"]), ["a"])


def test_only_the_choices_may_be_chosen():
    with pytest.raises(OptionError, match='"c" is not one of "a", "b"'):
        coerce(option("str", choices=["a", "b"]), "c")


OPTIONS = {
    "seed": option("int", default=42),
    "limit": option("int"),
    "api_key": option("str"),
    "note": option("str", secret=True),
}


def test_defaults_then_extra_then_the_benchmarks_own():
    extra = {"seed": 1, "limit": 5, "elsewhere": True, "per_benchmark": {"b": {"seed": 2}, "other": {"x": 1}}}
    effective = effective_config("b", OPTIONS, extra)
    assert effective.config == {"seed": 2, "limit": 5}
    assert effective.unknown == ["elsewhere"]
    assert effective_config("b", OPTIONS, {}).config == {"seed": 42}
    assert effective_config("b", OPTIONS, {"seed": None}).config == {}


def test_secrets_are_not_part_of_the_configuration():
    effective = effective_config("b", OPTIONS, {"api_key": "k", "note": "n"})
    assert effective.config == {"seed": 42}
    assert effective.secrets == {"api_key": "k", "note": "n"}


def test_an_unknown_name_for_one_benchmark_is_refused():
    with pytest.raises(UnknownOption, match="b has no option 'sead'") as error:
        effective_config("b", OPTIONS, {"per_benchmark": {"b": {"sead": 1}}})
    assert (error.value.name, set(error.value.known)) == ("sead", set(OPTIONS))


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("api_key", True),
        ("groq_api_key", True),
        ("apikey", True),
        ("token", True),
        ("access-token", True),
        ("password", True),
        ("client_secret", True),
        ("max_tokens", False),
        ("tokens", False),
        ("keyboard", False),
        ("monkey", False),
        ("seed", False),
    ],
)
def test_a_secret_is_known_by_its_name(name, secret):
    assert option("str").secret_as(name) is secret


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a b", "a b"),
        (2, "2"),
        (2.5, "2.5"),
        (True, "true"),
        ([1, "x", 2.5], "1,x,2.5"),
        ([[1]], "[[1]]"),
        ({"a": 1}, '{"a":1}'),
    ],
)
def test_values_as_text(value, text):
    assert render(value) == text
