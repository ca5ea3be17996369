"""Reads complaints about settings by their form, whatever words a service or library chooses for them. Pure.

A complaint is a name in capitals with a word of absence, a list of names below a heading about the environment, or an
exception whose class speaks of the environment. The sentences of single libraries are in the tables of wordings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from workers.investigation.signs.record_text import RecordText
from workers.investigation.signs.setting_names import SETTING_SHAPE, environment_name, underscored
from workers.investigation.signs.setting_wordings import UPPER, VARIABLE, Q
from workers.investigation.signs.wordings import has_any, may_match, sign
from workers.models import Sign, SignKind

MAX_ITEMS = 12  # settings of one list; the action names the first few
MAX_LIST_LINES = 40  # lines below a heading that may belong to its list
MAX_LINE_CHARS = 500  # of a line that are searched

MALFORMED_WORDS = (
    r"(?:is |was )?(?:not a valid|malformed|too short)|(?:must|should) (?:be a valid|be an? (?:url|integer|number|boolean|port)"
    r"|start with|begin with|be at least|be one of|contain)|has an invalid"
)
ABSENCE = (
    r"(?:required|missing|mandatory|undefined|empty|blank|null|None|nil|unset|absent|expected"
    r"|not (?:set|found|defined|provided|present|specified|configured|exported|given|supplied|available)"
    r"|(?:must|should|ha[sd] to|needs? to) (?:be|have been) (?:set|defined|provided|present|specified|configured|given|supplied)"
    r"|(?:cannot|can't|can not|must not|may not|should not) be (?:empty|blank|null|None|nil|undefined|unset)"
    r"|has no (?:value|default)|no value"
    r"|(?:received|got|but (?:was|is))[:=]? [\"'`]?(?:undefined|null|None|nil|nothing|empty|NaN)"
    r"|invalid)"
)
FILLERS = r"(?: (?:is|was|are|a|an|the|env|environment|variable|var|setting|value|config|property|option|field|key|has|been|but|currently|either|also|still)){0,5}"
NAMED_FIRST = rf"(?<![\w./:-]){Q}(?P<subject>{VARIABLE}){Q}\]?{FILLERS} ?[:=(–—→-]{{0,2}} ?(?:(?:is|a|this|the|value|field|variable|must) ){{0,3}}(?P<fault>(?i:{MALFORMED_WORDS}|{ABSENCE}))\b"
NAMED_LAST = (
    r"\b(?P<fault>(?i:missing|required|undefined|empty|invalid|unset|no|need|needs|expected|without|forgot|lacks?|not (?:set|found|defined|provided)))"
    rf"(?: (?:the|a|an|to|set|value|for|or|env|environment|variable|var|setting|config|configuration|key|property|secret|option|required|valid|named|called|in|of)){{0,5}}(?:\(s\))?:? ?[\[({{]? ?{Q}(?P<subject>{VARIABLE})\b"
)
# Words that demand a setting, and a name on the same line of an error, in whatever order: `Did you set X?`
DEMANDED = re.compile(
    r"\b(?:[Mm]ust|[Pp]lease|[Dd]id you|[Nn]eeds?|[Rr]equired?|[Rr]equires|[Mm]issing|[Nn]ot (?:found|set|provided|configured)|[Hh]as to|[Hh]ave to|[Ss]hould)\b"
)
GIVEN = re.compile(
    r"\b(?:set|provide[ds]?|suppl(?:y|ied)|give|given|defined?|configured?|specif(?:y|ied)|export(?:ed)?|via|through|pass(?:ed)?|missing|required)\b",
    re.I,
)
FAILS = re.compile(
    r"\w(?:Error|Exception)\b|(?:\b|\d{2}m)(?:[Pp]anic|FATAL|[Ff]atal|ERROR|[Ee]rror|Error|Uncaught)\b|: line \d+: "
)
NAMES = re.compile(rf"(?<![\w./:$=<-]){Q}(?P<subject>{VARIABLE})\b(?! ?=|\()")
COMPLAINTS = (re.compile(NAMED_FIRST), re.compile(NAMED_LAST))
MALFORMED = re.compile(rf"invalid|{MALFORMED_WORDS}", re.I)
# Words that say that the names on a line are settings, whatever they look like.
ABOUT_SETTINGS = re.compile(
    r"\b(?:env(?:ironment)?|env[ _-]?vars?|config(?:uration)?|settings?|process\.env|dotenv|secrets?)\b|[Ee]nv(?:ironment)?(?:Var|Error|Key)|Config(?:uration)?(?:Error|Exception)",
    re.I,
)
# A heading, below or behind which the names follow.
HEADING = re.compile(
    r"^(?=[^\n]{0,300}(?i:\benv(?:ironment)?\b|env[ _-]?vars?|\bconfig(?:uration)?\b|\bsettings\b|\bvariables\b|\bsecrets\b))"
    r"(?=[^\n]{0,300}(?i:missing|required|invalid|not (?:been )?(?:set|found|defined|provided|configured)|undefined|unset|fail|errors?\b|incomplete|problem|must be|could not|empty))"
    r"[^\n]{1,300}[:{\[]?\s{0,2}$",
    re.M,
)
LIST_ITEM = re.compile(
    rf"\s{{0,12}}(?:(?:[-*•·–→✖✗✘❌|>+]|\d{{1,2}}[.)])\s{{0,3}}){{0,2}}[\[({Q[1:-2]}]{{0,2}}(?P<name>{UPPER})[\])\"'`:,]{{0,3}}(?:$|[\s(=–—-])(?P<text>.*)"
)
# `MissingEnvValueError: APP_TOKEN`, `MissingEnvironmentVariable: X`, `ConfigError: X …`
CLASS = re.compile(
    r"\b\w{0,40}(?:(?:Missing|Undefined|Unset|Required|Invalid|No)\w{0,12}(?:Env|Config|Setting|Variable|Var\b|Secret)\w{0,30}"
    r"|(?:Env|Config|Setting|Variable)\w{0,30}(?:Missing|NotSet|NotFound|Undefined|Required|Error|Exception|Invalid)\w{0,20})"
    rf"(?:\(\"|: (?:[^\n]{{0,80}}?[\s\"'`(\[])??){Q}(?P<subject>{VARIABLE})\b(?P<text>[^\n]{{0,120}})"
)
# Spring's analysis of a failed binding: `Property: shop.payment.apiKey`, `Value: "null"`, `Reason: must not be blank`.
BOUND_PROPERTY = re.compile(
    r"^\s{1,8}Property: (?P<name>[\w.\[\]-]{2,100})\s{1,8}Value: \"?(?P<value>[^\n]{0,200})\n(?:\s{1,8}Origin: [^\n]{0,200}\n)?\s{1,8}Reason: (?P<text>[^\n]{0,200})",
    re.M,
)
UNEXPANDED_VALUE = re.compile(rf"\$\{{(?P<name>{UPPER})\}}")
# `missing required config key: payments.api_key (env PAYMENTS_API_KEY)`
PROPERTY = re.compile(
    r"\b(?i:missing|required|undefined|unset|invalid|no value for|could not find|cannot find)(?i: (?:the|a|required|value|for|mandatory)){0,3}"
    r" (?i:config(?:uration)?|settings?|application|env(?:ironment)?)(?i: ?(?:key|property|option|value|setting|field|parameter|item|entry))?s?:? "
    r"[\"'`\[]?(?P<name>[a-z][A-Za-z0-9]{1,40}(?:[._-][A-Za-z0-9]{1,40}){1,6})\b(?![/@])(?:[\"'`\]]?[ ,]{0,2}\(?(?:env|environment variable|set)[:=]? \$?(?P<variable>[A-Z][A-Z0-9_]{2,60}))?"
)
# SmallRye Config, cleanenv, Figment.
DASHED_PROPERTY = re.compile(
    r"SRCFG000\d\d: The config property (?P<name>[\w.\"-]{2,100}) is required|field \"(?P<member>\w{2,60})\" is required but the value is not provided|missing field `(?P<field>\w{2,60})` for key \"[\w.]{2,100}\" in environment"
)
# anyhow's chain of causes: `0: reading NATS_URL`, `1: environment variable not found`.
CAUSE_ABOVE = re.compile(rf"\b(?P<name>{UPPER})\b[^\n]{{0,60}}\n[^\n]{{0,20}}environment variable not found")
# anyway_config: `config parameters for `X(config_name: payments)` are missing or empty: api_key, url`
ANYWAY = re.compile(
    r"config parameters for `[\w:]{1,80}\(config_name: (?P<prefix>\w{1,40})\)` are missing or empty: (?P<names>[\w, ]{1,200})"
)


def complaint_signs(message: str, lowered: str, read: list[str]) -> Iterator[Sign]:
    """Signs of the names in capitals that a line calls absent or malformed.

    Args:
        message: the message of a record without remarks about optional settings.
        lowered: the message in lower case.
        read: variables that the code beside the error reads; such a name is a setting whatever it looks like.
    """
    patterns = [pattern for pattern in COMPLAINTS if may_match(pattern.pattern, lowered)]
    for line in message.split("\n") if patterns else ():
        if "_" in line:
            yield from _of_line(line[:MAX_LINE_CHARS], patterns, read)


def _of_line(line: str, patterns: list[re.Pattern[str]], read: list[str]) -> Iterator[Sign]:
    for pattern in patterns:
        for match in islice(pattern.finditer(line), MAX_ITEMS):
            name = match["subject"]
            if name in read or SETTING_SHAPE.search(name) or ABOUT_SETTINGS.search(line):
                invalid = MALFORMED.match(match["fault"]) is not None and "undefined" not in line
                yield sign(SignKind.SETTING_INVALID if invalid else SignKind.SETTING_MISSING, name)


def demanded_signs(message: str) -> Iterator[Sign]:
    """Signs of names with the shape of a setting on a line of an error that demands to give them."""
    for line in message.split("\n") if "_" in message else ():
        line = line[:MAX_LINE_CHARS]
        if "_" in line and FAILS.search(line) and DEMANDED.search(line) and GIVEN.search(line):
            for match in islice(NAMES.finditer(line), MAX_ITEMS):
                if SETTING_SHAPE.search(match["subject"]):
                    yield sign(SignKind.SETTING_MISSING, match["subject"])


def mentioned_signs(message: str, read: list[str]) -> Iterator[Sign]:
    """Signs of variables that the code beside an error reads and the line of the error names."""
    for line in message.split("\n") if read else ():
        line = line[:MAX_LINE_CHARS]
        for name in read if FAILS.search(line) or "SystemExit" in line else ():
            if re.search(rf"(?<![\w'\"]){re.escape(name)}(?![\w'\"])", line):
                invalid = MALFORMED.search(line) is not None
                yield sign(SignKind.SETTING_INVALID if invalid else SignKind.SETTING_MISSING, name)


def listed_signs(record: RecordText) -> Iterator[Sign]:
    """Signs of settings that are listed below a heading, named by the class of an exception, or bound to a property."""
    text, lowered = record.message, record.lowered
    if has_any(lowered, ("env", "config", "setting", "variable", "secret")):
        for heading in islice(HEADING.finditer(text), 3):
            yield from _items(text[heading.end() + 1 :].split("\n", MAX_LIST_LINES)[:MAX_LIST_LINES])
        for match in islice(CLASS.finditer(text), MAX_ITEMS) if "_" in text else ():
            invalid = MALFORMED.search(match["text"]) is not None
            yield sign(SignKind.SETTING_INVALID if invalid else SignKind.SETTING_MISSING, match["subject"])
    if "reason: " in lowered:
        yield from _bound(text)
    if has_any(
        lowered,
        ("missing", "required", "invalid", "unset", "no value", "not find", "cannot find", "undefined"),
    ):
        for match in islice(PROPERTY.finditer(text), MAX_ITEMS):
            yield sign(SignKind.SETTING_MISSING, match["variable"] or underscored(match["name"]))
    if has_any(lowered, ("srcfg", "missing field", "is not provided")):
        for match in islice(DASHED_PROPERTY.finditer(text), MAX_ITEMS):
            yield sign(
                SignKind.SETTING_MISSING, underscored(match["name"] or match["member"] or match["field"])
            )
    for match in (
        islice(CAUSE_ABOVE.finditer(record.whole), 1) if "environment variable not found" in lowered else ()
    ):
        yield sign(SignKind.SETTING_MISSING, match["name"])
    for match in ANYWAY.finditer(text) if "config_name" in lowered else ():
        for name in re.findall(r"\w+", match["names"])[:MAX_ITEMS]:
            yield sign(SignKind.SETTING_MISSING, f"{match['prefix']}_{name}".upper())


def _items(lines: list[str]) -> Iterator[Sign]:
    """The names at the beginning of the lines of a list, up to the first line at its margin that names none."""
    count = 0
    for line in lines:
        item = LIST_ITEM.match(line[:MAX_LINE_CHARS])
        if item and count < MAX_ITEMS and ("_" in item["name"] or SETTING_SHAPE.search(item["name"])):
            count += 1
            invalid = MALFORMED.search(item["text"]) is not None
            yield sign(SignKind.SETTING_INVALID if invalid else SignKind.SETTING_MISSING, item["name"])
        elif line.strip() and not line.startswith((" ", "\t")):
            return


def _bound(text: str) -> Iterator[Sign]:
    for match in islice(BOUND_PROPERTY.finditer(text), MAX_ITEMS):
        unexpanded = UNEXPANDED_VALUE.search(match["value"])
        absent = match["value"].strip("\"' ") in ("", "null") or "null" in match["text"]
        name = unexpanded["name"] if unexpanded else environment_name(match["name"])
        yield sign(SignKind.SETTING_MISSING if absent or unexpanded else SignKind.SETTING_INVALID, name)
