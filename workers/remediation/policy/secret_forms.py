"""The forms in which a known secret may stand in a patch: plain, reversed, encoded, in pieces, as numbers. Pure."""

from __future__ import annotations

import base64
import re
import urllib.parse
from collections.abc import Iterable

MIN_SECRET_LENGTH = 8  # characters: a shorter setting could be part of any word
MIN_PIECE = 8  # characters of a piece that is searched for alone
JOINING = re.compile(r"[\s\"'`+,;()\[\]{}\\|&=:#.<>/*-]+")
"""Characters between the pieces of a text that code puts together."""
NUMBER = re.compile(r"0x[0-9a-fA-F]{1,2}|\\x[0-9a-fA-F]{2}|\\u00[0-9a-fA-F]{2}|\d{1,3}")


def contains_secret(texts: Iterable[str], secrets: Iterable[str]) -> bool:
    """True if one of the texts holds one of the secrets in any form.

    Args:
        texts: the added lines as one text, and constants that code computes.
        secrets: values of at least MIN_SECRET_LENGTH characters; shorter ones are not looked for.
    """
    long_secrets = {secret for secret in secrets if len(secret) >= MIN_SECRET_LENGTH}
    forms = {form for secret in long_secrets for form in _forms(secret)}
    squeezed = {JOINING.sub("", form).lower() for form in forms}
    squeezed = {form for form in squeezed if len(form) >= MIN_PIECE}
    for text in dict.fromkeys(form for given in texts for form in (given, urllib.parse.unquote(given))):
        if any(form in text for form in forms) or any(form.lower() in text.lower() for form in forms):
            return True
        plain = _squeeze(text)
        if any(form in plain for form in squeezed):
            return True
        if any(
            secret in decoded
            for decoded in _from_numbers(text)
            for form in long_secrets
            for secret in (form, form[::-1])
        ):
            return True
    return False


def _forms(secret: str) -> set[str]:
    raw = secret.encode()
    forms = {secret, urllib.parse.quote(secret, safe=""), secret.swapcase(), _rot13(secret)}
    for content in (raw, raw[::-1]):
        forms |= {
            content.hex(),
            base64.b32encode(content).decode().rstrip("=")[:-1],
            base64.b85encode(content).decode()[:-5],
        }
        for offset in range(3):
            # Base64 codes three bytes at a time, so what stands before the secret shifts it. Its first and last
            # characters depend on the neighbours and are left out.
            text = base64.b64encode(bytes(offset) + content).decode().rstrip("=")
            core = text[(0, 2, 3)[offset] : -1]
            forms |= {core, core.replace("+", "-").replace("/", "_")}
    forms |= {form[::-1] for form in forms}
    return {form for form in forms if len(form) >= MIN_PIECE}


def _rot13(text: str) -> str:
    return "".join(
        chr((ord(character) - base + 13) % 26 + base)
        if (base := 97 if "a" <= character <= "z" else 65 if "A" <= character <= "Z" else 0)
        else character
        for character in text
    )


def _squeeze(text: str) -> str:
    """The text without what joins pieces: quotes, operators, spaces, and names that pieces are assigned to."""
    lines = [
        re.sub(
            r"^\s*(?:(?:const|let|var|export|final|static)\s+)*[\w.\[\]\"']{1,60}\s*(?::\s*[\w.\[\]]{1,40})?\s*\+?[=:]\s*",
            "",
            line,
        )
        for line in text.splitlines()
    ]
    return JOINING.sub("", "".join(re.sub(r"\s(?:#|//).*$", "", line) for line in lines)).lower()


def _from_numbers(text: str) -> list[str]:
    """Texts that lists of numbers and escapes spell, with and without gaps."""
    decoded: list[str] = []
    for radix_text in (text,):
        codes = [_code(match[0]) for match in NUMBER.finditer(radix_text)]
        decoded.append("".join(chr(code) for code in codes if 32 <= code < 127))
    return decoded


def _code(text: str) -> int:
    digits = text.lstrip("\\")
    return (
        int(digits[1:], 16)
        if digits[0] in "xu"
        else int(digits, 16)
        if digits.startswith("0x")
        else int(digits)
    )
