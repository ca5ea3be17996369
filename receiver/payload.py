"""Parsing of untrusted bodies that all webhook endpoints share: JSON, text, ids and times."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from workers.incidents.intake import DedupWindow
from workers.models import Alert, Ignored
from workers.runtime.redaction import redact
from workers.runtime.text import one_line

Source = Literal["railway", "slack", "alertmanager", "grafana", "sentry", "ping"]
Parsed = Ignored | tuple[tuple[Alert, DedupWindow | None], ...]
"""The alerts in a body, each with the time within which its repeats are no new alert, or nothing to check."""
MAX_MESSAGE_BYTES = 4096  # of the sender's text that an alert keeps
MAX_READ_CHARACTERS = 65_536  # of a text that are processed: the rest would only cost time
# Railway and Slack repeat a delivery within minutes; a week also covers replays by a person.
DATED_DEDUP_SECONDS = 7 * 86_400
UNDATED_DEDUP_SECONDS = 300  # without a time in the body, the same text may be a new event
MIN_EPOCH_SECONDS = 1e8  # smaller numbers are no times (this one is in 1973)
MIN_EPOCH_MILLISECONDS = 1e11  # larger numbers are milliseconds: as seconds they would lie in the year 5138

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")
_NIL_ID = re.compile(r"[0-]+\Z")
_EPOCH = re.compile(r"\d{9,13}(\.\d{1,9})?")


class InvalidPayload(Exception):
    """A body that an endpoint does not accept.

    Args:
        field: dotted path of the field, `body` for the whole body.
        reason: what is wrong with it, as a sentence that begins with the field.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


def parse(raw: bytes | Mapping[str, Any], list_hint: str = "must be a JSON object") -> Mapping[str, Any]:
    """The JSON object in a body; a mapping is returned as it is.

    Args:
        list_hint: the reason in the error for a body that is a JSON list.

    Raises:
        InvalidPayload: bad UTF-8, NaN, numbers beyond a double, repeated keys or too deep nesting.
    """
    if isinstance(raw, Mapping):
        return raw
    if not raw.strip():
        raise InvalidPayload("body", "is empty")
    try:
        value = json.loads(
            raw.decode("utf-8-sig"),
            object_pairs_hook=_unique_keys,
            parse_constant=_finite_number,
            parse_float=_finite_number,
        )
    except UnicodeDecodeError:
        raise InvalidPayload("body", "is not UTF-8") from None
    except RecursionError:
        raise InvalidPayload("body", "is nested too deeply") from None
    except ValueError:  # JSONDecodeError, and integers with thousands of digits
        raise InvalidPayload("body", "is not JSON") from None
    if not isinstance(value, dict):
        raise InvalidPayload("body", list_hint if isinstance(value, list) else "must be a JSON object")
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Parsers disagree about which of two values counts, so a repeated key can smuggle one past a filter.
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise InvalidPayload(clean_text(name, 80) or "body", "occurs twice in the same object")
        result[name] = value
    return result


def _finite_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidPayload("body", "contains NaN, Infinity or a number beyond a double")
    return number


def clean_text(value: object, limit: int = 500) -> str:
    """Text or a number as one line of at most `limit` characters; "" for any other value."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    # A sender that cuts text inside an emoji leaves half a surrogate pair, which UTF-8 cannot encode.
    text = text[:MAX_READ_CHARACTERS].encode("utf-8", "replace").decode()
    return one_line(text)[:limit].rstrip()


def redacted_message(text: str) -> str:
    """The sender's text as an alert keeps it: redacted first, then truncated to 4 KiB."""
    # Truncating first could cut a secret in half, and the rest would not match its pattern.
    return redact(text[:MAX_READ_CHARACTERS]).encode()[:MAX_MESSAGE_BYTES].decode(errors="ignore")


def get_object(body: Mapping[str, Any], name: str, path: str = "") -> Mapping[str, Any]:
    """The object in a field, {} if it is missing or null. Raises InvalidPayload for other types.

    Args:
        path: prefix of the field's name in the error, `resource.` for a nested object.
    """
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidPayload(path + name, "must be an object")
    return value


def optional_text(body: Mapping[str, Any], name: str, path: str = "") -> str:
    """The text in a field as it is, "" if it is missing or null. Raises InvalidPayload for other types."""
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidPayload(path + name, "must be a string")
    return value


def get_texts(body: Mapping[str, Any], name: str, path: str = "") -> dict[str, str]:
    """The object in a field, all of whose values are strings. Raises InvalidPayload for other types."""
    values = get_object(body, name, path)
    for key, value in values.items():
        if not isinstance(value, str | None):
            raise InvalidPayload(f"{path}{name}.{clean_text(key, 60)}", "must be a string")
    return {key: value for key, value in values.items() if value is not None}


def get_list(body: Mapping[str, Any], name: str, path: str = "") -> list[Any]:
    """The list in a field, [] if it is missing or null. Raises InvalidPayload for other types."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidPayload(path + name, "must be a list")
    return value


def identifier(body: Mapping[str, Any], field: str, name: str = "id") -> str | None:
    """The id in an object, None if it is missing, empty or all zeros. Raises InvalidPayload if it cannot be an id.

    Args:
        field: name of the object in the error.
    """
    value = body.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _ID.match(value):
        reason = "must be an id of at most 100 letters, digits, '-', '_' and '.'"
        raise InvalidPayload(f"{field}.{name}", reason)
    return None if is_nil_id(value) else value


def is_nil_id(identity: str) -> bool:
    """True for an id of zeros, which Railway sends in place of a missing one."""
    return _NIL_ID.match(identity) is not None


def parse_time(value: object) -> datetime | None:
    """A time in ISO 8601 (UTC if it names no zone), epoch seconds or milliseconds; None for anything else."""
    try:
        if isinstance(value, str) and not _EPOCH.fullmatch(value):
            time = datetime.fromisoformat(value)
            return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            seconds = float(value)
            if seconds > MIN_EPOCH_MILLISECONDS:
                seconds /= 1000
            return datetime.fromtimestamp(seconds, UTC) if seconds > MIN_EPOCH_SECONDS else None
    except (ValueError, OverflowError, OSError):
        return None
    return None


def alert_id(at: datetime, token: str) -> str:
    """The id of a new alert; ids sort by time."""
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%S}-{token}"


def dedup_window(source: Source, raw: bytes, alert: Alert) -> DedupWindow | None:
    """The time within which the same body is the same alert: a week, or five minutes if it names no time.

    None for a ping that names no time: every one of them starts a check.
    """
    if source == "ping" and alert.reported_at is None:
        return None
    seconds = DATED_DEDUP_SECONDS if alert.reported_at else UNDATED_DEDUP_SECONDS
    return DedupWindow(keys=(f"{source}:{hashlib.sha256(raw).hexdigest()}",), seconds=seconds)
