"""Redaction: replaces secrets and personal data in text with `[redacted]` before it is stored, shown or sent.

Every pattern starts at a rare literal or has a bounded length, and none backtracks far, so a hostile line of 100 kB
costs milliseconds. Hosts, paths, commit hashes, UUIDs and numbers stay, because evidence consists of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

MARK = "[redacted]"
# Characters. A shorter known value would be replaced inside ordinary words.
SHORTEST_KNOWN_SECRET = 6
# Share of adjacent characters of different kinds (lower case, upper case, digit) above which a text is random. Random
# text has 0.6 on average; names in CamelCase and paths stay below 0.35.
RANDOM_CHANGES = 0.4
RANDOM_SAMPLE = 512  # characters of a long text that are examined
LUHN_LENGTHS = range(13, 20)  # digits of a payment card number (ISO/IEC 7812)
SEPARATOR_SPACING = 12  # characters per separator; a text with more separators is a path or a name

PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,20}-----.*?(?:-----END[^\n-]{0,60}-----|\Z)",
    re.DOTALL,
)
# The token formats that services publish so that scanners can find leaked tokens.
TOKENS = re.compile(
    r"""
      gh[pousr]_[A-Za-z0-9]{16,} | github_pat_\w{20,} | glpat-[\w-]{16,}
    | sk-[A-Za-z0-9_-]{16,} | (?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{8,} | whsec_[A-Za-z0-9+/=]{8,}
    | xox[a-z]-[\w-]{8,} | xapp-[\w-]{8,} | (?<=hooks\.slack\.com/services/)[\w/-]{8,}
    | (?<=discord\.com/api/webhooks/)[\w/-]{8,}
    | (?:AKIA|ASIA)[A-Z0-9]{16} | AIza[\w-]{30,} | ya29\.[\w-]{16,} | GOCSPX-[\w-]{16,}
    | (?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?
    | npm_[A-Za-z0-9]{30,} | pypi-[\w-]{30,} | hf_[A-Za-z0-9]{20,} | dop_v1_[a-f0-9]{32,}
    | (?<![\w-])SG\.[\w-]{16,}\.[\w-]{16,} | key-[0-9a-f]{32} | shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32} | lin_api_\w{20,}
    | (?<!\d)\d{8,10}:AA[\w-]{30,}
    """,
    re.VERBOSE,
)
USERINFO = re.compile(r"""([A-Za-z][A-Za-z0-9+.-]{1,20}://)(?!\[redacted\]@)[^\s/"'<>?#]{1,300}@""")
# Besides USERINFO, because generated database passwords may contain an unescaped slash.
DATABASE_USERINFO = re.compile(
    r"""((?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?|mssql)(?:\+\w{1,20})?://)(?!\[redacted\]@)[^\s"'<>@]{1,300}@""",
    re.IGNORECASE,
)
AUTHORIZATION = re.compile(
    r"""((?>(?:authorization|cookie)(?:\\{0,3}["'])?\s{0,3}[:=]\s{0,3}(?:\\{0,3}["'])?))(?!\[redacted\])[^"'\\\r\n]+""",
    re.IGNORECASE,
)
BEARER = re.compile(
    r"\b(bearer|basic)\s{1,3}(?=[A-Za-z0-9._~+/-]{0,80}[\d=])[A-Za-z0-9._~+/=-]{8,}",
    re.IGNORECASE,
)
# Names of values that are secret.
SENSITIVE_NAMES = (
    r"pass(?:word|wd|phrase|code)|pwd|secret|token(?!s|i[sz]|_?(?:count|limit|type|usage))|api[_-]?key|access[_-]?key"
    r"|private[_-]?key|signing[_-]?key|encryption[_-]?key|credential|session[_-]?id|signature"
)
# Every match of SENSITIVE_NAMES contains one of these.
HINTS = ("pass", "pwd", "secret", "token", "key", "credential", "session", "signature")
# Values that are no secrets although their name says so, as in `password: required`.
HARMLESS_VALUES = (
    r"none|null|nil|undefined|true|false|empty|missing|required|invalid|expired|expected"
    r"|wrong|not|is|was|must|str|string"
)
# The name and the separator of `password=…`, `"client_secret": "…"`, `?token=…`, `API_KEY: …` and escaped JSON.
# `_redact_pairs` finds the end of a quoted value.
PAIR = re.compile(
    rf"""((?>(?:{SENSITIVE_NAMES})[\w-]{{0,30}}\]?(?:\\{{0,3}}["'])?\s{{0,3}}(?:=>|[:=>]|%3[AaDd])\s{{0,3}}))"""
    rf"""(?!(?:[bru]{{0,2}}\\{{0,3}}["'])?\[redacted\]|(?:\\{{0,3}}["'])?(?:{HARMLESS_VALUES})?(?:\\{{0,3}}["'])?(?:[\s,;&)}}\]]|$))"""
    r"""(?:(?P<quoted>[bru]{0,2}\\{0,3}(?P<quote>["']))"""
    r"""|(?P<bare>[^\s"',;&|)}\]<]+))""",
    re.IGNORECASE,
)
FLAG = re.compile(
    rf"((?<![\w-])--(?:[\w-]{{0,20}}-)?(?:{SENSITIVE_NAMES})\s{{1,3}})(?![-\[])[^\s\"']+", re.IGNORECASE
)
EMAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]{1,256}@(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24}\b")
CARD = re.compile(r"(?<![\w.])[2-6]\d(?:[ -]?\d){11,17}(?![\w])")
RANDOM = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{40,}={0,2}")


def redact(text: str, known: Iterable[str] = ()) -> str:
    """The text without tokens, passwords, keys, mail addresses and card numbers. Redacting twice changes nothing more.

    Redact before truncating: half a token no longer has its format.

    Args:
        known: secret values, such as those of the settings, that are replaced in any format.
    """
    for secret in sorted(
        {value for value in known if len(value) >= SHORTEST_KNOWN_SECRET},
        key=len,
        reverse=True,
    ):
        text = text.replace(secret, MARK)
    text = PRIVATE_KEY.sub(MARK, text)
    # Most text contains no secret, and a search for a word costs a hundredth of a search for a pattern.
    if "@" in text:
        text = DATABASE_USERINFO.sub(rf"\1{MARK}@", text)
        text = USERINFO.sub(rf"\1{MARK}@", text)
    if _may_contain(text, "authorization", "cookie"):
        text = AUTHORIZATION.sub(rf"\1{MARK}", text)
    if _may_contain(text, "bearer", "basic"):
        text = BEARER.sub(rf"\1 {MARK}", text)
    text = TOKENS.sub(MARK, text)
    if _may_contain(text, *HINTS):
        text = _redact_pairs(text)
    if "--" in text:
        text = FLAG.sub(rf"\1{MARK}", text)
    if "@" in text:
        text = EMAIL.sub(MARK, text)
    text = CARD.sub(lambda match: MARK if _is_card(match[0]) else match[0], text)
    return RANDOM.sub(lambda match: MARK if _is_random(match[0]) else match[0], text)


def _may_contain(text: str, *words: str) -> bool:
    """False if the text contains none of the words, in upper or lower case."""
    lower = text.lower()
    # Outside ASCII, lower() and re.IGNORECASE disagree: "ſ" matches "s" in a pattern, but is no "s" here.
    return any(word in lower for word in words) or not text.isascii()


def find_tokens(text: str) -> list[str]:
    """The tokens and keys in the text, recognised by their format alone and not by their name."""
    tokens = [match[0] for match in (*PRIVATE_KEY.finditer(text), *TOKENS.finditer(text))]
    return tokens + [match[0] for match in RANDOM.finditer(text) if _is_random(match[0])]


def _redact_pairs(text: str) -> str:
    parts, end = [], 0
    while match := PAIR.search(text, end):
        parts.append(text[end : match.end(1)])
        end = match.end()
        if match["quoted"]:
            parts.append(match["quoted"])
            end = _end_of_quoted(text, end, match["quote"], escaped="\\" in match["quoted"])
        parts.append(MARK)
    return "".join([*parts, text[end:]])


def _end_of_quoted(text: str, start: int, quote: str, *, escaped: bool) -> int:
    """The index of the closing quote, or of the end of the line if there is none."""
    stops = re.compile(r"[\\\n]" if escaped else rf"(?<!\\){quote}|\n")
    stop = stops.search(text, start)
    return stop.start() if stop else len(text)


def _is_card(digits: str) -> bool:
    """Luhn's check (ISO/IEC 7812-1, annex B). One number in ten passes it by chance."""
    numbers = [int(digit) for digit in digits if digit.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in numbers[-2::-2]]
    return len(numbers) in LUHN_LENGTHS and (sum(numbers[-1::-2]) + sum(doubled)) % 10 == 0


def _is_random(text: str) -> bool:
    """True for a key or a line of one: all kinds of characters, without a pattern. False for a hex hash."""
    has_all_kinds = (
        any(map(str.isdigit, text)) and any(map(str.islower, text)) and any(map(str.isupper, text))
    )
    separators = text.count("/") + text.count("-") + text.count("_")
    if not has_all_kinds or separators > len(text) / SEPARATOR_SPACING:
        return False
    sample = text[:RANDOM_SAMPLE]
    classes = [(char.isdigit(), char.isupper()) for char in sample]
    changes = sum(left != right for left, right in pairwise(classes))
    return changes >= RANDOM_CHANGES * len(sample)
