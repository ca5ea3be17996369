"""Rollbacks of a service: what a person can choose, asks for and gets."""

from __future__ import annotations

from enum import StrEnum

from workers.models.action import Person
from workers.models.base import Model, Moment
from workers.models.clean_text import Exact


class CommitNote(Model):
    """A deployed commit in one line."""

    deployment_id: Exact = ""
    commit: Exact = ""
    """The whole hash; "" for a deployment of an image or an upload."""
    subject: str = ""
    """The first line of its message."""
    author: str = ""
    at: Moment | None = None
    """When its deployment was created."""

    @property
    def name(self) -> str:
        """The start of its commit, otherwise of its deployment's id."""
        return self.commit[:7] or f"deployment {self.deployment_id[:8]}"


class RollbackOption(Model):
    """The deployment that ran well before the suspect one, and what a rollback to it would change.

    A rollback restores the image and the variables of the target
    (https://docs.railway.com/deployments/deployment-actions).
    """

    target: CommitNote
    ran_until: Moment
    """When the suspect deployment took its place."""
    replaces: CommitNote
    """The suspect deployment, which the rollback takes out of service."""
    also_undone: tuple[CommitNote, ...] = ()
    """Other deployments that went live after the target, newest first: their commits are undone as well."""
    changed_variables: tuple[Exact, ...] = ()
    """Names of variables that were changed since the target began, as far as Railway's activity feed names them.

    The feed may lack some, so a page says that the variables of `target.at` are restored, whatever this lists.
    """


class RollbackKind(StrEnum):
    ROLLBACK = "rollback"
    REDEPLOY = "redeploy"
    """The end of a rollback: what ran before it is deployed again."""


class RollbackState(StrEnum):
    REQUESTED = "requested"
    DONE = "done"
    """Railway took the request; the new deployment may still be starting."""
    REFUSED = "refused"
    """The request changed nothing; `reason` says why."""


class Rollback(Model):
    """One rollback, or the end of one, that a person asked for. The newest one stands in its incident's journal."""

    kind: RollbackKind
    state: RollbackState = RollbackState.REQUESTED
    journal_id: Exact
    """`rollback:<fingerprint>:<occurrence>`, with `:<number>` from the second one on."""
    incident_id: Exact
    project_id: Exact
    environment_id: Exact
    service_id: Exact
    service_name: str
    target: CommitNote
    """The deployment whose image and variables are to run."""
    replaces: CommitNote
    """The deployment that was live when the person asked."""
    person: Person
    at: Moment
    """When the person asked."""
    done_at: Moment | None = None
    new_deployment_id: Exact = ""
    """The deployment that Railway made; "" if it only switched back to the target."""
    reason: str = ""
