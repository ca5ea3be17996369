"""The stages that each kind of journal goes through, and which record is made where: one table for all who ask."""

from __future__ import annotations

from collections.abc import Container

LINES: dict[str, tuple[str, ...]] = {
    "alert": ("intake",),
    "sweep": ("survey", "analyse"),
    "incident": ("enrich", "diagnose", "plan", "mend", "propose", "watch"),
    "tell": ("tell",),
}
"""Kind of a journal, which is how its id begins → its stages in their order."""

MAKES: dict[str, tuple[str, ...]] = {
    "survey": ("survey",),
    "analyse": ("findings", "opened_at"),
    "enrich": ("evidence",),
    "diagnose": ("verdict",),
    "plan": ("plan",),
    "mend": ("base", "runner_hint", "fix", "certificate"),
    "propose": ("would_propose", "outcome"),
    "watch": ("merged_at", "after", "watch"),
}
"""Stage → the records in which it finds something out. `outcome` stands for what earlier stages conclude as well."""

OUTSIDE = ("remote", "branch", "pull", "spent")
"""Records of what happened outside: no retry forgets them, so that who acts again finds what is there."""

MADE_BY = {record: stage for stage, records in MAKES.items() for record in records}
"""Record → the stage that makes it again where it cannot be read any more."""

RESTS_ON = {
    "analyse": ("survey",),
    "diagnose": ("evidence",),
    "plan": ("verdict",),
    "mend": ("plan",),
    "propose": ("certificate",),
    "watch": ("outcome", "pull"),
}
"""Stage → the records of which it needs one, made by the stage before it."""


def kind_of(name: str) -> str:
    """`incident` of `incident:<fingerprint>:<round>`; '' for what is no piece of work."""
    kind = name.partition(":")[0]
    return kind if kind in LINES else ""


def reached(name: str, fields: Container[str]) -> list[str]:
    """The stages of this journal whose needs are recorded in its fields (`r:<record>`), in their order."""
    return [stage for stage in LINES.get(kind_of(name), ()) if _stands(stage, fields)]


def _stands(stage: str, fields: Container[str]) -> bool:
    needs = RESTS_ON.get(stage, ())
    return not needs or any(f"r:{record}" in fields for record in needs)
