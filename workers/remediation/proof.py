"""Decides from the runs of a reproduction whether they prove the fix. Pure.

A reproduction proves a fix if it fails without the patch through the fault's place, passes with it because changed
lines run, and fails in each of its counter-checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workers.models import ReasonKind, VerificationReason
from workers.remediation.change_under_test import Change, Fault
from workers.remediation.proof_flaws import find_flaws, find_gaps
from workers.remediation.reproduction_runs import Attempt, Attempts

Decision = Literal["ready", "draft", "rejected", "already fixed"]
FAILURE_LIMIT = 200  # characters of an error that a reason quotes


@dataclass(frozen=True)
class Verdict:
    """The decision, with a reason for anything but `ready`."""

    decision: Decision
    reasons: tuple[VerificationReason, ...] = ()


def decide(attempts: Attempts, fault: Fault, change: Change, base_commit: str) -> Verdict:
    """The verdict that follows from the runs."""
    return _decide_outcomes(attempts, base_commit) or _decide_proof(attempts, fault, change)


def describe_failure(attempt: Attempt) -> str:
    """The error of the first failed test, else the reason or the last line of the output."""
    for name in sorted(attempt.result.report.ids("failed")):
        test = attempt.result.report.tests[name]
        if test.error:
            return f"{test.error}: {test.message.strip().partition(chr(10))[0]}"[:FAILURE_LIMIT]
    lines = [line.strip() for line in attempt.run.output.splitlines() if line.strip()]
    return (attempt.reason or (lines or ["no output"])[-1])[:FAILURE_LIMIT]


# ---- outcomes ----


def _decide_outcomes(attempts: Attempts, base_commit: str) -> Verdict | None:
    """The decision that follows from outcomes alone; None if the reproduction fails before and passes after."""
    first = [attempts.deployed, *attempts.base[:1]]
    for attempt in first:
        if attempt.unloadable:
            text = f"{attempt.reason}: its failure says nothing about the fault"
            return _verdict("rejected", ReasonKind.REPRODUCTION_INVALID, text)
    if not attempts.base:
        text = "the reproduction passes on the deployed commit: it does not show the fault"
        return _verdict("rejected", ReasonKind.NOT_REPRODUCED, text)
    if attempts.base[0].outcome == "passed" and attempts.deployed.outcome == "failed":
        text = f"Already fixed in {base_commit[:12]}, which is not deployed yet"
        return _verdict("already fixed", ReasonKind.ALREADY_FIXED, text)
    if attempts.base[0].outcome == "passed":
        return _verdict("rejected", ReasonKind.NOT_REPRODUCED, "the reproduction passes without the patch")
    patched = attempts.patched[0] if attempts.patched else None
    if patched is not None and patched.outcome == "failed":
        text = f"the reproduction still fails with the patch: {describe_failure(patched)}"
        return _verdict("rejected", ReasonKind.STILL_FAILS, text)
    if (
        patched is not None
        and patched.outcome == "not run"
        and patched.result.started
        and first[-1].outcome == "failed"
    ):
        text = f"with the patch the reproduction cannot be run: {patched.reason}"
        return _verdict("rejected", ReasonKind.STILL_FAILS, text)
    for attempt in (*first, *attempts.patched):
        if attempt.outcome == "not run":
            text = f"the {attempt.run.name} could not be run ({attempt.reason})"
            return _verdict("draft", ReasonKind.REPRODUCTION_NOT_RUN, text)
    if any(attempt.outcome == "passed" for attempt in attempts.base) or any(
        attempt.outcome != "passed" for attempt in attempts.patched
    ):
        text = "the reproduction does not give the same result twice"
        return _verdict("rejected", ReasonKind.UNSTABLE, text)
    return None


# ---- proof ----


def _decide_proof(attempts: Attempts, fault: Fault, change: Change) -> Verdict:
    flaws = list(find_flaws(attempts, fault, change))
    if flaws:
        return Verdict("rejected", tuple(_reason(ReasonKind.NO_PROOF, text) for text in flaws))
    gaps = list(find_gaps(attempts, fault, change))
    if gaps:
        return Verdict("draft", tuple(_reason(ReasonKind.UNPROVED, text) for text in gaps))
    return Verdict("ready")


def _reason(kind: ReasonKind, text: str) -> VerificationReason:
    return VerificationReason(kind=kind, text=text)


def _verdict(decision: Decision, kind: ReasonKind, text: str) -> Verdict:
    return Verdict(decision, (_reason(kind, text),))
