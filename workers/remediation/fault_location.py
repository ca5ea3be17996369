"""Reserves the fault location of a plan, so that each fault location gets one pull request.

Two incidents can have the same cause, for example two services built from one repository. The first plan that names
a culprit file reserves it; later ones attach to its incident.
"""

from __future__ import annotations

from workers.engine import records, reservations
from workers.engine.claim import Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import reservation_key
from workers.incidents import rejections
from workers.models import Evidence, Outcome, Plan, Repository, digest


def commit_keys(repository: Repository, evidence: Evidence) -> list[str]:
    """The reservation of the suspect commit; empty if no deployment is suspected."""
    commit = evidence.suspect.commit if evidence.suspect else None
    return [_key(repository, commit)] if commit else []


def reservation_keys(repository: Repository, plan: Plan, evidence: Evidence) -> list[str]:
    """The reservations of a plan: the culprit file's first, then the suspect commit's if there is one."""
    return [_key(repository, plan.cause.file or ""), *commit_keys(repository, evidence)]


def rejected_outcome(store: JournalStore, keys: list[str]) -> Outcome | None:
    """The outcome if a person closed a pull request for this fault location; None if there is none."""
    number = rejections.find_rejection(store, keys) if keys else None
    if number is None:
        return None
    return Outcome(
        kind="reported", headline=f"PR {number} closed; I won't reopen it unless something changes"
    )


def reserve(claim: Claim, store: JournalStore, repository: Repository, keys: list[str]) -> Outcome | None:
    """Reserve a fault location for this incident.

    Returns:
        None once reserved, else the outcome: a person rejected a fix, or another incident holds the location.
    """
    if rejected := rejected_outcome(store, keys):
        return rejected
    if holder := reservations.reserve(claim, keys, repository.name):
        incident = store.read_record(holder, records.INCIDENT)
        name = incident.subject.name if incident else "another incident"
        return Outcome(
            kind="attached", headline=f"Same cause in the code as {name}: already being fixed there"
        )
    return None


def _key(repository: Repository, location: str) -> str:
    return reservation_key(digest(repository.name.lower(), location))
