"""The webhook secret in .env."""

import codecs
import os
import re
import secrets
from pathlib import Path

from setup_error import SetupError

SECRET = "TRACKWALKER_SECRET"  # noqa: S105 - its name, not its value
SECRET_LINE = re.compile(rf"^[ \t]*(?:export[ \t]+)?{SECRET}[ \t]*=[ \t]*(.*?)[ \t]*\r?$", re.MULTILINE)


def has_secret(place: Path) -> bool:
    """Whether the file holds a secret that is not empty."""
    return any(value.strip("'\"") for value in SECRET_LINE.findall(read_dotenv(place)))


def read_dotenv(place: Path) -> str:
    """The text of the file as it is, "" without one."""
    raw = place.read_bytes() if place.exists() else b""
    # PowerShell's `>` writes UTF-16. Without its mark it shows as a NUL beside each letter.
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in raw:
        raise SetupError(".env is UTF-16: save it as UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SetupError(f".env line {line} is not UTF-8: save the file as UTF-8") from None


def write_secret(place: Path) -> bool:
    """Add a random secret to .env if it has none, and keep every other line."""
    if has_secret(place):
        return False
    place = place.resolve()
    kept = re.sub(SECRET_LINE.pattern + r"\n?", "", read_dotenv(place), flags=re.MULTILINE)
    line = f"{SECRET}={secrets.token_urlsafe(32)}"
    fresh = place.with_name(place.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write((kept + ("\n" if kept and not kept.endswith("\n") else "") + line + "\n").encode())
    fresh.replace(place)
    print(f"setup: wrote a new {SECRET} to .env", flush=True)
    return True
