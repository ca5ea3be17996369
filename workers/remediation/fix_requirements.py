"""The settings and facts without which no fix can be attempted. Pure."""

from __future__ import annotations

from enum import StrEnum

from workers.models import Evidence
from workers.runtime.settings import Settings


class MissingRequirement(StrEnum):
    """A precondition of a fix that does not hold."""

    MODE = "mode"
    MODEL = "model"
    GITHUB_ACCESS = "github access"
    REPOSITORY = "repository"
    FACTS = "facts"


def missing_requirement(settings: Settings, evidence: Evidence) -> MissingRequirement | None:
    """The first precondition of a fix that does not hold; None if a fix can be attempted."""
    if settings.mode in ("shadow", "report"):
        return MissingRequirement.MODE
    if not settings.model:
        return MissingRequirement.MODEL
    if not settings.can_fix:
        return MissingRequirement.GITHUB_ACCESS
    if evidence.repository is None:
        return MissingRequirement.REPOSITORY
    return None


def describe_requirement(requirement: MissingRequirement, settings: Settings) -> str:
    """The sentence for people, with the setting to change if there is one."""
    reasons = {
        MissingRequirement.MODE: f"TRACKWALKER_MODE={settings.mode}",
        MissingRequirement.MODEL: "TRACKWALKER_MODEL is not set",
        MissingRequirement.GITHUB_ACCESS: "GITHUB_TOKEN is not set",
        MissingRequirement.REPOSITORY: "the service's repository could not be read",
        MissingRequirement.FACTS: "there are no facts to give to an agent",
    }
    return f"No fix attempted: {reasons[requirement]}"
