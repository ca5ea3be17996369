"""Reservations: one incident at a time fixes a fault location.

A fault location is a file, or the suspect commit, of a repository; its reservation is a key with the incident as value.
The incident's journal names its reservations in the field `reserved`, which only this module reads and writes.
"""

from __future__ import annotations

from collections.abc import Sequence

from workers.engine import scripts
from workers.engine.claim import Claim

RESERVED_SECONDS = 30 * 86_400  # longer than a pull request waits for its review
CANCELLED_RESERVATION_SECONDS = 3600.0
"""After a cancel during `propose` the location stays reserved for this time. A pull request that was being opened is
visible on GitHub by then, and its hidden marker reserves the location from then on."""

FIELD = "reserved"


def reserved_keys(claim: Claim) -> list[str]:
    """The keys of the reservations that the incident made."""
    return [key for key in claim.text(FIELD).split(",") if key]


def reserved_digests(claim: Claim) -> list[str]:
    """The digests of the reserved fault locations, as they stand in the pull request's hidden marker."""
    return [key.rpartition(":")[2] for key in reserved_keys(claim)]


def reserve(claim: Claim, keys: Sequence[str], repository: str) -> str | None:
    """Reserve fault locations, all or none, and release those of an earlier plan that are not among them.

    Returns:
        None once reserved, else the journal key of the incident that holds one of them.
    """
    holder: str = claim.store.run(
        scripts.RESERVE, keys, holder=claim.key, ttl_ms=int(RESERVED_SECONDS * 1000),
        cancelled_ttl_ms=int(CANCELLED_RESERVATION_SECONDS * 1000),
    ).decode()  # fmt: skip
    if holder != claim.key:
        return holder
    _release(claim, [key for key in reserved_keys(claim) if key not in keys])
    claim.set_fields(**{"repository": repository, FIELD: ",".join(keys)})
    return None


def release(claim: Claim) -> None:
    """Release the incident's reservations, so that another incident may fix the fault. Safe to repeat."""
    _release(claim, reserved_keys(claim))


def _release(claim: Claim, keys: Sequence[str]) -> None:
    if keys:
        claim.store.run(scripts.RELEASE_RESERVATIONS, keys, holder=claim.key)
