"""What log patterns tell by their words: a missing variable, an outside host that does not answer, memory gone."""

from __future__ import annotations

import re

from workers.models import CodeLocation, LogPattern

VARIABLE = r"(?!ERR_|HTTP_|UND_ERR)[A-Z][A-Z0-9]*_[A-Z0-9_]{1,60}"
ENVIRONMENT = re.compile(
    r"\b(?:os\.environ|os\.getenv|getenv\b|process\.env|environ\[|env\()|\bENV\["
    r"|\benv(?:ironment)?[ _-]?var(?:iable)?s?\b|\benvironment (?:key|setting)\b|\bnot set in the environment\b",
    re.I,
)
NOT_SET = re.compile(
    rf"\b(?P<name>{VARIABLE})\b['\"`]?(?: environment variable)?(?: is| was)? "
    r"(?:not set|unset|must be set|not configured|not provided)\b"
    rf"|\bset the (?:environment variable )?['\"`]?(?P<other>{VARIABLE})\b"
)
"""Enough by itself; every other complaint must also speak of the environment."""
ASKED_FOR = re.compile(
    rf"\b(?P<name>{VARIABLE})\b['\"`]?(?: is| was)? (?:required|missing|undefined|empty)\b"
    rf"|\b(?:missing|required)(?: \w+)?:? ['\"`]?(?P<other>{VARIABLE})\b"
)
"""A variable, where the code around the place reads the environment: it is read, looked at, then complained of."""
COMPLAINT = re.compile(
    r"KeyError|\bmissing\b|\brequired\b|\bundefined\b|\bnot (?:set|defined|found|provided)\b|\bunset\b", re.I
)
NAMED = re.compile(
    r"(?:environ(?:\.get)?\s?[\[(]|getenv\(|process\.env(?:\.|\[)|KeyError: |variable:? )"
    r"\s?['\"`]?(?P<name>[A-Z][A-Z0-9_]{2,60})\b"
)
OWN_STORE = re.compile(
    r"(?:ECONNREFUSED|refused|could not connect|Is the server running|Errno 111)[^\n]{0,160}"
    r"(?:localhost|127\.0\.0\.1|::1)[^\n]{0,40}\b(?:5432|6379|3306|27017|5672|9092|11211)\b"
    r"|(?:localhost|127\.0\.0\.1|::1)[^\n]{0,40}\b(?:5432|6379|3306|27017|5672|9092|11211)\b[^\n]{0,60}refused"
    r"|(?:ENOTFOUND|EAI_AGAIN|getaddrinfo)\s+(?:undefined|null|base|postgres|redis|db|mysql|mongo)\b"
    r"|password authentication failed|Access denied for user|WRONGPASS|NOAUTH|no pg_hba\.conf entry"
    r"|\bdatabase \"?[\w-]{1,80}\"? does not exist|Invalid URL:? ?['\"]?(?:undefined|null)\b",
    re.I,
)
REFUSED_KEY = re.compile(
    r"\b(?:invalid|expired|incorrect|revoked) (?:api[ _-]?key|credentials?)\b"
    r"|\b40[13] Client Error|\bUnauthorized for url",
    re.I,
)
PORT = re.compile(
    r"\bEADDRINUSE\b|address already in use|invalid port|PORT\b[^\n]{0,40}(?:not a valid|must be)", re.I
)
NO_ANSWER = re.compile(
    r"(?:Connect|Read|Write|Pool|Connection|Request|Gateway)?_?Time(?:d )?-?out(?:Error|Exception|Expired)?\b"
    r"|\btimed out\b|\bE(?:TIMEDOUT|CONNRESET|CONNREFUSED|NOTFOUND|AI_AGAIN|PIPE)\b"
    r"|Connect(?:ion)?(?:Error|Refused|ResetError|RefusedError)\b"
    r"|MaxRetryError|NewConnectionError|RemoteDisconnected|\bfetch failed\b|UND_ERR_|socket hang up"
    r"|Name or service not known|Temporary failure in name resolution|Connection reset by peer",
    re.I,
)
BAD_ANSWER = re.compile(
    r"\b50[0234] (?:Server Error|Bad Gateway|Service (?:Temporarily )?Unavailable|Gateway Time-?out"
    r"|Internal Server Error)"
    r"|\bstatus(?:[ _-]?code)?[:= ]{1,3}50[0234]\b|\bHTTP(?: status| error|/1\.1)? 50[0234]\b"
    r"|(?:answered|returned|responded|replied|gave|got)(?: with)?(?: an?)?(?: HTTP)?(?: status)? 50[0234]\b"
    r"|\b429 (?:Client Error|Too Many)|status(?:[ _-]?code)?[:= ]{1,3}429\b|\bBad Gateway\b|\bToo Many Requests\b",
    re.I,
)
OWN_BUG = re.compile(
    r"\b(?:KeyError|TypeError|AttributeError|NameError|IndexError|ReferenceError|ZeroDivisionError|UnboundLocalError"
    r"|ImportError|ModuleNotFoundError|SyntaxError|RangeError|RecursionError|AssertionError)\b"
)
MEMORY_GONE = re.compile(
    r"out of memory|JavaScript heap|\bMemoryError\b|Cannot allocate memory|\bOOM\b|exit(?:ed with)? (?:code|status) 137"
    r"|signal: killed|\bSIGKILL\b|^Killed$",
    re.I | re.M,
)
DISK_FULL = re.compile(
    r"No space left on device|\bENOSPC\b|\bdisk (?:is )?full\b|could not extend file", re.I
)
UNHEALTHY = re.compile(r"never became healthy|health ?check failed", re.I)
NEIGHBOUR = re.compile(r"\b([a-z0-9-]{1,63})\.railway\.internal\b", re.I)
UNKNOWN_NAME = re.compile(r"ENOTFOUND|Name or service not known|name resolution|EAI_AGAIN|NXDOMAIN", re.I)


def words(pattern: LogPattern) -> str:
    """All that a pattern says."""
    return f"{pattern.template}\n{pattern.sample}"


def quoted(pattern: LogPattern) -> str:
    """The line of the sample that the template was made of: what was said, figures included."""
    told = set(pattern.template.split())
    lines = [line.strip() for line in pattern.sample.splitlines() if line.strip()]
    nearest = max(lines, key=lambda line: len(told & set(line.split())), default="")
    return nearest if told & set(nearest.split()) else pattern.template


def about_settings(pattern: LogPattern, places: tuple[CodeLocation, ...]) -> bool:
    """Whether it is about the environment a service runs in. Not every KeyError of capitals is: 'EUR' is money."""
    said = words(pattern)
    if OWN_STORE.search(said) or REFUSED_KEY.search(said) or PORT.search(said) or NOT_SET.search(said):
        return True
    return bool(COMPLAINT.search(said)) and (
        bool(ENVIRONMENT.search(said)) or _reads_environment(said, places)
    )


def _reads_environment(said: str, places: tuple[CodeLocation, ...]) -> bool:
    """Whether the innermost own line that the trace names reads the environment, or complains of what was read."""
    for place in places:
        if f"line {place.line}" in said or f":{place.line}" in said:
            marked = [line for line in place.excerpt.split("\n") if line.startswith(">")]
            reads = "\n".join(marked) if not ASKED_FOR.search(said) else place.excerpt
            return ENVIRONMENT.search(reads) is not None
    return False


def traces_to(pattern: LogPattern, place: CodeLocation) -> bool:
    """Whether it holds a trace that names the place; the deployed file may end otherwise than its source."""
    stem = re.escape(place.file.rpartition("/")[2].partition(".")[0])
    named = rf"(?<![\w-]){stem}\.\w{{1,5}}(?::|\", line ){place.line}\b"
    return re.search(named, words(pattern)) is not None


def variable(pattern: LogPattern) -> str | None:
    """The name of the variable that is missing, if one is named."""
    said = words(pattern)
    unset = NOT_SET.search(said) or ASKED_FOR.search(said)
    if unset:
        return unset["name"] or unset["other"]
    named = NAMED.search(said)
    return named["name"] if named else None


def does_not_answer(pattern: LogPattern) -> bool:
    """Whether somebody who was called did not answer, or answered with a failure of his own."""
    return bool(NO_ANSWER.search(words(pattern)) or BAD_ANSWER.search(words(pattern)))
