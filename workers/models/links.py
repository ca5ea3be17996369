"""Paths of the receiver's pages. Pure: Slack messages, pull requests and the pages themselves use the same."""

from __future__ import annotations

INCIDENT_PREFIX = "incident:"


def incident_path(journal_id: str) -> str:
    """`/incidents/<fingerprint>-<occurrence>` of the journal `incident:<fingerprint>:<occurrence>`."""
    return "/incidents/" + journal_id.removeprefix(INCIDENT_PREFIX).replace(":", "-")


def incident_of_path(name: str) -> str:
    """The journal's id for the last part of an incident's path."""
    fingerprint, _, occurrence = name.partition("-")
    return f"{INCIDENT_PREFIX}{fingerprint}:{occurrence}"


def rollback_path(journal_id: str) -> str:
    """The page that states what a rollback does and asks for confirmation."""
    return incident_path(journal_id) + "/rollback"
