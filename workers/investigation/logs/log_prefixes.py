"""The prefix of a log line: time, level, process and logger, in the default formats of loggers. Pure.

Formats: Python logging, loguru, rich, structlog, gunicorn, uvicorn, Celery, Tornado, Flask, Scrapy; winston,
pino-pretty, log4js, Nest, consola; logrus, slog, zap, zerolog, klog, hclog, gin; Logback, Log4j, java.util.logging,
Spring Boot, Quarkus, Dropwizard; Ruby Logger, Sidekiq, semantic_logger; Monolog, PHP-FPM; .NET console, Serilog, NLog;
env_logger, tracing, fern; Elixir and Erlang; PostgreSQL, MySQL, Redis, nginx, Apache, RabbitMQ, Kafka, Elasticsearch.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_PREFIX_CHARS = 300  # of a line in which its prefix is looked for
MAX_PREFIX_TOKENS = 40  # times, brackets, names and separators before the level
MAX_PLAIN_WORDS = 2  # plain words before the level: names of processes and threads. More words are a sentence

LEVELS = {
    "trace": "debug", "trc": "debug", "trce": "debug", "debug": "debug", "dbg": "debug", "debu": "debug",
    "dbug": "debug", "verbose": "debug", "vrb": "debug", "silly": "debug", "fine": "debug", "finer": "debug",
    "finest": "debug", "d": "debug", "t": "debug", "v": "debug",
    "info": "info", "inf": "info", "information": "info", "informational": "info", "notice": "info", "note": "info",
    "log": "info", "success": "info", "config": "info", "default": "info", "system": "info", "i": "info", "n": "info",
    "statement": "info", "detail": "info", "hint": "info", "context": "info", "http": "info",
    "warn": "warning", "warning": "warning", "wrn": "warning", "w": "warning",
    "error": "error", "err": "error", "erro": "error", "eror": "error", "critical": "error", "crit": "error",
    "fatal": "error", "fatal error": "error", "fata": "error", "ftl": "error", "panic": "error", "pnc": "error",
    "alert": "error", "emerg": "error", "emergency": "error", "severe": "error", "fail": "error", "dpanic": "error",
    "e": "error", "f": "error", "c": "error", "a": "error",
}  # fmt: skip
"""The level of the product by the word of a logger, in lower case."""

_UPPER = (
    "FATAL ERROR|TRACE|DEBUG|INFORMATION|INFO|NOTICE|WARNING|WARN|ERROR|CRITICAL|FATAL|PANIC|DPANIC|SEVERE"
    "|EMERGENCY|EMERG|VERBOSE|TRC|DBG|DEBU|INF|WRN|ERRO|EROR|ERR|FTL|FATA|PNC|CRIT"
)
_ONLY_WITH_COLON = "LOG|STATEMENT|DETAIL|HINT|CONTEXT|ALERT|FINEST|FINER|FINE|CONFIG|SUCCESS|NOTE|HTTP"
_LOWER = (
    "trace|debug|information|informational|info|notice|warning|warn|error|err|critical|crit|fatal|panic|emergency|emerg"
    "|alert|verbose|silly|success|trce|dbug|fail|severe"
)
_TITLE = "Trace|Debug|Information|Info|Notice|Note|Warning|Warn|Critical|Fatal|Verbose|System"

_DATE = r"(?:\d{4}[-/.]\d\d[-/.]\d\d|\d\d?[-/. ][A-Z][a-z]{2}[-/. ]\d{4}|\d\d?/\d\d?/\d{4}|\d\d\.\d\d\.\d{4})"
_CLOCK = (
    r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?[AP]M\b)?"
    r"(?: ?(?:Z|UTC|GMT|CES?T|[A-Z]{3}(?= \[)|[+-]\d\d:?\d\d))?"
)
TIME = (
    rf"(?:{_DATE}(?:(?:[T ,:]|, | - |::){_CLOCK})?"
    rf"|(?:[A-Z][a-z]{{2}},? )?[A-Z][a-z]{{2}} {{1,2}}\d{{1,2}},?(?: \d{{4}},?)? {_CLOCK}(?: (?:[A-Z]{{3}} )?\d{{4}})?"
    rf"|{_CLOCK}(?![\w:])|\d{{10}}(?:\.\d{{1,9}})?\b|\d{{13}}\b)"
)
"""A time as loggers print it, with or without its date."""
TOKEN = re.compile(
    rf"(?P<time>{TIME})"
    r"|(?P<letter>[DIWEFC](?=, \[)|[DIWEF](?=\d{4} \d\d:)|[DIWEFT](?= \[))"
    r'|(?P<pair>[\w.@-]{1,40}=(?:"[^"]{0,200}"|[^\s"]{0,200}))'
    r"|(?P<box>\[[^\[\]]{0,100}\]|\([^()]{0,60}\)|<[^<>]{0,60}>)"
    rf"|(?P<level>(?:{_UPPER})(?![\w.-]|\(\w)|(?:{_ONLY_WITH_COLON})(?= {{0,4}}[:\]|]| \[[A-Z])"
    rf"|(?:{_LOWER})(?= {{0,6}}[:|\]]|\t| {{2,}}\S| - )|(?:{_TITLE})(?= {{0,6}}[:|\]]\s|\t))"
    rf"|(?P<named>[\w-]{{1,40}}\.(?:{_UPPER})(?=:))"
    r"|(?P<name>[\w$@-]{1,80}(?:[./:#\\$@-]{1,2}[\w$\[\]@<>*]{1,80}){1,12}|[\w-]{1,60}(?:\[\d{1,8}\])?(?=[:\]|])"
    r"|\d{1,20}(?![\w.]))"
    r"|(?P<word>[\w-]{1,40}(?=\s))"
    r"|(?P<gap>[\s|:;,@\-–—>*·•›»✖✔⚠ℹ▶⨯#/]{1,60})"
)
"""One part of a prefix."""
LEVEL_IN_BOX = re.compile(
    rf"(?:^|[\s:|,/\[])(?:(?:php|core|proxy\w{{0,10}}|ssl|mpm_\w{{1,10}}|\w{{1,12}}):)?"
    rf"(?i:({_LOWER}|note|system|inf|wrn|err|dbg|trc|ftl|erro|eror))(?=$|[\s/|,:(])|^([DIWEFCNT])(?= \d|$)"
)
LEVEL_PAIR = re.compile(
    r'^(?:level|lvl|severity|loglevel|log\.level|at)="?([A-Za-z]{1,13})"?$', re.IGNORECASE
)
SYSLOG_BOX = re.compile(r"^<([0-7])>$")
SYSLOG_LEVELS = ("error", "error", "error", "error", "warning", "info", "info", "debug")
"""The level of the product by the severity of syslog (RFC 5424, section 6.2.1)."""
REDIS = re.compile(r"^\d{1,8}:[A-Z] \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3} ([.*#-]) ")
REDIS_LEVELS = {".": "debug", "-": "debug", "*": "info", "#": "warning"}
"""Marks of Redis and Valkey (`serverLogRaw` in server.c)."""
RUBY = re.compile(r"^[DIWEFAU], \[[^\]\n]{1,60}\] {1,3}([A-Z]{3,7}) -- [^:\n]{0,60}: ?")
KLOG = re.compile(r"^([IWEF])\d{4} \d\d:\d\d:\d\d\.\d{1,9} {1,9}\d{1,9} \S{1,200}:\d{1,7}\] ?")
PYTHON_WARNING = re.compile(r"^\S{1,300}\.py:\d{1,7}: (?=[A-Z]\w{2,60}Warning: )")
PHP_FPM = re.compile(
    r"^(?:\[\d\d-[A-Z][a-z]{2}-\d{4} [^\]]{8,40}\] )?(?:NOTICE|WARNING): "
    r"(?:\[pool [\w.-]{1,60}\] child \d{1,9} said into std(?:err|out): \"?)?(?:NOTICE: )?PHP message: "
)
PHP_LEVEL = re.compile(
    r"^(?:\[\d\d-[A-Z][a-z]{2}-\d{4} [^\]]{8,40}\] )?PHP (Warning|Notice|Deprecated|Strict Standards): {1,2}"
)
ERLANG = re.compile(r"^=([A-Z]{4,9}) REPORT==== ")
NPM = re.compile(r"^npm (error|ERR!|warn|WARN|notice|info|http)(?= |$)")
ENTRY_START = re.compile(
    rf"^[\[(<]?(?:{TIME})|^\[[\w.:@ /-]{{1,60}}\] {{0,4}}\S|^[\w.@-]{{1,40}}=\S{{1,200}} \w{{1,40}}=|^\{{\s{{0,2}}\""
    r"|^\d{1,3}(?:\.\d{1,3}){3} - |^::1 - |^::ffff:|^\(node:\d|^(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) /\S{0,500} "
)
"""The beginning of an entry whose level is not stated."""
TIME_START = re.compile(rf"^[\[(]?(?:{TIME})[\])]?[\s|,:-]{{0,6}}")
AFTER_LEVEL = re.compile(r"[\s:|\])>»-]{0,40}(?:\(\d{1,8}\): |--- )?")
MESSAGE_PAIR = re.compile(r'(?:^|\s)(?:msg|message|event)="?')


TIME_BEFORE_LINE = re.compile(
    r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?:?(?: |$)"
)
"""A time in ISO 8601 before a line."""
MAX_MANAGER_CHARS = 60  # of a line in which the name of a program stands
PROCESS = re.compile(
    r"(?:\d\d:\d\d:\d\d (?:[AP]M )?)?[A-Za-z][\w-]{0,30}[.-]\d{1,3} {1,12}\| ?|\d{1,3}\|[\w.-]{1,30} {1,20}\| |\[\d\] "
)
"""Names of programs as Foreman, Honcho and Overmind, Docker Compose, PM2 and concurrently print them."""
QUIET_ENTRY = re.compile(
    r"[\[(]?(?:\d{4}[-/]\d\d[-/]\d\d[T ])?(?:\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)?(?:Z| UTC| ?[+-]\d\d:?\d\d)?[\])]?"
    r"(?:[ \t|-]{0,6}(?:- [\w.]{1,60} - |\[\d{1,8}\] |\[[\w.:-]{1,60}\] )?)"
    r"\[?(?P<level>INFO|DEBUG|info|debug)(?:(?<=[A-Z])(?=[ \t])|\s{0,5}[\]:|])[\s:|\])>-]{0,40}"
)
"""An entry without trouble in the most common formats. Most lines of a log are, so that this one expression pays."""
LEVEL_HINTS = (
    "err", "info", "warn", "debug", "dbg", "inf", "wrn", "trace", "trc", "fatal", "panic", "crit", "severe",
    "notice", "log", "fine", "ftl", "fata", "pnc", "emerg", "alert", "verb", "config", "succ", "system", "note",
    "state", "detail", "hint", "context", "silly", "fail", "http", "eror", "level", "lvl", "debu",
)  # fmt: skip
"""A part of each word for a level, in lower case."""
LEVEL_INITIALS = frozenset("[<(=DIWEFCAUN0123456789 \t")
"""Lines that begin so may state their level by a letter or a number."""


class Prefix(NamedTuple):
    """The part of a log line before its message."""

    level: str
    """As the product names levels; empty if the line states none."""
    start: int
    """Characters before the message."""
    is_entry: bool
    """The line begins like a log entry."""


NO_PREFIX = Prefix("", 0, is_entry=False)


def read_prefix(text: str) -> Prefix:
    """The prefix of a line, from its first `MAX_PREFIX_CHARS` characters."""
    if text[:1] not in LEVEL_INITIALS:
        lower = text.lower()
        if not any(hint in lower for hint in LEVEL_HINTS):
            return Prefix("", 0, ENTRY_START.match(text) is not None)
    if match := REDIS.match(text):
        return Prefix(REDIS_LEVELS[match[1]], match.end(), is_entry=True)
    if match := RUBY.match(text) or KLOG.match(text):
        return Prefix(LEVELS.get(match[1].lower(), "info"), match.end(), is_entry=True)
    if match := PYTHON_WARNING.match(text):
        return Prefix("warning", match.end(), is_entry=True)
    if match := PHP_FPM.match(text):
        inner = PHP_LEVEL.match(text[match.end() :])
        level = ("warning" if inner[1] == "Warning" else "info") if inner else ""
        return Prefix(level, match.end(), is_entry=True)
    if match := PHP_LEVEL.match(text):
        return Prefix("warning" if match[1] == "Warning" else "info", match.end(), is_entry=True)
    if match := ERLANG.match(text):
        return Prefix(LEVELS.get(match[1].lower(), "info"), 0, is_entry=True)
    if match := NPM.match(text):
        return Prefix(LEVELS[match[1].lower().rstrip("!")], 0, is_entry=True)
    level, end = _stated_level(text)
    if level:
        if message := MESSAGE_PAIR.search(text, end - 1):
            return Prefix(level, message.end(), is_entry=True)
        return Prefix(level, AFTER_LEVEL.match(text, end).end(), is_entry=text[0] not in " \t")  # type: ignore[union-attr]
    if ENTRY_START.match(text):
        time = TIME_START.match(text)
        return Prefix("", time.end() if time else 0, is_entry=True)
    return NO_PREFIX


def split_process(text: str) -> tuple[str, str]:
    """The name that a process manager prints before each line of a program, and the line itself.

    Several programs of one container print to the same output, so that their lines interleave.
    """
    if "|" not in text[:MAX_MANAGER_CHARS] and text[:1] != "[":
        return "", text
    match = PROCESS.match(text)
    return (match[0], text[match.end() :]) if match else ("", text)


def _stated_level(text: str) -> tuple[str, int]:
    """The level and the end of its word; an empty level if what stands before it is more than a prefix."""
    position, words, after_time, marks = 0, 0, False, 0
    for _ in range(MAX_PREFIX_TOKENS):
        match = TOKEN.match(text, position)
        if match is None:
            break
        kind, word = match.lastgroup or "", match[0]
        if level := _level_of(kind, word):
            # `Received ERROR from …` is a sentence: nothing that loggers print stands before the word.
            is_sentence = words > 0 and kind == "level" and (not marks or not word.isupper())
            return ("", 0) if is_sentence else (level, match.end())
        if kind == "word":
            if after_time and word in LEVELS and len(word) > 1 and word != "panic":
                return LEVELS[word], match.end()
            words += 1
            if words > MAX_PLAIN_WORDS:
                break
        marks += kind in ("time", "box", "pair", "name")
        after_time = kind == "time" or (kind == "gap" and after_time)
        position = match.end()
    return "", 0


def _level_of(kind: str, token: str) -> str:
    if kind in ("level", "letter"):
        return LEVELS[token.lower()]
    if kind == "named":
        return LEVELS[token.rpartition(".")[2].lower()]
    if kind == "pair":
        pair = LEVEL_PAIR.match(token)
        return LEVELS.get(pair[1].lower(), "") if pair else ""
    if kind == "box":
        if syslog := SYSLOG_BOX.match(token):
            return SYSLOG_LEVELS[int(syslog[1])]
        inner = LEVEL_IN_BOX.search(token[1:-1])
        return LEVELS[(inner[1] or inner[2]).lower()] if inner else ""
    return ""


def strip_time(text: str) -> str:
    """The line without a time in ISO 8601 before it, as `docker logs -t` and PM2 put it before each line."""
    match = TIME_BEFORE_LINE.match(text) if text[:1] == "2" else None
    return text[match.end() :] if match else text
