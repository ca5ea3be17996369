"""Finds the end of the value after a name such as `password=`, and decides whether it is a secret. Pure."""

from __future__ import annotations

import re

from workers.runtime import secret_names as names
from workers.runtime.secret_shapes import (
    MARK,
    PLACEHOLDER,
    SCHEMES,
    is_message,
    is_placeholder,
    looks_mixed,
    looks_secret,
)

MAX_WORD_CHARS = 14  # letters of a word; a token is longer or holds digits
MAX_COUNT_DIGITS = 4  # digits of a number after a plural that is a count
MAX_ELEMENT_CHARS = 500  # characters of an XML element in which its end is searched
CONTEXT_CHARS = 60  # characters before a name that can belong to it: `jsonwebtoken.JsonWeb`
QUOTED = re.compile(
    r"(?:string\(\d{1,6}\)\s)?(?P<prefix>[bfruBFRU]{0,2})(?P<slashes>\\{0,15})(?P<quote>\"{3}|'{3}|[\"'`]|&quot;|&#(?:34|39|x27);)"
)
LIST_START = re.compile(r"\[|\((?=\s{0,3}[bru]?[\"'])")
LIST_END = {"[": re.compile(r"(?<!\[redacted)\]"), "(": re.compile(r"\)")}
NEXT_HEADER = re.compile(r",\s(?=[A-Za-z][\w-]{0,40}:\s)")
COOKIE_VALUE = re.compile(
    r"""(?P<before>\(?)(?P<quote>["'])(?:(?!(?P=quote))[^\n\\]){1,4096}(?P=quote)(?P<colon>\s{0,3}(?::|=>))?(?P<after>\s{0,3},)?"""
)
UPPER_NAME = re.compile(r"[A-Z][A-Z0-9_]*\Z")
SPELLED = re.compile(r"[a-z]+(?:[-_][a-z0-9]+){1,5}\Z")
"""Words of a name, such as `scram-sha-256`."""
VARIABLE_NAME = re.compile(r"[A-Z]+(?:_[A-Z]+)+[.,;]?\Z")
"""A name in capitals with an underscore and without a digit, as in `missing secret: STRIPE_KEY`."""
# Functions and methods that take the name of a value, not the value.
ACCESSOR = re.compile(
    r"(?:get\w{0,30}|fetch\w{0,20}!?|header|env|var|str|int|bool|split|require[ds]?|lookup|find\w{0,20}|config|cookies?"
    r"|param|query|field|replace|strip|prop(?:erty)?|read\w{0,20}|optional|string|session|input|column|Deno|pop|index)[(\[]\Z",
    re.IGNORECASE,
)
PAIR_START = re.compile(r"(?:\w\(\[|\),\s?)\([bru]?[\"'][\w.\[-]{0,40}\Z")
NESTED = re.compile(
    r"\{\s{0,3}[\"']?(?:value|val|raw|plain(?:text)?|data|secret)[\"']?\s{0,3}[:=]\s{0,3}", re.IGNORECASE
)
"""An object that holds the value of the name before it: `"password": {"value": …`."""
WRAPPER = re.compile(r"(?:Optional\[|Some\(|Ok\(|Just\s)(?=[\w+/=.-]{6,}|[\"'])", re.IGNORECASE)
FILE = re.compile(r"(?:/[a-z0-9._-]{1,60}){2,12}\.(?:json|pem|key|crt|p12|txt|env|ya?ml)")
AUTH_METHODS = frozenset(
    ["jwt", "bearer", "basic", "oauth", "oauth2", "session", "digest", "ldap", "saml", "iam", "peer"]
)
PROSE = re.compile(
    r" (?:%|since|on|in|at|of|for|is|was|has|errors?|requests?|grows|fails?|fell|restarts?"
    r"|\[(?:critical|warning|notice)\])(?![\w-])"
)
"""The next word of a sentence about a service."""
BLOCK_SCALAR = re.compile(r"[|>][-+]?\n[ \t]+(?=\S)")
"""The start of a block of text in YAML: the value stands in the next line."""
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


def redact_cookies(text: str) -> str:
    """The text with each quoted value of a container of cookies redacted; the names of the cookies stay."""
    parts, end = [], 0
    while match := names.COOKIES.search(text, end):
        stop = _line_end(text, match.end(), names.MAX_LIST_CHARS)
        parts += [text[end : match.end()], COOKIE_VALUE.sub(_redact_cookie, text[match.end() : stop])]
        end = stop
    return "".join([*parts, text[end:]])


def _redact_cookie(match: re.Match[str]) -> str:
    is_key = match["colon"] or (match["before"] == "(" and match["after"])
    return (
        match[0]
        if is_key
        else f"{match['before']}{match['quote']}{MARK}{match['quote']}{match['after'] or ''}"
    )


def _line_end(text: str, start: int, limit: int) -> int:
    end = text.find("\n", start, start + limit)
    return end if end >= 0 else min(len(text), start + limit)


def _value(text: str, match: re.Match[str]) -> tuple[int, str]:
    """The end of the value, and the text that replaces it."""
    start = match.end()
    is_pair = "," in match["separator"]
    if text.startswith(MARK, start) or (
        is_pair and not match["header"] and not _in_list_of_pairs(text, match)
    ):
        return start, ""
    if inner := NESTED.match(text, start) or WRAPPER.match(text, start):
        end, replacement = _inner_value(text, inner.end())
        return (end, inner[0] + replacement) if replacement else (start, "")
    if quoted := QUOTED.match(text, start):
        # The quote ends the string that the name stands in: `print("token:", token)`.
        ends = text.startswith(quoted[0], match.start() - 1) and text[quoted.end() : quoted.end() + 1] in (
            ",",
            ")",
            ";",
            "",
        )
        return (start, "") if ends else _quoted(text, quoted)
    if LIST_START.match(text, start):
        return _list(text, start, is_header=bool(match["header"]))
    if is_pair:
        return start, ""
    if match["header"] or "phrase" in match["name"].lower() or match["name"].lower().startswith("mnemonic"):
        return _rest_of_line(text, start)
    return _bare(text, match)


def _inner_value(text: str, start: int) -> tuple[int, str]:
    if quoted := QUOTED.match(text, start):
        return _quoted(text, quoted)
    value = names.BARE.match(text, start)
    return (value.end(), MARK) if value and looks_mixed(value[0]) else (start, "")


def _in_list_of_pairs(text: str, match: re.Match[str]) -> bool:
    """True for `[('user', 'bob'), ('password', …`, as Python prints the fields of a form."""
    return PAIR_START.search(text, max(0, match.start() - CONTEXT_CHARS), match.start()) is not None


def _quoted(text: str, quoted: re.Match[str]) -> tuple[int, str]:
    """A value in quotes; in escaped JSON, in quotes with as many backslashes."""
    start = quoted.end()
    # An escaped quote inside the value has more backslashes than the quote that ends it.
    closing = re.compile(rf"(?<!\\){re.escape(quoted['slashes'])}{quoted['quote']}|\n")
    end = stop.start() if (stop := closing.search(text, start)) else len(text)
    value = text[start:end]
    if not value or value.lower() in names.HARMLESS or is_placeholder(value) or is_message(value):
        return end, text[quoted.start() : end]
    return end, quoted[0] + MARK


def _list(text: str, start: int, *, is_header: bool) -> tuple[int, str]:
    """The values of a list, such as `[ 'a=1', 'b=2' ]`; `[Bearer abc]`, as Go prints a header, has no quotes."""
    limit = min(len(text), start + names.MAX_LIST_CHARS)
    closing = LIST_END[text[start]].search(text, start, limit)
    end = closing.start() if closing else limit
    content = text[start + 1 : end]
    if is_placeholder(f"[{content}]"):
        return end, text[start:end]
    parts, position = [text[start]], 0
    while quoted := QUOTED.search(content, position):
        stop, replacement = _quoted(content, quoted)
        parts += [content[position : quoted.start()], replacement]
        position = stop + len(quoted["slashes"]) + len(quoted["quote"])
        parts.append(content[stop:position])
    is_value = is_header or (content.isalnum() and looks_mixed(content))
    if position == 0 and is_value and content.strip():
        return end, f"[{MARK}"
    return end, "".join([*parts, content[position:]])


def _rest_of_line(text: str, start: int) -> tuple[int, str]:
    """The value of a header: the rest of the line, or up to the next header on the same line."""
    line = names.HEADER_VALUE.match(text, start)
    if line is None:
        return start, ""
    first = line[0].split(None, 1)[0].lower().rstrip(".,") if line[0].strip() else ""
    if first in names.SENTENCE_STARTS or not first or is_placeholder(line[0].strip()):
        return start, ""
    is_cookie = "cookie" in text[max(0, start - CONTEXT_CHARS) : start].lower()
    if (
        is_cookie
        and "=" not in line[0]
        and " " in line[0].strip()
        and first.isalnum()
        and not looks_mixed(first)
    ):
        return start, ""
    following = NEXT_HEADER.search(line[0])
    return (start + following.start() if following else line.end()), MARK


def _bare(text: str, match: re.Match[str]) -> tuple[int, str]:
    """A value without quotes: a literal is redacted, an expression or the beginning of a sentence stays."""
    start = match.end()
    if block := BLOCK_SCALAR.match(text, start):
        line_end = text.find("\n", block.end())
        return (line_end if line_end >= 0 else len(text)), block[0] + MARK
    if match["separator"].strip() == ">" and text.find("</", start, start + MAX_ELEMENT_CHARS) < 0:
        return start, ""
    value = names.BARE.match(text, start)
    if value is None or value[0].startswith("("):
        return _bracketed(text, start)
    if call := names.CALL.match(text, start):
        return _call(text, start, call)
    if _is_no_secret(text, match, value):
        return start, ""
    if value[0].lower() in SCHEMES and (following := names.BARE.match(text, value.end() + 1)):
        return _end_of_bare(text, following), f"{value[0]} {MARK}"
    head = text[max(0, match.start() - CONTEXT_CHARS) : match.end("name")]
    if match["separator"] == "=" and ASSIGNMENT_START.search(head):
        # The line of an environment file: nothing but white space ends the value.
        rest = names.LINE_REST.match(text, _end_of_bare(text, value))
        return (rest.end() if rest else value.end()), MARK
    return _end_of_bare(text, value), MARK


def _end_of_bare(text: str, value: re.Match[str]) -> int:
    rest = names.BARE_REST.match(text, value.end())
    return rest.end() if rest else value.end()


def _bracketed(text: str, start: int) -> tuple[int, str]:
    """A value in brackets, such as `password=(hunter2)`; a placeholder in brackets stays."""
    value = names.BRACKETED.match(text, start)
    if value is None or is_placeholder(value[0]) or not looks_mixed(value[0]):
        return start, ""
    return value.end() - 1, text[start] + MARK


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _call(text: str, start: int, call: re.Match[str]) -> tuple[int, str]:
    """A call or a subscript. A literal argument is redacted unless it is the name of a variable."""
    quoted = QUOTED.match(text, call.end())
    if quoted is None or call[0].endswith("["):
        return call.end(), call[0]
    end, replacement = _quoted(text, quoted)
    argument = text[quoted.end() : end]
    is_name = _plain(argument) in _plain(text[max(0, start - CONTEXT_CHARS) : start])
    if UPPER_NAME.match(argument) or is_name or (ACCESSOR.search(call[0]) and not looks_secret(argument)):
        return end, text[start:end]
    return end, call[0] + replacement


def _is_word_about(text: str, name: str, value: re.Match[str]) -> bool:
    """True for prose about a thing of this name, such as the service `auth`: `auth: crashed`, `token: 94 % of …`.

    A password may be a word, so for names of passwords the sentence must go on.
    """
    word = value[0].rstrip(".,;:!?")
    is_word = len(word) <= MAX_WORD_CHARS and (
        word.isalpha() or (word.isdigit() and len(word) <= MAX_COUNT_DIGITS)
    )
    if not name.startswith(("pass", "pwd", "secret")) or name.endswith("s"):
        return is_word
    return is_word and PROSE.match(text, value.end()) is not None


def _is_no_secret(text: str, match: re.Match[str], value: re.Match[str]) -> bool:
    word, name, separator = value[0], match["name"].lower(), match["separator"]
    lower = word.lower().rstrip(".!?:")
    if lower in names.HARMLESS or lower == name or PLACEHOLDER.fullmatch(word) or VARIABLE_NAME.match(word):
        return True
    if names.PROPERTY.search(name) and (not looks_secret(word) or SPELLED.match(word)):
        return True
    # The summary of a test run, `pass: 12`; a count, `secrets: 3 loaded`; a signal, `sig: SIGTERM`.
    if word.isdigit() and (
        name in ("pass", "sig", "auth") or (name.endswith("s") and len(word) <= MAX_COUNT_DIGITS)
    ):
        return True
    if (
        (name == "sig" and word.startswith("SIG"))
        or (name == "auth" and lower in AUTH_METHODS)
        or FILE.fullmatch(word)
    ):
        return True
    if names.DOTTED.match(word):
        return word.partition(".")[0].rstrip("?") in names.EXPRESSION_ROOTS or separator.startswith(" ")
    is_colon = separator.strip() == ":" and separator.endswith(" ")
    if not is_colon:
        return False
    if _is_word_about(text, name, value):
        return True
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
