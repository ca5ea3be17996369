"""Reads missing and malformed settings: single sentences, blocks of several lines, and code beside an error. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from workers.investigation.signs.record_text import RecordText
from workers.investigation.signs.setting_blocks import block_signs
from workers.investigation.signs.setting_code import parameter_signs, undefined_uses, unusable_keys
from workers.investigation.signs.setting_grammar import (
    complaint_signs,
    demanded_signs,
    listed_signs,
    mentioned_signs,
)
from workers.investigation.signs.setting_names import (
    SETTING_SHAPE,
    environment_name,
    nearest_name,
    variables_read,
)
from workers.investigation.signs.setting_wordings import GENERIC, UPPER
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


def setting_signs(record: RecordText) -> list[Sign]:
    """Signs of kind `SETTING_MISSING` and `SETTING_INVALID`, with the name of each setting."""
    message = _without_remarks(record.message)
    return (
        list(_stated(record, message))
        or list(demanded_signs(message))
        or list(mentioned_signs(message, variables_read(record.code)))
        or list(parameter_signs(record))
    )


def _stated(record: RecordText, message: str) -> Iterator[Sign]:
    read = variables_read(record.code)
    yield from block_signs(record)
    yield from undefined_uses(record)
    yield from unusable_keys(record)
    for entry in (*NODE, *PYTHON, *RUBY_PHP_ELIXIR, *COMPILED, *GENERIC):
        if may_match(entry.pattern, record.lowered):
            for reading in read_wording(entry, message):
                yield _unexpanded(_named(reading, entry.subject, read), message)
    yield from complaint_signs(message, record.lowered, read)
    yield from listed_signs(record)
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
