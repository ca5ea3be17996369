"""Decides by its shape whether a value is a secret: a random word, a placeholder, a sentence. Pure."""

from __future__ import annotations

import re

from workers.runtime import secret_names as names

MARK = "[redacted]"
SECRET_CHARS = 10  # shortest value of a name such as `key` that counts as secret
RANDOM_WORD_CHARS = 12  # shortest word after "token" that counts as secret
SHORTEST_RANDOM_WORD = 8  # the same for a word with capital and small letters and digits
PLACEHOLDER = re.compile(
    r"\*{2,}|x{3,}|\.{2,}|…|-+|_+|\?+|\[[A-Za-z_ -]{1,30}\]?|\$(?:\w+|[({].*)"
    r"|<[A-Za-z_ -]{0,40}>?|\{\{?.{0,60}\}?\}?|%\(?\w{0,30}\)?s?|#\{.*",
    re.IGNORECASE,
)
"""Text that stands for a value: `***`, `${TOKEN}`, `[FILTERED]`, `<password>`."""
SCHEMES = frozenset(["bearer", "basic", "token", "digest", "negotiate", "apikey", "hmac", "aws4-hmac-sha256"])
SENTENCE = re.compile(r"[A-Za-z']{1,20}(?:,? [A-Za-z'-]{1,20}){2,20}[.!]?")
VALIDATION_RULES = re.compile(
    r"(?:(?:required|nullable|string|sometimes|confirmed|min:\d+|max:\d+|same:\w{1,40}|current_password)(?:\||\Z)){1,10}"
)
"""The validation rules of Laravel."""


def looks_secret(value: str) -> bool:
    """True for a value that is random rather than a word, a number or the name of a thing."""
    if names.UUID.match(value):
        return True
    letters, digits = any(map(str.isalpha, value)), any(map(str.isdigit, value))
    return len(value) >= SECRET_CHARS and letters and digits and ":" not in value and value.count(".") < 2


def is_spoken_secret(match: re.Match[str]) -> bool:
    """True if a match of `SPOKEN` is a sentence with a secret, as in `the password is hunter2`."""
    value, link = match["value"].rstrip(".,;:!?"), match["link"].split()
    is_password = match["name"].lower().startswith(("pass", "pwd"))
    if value.startswith(MARK[:9]) or value.lower() in names.SENTENCE_STARTS or "=" in value:
        return False
    has_digit = looks_mixed(value)
    if match["quote"] == "(" and not has_digit:
        return False
    if link and link[0].lower() in ("is", "was", "now", "for"):
        plain = value.isalpha() and (names.WORD_ENDINGS.search(value) or _sentence_goes_on(match))
        return not plain and not names.CALL.match(value) and not names.DOTTED.match(value)
    if match["quote"]:
        return is_password or looks_secret(value)
    if is_password:
        return has_digit and not value.lower().startswith(("sha", "md5", "bcrypt", "argon", "utf", "pbkdf"))
    is_random = has_digit and any(map(str.isupper, value)) and any(map(str.islower, value))
    shortest = SHORTEST_RANDOM_WORD if is_random else RANDOM_WORD_CHARS
    is_long = len(value) >= shortest and (is_random or looks_secret(value))
    return bool(names.UUID.match(value)) or (is_long and "/" not in value)


def _sentence_goes_on(match: re.Match[str]) -> bool:
    return re.match(r"\s[a-z]{2,}", match.string[match.end() :][:12]) is not None


def is_message(value: str) -> bool:
    """True for a sentence about a field or a rule of its validation: `This field is required.`, `required|min:8`."""
    if VALIDATION_RULES.fullmatch(value):
        return True
    first = value.partition(" ")[0].lower()
    return SENTENCE.fullmatch(value) is not None and (value[0].isupper() or first in names.SENTENCE_STARTS)


def is_placeholder(value: str) -> bool:
    """True for text that stands for a value, also behind the scheme of a header: `Bearer ${token}`."""
    scheme, _, rest = value.partition(" ")
    if scheme.lower() in SCHEMES:
        value = rest.strip()
    return not value or PLACEHOLDER.fullmatch(value) is not None


def looks_mixed(value: str) -> bool:
    """True for a value with letters and digits."""
    return any(map(str.isalpha, value)) and any(map(str.isdigit, value))
