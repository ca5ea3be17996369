"""The environment variables that point package installers at the registry proxy. Pure."""

from __future__ import annotations

from workers.gateway.registry_settings import RegistrySettings


def installer_variables(base: str, settings: RegistrySettings) -> dict[str, str]:
    """The environment of pip, uv and npm. It wins over the configuration files of a repository.

    Args:
        base: address of the proxy, with its token.
    """
    indexes = [f"{base}/pip/{number}/simple/" for number in range(len(settings.indexes))]
    links = [f"{base}/pip/links/{number}/" for number in range(len(settings.links))]
    return _pip(indexes, links) | _uv(indexes, links) | _npm(f"{base}/npm/", settings)


def _pip(indexes: list[str], links: list[str]) -> dict[str, str]:
    variables = {
        "PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_CACHE_DIR": "1",
        # The installation of a wheel runs no code.
        "PIP_PREFER_BINARY": "1",
        # An index that a requirements file names cannot be reached; pip goes on without it after its retries.
        "PIP_RETRIES": "2",
        **({"PIP_INDEX_URL": indexes[0]} if indexes else {"PIP_NO_INDEX": "1"}),
        "PIP_EXTRA_INDEX_URL": " ".join(indexes[1:]), "PIP_FIND_LINKS": " ".join(links),
    }  # fmt: skip
    return {name: value for name, value in variables.items() if value}


def _uv(indexes: list[str], links: list[str]) -> dict[str, str]:
    variables = {
        "UV_DEFAULT_INDEX": indexes[0] if indexes else "", "UV_INDEX": " ".join(indexes[1:]),
        "UV_FIND_LINKS": ",".join(links), "UV_NO_CONFIG": "1",
    }  # fmt: skip
    return {name: value for name, value in variables.items() if value}


def _npm(url: str, settings: RegistrySettings) -> dict[str, str]:
    return {f"npm_config_{scope}:registry": url for scope in settings.scopes} | {
        "npm_config_registry": url, "npm_config_replace_registry_host": "always",
        # Scripts of packages would run while the proxy can be reached.
        "npm_config_ignore_scripts": "true", "npm_config_audit": "false", "npm_config_fund": "false",
        "npm_config_update_notifier": "false",
    }  # fmt: skip
