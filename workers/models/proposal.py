"""A fix, its verification, the pull request, the outcome and the follow-up."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from workers.models.base import Model, Moment
from workers.models.clean_text import Exact, Text
from workers.models.incident import Finding
from workers.models.survey import Gap


class Fix(Model):
    """The patch and everything its commit needs, so that the commit has the same hash whenever a worker makes it."""

    base_commit: str
    """Head of the base branch when the patch was made: the parent of the commit."""
    patch: Exact
    """Unified diff as `git diff --binary --full-index` prints it. Any change would break it."""
    files: tuple[Exact, ...]
    """Paths as git prints them; the patch policy refuses names with hidden characters."""
    reproduction_path: str | None = None
    """The new test or script, relative to the repository; None if the plan asks for none."""
    summary: str = ""
    """The writing agent's own account, unverified."""
    not_done: tuple[str, ...] = ()
    committed_at: Moment


class Run(Model):
    """One command that ran in the sandbox."""

    name: str = ""
    """The check and the tree in which it ran: `reproduction on the base commit`."""
    command: str
    outcome: Literal["passed", "failed", "not run"]
    output: Text = ""
    """The redacted end of standard output and standard error."""
    seconds: float = 0.0
    passed: int = 0
    """Tests that passed, and that failed, by the report of the host's runner."""
    failed: int = 0


class Check(Model):
    """One of the repository's own checks, without and with the patch."""

    before: Run
    after: Run


class ReasonKind(StrEnum):
    """The reasons why a verification did not end as `ready`."""

    INVALID_SETTINGS = "invalid settings"
    """`.trackwalker.toml` of the repository is malformed."""
    POLICY = "policy"
    """The patch breaks a rule of the patch policy."""
    REPRODUCTION_MISSING = "reproduction missing"
    """The agent did not write the test or script of its plan."""
    REPRODUCTION_INVALID = "reproduction invalid"
    """The test cannot be loaded or calls code that does not exist: its failure says nothing about the fault."""
    NOT_REPRODUCED = "not reproduced"
    """The test passes without the patch."""
    ALREADY_FIXED = "already fixed"
    """The test fails on the deployed commit and passes on the base branch."""
    STILL_FAILS = "still fails"
    """The test fails with the patch."""
    UNSTABLE = "unstable"
    """The test gives different results on the same code."""
    NO_PROOF = "no proof"
    """The reproduction passes, but not because of the patch, or it fails for another reason than the fault's."""
    UNPROVED = "unproved"
    """Part of the proof is not available here, for example the executed lines of this language."""
    CHECK_REGRESSED = "check regressed"
    """One of the repository's own checks is worse with the patch."""
    ONLY_UNDER_LOAD = "only under load"
    """The plan says that the fault needs load, which the host does not generate."""
    NO_REPRODUCTION = "no reproduction"
    """The plan names no way to reproduce the fault."""
    REPRODUCTION_NOT_RUN = "reproduction not run"
    """No runner for this kind of test, or its dependencies cannot be installed."""
    CHECK_NOT_RUN = "check not run"
    """The same for one of the repository's own checks."""
    NEEDS_DEPLOYMENT = "needs deployment"
    """Only a deployment shows whether the platform builds and starts the service."""


class VerificationReason(Model):
    """The reason for a rejection, or the unverified part of a draft. Code decides on `kind`; people read `text`."""

    kind: ReasonKind
    text: str


class Verification(Model):
    """The commands that ran without and with the patch, and the decision that follows."""

    decision: Literal["ready", "draft", "rejected", "already fixed"]
    """`ready` and `draft` fixes are proposed, the others are only reported."""
    reproduction_deployed: Run | None = None
    """The reproduction on the deployed commit; the next two on the base branch without and with the patch."""
    reproduction_before: Run | None = None
    reproduction_after: Run | None = None
    checks: tuple[Check, ...] = ()
    reasons: tuple[VerificationReason, ...] = ()
    notes: tuple[str, ...] = ()
    """Facts for the reviewer that block nothing, for example a new host or dependency."""
    runs: tuple[Run, ...] = ()
    """All runs in the order in which they ended, the counter-checks among them."""
    sandbox: str = ""
    """The isolation level in which everything ran."""
    own_seconds: float = 0.0
    """Time that the host spent on copies, namespaces and reports, without the commands."""


class RemoteRepository(Model):
    """A repository as GitHub describes it. `may_push` is False only if GitHub denies the permission."""

    name: str
    private: bool
    default_branch: str
    may_push: bool = True


class PullRequest(Model):
    # Exact: names that later requests and comparisons use. They are escaped where people see them.
    number: int
    url: Exact
    draft: bool
    branch: Exact
    state: Literal["open", "merged", "closed"] = "open"
    merge_commit: Exact | None = None
    merged_by: str = ""
    merged_at: Moment | None = None
    head_commit: Exact = ""
    body: Text = ""
    title: str = ""
    author: str = ""
    base: Exact = ""
    from_fork: bool = False
    """True if the branch is in another repository or in a deleted one: Trackwalker never pushes there."""
    by_writer: bool = True
    """False if the author may be a stranger who found the repository on the internet."""

    @property
    def is_trusted(self) -> bool:
        """True if people who may write to the repository wrote the branch and opened the pull request."""
        return self.by_writer and not self.from_fork


class Outcome(Model):
    """The result of the active part of an occurrence. Code decides on `kind`; the other fields are for people."""

    kind: Literal[
        "pull request", "reported", "waiting", "delayed", "blocked", "nothing proposed", "attached", "failed",
        "cancelled", "not a problem",
    ]  # fmt: skip
    """The result.

    `waiting`: a fix needs a person's approval. `delayed`: the cause is known, and a service that the fix needs is
    away; the fix is still tried (the record `interim`). `blocked`: a verified patch waits for a permission of the
    GitHub token. `attached`: another incident or pull request covers the cause.
    """
    headline: str
    lines: tuple[str, ...] = ()
    link: str | None = None
    waits_for: str = ""
    """Why the fix waits: the service that is away, or the permission that is missing (`delayed`, `blocked`)."""
    states_verdict: bool = False
    """True if the headline contains the verdict, so that a message need not repeat it."""


class FollowUpResult(StrEnum):
    """The end of an incident after its outcome was reported."""

    VERIFIED = "verified"
    """The signature of the incident is gone after the merge was deployed."""
    FAILED = "failed"
    """The same trouble is there after the deployment."""
    UNMEASURED = "unmeasured"
    """The window after the deployment could not be measured."""
    NOT_DEPLOYED = "not_deployed"
    """The pull request was merged, but no deployment of it went live in time."""
    CLOSED = "closed"
    """A person closed the pull request without merging it."""
    RESOLVED = "resolved"
    """Consecutive checks found no problem."""
    REMOVED = "removed"
    """Consecutive checks did not find the service itself."""
    ABANDONED = "abandoned"
    """The stage `watch` was given up; `reason` says why."""


class FollowUp(Model):
    """How an incident ended: the measured effect of its fix, or its recovery without one."""

    result: FollowUpResult
    minutes: float | None = None
    """Length of the measured window after the deployment."""
    requests: int = 0
    failed_requests: int = 0
    """Requests of that window, and those that were answered with 5xx."""
    remaining: Finding | None = None
    """The finding that shows the same trouble again (`FAILED`)."""
    gaps: tuple[Gap, ...] = ()
    """Reads that failed and may hide the trouble (`UNMEASURED`)."""
    still_affected: tuple[str, ...] = ()
    """Names of symptom services that are unhealthy although their presumed cause has recovered."""
    pull_number: int | None = None
    pull_url: Exact = ""
    deployed_at: Moment | None = None
    """When the merge was live (`VERIFIED`, `FAILED`, `UNMEASURED`)."""
    requests_before: int = 0
    failed_requests_before: int = 0
    """Requests of the window in which the incident was opened, and those that were answered with 5xx."""
    commit: str = ""
    """The merge commit (`NOT_DEPLOYED`)."""
    deployment_status: str = ""
    """Railway's status of the deployment of that commit, "" if there is none (`NOT_DEPLOYED`)."""
    skipped_reason: str = ""
    """Why Railway skipped that deployment."""
    checks: int = 0
    """Number of consecutive checks that show the recovery (`RESOLVED`, `REMOVED`)."""
    reason: str = ""

    @property
    def is_alarming(self) -> bool:
        """True if people must be called: the merged fix does not end the trouble."""
        return self.result is FollowUpResult.FAILED

    @property
    def is_recovered(self) -> bool:
        """True if the trouble is gone, with or without a fix."""
        return self.result in (FollowUpResult.VERIFIED, FollowUpResult.RESOLVED, FollowUpResult.REMOVED)


class MergeProgress(Model):
    """How far a merged pull request is, until the follow-up. Each step replaces the record."""

    pull_number: int
    pull_url: Exact
    merged_at: Moment
    merged_by: str = ""
    """GitHub login; "" if GitHub does not say."""
    deployed_at: Moment | None = None
    """When the deployment of the merge was live; None until then."""
    deployment_id: Exact = ""
    deployment_status: Exact = ""
    """Railway's status of the deployment of the merge commit, "" if Railway lists none yet."""
    watching_until: Moment | None = None
    """The end of the verification window, known once the merge is live."""
    measured_at: Moment | None = None
    """The end of the window of the figures; None before the first measurement."""
    requests: int = 0
    failed_requests: int = 0
    """Requests since `deployed_at`, and those that were answered with 5xx."""


class RecoveryProgress(Model):
    """An open incident whose trouble the latest checks did not find any more."""

    clean_checks: int
    """Consecutive checks without the trouble."""
    required_checks: int
    """The number of them that ends the incident, if its pull request is not open."""
    removed: bool = False
    """True if Railway no longer lists the service."""
    healthy_since: Moment | None = None
    """The end of the last window or event that showed the trouble."""
    minutes: float | None = None
    requests: int = 0
    failed_requests: int = 0
    """The latest check: its window in minutes, the service's requests and those that were answered with 5xx."""

    @property
    def is_complete(self) -> bool:
        """True if the checks suffice; an incident with an open pull request stays open nevertheless."""
        return self.clean_checks >= self.required_checks
