"""The message of an incident group: what fails, what it has in common, and what waits for a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.support import builders
from workers.incidents.grouping import GroupMember
from workers.models import Evidence, Finding, Outcome, Suspect
from workers.notifications.group_posts import group_post
from workers.notifications.presentation import Presentation

LOOK = Presentation(page_url="https://tw.acme.dev", has_buttons=True, has_modals=True)
SUSPECT = Suspect(
    deployment_id="d",
    commit="7c3fc02aa",
    at=builders.ONSET - timedelta(seconds=8),
    author="dana",
    message="tidy",
)


def member(name: str, finding: Finding | None = None, **fields: Any) -> GroupMember:
    numbers = {"failed": 96.0, "requests": 100.0}
    incident = builders.incident(
        finding or builders.finding(name=name, numbers=numbers), name=name, fingerprint=f"{name:x<16}"
    )
    values: dict[str, Any] = {
        "key": f"trackwalker2:{incident.id}", "incident": incident, "evidence": None, "outcome": None,
        "follow_up": None, "reason": "", "is_suppressed": False, "fix_requested": False, "is_ended": False,
    }  # fmt: skip
    return GroupMember(**values | fields)


def waiting(name: str) -> GroupMember:
    return member(name, outcome=Outcome(kind="waiting", headline="Bug in the code: KeyError"))


def skipped(name: str, commit: str = "abc1234") -> Finding:
    labels = {"deployment": f"commit {commit}", "status": "skipped", "reason": "CI check suite failed"}
    return builders.finding("stuck_deployment", name=name, labels=labels)


def test_the_first_line_names_number_start_and_the_worst_services() -> None:
    members = [member(name) for name in ("checkout", "search", "thumbs", "mail")]

    assert group_post(members, LOOK).headline == (
        "🔴 4 services failing in acme/production since 11:48 UTC: checkout 96 % of requests fail, "
        "search 96 % of requests fail, thumbs 96 % of requests fail"
    )


def test_a_commit_that_several_services_run_is_the_likely_cause() -> None:
    members = [member(name, evidence=Evidence(suspect=SUSPECT)) for name in ("checkout", "search")]

    assert 'All of them run `7c3fc02` "tidy" by dana: *rolling it back* is likely to end all of it.' in (
        group_post(members, LOOK).lines
    )


def test_fixes_that_wait_have_a_button_and_a_menu() -> None:
    post = group_post([waiting("checkout"), waiting("search"), waiting("thumbs")], LOOK)

    assert "Automatic fixes wait for you: checkout, search and thumbs." in post.lines
    assert [button.label for button in post.buttons] == ["Fix checkout", "Details", "Acknowledge all"]
    assert [item.label for item in post.menu] == ["Fix search", "Fix thumbs"]


def test_the_command_is_named_where_there_is_no_button() -> None:
    post = group_post([waiting("checkout"), waiting("search")], Presentation())

    assert f"`trackwalker fix {waiting('checkout').id}`" in post.lines[-1]
    assert post.buttons == ()


def test_deployments_that_one_check_holds_up_share_a_line_that_names_commit_and_check() -> None:
    members = [member(name, skipped(name)) for name in ("api", "web", "mail")]

    assert group_post(members, LOOK).headline == (
        "🔴 3 deployments skipped in acme/production: commit abc1234 (CI check suite failed). "
        "Railway does not retry them"
    )


def test_the_first_line_names_three_commits_at_most() -> None:
    members = [member(f"s{number}", skipped(f"s{number}", f"{number:07}")) for number in range(30)]

    assert group_post(members, LOOK).headline.count("CI check suite failed") == 3


def test_a_group_whose_incidents_have_ended_is_green() -> None:
    members = [member(name, is_ended=True) for name in ("checkout", "search")]

    assert group_post(members, LOOK).headline == "✅ 2 incidents in acme/production have ended"
