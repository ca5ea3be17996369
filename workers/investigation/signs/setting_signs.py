"""Reads missing and malformed settings: single sentences, blocks of several lines, and code beside an error. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from workers.investigation.signs.record_text import RecordText
from workers.investigation.signs.setting_blocks import block_signs
from workers.investigation.signs.setting_names import (
    ACCESS,
    SETTING_SHAPE,
    environment_name,
    nearest_name,
    variables_read,
)
from workers.investigation.signs.setting_wordings import GENERIC, UPPER, VARIABLE, Q
from workers.investigation.signs.setting_wordings_node import NODE
from workers.investigation.signs.setting_wordings_other import COMPILED, RUBY_PHP_ELIXIR
from workers.investigation.signs.setting_wordings_python import PYTHON
from workers.investigation.signs.wordings import compiled, has_any, matches, may_match, read_wording, sign
from workers.models import Sign, SignKind

# The line says that the service runs on without the setting.
OPTIONAL = re.compile(
    r"\b(?:using|use the default|defaulting|default(?:s|ing)? to|falling back|fallback|fall back|skipp(?:ing|ed)|disabl(?:ed|ing)"
    r"|ignor(?:ed|ing)|optional|will not be|won't be|turned off|not enabled|in-memory|continuing|to (?:silence|suppress|hide|disable)"
    r" (?:this|the) (?:warning|message|notice))\b",
    re.I,
)
RAISES = re.compile(r"\b\w*(?:Error|Exception|ImproperlyConfigured|[Pp]anic|FATAL|fatal)\b")
MAX_LINE_CHARS = 600  # of a line that are searched for such words
# Frames of the standard library that read the environment: a KeyError below them is about a variable.
ENVIRON_FRAME = re.compile(r"File \"(?:<frozen os>|[^\"\n]{0,200}/os\.py)\", line \d+, in __getitem__")
DYNACONF_FRAME = re.compile(r"/dynaconf/[\w/]{1,40}\.py\"")
KEY_ERROR = rf"\bKeyError: ['\"](?P<subject>{UPPER})['\"]|\bkey not found: \"(?P<subject2>{UPPER})\""
DYNACONF_ERROR = rf"^AttributeError: (?:'Settings' object has no attribute ')?(?P<subject>{UPPER})'?$"
# `X is required` and the like: proof only if code beside it reads that variable, or the name can be nothing else.
MALFORMED = (
    r"(?:is |was )?(?:not a valid|malformed|too short)|(?:must|should) (?:be a valid|be an? (?:url|integer|number|boolean|port)|start with"
    r"|begin with|be at least|be one of|contain)|has an invalid"
)
FAULT = r"required|missing|undefined|empty|null|None|not (?:set|found|defined|provided|present|specified)|invalid|unset"
COMPLAINT = (
    rf"(?<![\w./:-]){Q}(?P<subject>{VARIABLE}){Q}(?: (?:is|was|are|setting|value|variable)){{0,2}} ?:? ?(?P<fault>{FAULT})\b",
    rf"(?<![\w./:-]){Q}(?P<subject>{VARIABLE}){Q} (?P<fault>(?i:{MALFORMED}))",
    rf"\b(?P<fault>[Mm]issing|[Rr]equired|[Uu]ndefined|[Ee]mpty|[Ii]nvalid|[Nn]o)(?: \w{{1,20}})?:? {Q}(?P<subject>{VARIABLE})\b",
)
MALFORMED_FAULT = re.compile(rf"invalid|{MALFORMED}", re.I)
# A value that is not there, used as if it were: `Cannot read properties of undefined (reading 'split')`.
USED_UNDEFINED = (
    r"Cannot read propert(?:y|ies) (?:'(?P<a>\w{1,60})' )?of (?:undefined|null)(?: \(reading '(?P<b>\w{1,60})'\))?",
    r"'NoneType' object has no attribute '(?P<a>\w{1,60})'|undefined method [`'](?P<b>\w{1,60})' for nil",
    r"(?:int|float)\(\) argument must be a string[^\n]{0,60}'NoneType'|can only concatenate str \(not \"NoneType\"",
    r"(?:must be|expected|argument must be)[^\n]{0,60}\b(?:string|str)\b[^\n]{0,60}\b(?:undefined|None(?:Type)?|null)\b",
    r"ArgumentNullException|String reference not set to an instance of a String",
    r"no implicit conversion of nil into String|input: ['\"]undefined",
)
BAD_VALUE = (
    r"invalid literal for int\(\) with base 10|could not convert string to float|JSONDecodeError|is not valid JSON",
    r"strconv\.(?:Atoi|ParseInt|ParseBool|ParseFloat): parsing|invalid value for Integer\(\)|NumberFormatException",
    r"ParseIntError|invalid digit found in string|ERR_INVALID_URL|Invalid URL|in JSON at position|unexpected token at",
)
CONVERSIONS = r"(?:int|float|Number|parseInt|Atoi|ParseInt|ParseBool|Integer|URL|loads|parse|parse_url|valueOf|config)\(\s{0,4}(?:os\.)?"


def setting_signs(record: RecordText) -> Iterator[Sign]:
    """Signs of kind `SETTING_MISSING` and `SETTING_INVALID`, with the name of each setting."""
    message = _without_remarks(record.message)
    read = variables_read(record.code)
    yield from block_signs(record)
    yield from _undefined_uses(record)
    for entry in (*NODE, *PYTHON, *RUBY_PHP_ELIXIR, *COMPILED, *GENERIC):
        if may_match(entry.pattern, record.lowered):
            for reading in read_wording(entry, message):
                yield _unexpanded(_named(reading, entry.subject, read), message)
    yield from _complaints(message, record.lowered, read)
    yield from _key_errors(record, read)


def _named(reading: Sign, usual: str, read: list[str]) -> Sign:
    """The sign with the variable that the code reads, if the text itself names none."""
    if " " in reading.subject:
        usual = environment_name(reading.subject)
    elif reading.subject != usual:
        return sign(reading.kind, environment_name(reading.subject))
    name = nearest_name(usual, read)
    return sign(reading.kind, name) if name else sign(reading.kind, usual, {"usual_name": 1.0})


def _unexpanded(reading: Sign, message: str) -> Sign:
    """The sign, marked if the value is the name itself: no shell replaced `$PORT` in the start command."""
    literal = reading.subject and compiled(rf"\$\{{?{re.escape(reading.subject)}\b", True).search(message)
    if reading.kind is not SignKind.SETTING_INVALID or not literal:
        return reading
    return sign(reading.kind, reading.subject, {"unexpanded": 1.0})


def _without_remarks(message: str) -> str:
    """The lines without those that only tell of an optional setting."""
    if not OPTIONAL.search(message):
        return message
    lines = message.split("\n")
    return "\n".join(line for line in lines if not _is_remark(line[:MAX_LINE_CHARS]))


def _is_remark(line: str) -> bool:
    return OPTIONAL.search(line) is not None and RAISES.search(line) is None


def _complaints(message: str, lowered: str, read: list[str]) -> Iterator[Sign]:
    """Variables that the message calls missing, required or invalid."""
    for pattern in COMPLAINT:
        for match in matches(pattern, message, exact_case=True) if may_match(pattern, lowered) else ():
            name = match["subject"]
            if name in read or SETTING_SHAPE.search(name):
                invalid = MALFORMED_FAULT.match(match["fault"]) is not None
                yield sign(SignKind.SETTING_INVALID if invalid else SignKind.SETTING_MISSING, name)


def _key_errors(record: RecordText, read: list[str]) -> Iterator[Sign]:
    """A KeyError of a variable: `KeyError: 'EUR'` is about money unless code reads `EUR` from the environment."""
    if has_any(record.lowered, ("keyerror", "key not found")):
        for match in matches(KEY_ERROR, record.message, exact_case=True):
            name = match["subject"] or match["subject2"]
            of_ruby = match["subject2"] and "_" in name and SETTING_SHAPE.search(name)
            if name in read or of_ruby or ENVIRON_FRAME.search(record.whole):
                yield sign(SignKind.SETTING_MISSING, name)
    if "attributeerror" in record.lowered and DYNACONF_FRAME.search(record.whole):
        for match in matches(DYNACONF_ERROR, record.message, exact_case=True):
            yield sign(SignKind.SETTING_MISSING, match["subject"])


def _undefined_uses(record: RecordText) -> Iterator[Sign]:
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
    elif _first_match(BAD_VALUE, record):
        for use in matches(CONVERSIONS + ACCESS, record.code, exact_case=True):
            yield sign(SignKind.SETTING_INVALID, use["subject"])
        for use in matches(rf"\bconfig\([\"'](?P<subject>{UPPER})[\"'], ?cast", record.code, exact_case=True):
            yield sign(SignKind.SETTING_INVALID, use["subject"])


def _first_match(patterns: tuple[str, ...], record: RecordText) -> re.Match[str] | None:
    for pattern in patterns:
        match = compiled(pattern, True).search(record.message) if may_match(pattern, record.lowered) else None
        if match:
            return match
    return None
