"""The address for a reply: only Slack's own hosts, whatever a signed body says."""

from __future__ import annotations

import pytest

from workers.clients.slack_response import is_slack_address

API = "https://slack.com/api"


@pytest.mark.parametrize(
    "address", ["https://hooks.slack.com/actions/T1/1/x", "https://hooks.slack.com:443/a?b=c"]
)
def test_slacks_own_addresses_are_used(address: str) -> None:
    assert is_slack_address(address, API)


def test_a_configured_stand_in_is_used_at_its_own_port_only() -> None:
    assert is_slack_address("http://127.0.0.1:4321/actions/x", "http://127.0.0.1:4321/api")
    assert not is_slack_address("http://127.0.0.1:4322/actions/x", "http://127.0.0.1:4321/api")
    assert not is_slack_address("http://127.0.0.1:4321/actions/x", API)


@pytest.mark.parametrize(
    "address",
    [
        "", "http://hooks.slack.com/a", "https://hooks.slack.com.evil.zz/a", "https://evil.zz/hooks.slack.com",
        "https://hooks.slack.com@evil.zz/a", "https://evil.zz#hooks.slack.com", "https://hooks.slack.com:8443/a",
        "https://hooks.slack.com\\@evil.zz/a", "//hooks.slack.com/a", "file:///etc/passwd", "https://169.254.169.254/",
        "https://hooks.slack.com/a\r\nX: y", "https://hooks.slack.com:99999/a", "https://[::1/a", "javascript:alert(1)",
        "https://hooks。slack.com/a", "https://hooks.slack.com./a", "https://hooks.slack.com/" + "a" * 3000,
    ],
)  # fmt: skip
def test_no_other_address_is_ever_called(address: str) -> None:
    assert not is_slack_address(address, API)
