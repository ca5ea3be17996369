"""Reads what validators of settings print on several lines: pydantic-settings, zod, t3-env, envalid, joi. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from workers.investigation.signs.record_text import RecordText
from workers.investigation.signs.setting_wordings import UPPER
from workers.investigation.signs.wordings import has_any, sign
from workers.models import Sign, SignKind

MAX_ITEMS = 12  # settings of one block; the action names the first few
PYDANTIC = re.compile(r"\b\d{1,3} validation errors? for (?P<model>[\w\[\].,]{1,80})[ \t]*\n")
# Name of the field, then the complaint, indented by two spaces (pydantic 1: without `input_value`).
PYDANTIC_ITEM = re.compile(
    r"^[ |]{0,8}(?P<name>[A-Za-z_][\w.-]{0,80}(?: -> [\w.]{1,40}){0,3})\n{1,2}[ |]{2,10}(?P<text>[^\n]{1,300})",
    re.M,
)
# The item alone, if its header is in another record.
PYDANTIC_LONE_ITEM = re.compile(
    r"\A\s{0,8}(?P<name>[A-Z][A-Z0-9]{0,40}_[A-Z0-9_]{1,60})\n{1,2}\s{2,8}(?P<text>[Ff]ield required[^\n]{0,200})"
)
SETTINGS_MODEL = re.compile(r"settings|config|^env|environ|secrets", re.I)
ABSENT_TEXT = re.compile(
    r"field required|type=missing|value_error\.missing|none is not an allowed|input_value=None|input_value=''",
    re.I,
)

# An issue of zod: its `path` holds the name; zod 3 says `"received": "undefined"`, zod 4 `received undefined`.
ZOD_PATH = re.compile(r"[\"']?path[\"']?: ?\[\s{0,20}[\"'](?P<name>" + UPPER + r")[\"']\s{0,20}\]")
ZOD_ISSUE_CHARS = 400  # characters around the path that belong to one issue
ABSENT_VALUE = re.compile(
    r"received[\"']?:? ?[\"']?undefined|field required|: ?[\"']Required|\brequired\b|too_small|\bmissing\b|not allowed to be empty",
    re.I,
)
# zod 4's prettifyError: `✖ Invalid input: expected string, received undefined`, `  → at DATABASE_URL`.
PRETTY_ITEM = re.compile(r"✖ (?P<text>[^\n]{1,200})\n\s{1,4}→ at (?P<name>" + UPPER + r")\b")

# t3-env and hand-written checks print a map of the flattened errors: `{ DATABASE_URL: [ 'Required' ] }`.
ENV_HEADER = re.compile(
    r"(?:Invalid|Missing|Error in|Failed to (?:parse|validate|load)|Bad)(?: or missing)?(?: (?:the|required|your|server|client|public))?"
    r" (?:environment|env)(?:[ -]?(?:var(?:iable)?s?|config(?:uration)?))?\b|Config validation error|[Ee]nvironment validation (?:failed|error)"
)
MAP_ITEM = re.compile(
    r"[\"']?\b(?P<name>"
    + UPPER
    + r")[\"']?(?: ?: ?[\[{]?\s{0,12}(?:[\"']?_errors[\"']?: ?\[\s{0,12})?| \()(?P<text>[\"'`]?(?:Required|Invalid"
    r"|undefined|missing|String must|Expected|Too small|Number must|must be|expected|is required|\""
    + UPPER
    + r"\" (?:is|must))[^\n]{0,160})"
)
# envalid: headers `Invalid environment variables:` and `Missing environment variables:`, then `    NAME: text`.
ENVALID_ITEM = re.compile(r"^\s{1,8}(?P<name>" + UPPER + r")(?:: (?P<text>[^\n]{0,200}))?$", re.M)
JOI_ITEM = re.compile(
    r"\"(?P<name>" + UPPER + r")\" (?P<text>is required|must be [^.\n]{1,80}|is not allowed to be empty)"
)
JSON_SCHEMA_ITEM = re.compile(r"must have required property '(?P<name>" + UPPER + r")'")
CONVICT_ITEM = re.compile(
    r"^(?:Error: )?(?P<name>[a-z][\w.]{1,60}): (?P<text>(?:must be|should be|ports must be) [^\n]{1,100})",
    re.M,
)


def block_signs(record: RecordText) -> Iterator[Sign]:
    """Signs of settings that a validator lists, one for each setting."""
    text, lowered = record.message, record.lowered
    if "validation error" in lowered:
        yield from _pydantic(record)
    elif "field required" in lowered:
        yield from _listed(PYDANTIC_LONE_ITEM, text)
    if "path" in lowered and has_any(
        lowered, ("zod", "invalid_type", "too_small", "invalid_string", "invalid_format")
    ):
        yield from _zod(text)
    if "→ at " in text:
        yield from _listed(PRETTY_ITEM, text)
    if has_any(lowered, ("env", "config validation error")):
        header = ENV_HEADER.search(text)
        rest = text[header.end() : header.end() + 4_000] if header else ""
        for items in (MAP_ITEM, JOI_ITEM, ENVALID_ITEM) if rest else ():
            yield from _listed(items, rest)
    if "must have required property" in lowered:
        yield from _listed(JSON_SCHEMA_ITEM, text)
    if "validationerror" in lowered and '" is ' in text:
        yield from _listed(JOI_ITEM, text)
    if "/convict/" in record.whole:
        yield from _listed(CONVICT_ITEM, text)


def _pydantic(record: RecordText) -> Iterator[Sign]:
    for header in PYDANTIC.finditer(f"{record.message}\n"):
        if not SETTINGS_MODEL.search(header["model"]) and "pydantic_settings" not in record.whole:
            continue
        rest = record.message[header.end() : header.end() + 6_000]
        items = list(islice(PYDANTIC_ITEM.finditer(rest), MAX_ITEMS))
        if not items:
            yield sign(SignKind.SETTING_MISSING)  # the names are in other records, or were cut off
        for item in items:
            missing = ABSENT_TEXT.search(item["text"]) is not None
            # pydantic-settings reads a field from the variable of the same name in capitals.
            name = item["name"].replace(" -> ", ".").replace(".", "__").upper()
            yield sign(SignKind.SETTING_MISSING if missing else SignKind.SETTING_INVALID, name)


def _zod(text: str) -> Iterator[Sign]:
    for match in islice(ZOD_PATH.finditer(text), MAX_ITEMS):
        begin = text.rfind("{", max(0, match.start() - ZOD_ISSUE_CHARS), match.start())
        end = text.find("}", match.end(), match.end() + ZOD_ISSUE_CHARS)
        issue = text[max(begin, 0) : end if end > 0 else match.end() + ZOD_ISSUE_CHARS]
        missing = ABSENT_VALUE.search(issue) is not None
        yield sign(SignKind.SETTING_MISSING if missing else SignKind.SETTING_INVALID, match["name"])


def _listed(items: re.Pattern[str], text: str) -> Iterator[Sign]:
    for item in islice(items.finditer(text), MAX_ITEMS):
        complaint = item.groupdict().get("text") or "missing"
        missing = ABSENT_VALUE.search(complaint) is not None or complaint == "undefined"
        yield sign(SignKind.SETTING_MISSING if missing else SignKind.SETTING_INVALID, item["name"])
