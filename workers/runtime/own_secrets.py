"""The secrets of this installation: those of the settings, and those in the file that OPENCODE_CONFIG names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, SecretStr

from workers.runtime.secret_names import HEADERS, NAMES

MAX_CONFIG_BYTES = 2**20  # of OPENCODE_CONFIG that are searched; a real file has a few kilobytes
PAIR = re.compile(r'"([^"\\\n]{1,100})"\s*:\s*"((?:[^"\\\n]|\\.){1,4096})"')
"""A name and its text in JSON, also in JSON with comments."""
SECRET_NAME = re.compile(rf"{NAMES}|{HEADERS}|key\Z", re.IGNORECASE)
VARIABLE = re.compile(r"\{env:([^}]{1,100})\}")
"""A variable of the environment in opencode's configuration: https://opencode.ai/docs/config/#env-vars"""
TOKEN_PATH = re.compile(r"(?=[^/]*\d)[^/]{12,}|[^/]+/[^/]+/[^/]+")
"""A segment with a digit that is long enough for a token, or several segments, as in `/services/T0001/B0001/…`."""
PASSWORD_SCHEMES = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def own_secrets(
    settings: BaseModel, environ: Mapping[str, str], opencode_config: Path | None
) -> Iterator[str]:
    """Every secret value of the settings and of the model configuration; an unreadable file has none."""
    for value in dict(settings).values():
        secrets = value.values() if isinstance(value, dict) else (value,)
        for secret in secrets:
            if isinstance(secret, SecretStr):
                yield from _parts(secret.get_secret_value())
    if opencode_config is not None:
        yield from _config_secrets(opencode_config, environ)


def _parts(text: str) -> Iterator[str]:
    """The text, the parts of a list of secrets, the lines of a key, and the password or path of an address."""
    if PASSWORD_SCHEMES.match(text):
        yield from _address_parts(text)
        return
    yield text
    for part in re.split(r"[,\n]|\\n", text):
        if not part.startswith("-----"):
            yield part.strip()


def _address_parts(address: str) -> Iterator[str]:
    try:
        parts = urlsplit(address)
        password = parts.password
    except ValueError:
        yield address
        return
    if password:
        yield from (password, unquote(password))
    elif parts.scheme in ("http", "https"):
        # A webhook's address is a secret as a whole. Another text may quote its path, if that holds a token and not
        # just a name.
        yield address
        if TOKEN_PATH.search(parts.path):
            yield parts.path.strip("/")


def _config_secrets(path: Path, environ: Mapping[str, str]) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(MAX_CONFIG_BYTES)
    except OSError:
        return
    for name, value in PAIR.findall(text):
        if SECRET_NAME.search(name):
            yield value
            yield value.rpartition(" ")[2]
    for name in VARIABLE.findall(text):
        yield environ.get(name, "")
