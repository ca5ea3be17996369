"""Decides whether the value after a name such as `password=` is a secret, and where it ends. Pure."""

from __future__ import annotations

import re

from workers.runtime import secret_names as names

MARK = "[redacted]"
SECRET_CHARS = 10  # shortest value of a name such as `key` that counts as secret
RANDOM_WORD_CHARS = 12  # shortest word after "token" that counts as secret
CONTEXT_CHARS = 60  # characters before a name that can belong to it: `jsonwebtoken.JsonWeb`

QUOTED = re.compile(
    r"(?:string\(\d{1,6}\)\s)?(?P<prefix>[bruBRU]{0,2})(?P<slashes>\\{0,15})(?P<quote>[\"'`])"
)
PLACEHOLDER = re.compile(
    r"\*{2,}|x{3,}|\.{2,}|…|-+|_+|\?+|\[[\w -]{1,30}\]?|\$[\w({].*"
    r"|<[\w -]{0,40}>?|\{\{?.{0,60}\}?\}?|%\(?\w{0,30}\)?s?|#\{.*",
    re.IGNORECASE,
)
"""Text that stands for a value: `***`, `${TOKEN}`, `[FILTERED]`, `<password>`."""
LIST_START = re.compile(r"\[|\((?=\s{0,3}[bru]?[\"'])")
LIST_END = {"[": re.compile(r"(?<!\[redacted)\]"), "(": re.compile(r"\)")}
NEXT_HEADER = re.compile(r",\s(?=[A-Za-z][\w-]{0,40}:\s)")
SCHEMES = frozenset(["bearer", "basic", "token", "digest", "negotiate", "apikey", "hmac", "aws4-hmac-sha256"])
UPPER_NAME = re.compile(r"[A-Z][A-Z0-9_]*\Z")
TYPE_NAME = re.compile(r"[A-Z][A-Za-z]+(?=\s*(?:=|\||\[|\)))")
ASSIGNMENT_START = re.compile(r"(?:^|\n)\s{0,8}(?:export |set |ENV |- )?[A-Z][A-Z0-9_]{0,80}\Z")
IDENTIFIER_END = re.compile(r"[\w.$]*\Z")


def redact_named(text: str) -> str:
    """The text with the secret value after each sensitive name redacted."""
    parts, end = [], 0
    while match := names.NAMED.search(text, end):
        parts.append(text[end : match.end()])
        end, replacement = _value(text, match)
        parts.append(replacement)
    return "".join([*parts, text[end:]])


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
    has_digit = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    if link and link[0].lower() in ("is", "was", "now", "for"):
        plain = value.isalpha() and (names.WORD_ENDINGS.search(value) or _sentence_goes_on(match))
        return not plain and not names.CALL.match(value) and not names.DOTTED.match(value)
    if match["quote"]:
        return is_password or looks_secret(value)
    if is_password:
        return has_digit and not value.lower().startswith(("sha", "md5", "bcrypt", "argon", "utf", "pbkdf"))
    return bool(names.UUID.match(value)) or (
        len(value) >= RANDOM_WORD_CHARS and looks_secret(value) and "/" not in value
    )


def _sentence_goes_on(match: re.Match[str]) -> bool:
    return re.match(r"\s[a-z]{2,}", match.string[match.end() :][:12]) is not None


# ---- the value after a name ------------------------------------------------------------------


def _value(text: str, match: re.Match[str]) -> tuple[int, str]:
    """The end of the value, and the text that replaces it."""
    start = match.end()
    is_pair = "," in match["separator"]
    if text.startswith(MARK, start) or (is_pair and not match["header"]):
        return start, ""
    if quoted := QUOTED.match(text, start):
        return _quoted(text, quoted)
    if LIST_START.match(text, start):
        return _list(text, start, is_header=bool(match["header"]))
    if is_pair:
        return start, ""
    if match["header"] or match["name"].lower().startswith(("passphrase", "mnemonic")):
        return _rest_of_line(text, start)
    return _bare(text, match)


def _quoted(text: str, quoted: re.Match[str]) -> tuple[int, str]:
    """A value in quotes; in escaped JSON, in quotes with as many backslashes."""
    start = quoted.end()
    # An escaped quote inside the value has more backslashes than the quote that ends it.
    closing = re.compile(rf"(?<!\\){re.escape(quoted['slashes'])}{quoted['quote']}|\n")
    end = stop.start() if (stop := closing.search(text, start)) else len(text)
    value = text[start:end]
    if not value or value.lower() in names.HARMLESS or PLACEHOLDER.fullmatch(value):
        return end, text[quoted.start() : end]
    return end, quoted[0] + MARK


def _list(text: str, start: int, *, is_header: bool) -> tuple[int, str]:
    """The values of a list, such as `[ 'a=1', 'b=2' ]`; `[Bearer abc]`, as Go prints a header, has no quotes."""
    limit = min(len(text), start + names.MAX_LIST_CHARS)
    closing = LIST_END[text[start]].search(text, start, limit)
    end = closing.start() if closing else limit
    content = text[start + 1 : end]
    parts, position = [text[start]], 0
    while quoted := QUOTED.search(content, position):
        stop, replacement = _quoted(content, quoted)
        parts += [content[position : quoted.start()], replacement]
        position = stop + len(quoted["slashes"]) + 1
        parts.append(content[stop:position])
    if position == 0 and is_header and content.strip():
        return end, f"[{MARK}"
    return end, "".join([*parts, content[position:]])


def _rest_of_line(text: str, start: int) -> tuple[int, str]:
    """The value of a header: the rest of the line, or up to the next header on the same line."""
    line = names.HEADER_VALUE.match(text, start)
    if line is None:
        return start, ""
    first = line[0].split(None, 1)[0].lower().rstrip(".,") if line[0].strip() else ""
    if first in names.SENTENCE_STARTS or not first:
        return start, ""
    following = NEXT_HEADER.search(line[0])
    return (start + following.start() if following else line.end()), MARK


def _bare(text: str, match: re.Match[str]) -> tuple[int, str]:
    """A value without quotes: a literal is redacted, an expression or the beginning of a sentence stays."""
    start = match.end()
    value = names.BARE.match(text, start)
    if value is None:
        return start, ""
    if call := names.CALL.match(text, start):
        return _call(text, start, call)
    if _is_no_secret(text, match, value):
        return start, ""
    if value[0].lower() in SCHEMES and (following := names.BARE.match(text, value.end() + 1)):
        return following.end(), f"{value[0]} {MARK}"
    head = text[max(0, match.start() - CONTEXT_CHARS) : match.end("name")]
    if match["separator"] == "=" and ASSIGNMENT_START.search(head):
        # The line of an environment file: nothing but white space ends the value.
        return value.end() + len(re.match(r"[^\s\"'\]]*", text[value.end() : value.end() + 200])[0]), MARK  # type: ignore[index]
    return value.end(), MARK


def _call(text: str, start: int, call: re.Match[str]) -> tuple[int, str]:
    """A call or a subscript. A literal argument is redacted unless it is the name of a variable."""
    quoted = QUOTED.match(text, call.end())
    if quoted is None or call[0].endswith("["):
        return call.end(), call[0]
    end, replacement = _quoted(text, quoted)
    if UPPER_NAME.match(text[quoted.end() : end]):
        return end, text[start:end]
    return end, call[0] + replacement


def _is_no_secret(text: str, match: re.Match[str], value: re.Match[str]) -> bool:
    word, name, separator = value[0], match["name"].lower(), match["separator"]
    lower = word.lower().rstrip(".!?:")
    if lower in names.HARMLESS or lower == name or word.startswith("(") or PLACEHOLDER.fullmatch(word):
        return True
    if name in ("pass", "sig", "auth") and word.isdigit():  # the summary of a test run: `pass: 12`
        return True
    if names.DOTTED.match(word):
        return word.partition(".")[0].rstrip("?") in names.EXPRESSION_ROOTS or separator.startswith(" ")
    is_colon = separator.strip() == ":" and separator.endswith(" ")
    if not is_colon:
        return False
    before = text[max(0, match.start() - CONTEXT_CHARS) : match.end("name")]
    identifier = IDENTIFIER_END.search(before)
    if identifier and names.CLASS_NAME.search(identifier[0]):
        return True
    if before[: -len(match["name"])].lower().endswith("unexpected "):
        return True
    goes_on = text[value.end() : value.end() + 2]
    is_sentence = (
        lower in names.SENTENCE_STARTS and len(goes_on) == 2 and goes_on[0] == " " and goes_on[1].isalpha()
    )
    return is_sentence or TYPE_NAME.match(text, match.end()) is not None
