"""Reads missing and malformed settings: single sentences, blocks of several lines, and code beside an error. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from workers.investigation.signs.record_text import RecordText
from workers.investigation.signs.setting_blocks import block_signs
from workers.investigation.signs.setting_wordings import GENERIC, PYTHON, RUBY_PHP_ELIXIR, UPPER, VARIABLE, Q
from workers.investigation.signs.setting_wordings_js import COMPILED, NODE
from workers.investigation.signs.wordings import compiled, has_any, read_table, sign
from workers.models import Sign, SignKind

# The line says that the service runs on without the setting.
OPTIONAL = re.compile(
    r"\b(?:using|use|defaulting|default(?:s|ing)? to|falling back|fallback|fall back|skipp(?:ing|ed)|disabl(?:ed|ing)|ignor(?:ed|ing)"
    r"|optional|will not be|won't be|turned off|not enabled|in-memory|without it)\b",
    re.I,
)
WARNING = re.compile(r"\b(?:warn(?:ing)?|info|debug|notice)\b", re.I)
# How code reads a variable, with its name: Python, Node.js, Vite and Deno, Ruby, PHP, Go, Rust, Elixir, Java, .NET.
ACCESS = (
    rf"(?:environ(?:\.get)?\s?[\[(]|getenv\(|process\.env(?:\.|\[|\?\.)|import\.meta\.env\.|env\.get\(|\bENV(?:\.fetch)?[(\[]"
    rf"|\benv\(|os\.Getenv\(|LookupEnv\(|env::var(?:_os)?\(|env!\(|fetch_env!\(|get_env\(|System\.getenv\(|Bun\.env\."
    rf"|EnvironmentVariable\(|config\.get(?:OrThrow)?(?:<\w{{1,20}}>)?\(|os\.environ\.pop\()\s?{Q}(?P<subject>{UPPER})\b"
)
# `const {DATABASE_URL, PORT} = process.env`
DESTRUCTURED = r"\{\s?(?P<names>[\w,\s:='\"]{2,400})\}\s?=\s?process\.env\b"
# Frames of the standard library that read the environment: a KeyError below them is about a variable.
ENVIRON_FRAME = re.compile(r"File \"(?:<frozen os>|[^\"\n]{0,200}/os\.py)\", line \d+, in __getitem__")
KEY_ERROR = rf"\bKeyError: ['\"](?P<subject>{UPPER})['\"]|\bkey not found: \"(?P<subject2>{UPPER})\""
# `X is required` and the like: proof only if code beside it reads that variable, or the name can be nothing else.
COMPLAINT = (
    rf"(?<![\w./:-]){Q}(?P<subject>{VARIABLE}){Q}(?: (?:is|was|are|setting|value|variable))? ?:? ?"
    r"(?:required|missing|undefined|empty|null|None|not (?:set|found|defined|provided|present|specified)|invalid|unset)\b"
    rf"|\b(?:[Mm]issing|[Rr]equired|[Nn]o|[Uu]ndefined|[Ee]mpty)(?: \w{{1,20}})?:? {Q}(?P<subject2>{VARIABLE})\b"
)
# Names that only settings have.
SETTING_SHAPE = re.compile(
    r"(?:^|_)(?:URL|URI|DSN|KEY|KEYS|TOKEN|SECRET|PASSWORD|PASSWD|PASS|HOST|HOSTNAME|PORT|BUCKET|REGION|CREDENTIALS|ENDPOINT)$"
    r"|^(?:NEXT_PUBLIC|VITE|REACT_APP|DB|DATABASE|POSTGRES|PG|MYSQL|REDIS|MONGO|MONGODB|AWS|S3|SMTP|JWT|STRIPE|OPENAI|SENTRY"
    r"|RAILWAY|DJANGO|FLASK|RAILS|SUPABASE|FIREBASE|GOOGLE|AUTH0|TWILIO)_"
)
# A value that is not there, used as if it were: `Cannot read properties of undefined (reading 'split')`.
USED_UNDEFINED = re.compile(
    r"Cannot read propert(?:y|ies) (?:'(?P<a>\w{1,60})' )?of (?:undefined|null)(?: \(reading '(?P<b>\w{1,60})'\))?"
    r"|'NoneType' object has no attribute '(?P<c>\w{1,60})'|undefined method [`'](?P<d>\w{1,60})' for nil"
    r"|(?P<cast>int\(\) argument must be a string[^\n]{0,60}'NoneType'|float\(\) argument must be a string[^\n]{0,60}'NoneType')"
    r"|(?P<none>(?:must be|argument must be|expected)[^\n]{0,40}\b(?:str|string)\b[^\n]{0,60}\b(?:undefined|None(?:Type)?|null)\b)"
)
BAD_NUMBER = re.compile(
    r"invalid literal for int\(\) with base 10|could not convert string to float|strconv\.(?:Atoi|ParseInt|ParseBool): parsing"
    r"|invalid value for Integer\(\)|NumberFormatException|ParseIntError|invalid digit found in string|ERR_INVALID_URL|Invalid URL"
    r"|JSONDecodeError|is not valid JSON|in JSON at position"
)


def setting_signs(record: RecordText, lowered: str) -> Iterator[Sign]:
    """Signs of kind `SETTING_MISSING` and `SETTING_INVALID`, with the name of each setting."""
    message = _without_optional(record.message) if has_any(lowered, OPTIONAL_NEEDLES) else record.message
    for table in (NODE, PYTHON, RUBY_PHP_ELIXIR, COMPILED):
        yield from read_table(table, message, lowered)
    yield from block_signs(record, lowered)
    yield from read_table(GENERIC, message, lowered)
    yield from _complaints(message, lowered, record)
    yield from _key_errors(record, lowered)
    yield from _undefined_uses(record, lowered)


OPTIONAL_NEEDLES = (
    "using",
    "use ",
    "default",
    "fall",
    "skip",
    "disabl",
    "ignor",
    "optional",
    "will not",
    "won't",
    "turned off",
    "in-memory",
    "not enabled",
    "without",
)


def _without_optional(message: str) -> str:
    """The lines without those that only tell of an optional setting."""
    return "\n".join(
        line for line in message.split("\n") if not (OPTIONAL.search(line[:600]) and _is_remark(line[:600]))
    )


def _is_remark(line: str) -> bool:
    return re.search(r"\b\w*(?:Error|Exception|Improperly)\w*\b", line) is None


def variables_read(code: str) -> list[str]:
    """The variables that the code reads from the environment, in its order."""
    names = [match["subject"] for match in compiled(ACCESS, True).finditer(code)]
    for match in compiled(DESTRUCTURED, True).finditer(code):
        names += re.findall(UPPER, match["names"])
    return list(dict.fromkeys(names))


def _complaints(message: str, lowered: str, record: RecordText) -> Iterator[Sign]:
    """Variables that the message calls missing, required or invalid."""
    if not has_any(
        lowered,
        ("required", "missing", "undefined", "empty", "null", "none", "not ", "no ", "invalid", "unset"),
    ):
        return
    read = variables_read(record.code)
    for match in compiled(COMPLAINT, True).finditer(message):
        name = match["subject"] or match["subject2"]
        if name in read or SETTING_SHAPE.search(name):
            invalid = "invalid" in match[0].lower()
            yield sign(SignKind.SETTING_INVALID if invalid else SignKind.SETTING_MISSING, name)


def _key_errors(record: RecordText, lowered: str) -> Iterator[Sign]:
    """A KeyError of a variable: `KeyError: 'EUR'` is about money unless code reads `EUR` from the environment."""
    if "keyerror" not in lowered and "key not found" not in lowered:
        return
    read = variables_read(record.code)
    for match in compiled(KEY_ERROR, True).finditer(record.message):
        name = match["subject"] or match["subject2"]
        ruby_setting = match["subject2"] and "_" in name and SETTING_SHAPE.search(name)
        if name in read or ruby_setting or ENVIRON_FRAME.search(record.whole):
            yield sign(SignKind.SETTING_MISSING, name)


def _undefined_uses(record: RecordText, lowered: str) -> Iterator[Sign]:
    """A variable whose absent or malformed value is used: the line of code reads it and applies the failing operation."""
    if not record.code or not has_any(
        lowered, ("none", "undefined", "null", "nil", "invalid", "convert", "parsing", "json")
    ):
        return
    match = USED_UNDEFINED.search(record.message)
    if match:
        member = match["a"] or match["b"] or match["c"] or match["d"]
        suffix = rf"[\"']?[)\]]?[?!]?\.{re.escape(member)}\b" if member else r"[\"']?[)\]]?!?\s{0,2}[,)]"
        for use in compiled(ACCESS + suffix, True).finditer(record.code):
            yield sign(SignKind.SETTING_MISSING, use["subject"])
    elif BAD_NUMBER.search(record.message):
        call = r"(?:int|float|Number|parseInt|Atoi|ParseInt|Integer|URL|loads|parse|parse_url|valueOf)\(\s{0,4}(?:os\.)?"
        for use in compiled(call + ACCESS, True).finditer(record.code):
            yield sign(SignKind.SETTING_INVALID, use["subject"])
