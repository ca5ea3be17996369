"""Decides whether a message in Slack's format says that all is well: resolved, up, recovered, succeeded.

A lost alert is worse than a check too many, so a message is good news only if it says so and nothing in it says the
opposite. What it says is read from the states that tools write (`[RESOLVED]`, `is UP`, `State: OK`) and from the colour
of its attachments, because the name of a resolved alert is as bad as that of a firing one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MAX_LINES = 200  # a longer message is no good news: it is a report, and trouble may stand anywhere in it

_FLAGS = re.IGNORECASE | re.VERBOSE
_LEAD = r"^[^\w\[]{0,12}(?::\w+:\s*)*[^\w\[]{0,6}"  # emoji and bullets before the text of a line
_GOOD_WORDS = (
    r"(?:resolved|recovered|recovery|ok|okay|up|normal|healthy|passing|passed|success|succeeded|closed|good)"
)

# A state in brackets, or before a colon at the start of a line: the tool's own word for it.
_STRONG_GOOD = re.compile(
    rf"""
    \[ [^\[\]\w]{{0,8}} (?: ✅\s* | :\w+:\s* )? {_GOOD_WORDS} (?: \s*:\s*\d+ )? \]
    | {_LEAD} (?:\*|_|`)? (?: resolved | recovered | recovery | ok | up | closed | back\ to\ normal | all\ clear )
      (?:\*|_|`)? \s* (?: [:|–—] | -\s | $ | \s\#\d )
    | {_LEAD} [*_`] (?: resolved | recovered | recovery | ok | up | closed ) [*_`]
    | ^ (?: ✅ | 🟢 | :white_check_mark: | :large_green_circle: ) \W{{0,6}} (?: resolved | recovered | ok | up ) \b
    | \b is \s+ (?: now \s+ )? [*_`"']{{0,2}} ok (?= [*_`"']{{0,2}} \s* (?: [.!*] | $ ) )
    | \b (?: state | status | new\ state | alert\ status | monitor\ status ) [\s*_`"':=\\/-]{{1,8}} {_GOOD_WORDS} \b
    | (?: \bto\b | -> | → | ➜ | => ) \s* [*_`"']{{0,2}} (?: ok | resolved | normal | healthy | up | green ) \b
    | \b is \s+ (?: now \s+ | back \s+ | again \s+ )? [*_`"']{{0,2}} (?: up | online )
      [*_`"']{{0,2}} (?: \s+ again )? (?= \s* (?: [.!,:;(\-–—|] | $ | after | since | now | https? | < ) )
    | \b (?: monitor | check | host | service | website | site ) \s+ up \s* (?: [:–—-] | $ )
    """,
    _FLAGS,
)
# Words that may stand in a sentence about trouble as well: they count only where nothing bad is said.
_WEAK_GOOD = re.compile(
    r"""
    ✅ | 🟢 | 💚 | 🆗 | ✔ | :white_check_mark: | :heavy_check_mark: | :large_green_circle: | :green_heart: | :tada:
    | \b (?: has | have | is | was | are | been | now | auto | automatically | and | incident | alert | issue | problem
          | monitor | alarm ) \s+ (?: been \s+ | now \s+ | auto-? | automatically \s+ )? (?: resolved | recovered )
    | ^ \W{0,8} (?: resolved | recovered ) \b
    | \b back \s+ (?: to \s+ normal | up | online ) \b | \b returned? \s+ to \s+ normal \b
    | \b (?: is | are ) \s+ (?: now \s+ | again \s+ )? (?: healthy | ok | operational | passing | green | well )\b
    | \b (?: succeeded | successful | successfully | all \s+ clear ) \b
    | \b (?: build | deploy | deployment | pipeline | workflow | job | backup | release | test | tests | checks? )
      \s+ (?: has \s+ )? (?: passed | completed | finished | succeeded )\b
    | \b is \s+ (?: available | reachable | responding | working ) \s+ again \b
    | \b no \s+ longer \s+ (?: firing | failing | alerting | down | active )\b
    """,
    _FLAGS,
)
# Words that say so only beside a green mark.
_GOOD_IF_GREEN = re.compile(
    r"\b(?:deployed|released|passed|passing|completed|finished|fixed|merged|up|ok|okay|online|available|normal|healthy"
    r"|operational|success(?!\s+rate)|resolved|recovered|closed|stable|restored|green)\b",
    re.IGNORECASE,
)
# A mark that says the opposite, whatever else the message says.
_BAD_MARK = re.compile(
    rf"""
    \[ [^\[\]\w]{{0,8}} (?: :\w+:\s* )? (?: firing | alerting | triggered | down | critical | error | failed | no\ data
      | nodata | alarm | warn | warning | problem | pending | re-?triggered | renotify ) (?: \s*[:|].{{0,40}} )? \]
    | {_LEAD} (?:\*|_|`)? (?: firing | triggered | alarm | down | critical | failed | failure | problem | alerting )
      (?:\*|_|`)? \s* (?: [:|–—] | -\s | $ | \s\#\d )
    | \b (?: current\ state | new\ state | alert\ status | status | (?<!old\ )state ) [\s*_`"':=\\/-]{{1,8}}
      (?: alarm | firing | alerting | down | critical | failed | failure | error | triggered | problem | open ) \b
    | (?: \bto\b | -> | → | ➜ | => ) \s* [*_`"']{{0,2}} (?: alarm | critical | down | alerting | failed | firing ) \b
    | 🔴 | 🚨 | 🔥 | ❌ | 🛑 | ⛔ | 💥 | :red_circle: | :rotating_light: | :fire: | :x: | :no_entry: | :boom:
    | \b panic(?:ked)?\b | \b unresolved\b | \b re-?opened\b
    | \b (?: not | n't | cannot | never | un(?:able|likely)\ to | fail(?:ed|s)\ to | yet\ to ) \s+ (?: \w+ \s+ ){{0,3}}
      (?: resolved? | recover(?:ed)? | up | ok | healthy | succeed(?:ed)? | passed | come\ back )\b
    """,
    _FLAGS,
)
# The same in a sentence. In a green message of a resolved alert it is that alert's name.
_BAD_SENTENCE = re.compile(
    r"""
    \b is \s+ (?: still \s+ | now \s+ | again \s+ )? [*_`"']{0,2} (?: down | failing | firing | offline
      | unhealthy | critical | degraded ) \b
    | \b still \s+ (?: down | failing | firing | broken | unhealthy | not | open ) \b
    """,
    _FLAGS,
)
# Words of trouble, which make a sentence with a weak good word an alert. Counts of zero are none.
_NO_TROUBLE = re.compile(
    r"\b(?:0|no|zero|without(?: any)?)\s+(?:errors?|fail(?:ed|ures?|ing)?|problems?|issues?|alerts?|warnings?)\b"
    r"|\bno longer \w+|\bwas (?:down|firing|failing|offline|unavailable)\b|\bfailed?\s*[:=]\s*0\b|\bdowntime\b",
    re.IGNORECASE,
)
_WEAK_BAD = re.compile(
    r"\b(?:down|fail(?:s|ed|ing|ure|ures)?|errors?|exceptions?|crash(?:ed|es|ing)?|critical|firing|triggered|alarm"
    r"|timed? ?out|timeouts?|outage|unhealthy|degraded|unavailable|unreachable|exceed(?:s|ed|ing)?|above|oom"
    r"|out of memory|killed|broken|panic|refused|denied|5\d\d|rolled back|but|however|except|although)\b",
    re.IGNORECASE,
)
# A figure that rises is no service that is back.
_RISING = re.compile(
    r"\b(?:traffic|memory|cpu|load|usage|latency|errors?|rate|requests?|p\d\d|times?|queue|disk|cost)\b"
    r".{0,60}?\bis (?:now )?up\b",
    re.IGNORECASE,
)
_SHARE = re.compile(r"\b(\d{1,9})\s*(?:/|of|out of)\s*(\d{1,9})\b")
_GREEN_NAMES = ("good", "green", "success", "ok")
_RED_NAMES = ("danger", "red", "error", "critical")
_HEX = re.compile(r"#?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})\Z", re.IGNORECASE)


def is_good_news(lines: Sequence[str], colors: Iterable[str]) -> bool:
    """True if the message reports that something is well, and no trouble beside it.

    Args:
        lines: its text, line by line.
        colors: the colours of its attachments: `good`, `danger` or hexadecimal.
    """
    if len(lines) > MAX_LINES:
        return False
    # A question reports nothing.
    claims = [_RISING.sub(" ", line) for line in lines if not line.rstrip(" *_`\"'").endswith("?")]
    hues = {hue(color) for color in colors}
    # What follows the state on its line is the name of the alert: `Resolved: checkout is down`.
    good = [line for line in claims if _STRONG_GOOD.search(line)]
    others = [_past_trouble_removed(line) for line in lines if line not in good]
    marked = [*others, *(_past_trouble_removed(_STRONG_GOOD.sub(" ", line)) for line in good)]
    if "red" in hues or any(_BAD_MARK.search(line) for line in marked):
        return False
    if good:
        return "green" in hues or not any(_BAD_SENTENCE.search(line) for line in others)
    if any(_BAD_SENTENCE.search(line) or _is_partial(line) for line in others):
        return False
    if "green" in hues and any(_GOOD_IF_GREEN.search(line) for line in claims):
        return True
    is_good = any(_WEAK_GOOD.search(line) for line in claims)
    return is_good and not any(_WEAK_BAD.search(line) for line in others)


def _is_partial(line: str) -> bool:
    """True for a share of less than all: `1 of 3 replicas`."""
    return any(int(part) < int(whole) for part, whole in _SHARE.findall(line))


def _past_trouble_removed(line: str) -> str:
    """The line without words of trouble that it denies: `was down for 5 minutes`, `0 failed`."""
    return _NO_TROUBLE.sub(" ", line)


def hue(color: str) -> str:
    """`green`, `red` or "" for any other colour."""
    name = color.strip().lower()
    if name in _GREEN_NAMES:
        return "green"
    if name in _RED_NAMES:
        return "red"
    if not (match := _HEX.match(name)):
        return ""
    red, green, blue = (int(part, 16) for part in match.groups())
    if green > 1.25 * red and green > 1.1 * blue:
        return "green"
    return "red" if red > 1.6 * green and red > 1.6 * blue else ""


def attachment_colors(message: Mapping[str, Any]) -> list[str]:
    """The colours of a message's attachments."""
    attachments = message.get("attachments")
    items = attachments if isinstance(attachments, list) else []
    colors = (item.get("color") for item in items if isinstance(item, dict))
    return [color[:20] for color in colors if isinstance(color, str)]
