"""Names that say that they hold a secret, and names that only look like it."""

from __future__ import annotations

import pytest

from benchmarks.adapters.options import Option, effective_config
from benchmarks.adapters.secret_names import is_plain, names_a_secret, secrets_of, secrets_of_url
from benchmarks.orchestrator.models.providers import providers

SECRET = """
OPENAI_API_KEY ANTHROPIC_API_KEY PGPASSWORD GITHUB_PAT API_KEYS OPENAI_API_KEYS AWS_SECRET_ACCESS_KEY AWS_ACCESS_KEY_ID
AWS_SESSION_TOKEN HF_TOKEN HUGGING_FACE_HUB_TOKEN GH_TOKEN GITHUB_TOKEN_2 NPM_TOKEN NODE_AUTH_TOKEN TWINE_PASSWORD
WANDB_API_KEY MYSQL_PWD POSTGRES_PASSWORD REDISCLI_AUTH DB_PASS SMTP_PASS RABBITMQ_DEFAULT_PASS AZURE_OPENAI_KEY
AZURE_CLIENT_SECRET AZURE_STORAGE_CONNECTION_STRING AZURE_STORAGE_SAS_TOKEN GOOGLE_CREDENTIALS_JSON SLACK_WEBHOOK_URL
STRIPE_SECRET_KEY TWILIO_AUTH_TOKEN SENTRY_DSN VAULT_SECRET_ID DOCKER_AUTH_CONFIG COMPOSER_AUTH JWT_SECRET
SECRET_KEY_BASE OPENAI_APIKEY APIKEY NGROK_AUTHTOKEN LDAP_BIND_PW SSHPASS GPG_PASSPHRASE SESSION_COOKIE API_KEY1
OPENAI_API_KEY_PROD API_KEY_OPENAI GCP_SA_KEY DD_APP_KEY apiKey secretAccessKey x-api-key proxyPassword _authToken
password token key api_key client_secret auth_tokens bearer Authorization
""".split()
NOT_SECRET = """
token_budget max_tokens max_new_tokens total_tokens tokenizer tokenizer_path token_count token_limit keyboard monkey
key_value hockey secretary passage compass bypass author AUTHOR PWD OLDPWD HOME PATH SSH_AUTH_SOCK SSH_KEY_PATH
API_KEY_PATH api_key_env api_key_file token_file password_file primary_key sort_key comparison_key answer_key public_key
eos_token pad_token first_pass metric_keys keys tokens key_id num_secrets use_auth has_password signature GIT_ASKPASS
per_token stop_tokens seed sample_ids
""".split()


@pytest.mark.parametrize("name", SECRET)
def test_it_names_a_secret(name: str) -> None:
    assert names_a_secret(name)


@pytest.mark.parametrize("name", NOT_SECRET)
def test_it_names_none(name: str) -> None:
    assert not names_a_secret(name)


def test_every_variable_of_a_provider_names_a_secret() -> None:
    variables = [name for provider in providers().values() for name in provider.key_variables]
    assert [name for name in variables if not names_a_secret(name)] == []


def test_two_budgets_are_not_the_same_work() -> None:
    options = {"token_budget": Option(type="int"), "max_token": Option(type="int"), "api_key": Option(type="str")}
    small, large = (
        effective_config("b", options, {"token_budget": budget, "max_token": 3, "api_key": "k-1"})
        for budget in (10, 10_000)
    )
    assert (small.config, large.config) == (
        {"token_budget": 10, "max_token": 3},
        {"token_budget": 10_000, "max_token": 3},
    )
    assert small.secrets == {"api_key": "k-1"}


def test_an_option_that_holds_a_secret_shows_the_rest_of_its_value() -> None:
    options = {"client": Option(type="object"), "url": Option(type="str"), "more": Option(type="list")}
    client = {"timeout": 3, "headers": {"Authorization": "Bearer s3cret-token-77", "x-api-key": "k-1"}, "max_tokens": 9}
    extra = {"client": client, "url": "https://me:pw@host/v1?sig=abc&n=3", "more": [1, "a", "ghp_" + "a1" * 18]}
    effective = effective_config("b", options, extra)
    assert effective.secrets == extra
    assert effective.config == {
        "client": {
            "timeout": 3,
            "headers": {"Authorization": "[redacted:Authorization]", "x-api-key": "[redacted:x-api-key]"},
            "max_tokens": 9,
        },
        "url": "https://[redacted:credentials]@host/v1?sig=[redacted:sig]&n=3",
        "more": [1, "a", "[redacted:key]"],
    }


def test_what_is_not_a_key_is_recognised_by_its_look() -> None:
    for plain in "ollama lm-studio not-needed no_key_required sk-no-key-required EMPTY none None dummy 12345".split():
        assert is_plain(plain), plain
    for secret in "hunter2 topsecret gsk-very-secret my-secret-key correcthorse gsk_abcabcab tok-99 12345678".split():
        assert not is_plain(secret), secret


def test_secrets_are_found_inside_the_values_of_variables(tmp_path) -> None:
    file = tmp_path / "credentials.json"
    file.write_text("{}")
    environ = {
        "DATABASE_URL": "postgres://app:p%40ss-1@db/x",
        "AZURE_STORAGE_CONNECTION_STRING": "DefaultEndpointsProtocol=https;AccountName=me;AccountKey=abc123==",
        "SETTINGS": '{"model": "m", "auth": {"client_secret": "c-5ecret"}}',
        "GOOGLE_APPLICATION_CREDENTIALS": str(file),
        "MAX_TOKENS": "4096",
        "EMPTY_KEY": "",
    }
    found = secrets_of(environ)
    assert {"p%40ss-1", "p@ss-1", "abc123==", "c-5ecret"} < set(found.values())
    assert not {str(file), "4096", "", "m", "me"} & set(found.values())
    address = "http://T0KEN@host/?access_token=a&X-Amz-Signature=b&code=c&page=2"
    assert set(secrets_of_url(address).values()) >= {"T0KEN", "a", "b", "c"}
    assert secrets_of_url("http://[::1") == {}
