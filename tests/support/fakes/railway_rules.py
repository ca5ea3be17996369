"""Notification rules of the fake Railway, as strict as the real ones, and its test webhook."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
from graphql import GraphQLError

Json = dict[str, Any]
NOT_AUTHORIZED = "Not Authorized"
CREATED_AT = "2026-11-01T00:00:00.000Z"
MAY_CREATE = ("account", "workspace")
TEST_TIMEOUT_SECONDS = 30.0  # Railway waits as long for a webhook's answer


@dataclass
class Rules:
    """The rules of one workspace.

    `hosts` maps a public host to the address of a server on this machine, for test webhooks.
    """

    workspace_id: str
    project_ids: list[str]
    rows: list[Json] = field(default_factory=list)
    hosts: dict[str, str] = field(default_factory=dict)
    tested: list[str] = field(default_factory=list)
    """The addresses of the test webhooks."""

    def listed(self, holder: str, workspace_id: str, project_id: str | None) -> list[Json]:
        self._require(holder in MAY_CREATE and workspace_id == self.workspace_id)
        return [visible(row) for row in self.rows if project_id in (None, row["projectId"])]

    def create(self, holder: str, values: Json) -> Json:
        self._require(holder in MAY_CREATE and values["workspaceId"] == self.workspace_id)
        self._require(values.get("projectId") in (None, *self.project_ids))
        number = len(self.rows) + 1
        row: Json = {
            "id": f"rule-{number}", "createdAt": CREATED_AT, "environmentId": None, "serviceId": None,
            "severities": [], "ephemeralEnvironments": False, "projectId": None,
        }  # fmt: skip
        row |= {name: value for name, value in values.items() if name != "channelConfigs"}
        row |= {"updatedAt": CREATED_AT, "channels": self._channels(values["channelConfigs"])}
        self.rows.append(row)
        return visible(row)

    def update(self, holder: str, rule_id: str, values: Json) -> Json:
        row = self._own(holder, rule_id)
        row |= {name: value for name, value in values.items() if name != "channelConfigs"}
        if "channelConfigs" in values:
            row["channels"] = self._channels(values["channelConfigs"])
        return visible(row)

    def delete(self, holder: str, rule_id: str) -> bool:
        self.rows.remove(self._own(holder, rule_id))
        return True

    def test(self, holder: str, url: str, payload: str) -> int:
        """Post the payload without further headers; the status of the answer."""
        self._require(holder in MAY_CREATE)
        parts = urlsplit(url)
        self.tested.append(url)
        base = self.hosts.get(parts.netloc)
        if base is None or parts.scheme != "https":
            raise GraphQLError("Problem processing request")
        answer = httpx.post(
            base + parts.path, content=payload, headers={"Content-Type": "application/json"},
            timeout=TEST_TIMEOUT_SECONDS,
        )  # fmt: skip
        return answer.status_code

    def _own(self, holder: str, rule_id: str) -> Json:
        # A workspace token may create rules only, and the error for a rule that is gone is the same.
        row = next((row for row in self.rows if row["id"] == rule_id), None)
        if holder != "account" or row is None:
            raise GraphQLError(NOT_AUTHORIZED)
        return row

    def _channels(self, configs: list[Any]) -> list[Json]:
        if not configs or not all(isinstance(config, dict) and config.get("type") for config in configs):
            raise GraphQLError("Invalid channel config")
        shared = {"createdAt": CREATED_AT, "updatedAt": CREATED_AT, "workspaceId": self.workspace_id}
        return [{"id": f"channel-{n}", "config": config, **shared} for n, config in enumerate(configs)]

    def _require(self, allowed: bool) -> None:
        if not allowed:
            raise GraphQLError(NOT_AUTHORIZED)


def visible(row: Json) -> Json:
    """A rule as Railway returns it: without the headers of its channels."""
    channels = [
        channel | {"config": {name: value for name, value in channel["config"].items() if name != "headers"}}
        for channel in row["channels"]
    ]
    return row | {"channels": channels}
