"""The limits of Block Kit that a message or a modal of ours can meet: Slack refuses what breaks one.

Sources: https://docs.slack.dev/reference/block-kit/blocks, …/block-elements, …/composition-objects,
https://docs.slack.dev/reference/methods/chat.postMessage and …/views.open. A text is measured in UTF-16 units, which is
never less than any other way to count characters.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

MAX_TEXT = 40_000  # characters of a message's text
MAX_BLOCKS = 50  # of a message
MAX_MODAL_BLOCKS = 100
MAX_METADATA_BYTES = 8_000
MAX_PRIVATE_METADATA = 3_000
MAX_VIEW_TITLE = 24
BLOCK_KEYS = {
    "header": {"type", "block_id", "text", "level"},
    "section": {"type", "block_id", "text", "fields", "accessory", "expand"},
    "context": {"type", "block_id", "elements"},
    "actions": {"type", "block_id", "elements"},
    "divider": {"type", "block_id"},
    "input": {"type", "block_id", "label", "element", "dispatch_action", "hint", "optional"},
}
ELEMENT_KEYS = {
    "button": {"type", "text", "action_id", "url", "value", "style", "confirm", "accessibility_label"},
    "overflow": {"type", "action_id", "options", "confirm"},
    "static_select": {"type", "placeholder", "options", "action_id", "initial_option", "confirm"},
    "radio_buttons": {"type", "options", "action_id", "initial_option", "confirm"},
    "plain_text_input": {
        "type", "action_id", "initial_value", "multiline", "min_length", "max_length", "placeholder",
        "focus_on_load", "dispatch_action_config",
    },
}  # fmt: skip


def message_problems(body: Mapping[str, Any]) -> list[str]:
    """Everything for which Slack would refuse a message; [] if it is valid."""
    problems = []
    text = body.get("text", "")
    if not isinstance(text, str) or (not text and not body.get("blocks")):
        problems.append("no_text")
    if size(str(text)) > MAX_TEXT:
        problems.append("msg_too_long: text")
    problems += [f"invalid_metadata: {why}" for why in _metadata_problems(body.get("metadata"))]
    return [*problems, *block_problems(body.get("blocks", []))]


def block_problems(blocks: Any, *, limit: int = MAX_BLOCKS) -> list[str]:
    """Everything for which Slack would answer `invalid_blocks`."""
    if not isinstance(blocks, list):
        return ["blocks: is no list"]
    problems = [f"blocks: {len(blocks)} of them"] if len(blocks) > limit else []
    for number, block in enumerate(blocks):
        problems += [f"/blocks/{number}: {why}" for why in _block_problems(block)]
    names = Counter(block.get("block_id") for block in blocks if isinstance(block, dict))
    problems += [f"block_id {name!r} is used twice" for name, count in names.items() if name and count > 1]
    ids = Counter(element.get("action_id") for element in _elements(blocks))
    return problems + [
        f"action_id {name!r} is used twice" for name, count in ids.items() if name and count > 1
    ]


def view_problems(view: Any) -> list[str]:
    """Everything for which Slack would refuse a modal."""
    if not isinstance(view, dict) or view.get("type") != "modal":
        return ["view: is no modal"]
    problems = [f"title: {why}" for why in _text_problems(view.get("title"), MAX_VIEW_TITLE, {"plain_text"})]
    for name in ("submit", "close"):
        if name in view:
            problems += [
                f"{name}: {why}" for why in _text_problems(view[name], MAX_VIEW_TITLE, {"plain_text"})
            ]
    has_input = any(block.get("type") == "input" for block in view.get("blocks", []))
    problems += ["submit: is required with an input"] if has_input and "submit" not in view else []
    problems += (
        ["private_metadata: too long"]
        if size(view.get("private_metadata", "")) > MAX_PRIVATE_METADATA
        else []
    )
    problems += ["callback_id: too long"] if size(view.get("callback_id", "")) > 255 else []
    blocks = view.get("blocks")
    return [*problems, *(block_problems(blocks, limit=MAX_MODAL_BLOCKS) if blocks else ["blocks: missing"])]


def size(text: str) -> int:
    """Length in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


# ---- blocks ----------------------------------------------------------------------------------


def _block_problems(block: Any) -> Iterator[str]:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind not in BLOCK_KEYS:
        yield f"unsupported type {kind!r}"
        return
    if unknown := block.keys() - BLOCK_KEYS[kind]:
        yield f"no more items than expected: {sorted(unknown)}"
    if size(block.get("block_id", "")) > 255:
        yield "block_id: too long"
    checks = {
        "header": _header_problems, "section": _section_problems, "context": _context_problems,
        "actions": _actions_problems, "input": _input_problems,
    }  # fmt: skip
    if kind in checks:
        yield from checks[kind](block)


def _header_problems(block: Mapping[str, Any]) -> Iterator[str]:
    yield from _text_problems(block.get("text"), 150, {"plain_text"})


def _section_problems(block: Mapping[str, Any]) -> Iterator[str]:
    fields = block.get("fields")
    if "text" in block:
        yield from _text_problems(block["text"], 3000, {"plain_text", "mrkdwn"})
    elif not fields:
        yield "needs text or fields"
    for field in fields or ():
        yield from _text_problems(field, 2000, {"plain_text", "mrkdwn"})
    if fields is not None and not 1 <= len(fields) <= 10:
        yield f"fields: {len(fields)} of them"
    if "accessory" in block:
        yield from _element_problems(block["accessory"])


def _context_problems(block: Mapping[str, Any]) -> Iterator[str]:
    elements = block.get("elements", [])
    if not 1 <= len(elements) <= 10:
        yield f"elements: {len(elements)} of them"
    for element in elements:
        yield from _text_problems(element, 3000, {"plain_text", "mrkdwn"})


def _actions_problems(block: Mapping[str, Any]) -> Iterator[str]:
    elements = block.get("elements", [])
    if not 1 <= len(elements) <= 25:
        yield f"elements: {len(elements)} of them"
    for element in elements:
        yield from _element_problems(element)


def _input_problems(block: Mapping[str, Any]) -> Iterator[str]:
    yield from _text_problems(block.get("label"), 2000, {"plain_text"})
    if "hint" in block:
        yield from _text_problems(block["hint"], 2000, {"plain_text"})
    yield from _element_problems(block.get("element"))


# ---- elements --------------------------------------------------------------------------------


def _elements(blocks: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    for block in blocks:
        if isinstance(block, dict):
            found = [*block.get("elements", []), block.get("accessory"), block.get("element")]
            yield from (element for element in found if isinstance(element, dict) and "action_id" in element)


def _element_problems(element: Any) -> Iterator[str]:
    kind = element.get("type") if isinstance(element, dict) else None
    if kind not in ELEMENT_KEYS:
        yield f"unsupported element {kind!r}"
        return
    if unknown := element.keys() - ELEMENT_KEYS[kind]:
        yield f"{kind}: no more items than expected: {sorted(unknown)}"
    if not 1 <= size(element.get("action_id", "")) <= 255:
        yield f"{kind}: action_id is missing or too long"
    if kind == "button":
        yield from _button_problems(element)
    if "options" in element:
        yield from _options_problems(
            element, 5 if kind == "overflow" else 10 if kind == "radio_buttons" else 100
        )
    if "placeholder" in element:
        yield from _text_problems(element["placeholder"], 150, {"plain_text"})
    if not 0 < element.get("max_length", 1) <= 3000:
        yield "max_length: out of range"


def _button_problems(element: Mapping[str, Any]) -> Iterator[str]:
    yield from _text_problems(element.get("text"), 75, {"plain_text"})
    if size(element.get("value", "x")) > 2000 or element.get("value", "x") == "":
        yield "button: value is empty or too long"
    if element.get("style", "primary") not in ("primary", "danger"):
        yield f"button: style {element['style']!r}"
    yield from _url_problems(element)


def _options_problems(element: Mapping[str, Any], limit: int) -> Iterator[str]:
    options = element["options"]
    if not 1 <= len(options) <= limit:
        yield f"options: {len(options)} of them"
    for option in options:
        yield from _text_problems(option.get("text"), 75, {"plain_text", "mrkdwn"})
        if not 1 <= size(option.get("value", "")) <= 150:
            yield "option: value is missing or too long"
        if "url" in option and element["type"] != "overflow":
            yield "option: url outside of an overflow menu"
        yield from _url_problems(option)


def _url_problems(holder: Mapping[str, Any]) -> Iterator[str]:
    url = holder.get("url")
    if url is None:
        return
    parts = urlsplit(url)
    if (
        size(url) > 3000
        or parts.scheme not in ("http", "https")
        or not parts.hostname
        or any(map(str.isspace, url))
    ):
        yield f"url: {url[:60]!r} is not valid"


def _text_problems(text: Any, limit: int, kinds: set[str]) -> Iterator[str]:
    if not isinstance(text, dict) or text.get("type") not in kinds:
        yield f"text: must be {' or '.join(sorted(kinds))}"
        return
    allowed = {"type", "text", "emoji"} if text["type"] == "plain_text" else {"type", "text", "verbatim"}
    if unknown := text.keys() - allowed:
        yield f"text: no more items than expected: {sorted(unknown)}"
    content = text.get("text")
    if not isinstance(content, str) or not content.strip():
        yield "text: must be more than 0 characters"
    elif size(content) > limit:
        yield f"text: {size(content)} characters, more than {limit}"


def _metadata_problems(metadata: Any) -> Iterator[str]:
    if metadata is None:
        return
    if not isinstance(metadata, dict) or not metadata.get("event_type") or "event_payload" not in metadata:
        yield "event_type and event_payload are required"
    elif len(json.dumps(metadata).encode()) > MAX_METADATA_BYTES:
        yield "too large"
