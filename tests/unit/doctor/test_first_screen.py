"""The first screen of `up`: what is watched and how it is, and which mode acts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from workers.doctor.first_screen import MAX_COLUMNS, screen
from workers.runtime.settings import Settings, read
from workers.views.shapes import Health, Overview, ServiceRow

AT = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
COMPLETE = {
    "RAILWAY_API_TOKEN": "t", "TRACKWALKER_ENVIRONMENTS": "p/e", "SLACK_BOT_TOKEN": "b", "SLACK_CHANNEL": "#on-call",
    "GITHUB_TOKEN": "g", "TRACKWALKER_MODEL": "anthropic/claude-sonnet-4-5", "ANTHROPIC_API_KEY": "k",
    "TRACKWALKER_PUBLIC_URL": "https://tw.example.com", "TRACKWALKER_TIMEZONE": "Europe/Berlin",
}  # fmt: skip


def settings(**changes: str) -> Settings:
    return read(COMPLETE | changes)


def service(name: str, health: Health, worst: str = "") -> ServiceRow:
    return ServiceRow(
        id=name, name=name, environment="acme/production", environment_id="e", health=health, worst=worst
    )


def overview(*services: ServiceRow) -> Overview:
    return Overview(at=AT, mode="full", services=services, next_ping=AT)


def test_the_screen_shows_the_state_after_the_first_check() -> None:
    services = [service(f"s{number}", Health.HEALTHY) for number in range(9)]
    failing = service("orders", Health.INCIDENT, "94 % of requests failing")

    lines = screen(settings(), overview(failing, *services), ["acme / production"])

    assert lines[0].startswith("Trackwalker is running · mode full: opens pull requests")
    assert "10 services, checked just now: 9 healthy, 1 failing (orders" in lines[1]
    assert "Slack, #on-call" in lines[2]
    assert "anthropic/claude-sonnet-4-5, at most 20 runs and 20 USD a day" in lines[3]
    assert "https://tw.example.com/hooks/railway; next check 10:30" in lines[4]
    assert lines[-1] == "Ctrl-C stops; unfinished work goes on at the next start."
    assert max(map(len, lines)) <= MAX_COLUMNS


def test_before_the_first_check_the_screen_says_so() -> None:
    lines = screen(settings(), None, ["acme / production"])

    assert lines[1] == "Watching   acme / production: the first check is under way"
    assert "a check every 10 min" in lines[4]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"TRACKWALKER_MODE": "report"}, "TRACKWALKER_MODE=report"),
        ({"TRACKWALKER_MODEL": ""}, "TRACKWALKER_MODEL is not set"),
        ({"GITHUB_TOKEN": ""}, "GITHUB_TOKEN is not set"),
        ({"SLACK_BOT_TOKEN": ""}, "findings are only logged"),
        ({"TRACKWALKER_MODE": "shadow"}, "notifies nobody"),
        ({"TRACKWALKER_PUBLIC_URL": ""}, "no public address"),
    ],
)
def test_what_a_set_up_does_without_is_said(changes: dict[str, str], words: str) -> None:
    assert words in "\n".join(screen(settings(**changes), None, []))
