"""The configuration of the agent's server denies by default, never asks, and holds no key but the model's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.support.fakes.model import MODEL_NAME, provider
from workers.agent.config import Role, configuration, find_tool
from workers.agent.providers import opencode_entry, read_providers, upstream
from workers.errors import AgentRefused

ENTRY = opencode_entry(MODEL_NAME, provider("http://127.0.0.1:1", "key"), "http://127.0.0.1:2", "token")


@pytest.mark.parametrize("role", ["reader", "writer"])
def test_no_permission_is_asked_and_no_tool_runs_commands(role: Role) -> None:
    config = configuration(role, MODEL_NAME, ENTRY)

    allowed = config["agent"]["trackwalker"]["permission"]
    assert '"ask"' not in json.dumps(config)
    assert config["permission"] == {"*": "deny"}
    assert set(allowed) <= {"*", "read", "glob", "grep", "list", "doom_loop", "edit"}
    assert ("edit" in allowed) == (role == "writer")
    assert config["enabled_providers"] == ["standin"]


@pytest.mark.parametrize(
    "pattern",
    [
        ".github/*",
        "*/.github/*",
        ".vscode/*",
        ".agents/*",
        ".git/*",
        "*.env",
        ".env.*",
        "*/AGENTS.md",
        ".trackwalker.toml",
    ],
)
def test_the_writer_may_not_edit_protected_paths(pattern: str) -> None:
    config = configuration("writer", MODEL_NAME, ENTRY)

    edit = config["agent"]["trackwalker"]["permission"]["edit"]
    assert next(iter(edit.items())) == ("*", "allow")
    assert edit[pattern] == "deny"


def test_the_configuration_names_the_gateway_and_holds_no_key() -> None:
    own = provider("https://models.example/v1", "sk-the-real-key", headers={"X-Account": "acct-secret"})
    entry = opencode_entry(MODEL_NAME, own, "http://127.0.0.1:4567", "token-of-the-run")

    config = configuration("reader", MODEL_NAME, entry)

    assert config["provider"]["standin"]["options"]["baseURL"] == "http://127.0.0.1:4567/v1"
    assert list(config["provider"]) == ["standin"]
    text = json.dumps(config)
    assert "token-of-the-run" in text
    assert not any(secret in text for secret in ("sk-the-real-key", "models.example", "acct-secret"))


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("anthropic/x", "ANTHROPIC_API_KEY"),
        ("google/x", "GEMINI_API_KEY"),
        ("togetherai/x", "TOGETHERAI_API_KEY"),
    ],
)
def test_a_missing_key_is_named(model: str, variable: str) -> None:
    with pytest.raises(AgentRefused, match=variable):
        upstream(model, {}, {"OTHER_API_KEY": SecretStr("x")})


def test_a_missing_program_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(AgentRefused, match="OPENCODE_BIN"):
        find_tool("opencode", tmp_path / "nowhere", "OPENCODE_BIN", tmp_path)


def test_a_provider_package_that_is_not_bundled_is_refused() -> None:
    config = {"own": {"npm": "evil-provider", "options": {"baseURL": "http://x"}}}

    with pytest.raises(AgentRefused, match="evil-provider"):
        upstream("own/x", config, {})


def test_only_the_providers_of_a_users_configuration_are_read(tmp_path: Path) -> None:
    file = tmp_path / "opencode.jsonc"
    file.write_text(
        '{ // mine\n "plugin": ["own"], "mcp": {"x": {}},\n'
        ' "provider": {"own": {"options": {"apiKey": "{env:OWN_KEY}", "baseURL": "https://x/v1",}}}, /* end */'
        "}"
    )

    providers = read_providers(file, {"OWN_KEY": "k1"})

    assert providers == {"own": {"options": {"apiKey": "k1", "baseURL": "https://x/v1"}}}


@pytest.mark.parametrize("text", ["", "[]", '{"provider": []}', '{"provider": {"x": 1}}', "{"])
def test_an_unreadable_configuration_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "opencode.json").write_text(text)

    with pytest.raises(AgentRefused, match="OPENCODE_CONFIG"):
        read_providers(tmp_path / "opencode.json", {})
