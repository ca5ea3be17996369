"""A body in the format of Slack's incoming webhooks → Alert. Any tool that can post to Slack can post here.

Text, blocks and attachments become plain lines. Ids beside their label or in a railway.com link fill the alert's
fields; names of services stay in the text for the worker, which knows the environment's services.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Any
from urllib.parse import parse_qs

from receiver import payload
from receiver.payload import InvalidPayload, clean_text
from receiver.sources import good_news, service_labels
from workers.incidents.intake import RESOLVED
from workers.models import Alert, Ignored

TEXT_KEYS = (
    "pretext", "author_name", "title", "title_link", "text", "value", "fields", "elements", "accessory",
    "blocks", "rows", "actions", "url", "alt_text", "footer",
)  # fmt: skip
"""Fields of blocks and attachments that hold visible text, in reading order."""
INLINE_BLOCKS = ("rich_text_section", "rich_text_preformatted", "rich_text_quote")
"""Blocks whose elements form one line."""
MAX_DEPTH = 12  # Slack's own blocks are nested five deep; deeper ones are ignored

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_KIND = r"(project|environment|env|service|deployment|deploy)"
_LABELLED = re.compile(rf"{_KIND}[\s_-]?(?:id)?[\s:=\"'`*_()<>|#-]{{1,8}}({_UUID})(?![\w-])", re.IGNORECASE)
_LINK = re.compile(
    r"https?://(?:[a-z0-9-]{1,40}\.)?railway\.(?:com|app)/([^\s<>|\"')\]]{1,600})", re.IGNORECASE
)
_IN_PATH = re.compile(rf"(?:^|/){_KIND}s?/({_UUID})(?![\w-])", re.IGNORECASE)
_IN_QUERY = re.compile(rf"[?&;]{_KIND}Id=({_UUID})(?![\w-])", re.IGNORECASE)
_IN_QUERY_BARE = re.compile(rf"[?&;]id=({_UUID})(?![\w-])", re.IGNORECASE)
"""The deployment in a link of Railway's dashboard: `/service/<id>?id=<deployment>`."""
_LABEL_LINE = re.compile(r"[\s•*_>-]{0,6}([A-Za-z][\w .-]{1,30}?)[*_]{0,2}\s?:[*_]{0,2}\s*([^\s].{0,200})?$")
_LABEL_PAIR = re.compile(r"""\b([a-z_][\w.]{1,40})\s?=\s?["'`]?([\w./ -]{1,100}?)["'`]?(?=[\s,})]|$)""")
_MARKUP = re.compile(r"<([^<>|]{1,2000})(?:\|([^<>]{0,2000}))?>")


def parse(body: bytes | Mapping[str, Any], at: datetime, token: str) -> Alert | Ignored:
    """The alert in a message; Ignored for one that says that all is well.

    Args:
        at: when the body was received.
        token: makes the alert's id unique.

    Raises:
        InvalidPayload: names the field that is missing or has the wrong type.
    """
    message = payload.parse(_extract_json(body) if isinstance(body, bytes) else body)
    lines = _text_lines(message)
    is_good_news = good_news.is_good_news(lines, good_news.attachment_colors(message))
    text = "\n".join(lines)
    ids = _ids(text)
    alert = Alert(
        id=payload.alert_id(at, token),
        source="slack",
        kind=RESOLVED if is_good_news else "message",
        project_id=ids.get("project"),
        environment_id=ids.get("environment"),
        service_id=ids.get("service"),
        deployment_id=ids.get("deployment"),
        received_at=at,
        reported_at=_reported_at(message),
        names=service_labels.names_of(_labels(lines)),
        message=payload.redacted_message(text),
    )
    return Ignored(reason="the message reports no problem", good_news=alert) if is_good_news else alert


def _extract_json(raw: bytes) -> bytes:
    """The JSON in a body that is JSON or a form. The body decides: many senders set a wrong content type."""
    if raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[", b""):
        return raw
    try:
        fields = parse_qs(raw.decode("utf-8"), max_num_fields=50, errors="strict")
    except ValueError:  # bad UTF-8 too
        raise InvalidPayload("body", "is neither JSON nor a form with a field `payload`") from None
    if "payload" not in fields:
        if b"=" in raw:
            raise InvalidPayload("payload", "is missing in the form")
        raise InvalidPayload("body", "is not JSON")
    return fields["payload"][0].encode()


def _text_lines(message: Mapping[str, Any]) -> list[str]:
    """The visible text, line by line, without repeated lines. Raises InvalidPayload if there is none."""
    _check_type("text", message.get("text"), str, "a string")
    _check_type("blocks", message.get("blocks"), list, "a list")
    _check_type("attachments", message.get("attachments"), list, "a list")
    lines: dict[str, None] = {}
    characters = 0
    for line in chain(
        _string(message.get("text")), _lines(message.get("blocks")), _attachment_lines(message)
    ):
        lines[line] = None
        characters += len(line)
        if characters > payload.MAX_READ_CHARACTERS:
            break
    if not lines:
        raise InvalidPayload("text", "is missing, and neither blocks nor attachments contain text")
    return list(lines)


def _labels(lines: list[str]) -> dict[str, str]:
    """The labels that a message names in lines of their own or in Prometheus' notation, with their values."""
    labels: dict[str, str] = {}
    for number, line in enumerate(lines):
        if match := _LABEL_LINE.match(line):
            # A field of a block has its title and its value on two lines.
            value = match[2] or (lines[number + 1] if number + 1 < len(lines) else "")
            labels.setdefault(match[1], value.strip("*_`\"' "))
        for name, value in _LABEL_PAIR.findall(line):
            labels.setdefault(name, value)
    return labels


def _check_type(name: str, value: object, kind: type, type_name: str) -> None:
    if value is not None and not isinstance(value, kind):
        raise InvalidPayload(name, f"must be {type_name}")


def _attachment_lines(message: Mapping[str, Any]) -> Iterator[str]:
    for attachment in message.get("attachments") or []:
        lines = list(_lines(attachment))
        # `fallback` repeats the other fields for clients that cannot show them.
        yield from lines or (_string(attachment.get("fallback")) if isinstance(attachment, dict) else ())


def _lines(node: object, depth: int = 0) -> Iterator[str]:
    if depth > MAX_DEPTH:
        return
    if isinstance(node, str):
        yield from _string(node)
    elif isinstance(node, list):
        for child in node:
            yield from _lines(child, depth + 1)
    elif isinstance(node, dict):
        if node.get("type") in INLINE_BLOCKS:
            yield from _string("".join(_inline_text(child) for child in _list(node.get("elements"))))
        elif button := _button(node):
            yield from _string(button)
        elif isinstance(node.get("title"), str) and isinstance(node.get("value"), str | int | float):
            yield from _string(f"{clean_text(node['title'], 200)}: {clean_text(node['value'], 4000)}")
        else:
            for key in TEXT_KEYS:
                yield from _lines(node.get(key), depth + 1)


def _button(node: Mapping[str, Any]) -> str:
    """The label and the address of a button that leads somewhere; "" for anything else."""
    text, url = node.get("text"), node.get("url")
    label = text.get("text") if isinstance(text, dict) else text
    is_button = node.get("type") == "button" and isinstance(label, str) and isinstance(url, str)
    return f"{label} ({url})" if is_button else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _inline_text(element: object) -> str:
    if not isinstance(element, dict):
        return ""
    text, url, name = element.get("text"), element.get("url"), element.get("name")
    label = text if isinstance(text, str) else ""
    if element.get("type") == "emoji" and isinstance(name, str):
        return f":{name}:"
    if isinstance(url, str):
        return f"{label} ({url})" if label and label != url else url
    return label


def _string(value: object) -> Iterator[str]:
    """The lines of a text with Slack's markup resolved: `<url|label>` → `label (url)`, `&amp;` → `&`."""
    if not isinstance(value, str):
        return
    for line in _MARKUP.sub(_resolve_markup, value[: payload.MAX_READ_CHARACTERS]).splitlines():
        clean = clean_text(html.unescape(line), 4000)
        if clean:
            yield clean


def _resolve_markup(match: re.Match[str]) -> str:
    target, label = match[1], match[2]
    if target.startswith("!"):
        return label or f"@{target[1:].partition('^')[0]}"
    return f"{label} ({target})" if label and label != target else target


def _ids(text: str) -> dict[str, str]:
    """Kind → id where the text names exactly one: a message about two services is about neither of them alone."""
    ids: dict[str, set[str]] = {}
    links = [match[1] for match in _LINK.finditer(text)]
    pairs = [pair for link in links for pattern in (_IN_PATH, _IN_QUERY) for pair in pattern.findall(link)]
    pairs += [
        ("deployment", identity)
        for link in links
        if "/service/" in link
        for identity in _IN_QUERY_BARE.findall(link)
    ]
    for kind, identity in pairs + _LABELLED.findall(text):
        if payload.is_nil_id(identity):
            continue
        name = {"env": "environment", "deploy": "deployment"}.get(kind.lower(), kind.lower())
        ids.setdefault(name, set()).add(identity.lower())
    return {name: values.pop() for name, values in ids.items() if len(values) == 1}


def _reported_at(message: Mapping[str, Any]) -> datetime | None:
    """The time in `ts` or `timestamp`, of the message or of an attachment."""
    holders = [message, *(item for item in _list(message.get("attachments")) if isinstance(item, dict))]
    times = (payload.parse_time(holder.get(name)) for holder in holders for name in ("ts", "timestamp"))
    return next((time for time in times if time is not None), None)
