"""Providers: where they answer, which key they take, and what a child learns of it."""

from __future__ import annotations

import pytest

from benchmarks.orchestrator.errors import UsageError
from benchmarks.orchestrator.models.providers import find_provider, providers, resolve, without_other_keys


def test_the_address_is_the_one_given_then_the_variables_then_the_public_one():
    groq = find_provider("Groq")
    environ = {"GROQ_BASE_URL": "http://proxy/v1/"}
    assert resolve(groq, base_url="http://given/v1/", environ=environ).base_url == "http://given/v1"
    assert resolve(groq, base_url=None, environ=environ).base_url == "http://proxy/v1"
    assert resolve(groq, base_url=None, environ={}).base_url == "https://api.groq.com/openai/v1"


def test_the_first_variable_that_is_set_holds_the_key():
    google = find_provider("google")
    environ = {"GOOGLE_API_KEY": "", "GEMINI_API_KEY": "g-1"}
    endpoint = resolve(google, base_url=None, environ=environ)
    assert (endpoint.key_variable, endpoint.key, endpoint.missing()) == ("GEMINI_API_KEY", "g-1", [])
    [told] = resolve(google, base_url=None, environ={}).missing()
    assert "GOOGLE_API_KEY or GEMINI_API_KEY" in told


def test_anything_else_needs_an_address_and_no_key():
    other = find_provider("openai-compatible")
    assert "--base-url" in resolve(other, base_url=None, environ={}).missing()[0]
    assert resolve(other, base_url="http://x/v1", environ={}).missing() == []
    assert resolve(other, base_url=None, environ={"OPENAI_BASE_URL": "http://y"}).base_url == "http://y"


def test_a_child_learns_the_address_and_the_key_in_the_names_that_clients_read():
    endpoint = resolve(find_provider("groq"), base_url=None, environ={"GROQ_API_KEY": "k"})
    told = endpoint.environment()
    assert told["OPENAI_API_KEY"] == told["GROQ_API_KEY"] == "k"
    assert told["OPENAI_BASE_URL"] == told["GROQ_BASE_URL"] == "https://api.groq.com/openai/v1"
    keyless = resolve(find_provider("ollama"), base_url=None, environ={}).environment()
    assert keyless["OPENAI_API_KEY"] == "none", "clients refuse to start without one"


def test_no_child_gets_the_key_of_another_provider():
    variables = {name for provider in providers().values() for name in provider.key_variables}
    assert {"OPENAI_API_KEY", "GEMINI_API_KEY", "VLLM_API_KEY"} <= variables
    kept = without_other_keys({"HOME": "/h", **dict.fromkeys(variables, "k")}, find_provider("groq"))
    assert kept == {"HOME": "/h", "GROQ_API_KEY": "k"}


def test_a_judges_key_is_kept():
    environ = {"GROQ_API_KEY": "k", "OPENAI_API_KEY": "o", "CEREBRAS_API_KEY": "c"}
    kept = without_other_keys(environ, find_provider("groq"), ["CEREBRAS_API_KEY"])
    assert kept == {"GROQ_API_KEY": "k", "CEREBRAS_API_KEY": "c"}


def test_an_unknown_provider_is_refused_with_the_nearest_name():
    with pytest.raises(UsageError, match="did you mean anthropic"):
        find_provider("antropic")


@pytest.mark.parametrize("address", ["localhost:8000", "ftp://x", "//x", ""])
def test_a_text_that_is_not_an_address_is_refused(address):
    with pytest.raises(UsageError, match="is not a base URL"):
        resolve(find_provider("groq"), base_url=address, environ={})
