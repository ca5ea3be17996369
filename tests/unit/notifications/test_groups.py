"""The first line of an incident group."""

from __future__ import annotations

from tests.support import builders
from workers.incidents.grouping import GroupMember
from workers.models import Finding
from workers.notifications.groups import render_ack, render_outcome


def member(name: str, finding: Finding) -> GroupMember:
    return GroupMember(
        key=f"trackwalker2:incident:{name}:1", incident=builders.incident(finding, name=name), outcome=None,
        follow_up=None, reason="", is_suppressed=False, fix_requested=False, is_ended=False,
    )  # fmt: skip


def skipped(name: str, commit: str = "abc1234") -> Finding:
    labels = {"deployment": f"commit {commit}", "status": "skipped", "reason": "CI check suite failed"}
    return builders.finding("stuck_deployment", name=name, labels=labels)


def test_deployments_that_one_check_holds_up_share_a_line_that_names_commit_and_check() -> None:
    members = [member(name, skipped(name)) for name in ("api", "web", "mail")]

    expected = "*3 deployments skipped* in acme/production: commit abc1234 (CI check suite failed)."
    assert render_ack(members).startswith(f"{expected} Railway does not retry them:")
    assert render_outcome(members).startswith(expected)


def test_a_group_with_other_trouble_is_named_by_its_number() -> None:
    members = [member("api", skipped("api")), member("web", builders.finding(name="web"))]

    assert render_ack(members).startswith("*2 incidents at once* in acme/production:\n")


def test_the_first_line_names_three_commits_at_most() -> None:
    members = [member(f"s{number}", skipped(f"s{number}", f"{number:07}")) for number in range(30)]

    first_line = render_ack(members).splitlines()[0]

    assert first_line.count("CI check suite failed") == 3
