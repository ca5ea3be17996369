"""The stages that each kind of journal goes through, and which record is made where: one table for all who ask."""

from __future__ import annotations

from collections.abc import Container

STAGES_BY_KIND: dict[str, tuple[str, ...]] = {
    "alert": ("intake",),
    "sweep": ("survey", "analyse"),
    "incident": ("enrich", "diagnose", "plan", "fix", "propose", "watch"),
    "notification": ("notify",),
}
"""Kind of a journal, which is how its id begins → its stages in their order."""

RECORDS_OF_STAGE: dict[str, tuple[str, ...]] = {
    "survey": ("survey",),
    "analyse": ("findings", "opened_at"),
    "enrich": ("evidence",),
    "diagnose": ("verdict",),
    "plan": ("plan",),
    "fix": ("base", "runner_hint", "fix", "verification"),
    "propose": ("would_propose", "outcome"),
    "watch": ("merged_at", "after", "follow_up"),
}
"""Stage → the records in which it finds something out. `outcome` stands for what earlier stages conclude as well."""

EXTERNAL_RECORDS = ("remote", "branch", "pull", "usage")
"""Records of what happened outside: no retry forgets them, so that who acts again finds what is there."""

STAGE_OF_RECORD = {record: stage for stage, records in RECORDS_OF_STAGE.items() for record in records}
"""Record → the stage that makes it again where it cannot be read any more."""

REQUIRED_RECORDS = {
    "analyse": ("survey",),
    "diagnose": ("evidence",),
    "plan": ("verdict",),
    "fix": ("plan",),
    "propose": ("verification",),
    "watch": ("outcome", "pull"),
}
"""Stage → the records of which it needs one, made by the stage before it."""


def kind_of(name: str) -> str:
    """`incident` of `incident:<fingerprint>:<round>`; '' for what is no piece of work."""
    kind = name.partition(":")[0]
    return kind if kind in STAGES_BY_KIND else ""


def reached(name: str, fields: Container[str]) -> list[str]:
    """The stages of this journal whose needs are recorded in its fields (`r:<record>`), in their order."""
    return [stage for stage in STAGES_BY_KIND.get(kind_of(name), ()) if _stands(stage, fields)]


def _stands(stage: str, fields: Container[str]) -> bool:
    needs = REQUIRED_RECORDS.get(stage, ())
    return not needs or any(f"r:{record}" in fields for record in needs)
