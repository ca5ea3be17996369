"""Classifies log patterns by their text: missing variables, calls without a response, exhausted memory. Pure.

The text comes from the watched service. It is untrusted data; the regular expressions are bounded for that reason.
"""

from __future__ import annotations

import re

from workers.models import CodeLocation, LogPattern

# A name with an underscore: `EUR` and `GET` are not variables, and codes of errors only look like them.
VARIABLE = r"(?!ERR_|HTTP_|UND_ERR)[A-Z][A-Z0-9]*_[A-Z0-9_]{1,60}"
# Code or text that reads the environment.
ENVIRONMENT = re.compile(
    r"\b(?:os\.environ|os\.getenv|getenv\b|process\.env|environ\[|env\()|\bENV\["
    r"|\benv(?:ironment)?[ _-]?var(?:iable)?s?\b|\benvironment (?:key|setting)\b|\bnot set in the environment\b",
    re.I,
)
# `DATABASE_URL is not set`, `set the environment variable DATABASE_URL`.
NOT_SET = re.compile(
    rf"\b(?P<name>{VARIABLE})\b['\"`]?(?: environment variable)?(?: is| was)? "
    r"(?:not set|unset|must be set|not configured|not provided)\b"
    rf"|\bset the (?:environment variable )?['\"`]?(?P<other>{VARIABLE})\b"
)
"""Proof by itself; every other complaint must also mention the environment."""
VARIABLE_COMPLAINT = re.compile(
    rf"\b(?P<name>{VARIABLE})\b['\"`]?(?: is| was)? (?:required|missing|undefined|empty)\b"
    rf"|\b(?:missing|required)(?: \w+)?:? ['\"`]?(?P<other>{VARIABLE})\b"
)
"""A complaint about a variable; proof only if the code around its location reads the environment."""
# Words of an error about a missing value.
COMPLAINT = re.compile(
    r"KeyError|\bmissing\b|\brequired\b|\bundefined\b|\bnot (?:set|defined|found|provided)\b|\bunset\b", re.I
)
# The name in code that reads a variable: `os.environ["STRIPE_KEY"]`.
VARIABLE_ACCESS = re.compile(
    r"(?:environ(?:\.get)?\s?[\[(]|getenv\(|process\.env(?:\.|\[)|KeyError: |variable:? )"
    r"\s?['\"`]?(?P<name>[A-Z][A-Z0-9_]{2,60})\b"
)
# A datastore of the project at a wrong address or with wrong credentials, by its port, its usual host name or its own
# error messages (PostgreSQL, MySQL, Redis, MongoDB, RabbitMQ, Kafka, memcached).
DATASTORE_PROBLEM = re.compile(
    r"(?:ECONNREFUSED|refused|could not connect|Is the server running|Errno 111)[^\n]{0,160}"
    r"(?:localhost|127\.0\.0\.1|::1)[^\n]{0,40}\b(?:5432|6379|3306|27017|5672|9092|11211)\b"
    r"|(?:localhost|127\.0\.0\.1|::1)[^\n]{0,40}\b(?:5432|6379|3306|27017|5672|9092|11211)\b[^\n]{0,60}refused"
    r"|(?:ENOTFOUND|EAI_AGAIN|getaddrinfo)\s+(?:undefined|null|base|postgres|redis|db|mysql|mongo)\b"
    r"|password authentication failed|Access denied for user|WRONGPASS|NOAUTH|no pg_hba\.conf entry"
    r"|\bdatabase \"?[\w-]{1,80}\"? does not exist|Invalid URL:? ?['\"]?(?:undefined|null)\b",
    re.I,
)
# A key that another service rejects.
REJECTED_CREDENTIALS = re.compile(
    r"\b(?:invalid|expired|incorrect|revoked) (?:api[ _-]?key|credentials?)\b"
    r"|\b40[13] Client Error|\bUnauthorized for url",
    re.I,
)
# A port that is in use or cannot be parsed.
PORT_PROBLEM = re.compile(
    r"\bEADDRINUSE\b|address already in use|invalid port|PORT\b[^\n]{0,40}(?:not a valid|must be)", re.I
)
# Errors of HTTP clients and sockets (Python, Node) for a call that got no response.
NO_RESPONSE = re.compile(
    r"(?:Connect|Read|Write|Pool|Connection|Request|Gateway)?_?Time(?:d )?-?out(?:Error|Exception|Expired)?\b"
    r"|\btimed out\b|\bE(?:TIMEDOUT|CONNRESET|CONNREFUSED|NOTFOUND|AI_AGAIN|PIPE)\b"
    r"|Connect(?:ion)?(?:Error|Refused|ResetError|RefusedError)\b"
    r"|MaxRetryError|NewConnectionError|RemoteDisconnected|\bfetch failed\b|UND_ERR_|socket hang up"
    r"|Name or service not known|Temporary failure in name resolution|Connection reset by peer",
    re.I,
)
# A call that got 5xx or 429. 501 is left out: it is an error of the caller.
ERROR_RESPONSE = re.compile(
    r"\b50[0234] (?:Server Error|Bad Gateway|Service (?:Temporarily )?Unavailable|Gateway Time-?out"
    r"|Internal Server Error)"
    r"|\bstatus(?:[ _-]?code)?[:= ]{1,3}50[0234]\b|\bHTTP(?: status| error|/1\.1)? 50[0234]\b"
    r"|(?:answered|returned|responded|replied|gave|got)(?: with)?(?: an?)?(?: HTTP)?(?: status)? 50[0234]\b"
    r"|\b429 (?:Client Error|Too Many)|status(?:[ _-]?code)?[:= ]{1,3}429\b|\bBad Gateway\b|\bToo Many Requests\b",
    re.I,
)
# Exceptions that an upstream cannot cause directly.
PROGRAMMING_ERROR = re.compile(
    r"\b(?:KeyError|TypeError|AttributeError|NameError|IndexError|ReferenceError|ZeroDivisionError|UnboundLocalError"
    r"|ImportError|ModuleNotFoundError|SyntaxError|RangeError|RecursionError|AssertionError)\b"
)
# Exit code 137 is SIGKILL, which the kernel sends if memory runs out.
OUT_OF_MEMORY = re.compile(
    r"out of memory|JavaScript heap|\bMemoryError\b|Cannot allocate memory|\bOOM\b|exit(?:ed with)? (?:code|status) 137"
    r"|signal: killed|\bSIGKILL\b|^Killed$",
    re.I | re.M,
)
DISK_FULL = re.compile(
    r"No space left on device|\bENOSPC\b|\bdisk (?:is )?full\b|could not extend file", re.I
)
# Lines that Railway writes into the build log for a failed health check.
UNHEALTHY = re.compile(r"never became healthy|health ?check failed", re.I)
# A host of Railway's private network; its first label is the name of the service.
SIBLING_HOST = re.compile(r"\b([a-z0-9-]{1,63})\.railway\.internal\b", re.I)
# Name resolution failed: the name is wrong, or the service does not exist.
UNRESOLVED_NAME = re.compile(r"ENOTFOUND|Name or service not known|name resolution|EAI_AGAIN|NXDOMAIN", re.I)


def full_text(pattern: LogPattern) -> str:
    """The template and the sample: everything that was logged, masked and as it was."""
    return f"{pattern.template}\n{pattern.sample}"


def quote_of(pattern: LogPattern) -> str:
    """The line of the sample that the template was made from, with its numbers; else the template itself."""
    template_words = set(pattern.template.split())
    lines = [line.strip() for line in pattern.sample.splitlines() if line.strip()]
    nearest = max(lines, key=lambda line: len(template_words & set(line.split())), default="")
    return nearest if template_words & set(nearest.split()) else pattern.template


def is_about_configuration(pattern: LogPattern, locations: tuple[CodeLocation, ...]) -> bool:
    """True if the error is about the environment that the service runs in.

    A KeyError with a key in capitals is not enough: `KeyError: 'EUR'` is about money.
    """
    text = full_text(pattern)
    if any(regex.search(text) for regex in (DATASTORE_PROBLEM, REJECTED_CREDENTIALS, PORT_PROBLEM, NOT_SET)):
        return True
    return COMPLAINT.search(text) is not None and (
        ENVIRONMENT.search(text) is not None or _reads_environment(text, locations)
    )


def _reads_environment(text: str, locations: tuple[CodeLocation, ...]) -> bool:
    """True if the first location that the trace names reads the environment.

    If the error names a variable, the lines around count too: code often reads a variable, checks it and then raises.
    """
    for location in locations:
        if f"line {location.line}" in text or f":{location.line}" in text:
            code = location.excerpt
            if not VARIABLE_COMPLAINT.search(text):
                code = "\n".join(line for line in code.split("\n") if line.startswith(">"))
            return ENVIRONMENT.search(code) is not None
    return False


def is_traced_to(pattern: LogPattern, location: CodeLocation) -> bool:
    """True if the pattern holds a stack trace that names the location.

    Only the stem of the file name is compared: `pay.ts` in the repository is `pay.js` where it is deployed.
    """
    stem = re.escape(location.file.rpartition("/")[2].partition(".")[0])
    frame = rf"(?<![\w-]){stem}\.\w{{1,5}}(?::|\", line ){location.line}\b"
    return re.search(frame, full_text(pattern)) is not None


def variable_name(pattern: LogPattern) -> str | None:
    """The name of the missing variable, if the error names one."""
    text = full_text(pattern)
    complaint = NOT_SET.search(text) or VARIABLE_COMPLAINT.search(text)
    if complaint:
        return complaint["name"] or complaint["other"]
    access = VARIABLE_ACCESS.search(text)
    return access["name"] if access else None


def is_failed_call(pattern: LogPattern) -> bool:
    """True if a call to another service got no response, or an error response."""
    text = full_text(pattern)
    return bool(NO_RESPONSE.search(text) or ERROR_RESPONSE.search(text))
