"""Alertmanager's webhook → one Alert for each service that fires (receiver/sources/alert_groups.py).

The body is version 4 of https://prometheus.io/docs/alerting/latest/configuration/#webhook_config.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from receiver import payload
from receiver.payload import InvalidPayload, Parsed
from receiver.sources.alert_groups import parse_group

VERSION = "4"
LIST_HINT = (
    "must be a JSON object: a list of alerts is what Prometheus sends to Alertmanager's own API. "
    "Let Alertmanager send here, with webhook_configs"
)


def parse(body: bytes | Mapping[str, Any], at: datetime, token: str) -> Parsed:
    """The alerts in a webhook of Alertmanager, or Ignored if all of them are resolved.

    Args:
        at: when the body was received.
        token: makes the alerts' ids unique.

    Raises:
        InvalidPayload: names the field that is missing or has the wrong type.
    """
    group = payload.parse(body, list_hint=LIST_HINT)
    version = group.get("version")
    if version != VERSION:
        problem = (
            "is missing" if version is None else f'must be "{VERSION}", which Alertmanager 0.6 and later send'
        )
        raise InvalidPayload("version", problem)
    return parse_group(group, "alertmanager", at, token)
