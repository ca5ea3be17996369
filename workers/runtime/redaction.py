"""Redaction: replaces secrets and personal data in text with `[redacted]` before it is stored, shown or sent.

Hosts, paths, commit hashes, UUIDs, numbers, expressions and error messages stay, because evidence consists of them.
Each search is linear or bounded, so a hostile line of 100 kB costs milliseconds.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from workers.runtime import secret_formats as formats
from workers.runtime import secret_names as names
from workers.runtime.secret_shapes import MARK, is_spoken_secret, looks_secret
from workers.runtime.secret_values import redact_cookies, redact_named

# Characters. A shorter known value would be replaced inside ordinary words.
SHORTEST_KNOWN_SECRET = 6
SHORTEST_REMEMBERED_SECRET = 8
LONGEST_WORD = 12  # letters of a value that may as well be an ordinary word
MAX_QUERY_CHARS = 300  # of a query beside a parameter
ENCODED_LENGTH = 12  # a shorter secret is not searched for in its encodings: they would match ordinary text

_remembered: set[str] = set()
"""The secrets of this process in every form that is searched for. One process reads one set of settings."""


def remember_secrets(values: Iterable[str]) -> None:
    """From now on `redact` replaces these values, also reversed, URL-encoded, in hex and in base64.

    `settings.read` calls it, so that no place that shows text has to know the settings.
    """
    for value in values:
        # A short password of letters alone is also an ordinary word, such as the name of a branch or of a service.
        is_word = value.isalpha() and value.islower() and len(value) <= LONGEST_WORD
        if len(value) >= SHORTEST_REMEMBERED_SECRET and not is_word:
            _remembered.update(_forms(value))


def remembered_version() -> int:
    """A number that changes when a secret is remembered: results of `redact` from before may contain it."""
    return len(_remembered)


def _forms(secret: str) -> Iterator[str]:
    yield secret
    if len(secret) < ENCODED_LENGTH:
        return
    raw = secret.encode("utf-8", "replace")
    yield secret[::-1]
    yield quote(secret, safe="")
    yield raw.hex()
    yield raw.hex().upper()
    for offset in range(3):
        # The characters at both ends depend on the neighbours as well, and are left out.
        encoded = base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")
        inner = encoded[(0, 2, 3)[offset] : len(encoded) - (1 if (offset + len(raw)) % 3 else 0)]
        yield inner
        yield inner.translate(str.maketrans("+/", "-_"))


def redact(text: str, known: Iterable[str] = ()) -> str:
    """The text without tokens, passwords, keys, mail addresses and card numbers. Redacting twice changes nothing more.

    Redact before truncating: half a token no longer has its format.

    Args:
        known: secret values that are replaced in any format, besides those of `remember_secrets`.
    """
    text = _without_known(text, known)
    # Most text contains no secret, and a search for a word costs a hundredth of a search for a pattern.
    lower = text.lower() if text.isascii() else None
    if "PRIVATE KEY" in text:
        text = _without_key_tail(formats.PRIVATE_KEY.sub(MARK, text))
    if "@" in text:
        text = _without_userinfo(text)
    if _may_contain(lower, "bearer", "basic", "token", "apikey", "negotiate", "digest"):
        text = formats.DIGEST.sub(rf"\1{MARK}", formats.BEARER.sub(rf"\1 {MARK}", text))
    for hint, pattern in formats.TOKENS:
        if hint in text:
            text = pattern.sub(MARK, text)
    if ";" in text and "=" in text:
        text = formats.COOKIE.sub(rf"\1{MARK}", text)
    if _may_contain(lower, "cookie"):
        text = redact_cookies(names.COOKIE_JAR.sub(rf"\1{MARK}", text))
    if _may_contain(lower, *names.HINTS):
        text = _without_named(text)
    if "=" in text and ("?" in text or "&" in text or ";" in text):
        text = names.QUERY.sub(_redact_query, text)
    if "-" in text:
        text = names.USER_FLAG.sub(_redact_user_flag, text)
    if " " in text:
        text = _without_arguments(text, lower)
    if "@" in text:
        text = formats.EMAIL.sub(MARK, text)
    text = formats.CARD.sub(lambda match: MARK if formats.is_card(match[0]) else match[0], text)
    return formats.RANDOM.sub(lambda match: MARK if formats.is_random(match[0]) else match[0], text)


def find_tokens(text: str) -> list[str]:
    """The tokens and keys in the text, recognised by their format alone and not by their name."""
    tokens = [match[0] for match in formats.PRIVATE_KEY.finditer(text)]
    tokens += [
        match[0] for hint, pattern in formats.TOKENS if hint in text for match in pattern.finditer(text)
    ]
    return tokens + [match[0] for match in formats.RANDOM.finditer(text) if formats.is_random(match[0])]


def redact_key_line(line: str, *, inside: bool) -> tuple[str, bool]:
    """A line of a source that may print a private key line by line, and whether the next line may belong to the key.

    `redact` sees one record at a time and would keep the short last line of such a key.

    Args:
        inside: the second result for the line before.
    """
    is_end = formats.KEY_END.search(line) is not None
    if not inside:
        return line, not is_end and formats.KEY_START.search(line) is not None
    if is_end:
        return _without_key_tail(line), False
    return (MARK, True) if formats.KEY_LINE.match(line) else (line, False)


def _without_known(text: str, known: Iterable[str]) -> str:
    values = {value for value in known if len(value) >= SHORTEST_KNOWN_SECRET}
    if _remembered:
        values |= {value for value in _remembered if value in text}
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, MARK)
    return text


def _may_contain(lower: str | None, *words: str) -> bool:
    """False if the text contains none of the words, in upper or lower case.

    Args:
        lower: the text in lower case, None for text that is not ASCII. Outside ASCII, lower() and re.IGNORECASE
            disagree: "ſ" matches "s" in a pattern, but is no "s" here.
    """
    return lower is None or any(word in lower for word in words)


def _without_key_tail(text: str) -> str:
    """Without the lines of a key whose first line is in an earlier record."""
    end = formats.KEY_END.search(text)
    if end is None:
        return text
    lines = text[: end.start()].split("\n")
    while lines and (not lines[-1].strip() or formats.KEY_LINE.match(lines[-1])):
        lines.pop()
    before = "\n".join([*lines, ""]) if lines else ""
    return f"{before}{MARK}{text[end.end() :]}"


def _without_userinfo(text: str) -> str:
    if "://" in text:
        text = formats.DATABASE_USERINFO.sub(rf"\1{MARK}@", text)
        text = formats.USERINFO.sub(rf"\1{MARK}@", text)
        text = formats.PASSWORD_USERINFO.sub(rf"\1{MARK}@", text)
        text = formats.QUOTED_USERINFO.sub(rf"\1{MARK}@", text)
    if "oracle" in text:
        text = formats.ORACLE_USERINFO.sub(rf"\1{MARK}", text)
    return formats.DRIVER_USERINFO.sub(f"{MARK}@", text)


def _without_arguments(text: str, lower: str | None) -> str:
    """Without the passwords that commands take."""
    for hint, pattern in names.COMMANDS:
        if _may_contain(lower, *hint):
            text = pattern.sub(rf"\1{MARK}", text)
    return text


def _without_named(text: str) -> str:
    for pattern in (names.WRAPPED, names.SQL, names.ATTRIBUTE, *names.VALIDATED):
        text = _redact_quoted(text, pattern)
    text = names.ARROW.sub(rf"\g<head>{MARK}", redact_named(text))
    if "/" in text:
        text = names.PATH.sub(_redact_path, text)
    text = names.NETRC.sub(rf"\1{MARK}", text)
    if "-" in text:
        text = names.FLAG.sub(rf"\1{MARK}", text)
    return names.SPOKEN.sub(_redact_spoken, text)


def _redact_quoted(text: str, pattern: re.Pattern[str]) -> str:
    """The text with the quoted value redacted that follows each match, up to the same quote or the line's end."""
    parts, end = [], 0
    while match := pattern.search(text, end):
        stop = re.compile(rf"(?<!\\){match['quote']}|\n").search(text, match.end())
        parts += [text[end : match.end()], MARK]
        end = stop.start() if stop else len(text)
    return "".join([*parts, text[end:]])


def _redact_query(match: re.Match[str]) -> str:
    name, value = match[1][1:-1].lower(), match["value"]
    # The code of an OAuth redirect has `state` beside it (RFC 6749, section 4.1.2).
    is_grant = (
        name == "code"
        and "state=" in match.string[max(0, match.start() - MAX_QUERY_CHARS) : match.end() + MAX_QUERY_CHARS]
    )
    always = name not in ("key", "code") or is_grant
    secret = len(value) >= SHORTEST_KNOWN_SECRET if always else looks_secret(value)
    return match[1] + MARK if secret or (name == "otp" and value.isdigit()) else match[0]


def _redact_path(match: re.Match[str]) -> str:
    return (
        match[1] + MARK if looks_secret(match["value"]) and not names.UUID.match(match["value"]) else match[0]
    )


def _redact_user_flag(match: re.Match[str]) -> str:
    # `docker run -u 1000:1000` names ids.
    ids = match[1].rstrip(":")[-1:].isdigit() and match[2].isdigit()
    return match[0] if ids or match[2].startswith("//") else match[1] + MARK


def _redact_spoken(match: re.Match[str]) -> str:
    if not is_spoken_secret(match):
        return match[0]
    start = match.start("value") - match.start()
    return match[0][:start] + MARK
