"""Every record that a journal may hold: its name and its type, in the order in which the pipeline makes them.

`claim.need(records.VERDICT)` is typed by the record. A notification's journal holds the Slack messages that it posted
instead; `slack_message` names those records.

This module and `stage_table` are the only places where the engine names models. They stand here, below every package
that reads or makes a record, so that incidents, remediation, notifications and the command line share one registry
without importing the pipeline.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from workers.engine.codec import Record
from workers.models import (
    Acknowledgement,
    Alert,
    CheckResult,
    Decision,
    DismissedFinding,
    Environment,
    Evidence,
    Finding,
    Fix,
    FollowUp,
    Incident,
    MergeProgress,
    Outcome,
    Plan,
    PullRequest,
    RemoteRepository,
    Rollback,
    SlackMessage,
    Summary,
    Survey,
    Transcript,
    Usage,
    Verdict,
    Verification,
)

# What a journal is opened with.
ALERT = Record("alert", Alert)
ENVIRONMENT = Record("environment", Environment)
INCIDENT = Record("incident", Incident)

# A sweep.
SURVEY = Record("survey", Survey)
FINDINGS = Record("findings", list[Finding])
DISMISSED = Record("dismissed", list[DismissedFinding])  # findings that people decided are no problem
OPENED_AT = Record("opened_at", datetime)  # the time under which the sweep's incidents are opened

# An incident: the newest findings of its cause and of its symptoms, which later sweeps keep current.
LATEST_FINDINGS = Record("latest_findings", list[Finding])
SYMPTOMS = Record("symptoms", list[Finding])
# The windows of the service from before the onset, with which later windows are compared.
BEFORE = Record("before", list[Summary])
MEASURED = Record(
    "measured", FollowUp
)  # what the latest sweep that did not find the trouble measured of the service

# An incident: what its stages compute, in order.
EVIDENCE = Record("evidence", Evidence)
VERDICT = Record("verdict", Verdict)
READER_CALLS = Record("reader_calls", Transcript)  # the calls of the model behind the plan
PLAN = Record("plan", Plan)
BASE = Record("base", str)  # the commit of the base branch on which the fix is made
RUNNER_HINT = Record("runner_hint", str)  # how the repository's tests are run, for the writer's prompt
WRITER_CALLS = Record("writer_calls", Transcript)  # the calls of the model behind the fix
FIX = Record("fix", Fix)
VERIFICATION = Record("verification", Verification)
# The title and body of a pull request that the mode does not allow.
WOULD_PROPOSE = Record("would_propose", str)
# The verdict, reported while the fix waits for a service that is away. It is posted as an outcome of its own.
INTERIM = Record("interim", Outcome)
OUTCOME = Record("outcome", Outcome)
CANCELLED = Record("cancelled", Outcome)  # written by `cancel`; takes the place of the outcome
MERGED_AT = Record("merged_at", datetime)
MERGE_PROGRESS = Record("merge_progress", MergeProgress)  # for the edited first message, until the follow-up
SURVEY_AFTER_MERGE = Record("survey_after_merge", Survey)  # the measurement after the deployment of the merge
FOLLOW_UP = Record("follow_up", FollowUp)

# An incident: what exists outside. No retry forgets these, so that the next attempt finds what is there.
REMOTE = Record("remote", RemoteRepository)
BRANCH = Record("branch", str)  # the pushed commit
PULL = Record("pull", PullRequest)
USAGE = Record("usage", Usage)

# An incident: what people decided about it.
ACKNOWLEDGED = Record("acknowledged", Acknowledgement)
ROLLBACK = Record("rollback", Rollback)  # the newest rollback; also in the rollback's own journal
# A rollback: the status of each deployment before it, by id, and the deployment that it made.
KNOWN_DEPLOYMENTS = Record("known_deployments", dict[str, str])
NEW_DEPLOYMENT = Record("new_deployment", str)
CHECKED = Record("checked", CheckResult)  # the newest check that a person asked for
DECISION = Record("decision", Decision)  # the snooze, or that it is not a problem

CALLS: dict[str, Record[Transcript]] = {"reader": READER_CALLS, "writer": WRITER_CALLS}
"""The record of an agent's calls by its role. Both are written during the run, so that a killed worker keeps them."""

EXTERNAL: tuple[Record[Any], ...] = (REMOTE, BRANCH, PULL, USAGE, ROLLBACK)

ACK = Record("ack", SlackMessage)  # a notification's first message


def slack_message(name: str) -> Record[SlackMessage]:
    """The record of a message that a notification's journal posted: `ack`, `outcome`, `watch-2` …"""
    return Record(name, SlackMessage)
