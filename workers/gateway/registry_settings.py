"""The package registries that the worker's own pip and npm are configured for, with their credentials.

A watched repository's `.npmrc` or `pip.conf` is never read: it could name a registry of an attacker.
"""

from __future__ import annotations

import base64
import configparser
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

PYPI = "https://pypi.org/simple"  # pip's built-in index (https://pip.pypa.io/en/stable/cli/pip_install/#cmdoption-i)
NPMJS = "https://registry.npmjs.org/"  # npm's built-in registry (https://docs.npmjs.com/cli/using-npm/config)
PIP_SECTIONS = ("global", "install")  # of pip.conf; the later one wins
SCOPE = re.compile(r"@[a-z0-9~._-]+")
VARIABLE = re.compile(r"(?<!\\)\$\{([^}]+)\}")  # in .npmrc


@dataclass(frozen=True)
class Registry:
    """A package registry.

    Attributes:
        url: without credentials and without a slash at the end; `file:` for a folder of this machine.
        authorization: value of the Authorization header, sent to this registry's own host only; "" for none.
    """

    url: str
    authorization: str = field(default="", repr=False)

    @property
    def host(self) -> str:
        """The name of the host, "" for a folder."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True)
class RegistrySettings:
    """The registries from which packages may come.

    Attributes:
        indexes: Python package indexes, the main one first.
        links: folders and pages with links to Python packages (pip's `find-links`).
        npm: the registry of npm packages without a registry of their scope.
        scopes: scope, with its @, → its registry.
        certificates: file of the certificate authorities to trust; None for the system's.
    """

    indexes: tuple[Registry, ...] = ()
    links: tuple[Registry, ...] = ()
    npm: Registry = Registry(NPMJS.rstrip("/"))
    scopes: Mapping[str, Registry] = field(default_factory=dict)
    certificates: str | None = None


def read_settings(environ: Mapping[str, str] | None = None) -> RegistrySettings:
    """The registries of pip's and npm's settings: files of the system and of the user, then the environment.

    Args:
        environ: the environment; None takes that of the process.
    """
    environ = os.environ if environ is None else environ
    pip, npm = _pip_options(environ), _npm_options(environ)
    main = (
        []
        if pip.get("no-index", "").lower() in ("1", "true", "yes", "on")
        else [pip.get("index-url") or PYPI]
    )
    indexes = main and [*main, *pip.get("extra-index-url", "").split()]
    registries = {key.partition(":")[0]: value for key, value in npm.items() if key.endswith(":registry")}
    certificates = pip.get("cert") or npm.get("cafile") or environ.get("SSL_CERT_FILE")
    return RegistrySettings(
        indexes=tuple(_registry(url) for url in indexes),
        links=tuple(_registry(url) for url in pip.get("find-links", "").split()),
        npm=_npm_registry(npm.get("registry") or NPMJS, npm),
        scopes={
            scope: _npm_registry(url, npm) for scope, url in registries.items() if SCOPE.fullmatch(scope)
        },
        certificates=certificates if certificates and Path(certificates).is_file() else None,
    )


def _registry(url: str) -> Registry:
    if "://" not in url:  # a path: pip accepts one for find-links
        return Registry(Path(url.removeprefix("file:")).absolute().as_uri())
    parts = urlsplit(url)
    if parts.username is None:
        return Registry(url.rstrip("/"))
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Registry(_without_credentials(parts).rstrip("/"), _basic(pair))


def _basic(pair: str) -> str:
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _without_credentials(parts: SplitResult) -> str:
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


# ---- pip -------------------------------------------------------------------------------------


def _pip_options(environ: Mapping[str, str]) -> dict[str, str]:
    """pip's options by their long names (https://pip.pypa.io/en/stable/topics/configuration/)."""
    options: dict[str, str] = {}
    for path in _pip_files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        for section in PIP_SECTIONS:
            if parser.has_section(section):
                options |= {name.replace("_", "-"): value for name, value in parser.items(section)}
    variables = {name: value for name, value in environ.items() if name.startswith("PIP_") and value}
    return options | {name[4:].lower().replace("_", "-"): value for name, value in variables.items()}


def _pip_files(environ: Mapping[str, str]) -> Iterable[Path]:
    own = environ.get("PIP_CONFIG_FILE", "")
    if own == os.devnull:
        return
    home = Path(environ.get("HOME") or Path.home())
    for folder in reversed((environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)):
        yield Path(folder, "pip", "pip.conf")
    yield Path("/etc/pip.conf")
    yield home / ".pip" / "pip.conf"
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config", "pip", "pip.conf")
    yield Path(sys.prefix, "pip.conf")
    if own:
        yield Path(own)


# ---- npm -------------------------------------------------------------------------------------


def _npm_options(environ: Mapping[str, str]) -> dict[str, str]:
    """npm's options (https://docs.npmjs.com/cli/configuring-npm/npmrc)."""
    lowered = {name.lower(): value for name, value in environ.items() if value}
    home = Path(environ.get("HOME") or Path.home())
    npm = shutil.which("npm", path=environ.get("PATH"))
    prefixes = [Path(npm).parent.parent / "etc" / "npmrc"] if npm else []
    files = [
        *prefixes,
        Path(lowered.get("npm_config_globalconfig") or "/etc/npmrc"),
        Path(lowered.get("npm_config_userconfig") or home / ".npmrc"),
    ]
    options: dict[str, str] = {}
    for path in files:
        options |= _parse_npmrc(path, environ)
    variables = {
        name[11:]: value for name, value in environ.items() if name.lower().startswith("npm_config_")
    }
    return options | {
        name if name.startswith("//") else name.lower().replace("_", "-"): value
        for name, value in variables.items()
        if value
    }


def _parse_npmrc(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    options = {}
    for line in lines:
        name, equals, value = line.partition("=")
        if equals and not name.lstrip().startswith(("#", ";")):
            text = VARIABLE.sub(lambda match: environ.get(match[1], match[0]), value.strip())
            options[name.strip()] = text.strip('"')
    return options


def _npm_registry(url: str, options: Mapping[str, str]) -> Registry:
    registry = _registry(url)
    return Registry(registry.url, registry.authorization or _npm_authorization(registry.url, options))


def _npm_authorization(url: str, options: Mapping[str, str]) -> str:
    """The credential of the longest prefix of the address that has one: `//host/path/:_authToken` and the like."""
    parts = urlsplit(url)
    prefix = f"//{parts.netloc}{parts.path.rstrip('/')}/"
    while prefix.strip("/"):
        for place in (prefix, prefix.rstrip("/")):
            if token := options.get(f"{place}:_authToken"):
                return f"Bearer {token}"
            if pair := options.get(f"{place}:_auth"):
                return f"Basic {pair}"
            user, password = options.get(f"{place}:username"), options.get(f"{place}:_password")
            if user and password:
                return _basic(f"{user}:{base64.b64decode(password).decode(errors='replace')}")
        prefix = prefix.rstrip("/").rpartition("/")[0] + "/"
    return ""
