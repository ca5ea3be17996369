"""What the doors share about bytes from outside, none of which are trusted: JSON, words, ids, times."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from workers.incidents.intake import DedupWindow
from workers.models import Alert
from workers.runtime.redaction import redact
from workers.runtime.text import one_line

Source = Literal["railway", "slack", "ping"]
MAX_MESSAGE_BYTES = 4096
MAX_READ_CHARACTERS = 65_536
"""So much of a text is looked at; more would only cost time, as 4 KiB of it are kept."""
WEEK_SECONDS = 7 * 86_400
FIVE_MINUTES_SECONDS = 300

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")
_NOBODY = re.compile(r"[0-]+\Z")


class InvalidPayload(Exception):
    """A body is not what the door takes: `field` (dotted path, `body` for the whole) and `why`."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field, self.reason = field, why


def parse(raw: bytes | Mapping[str, Any]) -> Mapping[str, Any]:
    """The JSON object in a body; a mapping is passed through.

    Raises Malformed for anything else: bad UTF-8, NaN, numbers beyond a double, double keys, endless nesting.
    """
    if isinstance(raw, Mapping):
        return raw
    if not raw.strip():
        raise InvalidPayload("body", "is empty")
    try:
        value = json.loads(
            raw.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_finite, parse_float=_finite
        )
    except UnicodeDecodeError:
        raise InvalidPayload("body", "is not UTF-8") from None
    except RecursionError:
        raise InvalidPayload("body", "is nested too deeply") from None
    except ValueError:  # JSONDecodeError, and whole numbers with thousands of digits
        raise InvalidPayload("body", "is not JSON") from None
    if not isinstance(value, dict):
        raise InvalidPayload("body", "must be a JSON object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise InvalidPayload(clean_text(name, 80) or "body", "stands there twice")
        made[name] = value
    return made


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidPayload("body", "holds a number that is none")
    return number


def clean_text(value: object, limit: int = 500) -> str:
    """Text or a number as one line without control characters, cut to `limit`; "" for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    # A sender that cuts text in the middle of an emoji leaves half a character, which nothing can store.
    text = text[:MAX_READ_CHARACTERS].encode("utf-8", "replace").decode()
    return one_line(text)[:limit].rstrip()


def redacted_message(text: str) -> str:
    """The text redacted, then cut to 4 KiB: what an alert may carry."""
    return redact(text[:MAX_READ_CHARACTERS]).encode()[:MAX_MESSAGE_BYTES].decode(errors="ignore")


def get_object(body: Mapping[str, Any], name: str, path: str = "") -> Mapping[str, Any]:
    """The object called `name`, {} when it is missing or null. Raises Malformed when it is something else."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidPayload(path + name, "must be an object")
    return value


def identifier(body: Mapping[str, Any], field: str, name: str = "id") -> str | None:
    """The id in the object, None when it is missing or empty. Raises Malformed when it cannot be an id."""
    value = body.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _ID.match(value):
        raise InvalidPayload(
            f"{field}.{name}", "must be an id: letters, digits, '-', '_' and '.', at most 100"
        )
    return None if is_nil_id(value) else value


def is_nil_id(identity: str) -> bool:
    """Whether an id is all zeros, which means "none"."""
    return _NOBODY.match(identity) is not None


def parse_time(value: object) -> datetime | None:
    """A time in ISO 8601 (UTC where it names no zone), epoch seconds or milliseconds; None for others."""
    try:
        if isinstance(value, str) and not re.fullmatch(r"\d{9,13}(\.\d{1,9})?", value):
            read = datetime.fromisoformat(value)
            return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            seconds = float(value)
            return (
                datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
                if seconds > 1e8
                else None
            )
    except (ValueError, OverflowError, OSError):
        return None
    return None


def alert_id(at: datetime, token: str) -> str:
    """A name for a new alert that sorts by time."""
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%S}-{token}"


def dedup_window(source: Source, raw: bytes, alert: Alert) -> DedupWindow | None:
    """For how long the same body is the same alert: a week, or five minutes where it names no time.

    None for a ping that names no time, which is always a new look.
    """
    if source == "ping" and alert.reported_at is None:
        return None
    seconds = WEEK_SECONDS if alert.reported_at else FIVE_MINUTES_SECONDS
    return DedupWindow(key=f"{source}:{hashlib.sha256(raw).hexdigest()}", seconds=seconds)
