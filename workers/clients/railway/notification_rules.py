"""Notification rules: which events Railway sends to which addresses. The only writing part of the client.

The shape of a channel's configuration is published nowhere. `{"type": "webhook", "url", "headers"}` is what Railway's
dashboard sends; other clients write the type in capitals or the address as `webhookUrl`. Railway never returns the
values of headers, and an update replaces all channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import Field, SecretStr

from workers.clients.railway.api_model import ApiModel, Name
from workers.clients.railway.opaque_json import parse_json, text_field
from workers.clients.railway.transport import Transport
from workers.errors import RailwayRefused
from workers.models import Exact

RULE = "id projectId environmentId serviceId eventTypes severities channels { id config }"
WORKSPACE_OF = "query WorkspaceOf($projectId: String!) { project(id: $projectId) { name workspaceId } }"
LIST = f"""
query NotificationRules($workspaceId: String!, $projectId: String) {{
  notificationRules(workspaceId: $workspaceId, projectId: $projectId) {{ {RULE} }}
}}
"""
CREATE = f"""
mutation CreateNotificationRule($input: CreateNotificationRuleInput!) {{
  notificationRuleCreate(input: $input) {{ {RULE} }}
}}
"""
UPDATE = f"""
mutation UpdateNotificationRule($id: String!, $input: UpdateNotificationRuleInput!) {{
  notificationRuleUpdate(id: $id, input: $input) {{ {RULE} }}
}}
"""
DELETE = "mutation DeleteNotificationRule($id: String!) { notificationRuleDelete(id: $id) }"
TEST = "mutation TestWebhook($url: String!, $payload: String!) { webhookTest(url: $url, payload: $payload) }"
DOCUMENTS = {
    "WorkspaceOf": WORKSPACE_OF,
    "NotificationRules": LIST,
    "CreateNotificationRule": CREATE,
    "UpdateNotificationRule": UPDATE,
    "DeleteNotificationRule": DELETE,
    "TestWebhook": TEST,
}

SEVERITIES = ("CRITICAL", "INFO", "NOTICE", "WARNING")
"""All severities of the schema. Railway's choice of one for an event is unreliable, so a rule has to name all."""


class Channel(NamedTuple):
    """Where a rule sends: the kind in lower case, and the address of a webhook."""

    kind: str
    url: str | None


class NotificationRule(NamedTuple):
    """A rule as Railway stores it; an id of None means that the rule is not limited to one."""

    id: str
    project_id: str | None
    environment_id: str | None
    service_id: str | None
    event_types: tuple[str, ...]
    severities: tuple[str, ...]
    """Empty or all of SEVERITIES: the rule is not limited to some."""
    channels: tuple[Channel, ...]

    @property
    def is_limited_by_severity(self) -> bool:
        return bool(self.severities) and not set(self.severities) >= set(SEVERITIES)


class ProjectWorkspace(NamedTuple):
    """A project's name, and the workspace that its rules belong to."""

    name: str
    workspace_id: str | None


class NotificationRules:
    """The notification rules that an account or workspace token can see.

    Every method raises RailwayBusy if Railway cannot answer now, and RailwayRefused if Railway refuses: project tokens
    may do nothing here, and workspace tokens may create rules but neither change nor delete them.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def workspace(self, project_id: str) -> ProjectWorkspace:
        """The project's name and workspace."""
        answer = self._transport.query_as(_ProjectAnswer, WORKSPACE_OF, {"projectId": project_id}).project
        return ProjectWorkspace(answer.name, answer.workspace_id)

    def of_project(self, workspace_id: str, project_id: str) -> list[NotificationRule]:
        """The rules that fire for the project: its own, and those of the whole workspace that we may see."""
        ours = self._list({"workspaceId": workspace_id, "projectId": project_id})
        try:
            # Whether the list of a project includes the rules of its workspace is not documented.
            shared = self._list({"workspaceId": workspace_id})
        except RailwayRefused:
            shared = []
        by_id = {rule.id: rule for rule in (*shared, *ours)}
        return [rule for rule in by_id.values() if rule.project_id in (None, project_id)]

    def create(
        self, project: tuple[str, str], event_types: Sequence[str], url: str, headers: Mapping[str, SecretStr]
    ) -> NotificationRule:
        """Create a rule with one webhook.

        Args:
            project: ids of the workspace and of the project.
        """
        workspace_id, project_id = project
        rule: dict[str, object] = {"workspaceId": workspace_id, "projectId": project_id}
        rule |= {"ephemeralEnvironments": False} | _changes(event_types, url, headers)
        # Not sent again after a broken connection: Railway may have created the rule.
        data = self._transport.query_as(_Created, CREATE, {"input": rule}, repeat=False)
        return data.notification_rule_create.to_rule()

    def update(
        self, rule_id: str, event_types: Sequence[str], url: str, headers: Mapping[str, SecretStr]
    ) -> NotificationRule:
        """Give a rule these events, all severities, and one webhook in place of its channels."""
        changes = _changes(event_types, url, headers) | {"severities": list(SEVERITIES)}
        data = self._transport.query_as(_Updated, UPDATE, {"id": rule_id, "input": changes})
        return data.notification_rule_update.to_rule()

    def delete(self, rule_id: str) -> None:
        """Delete a rule."""
        answer = self._transport.query_as(_Deleted, DELETE, {"id": rule_id}, repeat=False)
        if not answer.notification_rule_delete:
            raise RailwayRefused(f"Railway did not delete notification rule {rule_id}")

    def test_webhook(self, url: SecretStr, payload: str) -> int:
        """Have Railway post the payload to an address, without headers of ours; the HTTP status of its answer."""
        variables = {"url": url.get_secret_value(), "payload": payload}
        return self._transport.query_as(_Tested, TEST, variables, repeat=False).webhook_test

    def _list(self, variables: Mapping[str, object]) -> list[NotificationRule]:
        answer = self._transport.query_as(_Listed, LIST, variables)
        return [rule.to_rule() for rule in answer.notification_rules]


def _changes(event_types: Sequence[str], url: str, headers: Mapping[str, SecretStr]) -> dict[str, object]:
    values = {name: value.get_secret_value() for name, value in headers.items()}
    channel = {"type": "webhook", "url": url, "headers": values}
    return {"eventTypes": list(event_types), "channelConfigs": [channel]}


class _Channel(ApiModel):
    config: Any = None

    def to_channel(self) -> Channel:
        config = parse_json(self.config)
        kind = (text_field(config, "type") or "").lower()
        return Channel(kind, text_field(config, "url") or text_field(config, "webhookUrl"))


class _Rule(ApiModel):
    id: Exact  # sent back to Railway
    project_id: Exact | None = None
    environment_id: Exact | None = None
    service_id: Exact | None = None
    event_types: list[str]
    severities: list[str] = Field(default_factory=list)
    channels: list[_Channel]

    def to_rule(self) -> NotificationRule:
        channels = tuple(channel.to_channel() for channel in self.channels)
        return NotificationRule(
            self.id, self.project_id, self.environment_id, self.service_id, tuple(self.event_types),
            tuple(self.severities), channels,
        )  # fmt: skip


class _Project(ApiModel):
    name: Name
    workspace_id: Exact | None = None


class _ProjectAnswer(ApiModel):
    project: _Project


class _Listed(ApiModel):
    notification_rules: list[_Rule]


class _Created(ApiModel):
    notification_rule_create: _Rule


class _Updated(ApiModel):
    notification_rule_update: _Rule


class _Deleted(ApiModel):
    notification_rule_delete: bool


class _Tested(ApiModel):
    webhook_test: int
