"""The registries that pip's and npm's own settings name, with their credentials."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from workers.gateway.registry_settings import NPMJS, PYPI, Registry, RegistrySettings, read_settings


def settings(folder: Path, **environ: str) -> RegistrySettings:
    """The settings of a user whose home is the folder, on a machine without settings of its own."""
    system = {
        "XDG_CONFIG_DIRS": str(folder / "no"),
        "npm_config_globalconfig": str(folder / "no"),
        "PATH": "",
    }
    return read_settings({"HOME": str(folder)} | system | environ)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_without_settings_the_public_registries_are_used(tmp_path: Path) -> None:
    result = settings(tmp_path)

    assert [registry.url for registry in result.indexes] == [PYPI]
    assert (result.npm.url, result.links, result.scopes) == (NPMJS.rstrip("/"), (), {})


def test_pips_files_are_read_in_its_order_and_the_environment_wins(tmp_path: Path) -> None:
    pip_conf = """
[global]
index-url = https://a.example/simple/
extra-index-url =
    https://b.example/simple
    file:///srv/simple
[install]
find-links = /srv/wheels
"""
    write(tmp_path / ".config/pip/pip.conf", pip_conf)
    write(tmp_path / "own.conf", "[global]\nindex_url = https://c.example/simple\n")

    user = settings(tmp_path)
    named = settings(tmp_path, PIP_CONFIG_FILE=str(tmp_path / "own.conf"))
    variable = settings(
        tmp_path, PIP_INDEX_URL="https://d.example/simple", PIP_EXTRA_INDEX_URL="https://e.example"
    )

    assert [registry.url for registry in user.indexes] == [
        "https://a.example/simple", "https://b.example/simple", "file:///srv/simple",
    ]  # fmt: skip
    assert [registry.url for registry in user.links] == ["file:///srv/wheels"]
    assert named.indexes[0].url == "https://c.example/simple"
    assert [registry.url for registry in variable.indexes] == [
        "https://d.example/simple",
        "https://e.example",
    ]
    assert settings(tmp_path, PIP_NO_INDEX="1").indexes == ()
    assert settings(tmp_path, PIP_CONFIG_FILE="/dev/null").indexes[0].url == PYPI


def test_a_password_in_an_address_becomes_a_header_and_shows_nowhere(tmp_path: Path) -> None:
    result = settings(tmp_path, PIP_INDEX_URL="https://me:p%40ss@a.example:8443/simple?x=1")

    [registry] = result.indexes
    assert registry.url == "https://a.example:8443/simple"
    assert registry.authorization == f"Basic {base64.b64encode(b'me:p@ss').decode()}"
    assert "p@ss" not in repr(result)
    assert registry.authorization not in repr(result)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("//npm.example/:_authToken=${TOKEN}", "Bearer t0ken"),
        ("//npm.example/team/:_authToken=own\n//npm.example/:_authToken=other", "Bearer own"),
        ("//npm.example/team/:_auth=bWU6cHc=", "Basic bWU6cHc="),
        ("//npm.example/:username=me\n//npm.example/:_password=cHc=", "Basic bWU6cHc="),
        ("//npm.example.evil/:_authToken=x\n//npm.example/other/:_authToken=y", ""),
        ("_authToken=unscoped\n; //npm.example/:_authToken=comment", ""),
    ],
)
def test_npms_credentials_belong_to_an_address(tmp_path: Path, lines: str, expected: str) -> None:
    write(tmp_path / ".npmrc", f"registry = https://npm.example/team/\n{lines}\n")

    result = settings(tmp_path, TOKEN="t0ken")

    assert result.npm == Registry("https://npm.example/team", expected)


def test_a_scope_can_have_a_registry_of_its_own(tmp_path: Path) -> None:
    write(
        tmp_path / ".npmrc",
        "@acme:registry=https://npm.acme.example\n@Bad Scope:registry=https://x.example\n",
    )

    result = settings(
        tmp_path,
        npm_config_registry="https://all.example/",
        **{"npm_config_@b:registry": "https://b.example"},
    )

    assert result.npm.url == "https://all.example"
    assert {scope: registry.url for scope, registry in result.scopes.items()} == {
        "@acme": "https://npm.acme.example", "@b": "https://b.example",
    }  # fmt: skip
