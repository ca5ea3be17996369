"""Decides what `install` has to change in the notification rules of a project. Pure: it reads and writes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from workers.clients.railway.notification_rules import NotificationRule
from workers.doctor.railway_webhook import Difference, Registration, differences, has_other_channels

DIGEST_CHARS = 16  # of the digest of a secret: enough to tell two secrets apart, too few to be of use


class StepKind(StrEnum):
    """The change of a rule, or the reason why nothing changes."""

    CREATE = "create"
    UPDATE = "update"
    KEEP = "keep"
    DELETE = "delete"
    SHARED = "shared"
    """The rule sends to somebody else too, whose headers nobody can read: changing it would lose them."""
    NOTHING = "nothing"
    """There is no rule to delete."""
    NO_WORKSPACE = "no workspace"
    """The project belongs to no workspace, and rules belong to workspaces."""


@dataclass(frozen=True)
class Step:
    """One change of one project, or the reason for none."""

    kind: StepKind
    registration: Registration
    rule: NotificationRule | None = None
    """The present rule; None for a new one."""
    differences: tuple[Difference, ...] = ()
    is_secret_known: bool = True
    """False if the rule may have another secret: Railway does not return it, and we did not write the rule here."""

    @property
    def is_change(self) -> bool:
        return self.kind in (StepKind.CREATE, StepKind.UPDATE, StepKind.DELETE)

    @property
    def is_blocked(self) -> bool:
        return self.kind in (StepKind.SHARED, StepKind.NO_WORKSPACE)


def plan_registration(
    registration: Registration, public_url: str, digest: str, registered: Mapping[str, str], *, renew: bool
) -> Step:
    """The step that makes the project's rule right.

    Args:
        digest: of the secret that the rule has to send.
        registered: digests of the secrets that were written into rules from here, by the id of the rule.
        renew: write the rule again although nothing differs, because its secret may have changed.
    """
    rule = registration.rule
    if rule is None:
        return Step(StepKind.CREATE if registration.workspace_id else StepKind.NO_WORKSPACE, registration)
    wrong = differences(rule, public_url)
    is_known = rule.id in registered
    if not wrong and not renew and registered.get(rule.id, digest) == digest:
        return Step(StepKind.KEEP, registration, rule, is_secret_known=is_known)
    kind = StepKind.SHARED if has_other_channels(rule, public_url) else StepKind.UPDATE
    return Step(kind, registration, rule, wrong)


def plan_removal(registration: Registration, public_url: str) -> Sequence[Step]:
    """The steps that take away every rule of ours, and no other."""
    steps = [
        Step(StepKind.SHARED if has_other_channels(rule, public_url) else StepKind.DELETE, registration, rule)
        for rule in registration.rules
    ]
    return steps or [Step(StepKind.NOTHING, registration)]


def secret_digest(secret: str) -> str:
    """Tells whether a secret is the same as an earlier one, without keeping that."""
    return hashlib.sha256(f"trackwalker webhook {secret}".encode()).hexdigest()[:DIGEST_CHARS]
