"""Reads missing and malformed settings from the code beside an error: it reads a variable where an operation fails. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from workers.investigation.signs.record_text import RecordText
from workers.investigation.signs.setting_names import ACCESS, variables_read
from workers.investigation.signs.setting_wordings import UPPER
from workers.investigation.signs.wordings import compiled, matches, may_match, sign
from workers.models import Sign, SignKind

# A value that is not there, used as if it were: `Cannot read properties of undefined (reading 'split')`.
USED_UNDEFINED = (
    r"Cannot read propert(?:y|ies) (?:'(?P<a>\w{1,60})' )?of (?:undefined|null)(?: \(reading '(?P<b>\w{1,60})'\))?",
    r"'NoneType' object has no attribute '(?P<a>\w{1,60})'|undefined method [`'](?P<b>\w{1,60})' for nil",
    r"(?:int|float)\(\) argument must be a string[^\n]{0,60}'NoneType'|can only concatenate str \(not \"NoneType\"",
    r"(?:must be|expected|argument must be)[^\n]{0,60}\b(?:string|str)\b[^\n]{0,200}\b(?:undefined|None(?:Type)?|null)\b",
    r"ArgumentNullException|String reference not set to an instance of a String",
    r"no implicit conversion of nil into String|input: ['\"]undefined",
    r"unsupported operand type\(s\) for [^\n]{1,10}: [^\n]{0,20}'NoneType'|expected str, bytes or os\.PathLike object, not NoneType",
    r"(?:Invalid URL|Failed to parse URL|[Nn]o scheme supplied|[Mm]issing schema|unsupported protocol)[^\n]{0,60}['\"` ](?:None|undefined|null|nil)\b",
    r"argument of type 'NoneType'|'NoneType' object is not (?:iterable|subscriptable)|must not be None|cannot be None",
    r"Cannot invoke \"[\w.$]{1,80}\.(?P<a>\w{1,60})\([^\n]{0,80}because the return value of \"[^\"\n]{0,60}getenv",
)
BAD_VALUE = (
    r"invalid literal for int\(\) with base 10|could not convert string to float|JSONDecodeError|is not valid JSON",
    r"strconv\.(?:Atoi|ParseInt|ParseBool|ParseFloat): parsing|invalid value for Integer\(\)|NumberFormatException",
    r"ParseIntError|invalid digit found in string|ERR_INVALID_URL|Invalid URL|Scheme '[^'\n]{0,40}' is unknown|[Ii]ncorrect padding|in JSON at position|unexpected token at",
)
# A key that a cipher cannot use; the code hands the variable to a call.
BAD_KEY = (
    r"[Ii]ncorrect padding|[Ii]nvalid key(?: length)?\b|[Kk]ey must be|must be \d{1,4} (?:url-safe|bytes|characters)|key (?:size|length)|Non-hexadecimal|[Ii]llegal base64",
    r"[Ii]nvalid PEM|[Cc]ould not (?:deserialize|parse|decode) (?:the )?(?:key|private)|DECODER routines::unsupported|no start line|asn1|bad base64|[Ii]nvalid (?:base64|hex)",
)
ARGUMENT = r"\w\(\s{0,4}(?:[\w'\"-]{1,40}, ?)?(?:os\.)?"
CONVERSIONS = r"(?:int|float|Number|parseInt|Atoi|ParseInt|ParseBool|Integer|URL|loads|parse|parse_url|valueOf|config)\(\s{0,4}(?:os\.)?"


def undefined_uses(record: RecordText) -> Iterator[Sign]:
    """A variable whose absent or malformed value is used: a line of code reads it where the operation fails."""
    if "env" not in record.code.lower() and "config(" not in record.code:
        return
    used = _first_match(USED_UNDEFINED, record)
    if used:
        groups = used.groupdict()
        member = groups.get("a") or groups.get("b")
        # The failing member itself, or the value as the argument of a call that fails further inside.
        after = rf"[\"']?[)\]]?[?!]?\.{re.escape(member)}\b" if member else r"(?!x)x"
        uses = rf"{ACCESS}(?:{after}|[\"'][)\]]\s?[,)\n]|[!]?\s?[,)\n]|[!]?\}}|$)"
        for use in matches(uses, record.code, exact_case=True):
            yield sign(SignKind.SETTING_MISSING, use["subject"])
        for name in _assigned(record.code):
            yield sign(SignKind.SETTING_MISSING, name)
    elif _first_match(BAD_VALUE, record):
        for use in matches(CONVERSIONS + ACCESS, record.code, exact_case=True):
            yield sign(SignKind.SETTING_INVALID, use["subject"])
        for use in matches(rf"\bconfig\([\"'](?P<subject>{UPPER})[\"'], ?cast", record.code, exact_case=True):
            yield sign(SignKind.SETTING_INVALID, use["subject"])


def unusable_keys(record: RecordText) -> Iterator[Sign]:
    """A key from the environment that a cipher or a decoder cannot use."""
    if _first_match(BAD_KEY, record):
        for use in matches(ARGUMENT + ACCESS, record.code, exact_case=True):
            yield sign(SignKind.SETTING_INVALID, use["subject"])


def _first_match(patterns: tuple[str, ...], record: RecordText) -> re.Match[str] | None:
    for pattern in patterns:
        match = compiled(pattern, True).search(record.message) if may_match(pattern, record.lowered) else None
        if match:
            return match
    return None


# A name that the code assigns from the environment without another value: `BASE = os.getenv("CATALOG_URL")`.
ASSIGNED = rf"\b(?P<name>[A-Za-z_]\w{{0,60}})(?: ?: ?[\w\[\] |.]{{1,40}})? ?=\s?(?:\w{{1,20}}\.){{0,2}}{ACCESS}[\"']?[)\]]?!?;?\s*$"


def _assigned(code: str) -> Iterator[str]:
    """Variables whose value other lines of the code use by a name of its own."""
    for match in matches(ASSIGNED, code, exact_case=True):
        name = match["name"]
        if len(re.findall(rf"(?<![.\w]){re.escape(name)}\b", code)) > 1:
            yield match["subject"]


# Words of a client that misses a value, which its parameter names: `signingSecret is required`, `Invalid endPoint : undefined`.
ABSENT_PARAMETER = (
    r"\b(?:is|are|was) (?:required|missing|undefined|null|nil|empty|mandatory|not (?:set|provided|defined|configured|specified))\b",
    r"\b(?:must|should|needs? to) be (?:set|provided|specified|supplied|given|defined|configured|passed|(?:a|an|of type) (?:non-empty )?[Ss]tring)\b",
    r"\b(?:[Mm]issing|[Rr]equires?|[Rr]equired|[Uu]ndefined|[Ee]xpected|[Ii]nvalid|[Nn]o)\b[^\n]{1,80}\b(?:undefined|None(?:Type)?|null|nil|option|parameter|argument|provided|given|set|specified|configured)\b",
    r"\b(?:cannot|can't|must not|may not) be (?:null|nil|None|undefined|empty|blank)\b|\b[Mm]issing (?:required )?[\w ]{2,40}",
)
# `Missing Supabase env vars`: the message names no variable.
ABSENT_ENVIRONMENT = (
    r"\b(?:[Mm]issing|[Uu]ndefined|[Ii]ncomplete|[Uu]nset|[Nn]o|[Ii]nvalid|[Rr]equired)(?: [\w-]{1,20}){0,3} (?:env(?:ironment)?[ _-]?(?:var(?:iable)?s?|config(?:uration)?)|ENV vars?)(?!\w)",
    r"\b(?:env(?:ironment)?[ _-]?(?:var(?:iable)?s?|config(?:uration)?)|credentials|API keys?)(?: (?:is|are|was|were))? (?:missing|not (?:set|configured|defined|provided|complete)|incomplete|undefined|unset)\b",
)
MAX_NAMES = 3  # variables that an error may mean which names none
SORT_WORDS = frozenset(
    {
        "KEY",
        "TOKEN",
        "SECRET",
        "PASSWORD",
        "PASS",
        "URL",
        "URI",
        "HOST",
        "HOSTNAME",
        "ENDPOINT",
        "DSN",
        "BUCKET",
    }
    | {"REGION", "PORT", "USER", "USERNAME", "DOMAIN", "SID", "ORIGIN"}
)
"""Last words of variables that a client's own parameter has, too."""
WORD = re.compile(r"[A-Z]{2,20}(?![a-z])|[A-Z]?[a-z0-9]{1,30}")


def parameter_signs(record: RecordText) -> Iterator[Sign]:
    """The variable that the code passes to a client which misses a parameter of that name."""
    if _first_match(ABSENT_ENVIRONMENT, record):
        yield from _of_environment(record)
        return
    absent = _first_match(ABSENT_PARAMETER, record)
    read = variables_read(record.code) if absent else []
    if not absent or not read:
        return
    begin = record.message.rfind("\n", 0, absent.start()) + 1
    words = [word.upper() for word in WORD.findall(record.message[begin : absent.end() + 80].split("\n")[0])]
    spoken = {*words, *("".join(pair) for pair in pairwise(words))}
    rated = [(len(spoken & set(name.split("_"))), name) for name in read if spoken & _sort_of(name)]
    if rated:
        yield sign(SignKind.SETTING_MISSING, max(rated, key=lambda item: item[0])[1])


def _of_environment(record: RecordText) -> Iterator[Sign]:
    """The variables that the code beside reads, those whose words the message has first; without a name if it reads none."""
    read = variables_read(record.code)
    alike = [
        name
        for name in read
        if any(word in record.lowered for word in name.lower().split("_") if len(word) > 3)
    ]
    for name in (alike or read)[:MAX_NAMES]:
        yield sign(SignKind.SETTING_MISSING, name)


def _sort_of(name: str) -> frozenset[str]:
    return SORT_WORDS & {name.rpartition("_")[2]}
