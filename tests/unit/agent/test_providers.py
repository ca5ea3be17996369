"""The user's providers are split in two: the gateway gets address and key, opencode nothing that is worth stealing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import SecretStr

from workers.agent.providers import opencode_entry, upstream
from workers.errors import AgentRefused
from workers.gateway.upstream import Upstream

KEYS = {
    name: SecretStr(f"value-of-{name}")
    for name in (
        "ANTHROPIC_API_KEY",
        "OPENAI_API_KEY",
        "GEMINI_API_KEY",
        "GROQ_API_KEY",
        "AZURE_API_KEY",
        "MISTRAL_API_KEY",
    )
}
OWN: dict[str, Any] = {
    "own": {
        "npm": "@ai-sdk/openai-compatible",
        "options": {
            "baseURL": "https://llm.example/v1/", "apiKey": "sk-secret", "headers": {"X-Auth": "header-secret"},
        },
        "models": {"m1": {
            "limit": {"context": 100, "output": 50}, "cost": {"input": 1, "output": 4, "cache_read": 0.1},
        }},
    }
}  # fmt: skip


def of(
    model: str, config: dict[str, Any] | None = None, price: tuple[float, float] | None = None
) -> Upstream:
    return upstream(model, config or {}, KEYS, price)


@pytest.mark.parametrize(
    ("model", "url", "formats", "header"),
    [
        ("openai/gpt-5", "https://api.openai.com/v1", ("responses", "chat"), "authorization"),
        ("anthropic/claude-x", "https://api.anthropic.com/v1", ("messages",), "x-api-key"),
        ("google/g", "https://generativelanguage.googleapis.com/v1beta", ("gemini",), "x-goog-api-key"),
        ("groq/openai/gpt-oss", "https://api.groq.com/openai/v1", ("chat",), "authorization"),
    ],
)
def test_a_known_provider_needs_only_its_key(
    model: str, url: str, formats: tuple[str, ...], header: str
) -> None:
    provider = of(model)

    assert (provider.base_url, provider.formats, provider.key_header) == (url, formats, header)
    assert provider.key.get_secret_value().startswith("value-of-")
    assert provider.model == model.partition("/")[2]


def test_the_users_own_entry_decides_on_address_key_headers_price_and_length() -> None:
    provider = of("own/m1", OWN)

    assert provider.base_url == "https://llm.example/v1"
    assert provider.secrets == ("sk-secret", "header-secret")
    assert provider.max_output_tokens == 50
    assert provider.price is not None
    assert (provider.price.input, provider.price.cache_read, provider.price.cache_write) == (1, 0.1, None)
    assert provider.request_headers()["x-auth"] == "header-secret"


def test_opencode_gets_the_gateway_in_place_of_address_key_and_headers() -> None:
    entry = opencode_entry("own/m1", OWN, "http://127.0.0.1:4711", "token-of-the-run")

    text = json.dumps(entry)
    assert entry["options"]["baseURL"] == "http://127.0.0.1:4711/v1"
    assert entry["options"]["apiKey"] == "token-of-the-run"
    assert "secret" not in text
    assert "llm.example" not in text
    assert entry["models"]["m1"]["limit"] == {"context": 100, "output": 50}


@pytest.mark.parametrize(
    ("model", "npm", "path"),
    [
        ("google/g", "@ai-sdk/google", "/v1beta"),
        ("azure/gpt-5", "@ai-sdk/openai", "/v1"),
        ("anthropic/claude-x", "@ai-sdk/anthropic", "/v1"),
        ("deepseek/deepseek-flash", "@ai-sdk/openai-compatible", "/v1"),
    ],
)
def test_opencode_speaks_the_api_that_the_gateway_passes_on(model: str, npm: str, path: str) -> None:
    entry = opencode_entry(model, {}, "http://127.0.0.1:1", "t")

    assert (entry["npm"], entry["options"]["baseURL"]) == (npm, f"http://127.0.0.1:1{path}")


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({"resourceName": "acme"}, "https://acme.openai.azure.com/openai/v1"),
        ({"baseURL": "https://acme.openai.azure.com/openai"}, "https://acme.openai.azure.com/openai/v1"),
        ({"baseURL": "https://acme.example/openai/v1/"}, "https://acme.example/openai/v1"),
    ],
)
def test_azure_is_reached_by_its_own_address_and_header(options: dict[str, str], url: str) -> None:
    provider = of("azure/gpt-5", {"azure": {"options": options}})

    assert (provider.base_url, provider.key_header) == (url, "api-key")
    assert provider.target("/responses", {}) == "/openai/v1/responses?api-version=v1"


@pytest.mark.parametrize(
    "model", ["amazon-bedrock/x", "google-vertex/x", "google-vertex-anthropic/x", "cohere/x", "vercel/x"]
)
def test_a_provider_that_a_gateway_cannot_serve_is_refused_with_another_way(model: str) -> None:
    with pytest.raises(AgentRefused, match=r"TRACKWALKER_MODEL: the provider .* use "):
        of(model)


@pytest.mark.parametrize(
    "url",
    [
        "http://llm.example/v1", "ftp://127.0.0.1/", "https://user:pw@llm.example/", "https://x/?key=1", "//x",
        "http://127.0.0.1.evil.example/", "https://", "http://8.8.8.8/v1", "https://x/#y",
    ],
)  # fmt: skip
def test_a_key_travels_without_tls_in_private_networks_only(url: str) -> None:
    with pytest.raises(AgentRefused, match="baseURL"):
        of("own/m1", {"own": {"options": {"baseURL": url, "apiKey": "k"}}})


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:11434/v1", "http://localhost:1234/v1", "http://[::1]:80/v1", "http://10.0.0.1/v1",
        "http://ollama.railway.internal:11434/v1", "http://ollama:11434/v1",
    ],
)  # fmt: skip
def test_a_model_in_a_private_network_needs_neither_tls_nor_key(url: str) -> None:
    provider = of("local/m1", {"local": {"options": {"baseURL": url}}})

    assert (provider.base_url, provider.request_headers().get("authorization")) == (url, None)


def test_the_setting_comes_before_the_entry_and_the_entry_before_the_list() -> None:
    entry = {"anthropic": {"models": {"claude-sonnet-4-5": {"cost": {"input": 2, "output": 3}}}}}

    sources = [
        of("anthropic/claude-sonnet-4-5", entry, (7, 8)).price,
        of("anthropic/claude-sonnet-4-5", entry).price,
        of("anthropic/claude-sonnet-4-5").price,
        of("anthropic/claude-nobody-knows").price,
    ]

    assert [price and (price.input, price.source) for price in sources] == [
        (7, "TRACKWALKER_MODEL_PRICE"), (2, "OPENCODE_CONFIG"), (3, "list prices of 2026-09-27"), None,
    ]  # fmt: skip


def test_a_missing_key_and_a_missing_address_are_named() -> None:
    with pytest.raises(AgentRefused, match="XAI_API_KEY"):
        of("xai/grok")
    with pytest.raises(AgentRefused, match=r"OPENCODE_CONFIG.*baseURL"):
        upstream("unknown/m", {}, {"UNKNOWN_API_KEY": SecretStr("k")})


def test_a_key_that_no_header_can_carry_is_refused_without_being_quoted() -> None:
    with pytest.raises(AgentRefused, match="OWN_API_KEY") as refused:
        of("own/m", {"own": {"options": {"baseURL": "https://x/v1", "apiKey": "line\r\nx: secret"}}})

    assert "secret" not in str(refused.value)


def test_mistral_is_not_sent_a_field_that_it_rejects() -> None:
    assert not of("mistral/m").asks_for_usage
    assert of("groq/m").asks_for_usage
