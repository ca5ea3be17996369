"""Reads what validators of settings print on several lines: pydantic-settings, zod, t3-env, envalid, joi. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from workers.investigation.signs.record_text import RecordText
from workers.investigation.signs.setting_wordings import UPPER
from workers.investigation.signs.wordings import sign
from workers.models import Sign, SignKind

MAX_ITEMS = 12  # settings of one block; the action names the first few
PYDANTIC = re.compile(r"\b\d{1,3} validation errors? for (?P<model>[\w\[\].,]{1,80})[ \t]*\n")
# Name of the field, then the complaint, indented by two spaces (pydantic 1: without `input_value`).
PYDANTIC_ITEM = re.compile(
    r"^[ |]{0,8}(?P<name>[A-Za-z_][\w.-]{0,80}(?: -> [\w.]{1,40}){0,3})\n[ |]{2,10}(?P<text>[^\n]{1,300})",
    re.M,
)
SETTINGS_MODEL = re.compile(r"settings|config|^env|environ|secrets", re.I)
ABSENT_TEXT = re.compile(
    r"field required|type=missing|value_error\.missing|none is not an allowed|input_value=None|input_value=''",
    re.I,
)

# An issue of zod: its `path` holds the name; zod 3 says `"received": "undefined"`, zod 4 `received undefined`.
ZOD_PATH = re.compile(r"\"?path\"?: ?\[\s{0,20}[\"'](?P<name>" + UPPER + r")[\"']\s{0,20}\]")
ZOD_ISSUE_CHARS = 400  # characters around the path that belong to one issue
UNDEFINED = re.compile(
    r"received[\"']?:? ?[\"']?undefined|message\"?: ?[\"']Required|too_small|received undefined", re.I
)

# t3-env and hand-written checks print a map of the flattened errors: `{ DATABASE_URL: [ 'Required' ] }`.
ENV_HEADER = re.compile(
    r"(?:Invalid|Missing|Error in|Failed to (?:parse|validate))(?: or missing)?(?: (?:the|required|your|server|client|public))?"
    r" (?:environment|env)(?:ironment)?[ -]?(?:var(?:iable)?s?|config(?:uration)?)?|Config validation error|environment validation failed",
    re.I,
)
MAP_ITEM = re.compile(
    r"[\"']?\b(?P<name>"
    + UPPER
    + r")[\"']?(?: ?: ?\[? ?| \()(?P<text>[\"'`]?(?:Required|Invalid|undefined|missing|String must"
    r"|Expected|String must contain|Too small|must be|expected|is required)[^\n]{0,160})"
)
# envalid: headers `Invalid environment variables:` and `Missing environment variables:`, then `    NAME: text (eg. "…")`.
ENVALID_ITEM = re.compile(r"^\s{1,8}(?P<name>" + UPPER + r")(?:: (?P<text>[^\n]{0,200}))?$", re.M)
JOI_ITEM = re.compile(
    r"\"(?P<name>" + UPPER + r")\" (?P<text>is required|must be [^.\n]{1,80}|is not allowed to be empty)"
)
JSON_SCHEMA_ITEM = re.compile(r"must have required property '(?P<name>" + UPPER + r")'")
CONVICT_ITEM = re.compile(
    r"^(?P<name>[\w.]{2,60}): (?P<text>must be [^\n]{1,100}: value was [^\n]{0,100})", re.M
)


def block_signs(record: RecordText, lowered: str) -> Iterator[Sign]:
    """Signs of settings that a validator lists, one for each setting."""
    text = record.message
    if "validation error" in lowered:
        yield from _pydantic(record)
    if "path" in lowered and ("zod" in lowered or "invalid_type" in lowered or "too_small" in lowered):
        yield from _zod(text)
    header = ENV_HEADER.search(text)
    if header:
        rest = text[header.end() : header.end() + 4_000]
        for items in (MAP_ITEM, JOI_ITEM, ENVALID_ITEM):
            yield from _listed(items, rest)
    if "must have required property" in lowered and "env" in lowered:
        yield from _listed(JSON_SCHEMA_ITEM, text)
    if "value was" in lowered:
        yield from _listed(CONVICT_ITEM, text)


def _pydantic(record: RecordText) -> Iterator[Sign]:
    for header in PYDANTIC.finditer(record.message):
        if not SETTINGS_MODEL.search(header["model"]) and "pydantic_settings" not in record.whole:
            continue
        rest = record.message[header.end() : header.end() + 6_000]
        for number, item in enumerate(PYDANTIC_ITEM.finditer(rest)):
            if number == MAX_ITEMS:
                return
            missing = ABSENT_TEXT.search(item["text"]) is not None
            # pydantic-settings reads a field from the variable of the same name in capitals.
            name = item["name"].replace(" -> ", ".").replace(".", "__").upper()
            yield sign(SignKind.SETTING_MISSING if missing else SignKind.SETTING_INVALID, name)


def _zod(text: str) -> Iterator[Sign]:
    for number, match in enumerate(ZOD_PATH.finditer(text)):
        if number == MAX_ITEMS:
            return
        begin = text.rfind("{", max(0, match.start() - ZOD_ISSUE_CHARS), match.start())
        end = text.find("}", match.end(), match.end() + ZOD_ISSUE_CHARS)
        issue = text[max(begin, 0) : end if end > 0 else match.end() + ZOD_ISSUE_CHARS]
        missing = UNDEFINED.search(issue) is not None
        yield sign(SignKind.SETTING_MISSING if missing else SignKind.SETTING_INVALID, match["name"])


def _listed(items: re.Pattern[str], text: str) -> Iterator[Sign]:
    for number, item in enumerate(items.finditer(text)):
        if number == MAX_ITEMS:
            return
        said = (item.groupdict().get("text") or "").lower()
        invalid = said.startswith(("invalid", "must be", '"invalid', "'invalid")) and "undefined" not in said
        yield sign(SignKind.SETTING_INVALID if invalid else SignKind.SETTING_MISSING, item["name"])
