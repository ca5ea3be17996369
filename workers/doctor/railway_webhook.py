"""The webhook of this installation in Railway: whether a project's notification rules send to it, and rightly."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import SplitResult, quote, urlsplit

from pydantic import SecretStr

from workers.clients.railway import NotificationRules
from workers.clients.railway.notification_rules import Channel, NotificationRule
from workers.runtime.private_hosts import is_private_host

HOOK_PATH = "/hooks/railway"
SECRET_HEADER = "X-Trackwalker-Secret"  # noqa: S105 (its name, not its value)
EVENTS = (
    "Deployment.failed", "Deployment.crashed", "Deployment.oom_killed", "Deployment.restarted",
    "Deployment.deployed", "Deployment.redeployed", "Deployment.resumed",
    "Monitor.triggered", "Monitor.resolved", "VolumeAlert.triggered", "VolumeAlert.resolved",
)  # fmt: skip
"""The events that the receiver acts on, as Railway's dashboard spells them.

Railway accepts any name for a new rule, and a misspelt one never fires.
"""
TEST_EVENT = "Trackwalker.test"  # the type of our own test webhook, which the receiver only notes
DEFAULT_PORTS = {"http": 80, "https": 443}


class Difference(StrEnum):
    """In which way a rule that sends to us is not as `install` would make it."""

    EVENTS = "events"
    """Some of EVENTS are missing."""
    SEVERITIES = "severities"
    """Only some severities are sent."""
    ADDRESS = "address"
    """The secret stands in the address, where everybody who may see the project's settings can read it."""


class AddressProblem(StrEnum):
    """Why Railway cannot reach a public address."""

    NOT_HTTPS = "not https"
    PRIVATE = "private"
    MALFORMED = "malformed"


@dataclass(frozen=True)
class Registration:
    """The notification rules of a project, as far as they concern this installation."""

    project_id: str
    project_name: str
    workspace_id: str | None
    """None for a project that belongs to no workspace; such a project can have no rule."""
    rules: tuple[NotificationRule, ...]
    """The rules that send to us, the best one first. More than one is too many: each sends every event again."""
    other_hosts: tuple[str, ...]
    """Other hosts to whose `/hooks/railway` the project sends: an old address of ours, or another installation."""

    @property
    def rule(self) -> NotificationRule | None:
        """The rule that counts."""
        return self.rules[0] if self.rules else None

    @property
    def duplicates(self) -> tuple[NotificationRule, ...]:
        return self.rules[1:]


def find_rule(rules: NotificationRules, project_id: str, public_url: str) -> Registration:
    """The rules of the project that send to the receiver at this address.

    Raises:
        RailwayBusy, RailwayRefused: Railway did not answer, or the token may not read the rules.
    """
    project = rules.workspace(project_id)
    listed = rules.of_project(project.workspace_id, project_id) if project.workspace_id else []
    # A rule of one service or environment leaves out the others.
    ours = [rule for rule in listed if sends_to(rule, public_url) and not rule.service_id]
    ours.sort(key=lambda rule: (len(differences(rule, public_url)), rule.project_id is None, rule.id))
    hosts = {
        address.netloc
        for rule in listed
        for channel in rule.channels
        if (address := _address(channel)) and _is_hook_path(address) and not _is_ours(address, public_url)
    }
    return Registration(project_id, project.name, project.workspace_id, tuple(ours), tuple(sorted(hosts)))


def differences(rule: NotificationRule, public_url: str) -> tuple[Difference, ...]:
    """The changes that `install` would make to a rule that sends to us. Railway returns no headers."""
    wrong = []
    if missing_events(rule):
        wrong.append(Difference.EVENTS)
    if rule.is_limited_by_severity:
        wrong.append(Difference.SEVERITIES)
    ours = [channel for channel in rule.channels if _sends(channel, public_url)]
    if not any(
        (address := _address(channel)) and address.path.rstrip("/") == _path(public_url) for channel in ours
    ):
        wrong.append(Difference.ADDRESS)
    return tuple(wrong)


def missing_events(rule: NotificationRule) -> tuple[str, ...]:
    """The events of EVENTS that the rule does not send, however it spells them."""
    present = {_normalise(event) for event in rule.event_types}
    return tuple(event for event in EVENTS if _normalise(event) not in present)


def sends_to(rule: NotificationRule, public_url: str) -> bool:
    """True if a channel of the rule is a webhook to the receiver at this address."""
    return any(_sends(channel, public_url) for channel in rule.channels)


def has_other_channels(rule: NotificationRule, public_url: str) -> bool:
    """True if the rule sends to somebody else too, so that neither a change nor a deletion may touch it."""
    return any(not _sends(channel, public_url) for channel in rule.channels)


def hook_url(public_url: str) -> str:
    """The address that Railway posts to. The secret travels in the header SECRET_HEADER."""
    return public_url.rstrip("/") + HOOK_PATH


def address_problem(public_url: str) -> AddressProblem | None:
    """Why Railway could not post to this address, as far as the address itself tells."""
    try:
        parts = urlsplit(public_url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return AddressProblem.MALFORMED
    if not host:
        return AddressProblem.MALFORMED
    if is_private_host(host):
        return AddressProblem.PRIVATE
    return None if parts.scheme == "https" else AddressProblem.NOT_HTTPS


@dataclass(frozen=True)
class TestResult:
    """The result of a test webhook: the status that Railway got, and whether our receiver noted the test."""

    __test__ = False  # pytest takes the class for a test otherwise

    status: int
    arrived: bool | None
    """None if nobody could tell: this process does not reach the store of the receiver."""
    seconds: float

    @property
    def is_accepted(self) -> bool:
        return 200 <= self.status < 300


def send_test(
    rules: NotificationRules, public_url: str, secret: SecretStr, nonce: str, *,
    arrived: Callable[[], bool | None], now: Callable[[], datetime],
) -> TestResult:  # fmt: skip
    """Have Railway post a test to the receiver, and say whether it arrived.

    Railway sends a test without headers, so the secret is part of the address of this one request.

    Args:
        secret: one of TRACKWALKER_SECRET.
        nonce: 32 hexadecimal digits, unlike those of any other test.
        arrived: whether the receiver has noted the test; None if that cannot be known from here.

    Raises:
        RailwayBusy, RailwayRefused: Railway did not send the test.
    """
    began = now()
    payload = json.dumps({"type": TEST_EVENT, "details": {"nonce": nonce}, "timestamp": began.isoformat()})
    # A `?`, `#` or `%` of the secret would end the path or change it.
    address = SecretStr(f"{hook_url(public_url)}/{quote(secret.get_secret_value())}")
    status = rules.test_webhook(address, payload)
    # A refused test cannot arrive, and `arrived` may wait for it.
    is_accepted = 200 <= status < 300
    return TestResult(status, arrived() if is_accepted else False, (now() - began).total_seconds())


def _sends(channel: Channel, public_url: str) -> bool:
    address = _address(channel)
    return address is not None and _is_hook_path(address) and _is_ours(address, public_url)


def _address(channel: Channel) -> SplitResult | None:
    if channel.kind != "webhook" or not channel.url:
        return None
    try:
        parts = urlsplit(channel.url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _is_hook_path(address: SplitResult) -> bool:
    # The secret may be the last part of the path, and may hold slashes.
    return f"{address.path.rstrip('/')}/".partition(HOOK_PATH + "/")[1] != ""


def _is_ours(address: SplitResult, public_url: str) -> bool:
    own = urlsplit(public_url)
    return _origin(address) == _origin(own) and f"{address.path.rstrip('/')}/".startswith(
        _path(public_url) + "/"
    )


def _path(public_url: str) -> str:
    return urlsplit(hook_url(public_url)).path


def _origin(address: SplitResult) -> tuple[str, str | None, int | None]:
    scheme = address.scheme.lower()
    return scheme, address.hostname, address.port or DEFAULT_PORTS.get(scheme)


def _normalise(event: str) -> str:
    """Event names are spelt in several ways: `oom_killed`, `oomKilled`, `OomKilled`."""
    return event.replace("_", "").replace("-", "").lower()
