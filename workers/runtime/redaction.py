"""What others must not read is cut out of text before it is stored, shown or sent: `[redacted]` stands there.

Every pattern starts at a rare literal or has a bounded length, and none can fail after a long way: a hostile
line of 100 kB costs milliseconds. Hosts, paths, commit hashes, UUIDs and numbers stay: evidence is made of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

MARK = "[redacted]"
SHORTEST_KNOWN_SECRET = 6
"""Exact values shorter than this are not looked for: they would cut words out of the middle of others."""
RANDOM_CHANGES = 0.4
"""Share of neighbours of different kind (lower, upper, digit) above which 40 characters are random: by chance it
is 0.6, names in CamelCase and paths stay below 0.35."""

PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,20}-----.*?(?:-----END[^\n-]{0,60}-----|\Z)",
    re.DOTALL,
)
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
"""Shapes that services publish for their own tokens, so that scanners find them."""
USERINFO = re.compile(r"""([A-Za-z][A-Za-z0-9+.-]{1,20}://)(?!\[redacted\]@)[^\s/"'<>?#]{1,300}@""")
DATABASE_USERINFO = re.compile(
    r"""((?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?|mssql)(?:\+\w{1,20})?://)(?!\[redacted\]@)[^\s"'<>@]{1,300}@""",
    re.IGNORECASE,
)
"""Generated database passwords may hold a bare slash."""
AUTHORIZATION = re.compile(
    r"""((?>(?:authorization|cookie)(?:\\{0,3}["'])?\s{0,3}[:=]\s{0,3}(?:\\{0,3}["'])?))(?!\[redacted\])[^"'\\\r\n]+""",
    re.IGNORECASE,
)
BEARER = re.compile(
    r"\b(bearer|basic)\s{1,3}(?=[A-Za-z0-9._~+/-]{0,80}[\d=])[A-Za-z0-9._~+/=-]{8,}",
    re.IGNORECASE,
)
WORDS = (
    r"pass(?:word|wd|phrase|code)|pwd|secret|token(?!s|i[sz]|_?(?:count|limit|type|usage))|api[_-]?key|access[_-]?key"
    r"|private[_-]?key|signing[_-]?key|encryption[_-]?key|credential|session[_-]?id|signature"
)
HINTS = ("pass", "pwd", "secret", "token", "key", "credential", "session", "signature")
"""One of these is in whatever WORDS matches."""
PLAIN = (
    r"none|null|nil|undefined|true|false|empty|missing|required|invalid|expired|expected"
    r"|wrong|not|is|was|must|str|string"
)
PAIR = re.compile(
    rf"""((?>(?:{WORDS})[\w-]{{0,30}}\]?(?:\\{{0,3}}["'])?\s{{0,3}}(?:=>|[:=>]|%3[AaDd])\s{{0,3}}))"""
    rf"""(?!(?:[bru]{{0,2}}\\{{0,3}}["'])?\[redacted\]|(?:\\{{0,3}}["'])?(?:{PLAIN})?(?:\\{{0,3}}["'])?(?:[\s,;&)}}\]]|$))"""
    r"""(?:(?P<quoted>[bru]{0,2}\\{0,3}(?P<quote>["']))"""
    r"""|(?P<bare>[^\s"',;&|)}\]<]+))""",
    re.IGNORECASE,
)
"""`password=…`, `"client_secret": "…"`, `?token=…`, `API_KEY: …`, escaped JSON; `_cut_pairs` cuts the value."""
FLAG = re.compile(rf"((?<![\w-])--(?:[\w-]{{0,20}}-)?(?:{WORDS})\s{{1,3}})(?![-\[])[^\s\"']+", re.IGNORECASE)
EMAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]{1,256}@(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24}\b")
CARD = re.compile(r"(?<![\w.])[2-6]\d(?:[ -]?\d){11,17}(?![\w])")
RANDOM = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{40,}={0,2}")


def redact(text: str, known: Iterable[str] = ()) -> str:
    """The text without tokens, passwords, keys, mail addresses, card numbers, or any of the `known` values.

    The rest stays as it is; redacting twice changes nothing more. Redact first, cut afterwards: half a token has
    no shape any more.
    """
    for secret in sorted(
        {value for value in known if len(value) >= SHORTEST_KNOWN_SECRET},
        key=len,
        reverse=True,
    ):
        text = text.replace(secret, MARK)
    text = PRIVATE_KEY.sub(MARK, text)
    # Most text holds nothing of the kind; to see that a word is not there costs a hundredth of a pattern's search.
    if "@" in text:
        text = DATABASE_USERINFO.sub(rf"\1{MARK}@", text)
        text = USERINFO.sub(rf"\1{MARK}@", text)
    if _may_hold(text, "authorization", "cookie"):
        text = AUTHORIZATION.sub(rf"\1{MARK}", text)
    if _may_hold(text, "bearer", "basic"):
        text = BEARER.sub(rf"\1 {MARK}", text)
    text = TOKENS.sub(MARK, text)
    if _may_hold(text, *HINTS):
        text = _cut_pairs(text)
    if "--" in text:
        text = FLAG.sub(rf"\1{MARK}", text)
    if "@" in text:
        text = EMAIL.sub(MARK, text)
    text = CARD.sub(lambda found: MARK if _is_card(found[0]) else found[0], text)
    return RANDOM.sub(lambda found: MARK if _is_random(found[0]) else found[0], text)


def _may_hold(text: str, *words: str) -> bool:
    """False only where none of the words can be there in any case; letters beyond ASCII may pass for others."""
    lower = text.lower()
    return any(word in lower for word in words) or not text.isascii()


def find_tokens(text: str) -> list[str]:
    """What looks like a real token or key in the text, shapes only: a pair with a harmless value is none."""
    found = [match[0] for match in (*PRIVATE_KEY.finditer(text), *TOKENS.finditer(text))]
    return found + [match[0] for match in RANDOM.finditer(text) if _is_random(match[0])]


def _cut_pairs(text: str) -> str:
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
    """Where the value ends: before its closing quote, or at the end of the line."""
    stops = re.compile(r"[\\\n]" if escaped else rf"(?<!\\){quote}|\n")
    found = stops.search(text, start)
    return found.start() if found else len(text)


def _is_card(digits: str) -> bool:
    """Luhn's check: one number in ten passes it by chance."""
    numbers = [int(digit) for digit in digits if digit.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in numbers[-2::-2]]
    return 13 <= len(numbers) <= 19 and (sum(numbers[-1::-2]) + sum(doubled)) % 10 == 0


def _is_random(text: str) -> bool:
    """Long, of all kinds of characters and without pattern: a key, or a line of one. A hex hash is not."""
    kinds = (
        any(c.isdigit() for c in text) and any(c.islower() for c in text) and any(c.isupper() for c in text)
    )
    parted = text.count("/") + text.count("-") + text.count("_")
    if not kinds or parted > len(text) / 12:
        return False
    sample = text[:512]
    sorts = [(c.isdigit(), c.isupper()) for c in sample]
    changes = sum(one != other for one, other in pairwise(sorts))
    return changes >= RANDOM_CHANGES * len(sample)
