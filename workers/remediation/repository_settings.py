"""Reads `.trackwalker.toml`: how a repository is installed and tested, and what a patch may touch. Pure."""

from __future__ import annotations

import tomllib
from typing import Any

from workers.errors import Refused

SETTINGS_FILE = ".trackwalker.toml"
KEYS = ("check", "test", "install", "protected", "allow")

Command = tuple[str, ...]


def read_repository_settings(text: str | None, service: str) -> dict[str, Any]:
    """The settings for one service: its section `[services.<name>]` before the general keys.

    Protected globs of both are combined, so that a section cannot lift a general protection; so are allowed globs.

    Args:
        text: content of the file; None if there is none.

    Raises:
        Refused: a key is unknown or malformed; the message names it.
    """
    try:
        table = tomllib.loads(text or "")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Refused(f"{SETTINGS_FILE} is not valid TOML: {error}") from error
    sections = table.get("services", {})
    if not isinstance(sections, dict) or not all(isinstance(part, dict) for part in sections.values()):
        raise Refused(f"{SETTINGS_FILE}: services must be tables, [services.<name>]")
    general = _validate({key: value for key, value in table.items() if key != "services"}, "")
    # Every section is validated, because a typo in another service's section should not wait for its first incident.
    validated = {name: _validate(part, f"services.{name}.") for name, part in sections.items()}
    section_name = next((name for name in sections if name.lower() == service.lower()), "")
    section = validated.get(section_name, {})
    protected = (*general.get("protected", ()), *section.get("protected", ()))
    allow = (*general.get("allow", ()), *section.get("allow", ()))
    combined = {"protected": protected, "allow": allow}
    return general | section | {key: globs for key, globs in combined.items() if globs}


def _validate(part: dict[str, Any], prefix: str) -> dict[str, Any]:
    valid: dict[str, Any] = {}
    for key, value in part.items():
        name = f"{SETTINGS_FILE}: {prefix}{key}"
        if key not in KEYS:
            raise Refused(f"{name} is not a known key. Known keys: {', '.join(KEYS)}")
        if key in ("check", "install"):
            if not isinstance(value, list) or not all(
                _is_word_list(command) and command for command in value
            ):
                raise Refused(f'{name} must be a list of commands, for example [["make", "test"]]')
            valid[key] = tuple(tuple(command) for command in value)
        elif not _is_word_list(value):
            raise Refused(f"{name} must be a list of words")
        else:
            valid[key] = tuple(value)
    if "test" in valid and "{path}" not in " ".join(valid["test"]):
        raise Refused(f'{SETTINGS_FILE}: {prefix}test must contain "{{path}}", the place of the test file')
    return valid


def _is_word_list(value: object) -> bool:
    # A NUL byte would cut the argument off where the operating system reads it.
    return isinstance(value, list) and all(
        isinstance(word, str) and word and "\0" not in word for word in value
    )
