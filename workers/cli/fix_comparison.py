"""`replay --with-model-answers`: a recorded fix beside the one that the same answers of the model give now."""

from __future__ import annotations

import difflib
from datetime import UTC, datetime

from workers.actions.lookup import find_journal
from workers.cli.replay_comparison import DIFFERENT, IMPOSSIBLE, SAME, ReplayResult, compare_fields
from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.engine.journal_store import JournalStore
from workers.engine.schema import journal_id
from workers.errors import Refused
from workers.models import Verification
from workers.remediation.fix_replay import Recorded, Replayed, read_recorded, replay_fix
from workers.remediation.resources import Remediation
from workers.runtime import environment
from workers.runtime.settings import Settings
from workers.runtime.text import safe_line

MAX_DIFFERENCES = 40  # lines of the difference of two patches


def compare_fix(settings: Settings, store: JournalStore, name: str) -> ReplayResult:
    """The comparison for an incident. Nothing is recorded and nothing is posted.

    Raises:
        Refused: no journal, or more than one, has this name; or the agent or a setting refuses.
        NotAvailable: Redis or the repository cannot be reached, or the agent broke off.
    """
    key = find_journal(store, name)
    try:
        read_recorded(store, key)
    except Refused as error:
        return ReplayResult(IMPOSSIBLE, [safe_line(f"cannot be replayed: {error}")])
    github = GitHub.from_settings(settings)
    url = settings.github_server_url
    remediation = Remediation(
        settings=settings, github=github, store=store, folder=environment.data_dir(),
        repositories=Repositories(environment.data_dir() / "work", url, github.credentials),
        now=lambda: datetime.now(UTC),
    )  # fmt: skip
    replayed = replay_fix(
        store, key, remediation, lambda folder: Repositories(folder, url, github.credentials)
    )
    return describe_replay(journal_id(key), replayed)


def describe_replay(name: str, replayed: Replayed) -> ReplayResult:
    """The differences between what is recorded and what came out, as lines for people."""
    recorded = replayed.recorded
    differences = [f"plan, {line}" for line in compare_fields(recorded.plan, replayed.plan)]
    differences += _compare_patches(recorded, replayed)
    differences += _compare_verifications(recorded.verification, replayed.verification)
    notes = [f"answers: {_answers(recorded)}", *_caveats(recorded)]
    fix = replayed.fix
    outcome = f"{replayed.plan.verdict.value}: {replayed.plan.cause.summary}"
    outcome += f"; changes {', '.join(fix.files)}" if fix else "; no patch"
    outcome += f"; {replayed.verification.decision}" if replayed.verification else ""
    word, code = ("different", DIFFERENT) if differences else ("same", SAME)
    indented = (f"  {safe_line(line)}" for line in (*differences, *notes))
    return ReplayResult(code, [safe_line(f"{name}: {word}: {outcome}"), *indented])


def _compare_patches(recorded: Recorded, replayed: Replayed) -> list[str]:
    before = recorded.fix.patch if recorded.fix else ""
    now = replayed.fix.patch if replayed.fix else ""
    lines = list(difflib.unified_diff(before.splitlines(), now.splitlines(), lineterm="", n=0))[2:]
    more = [f"patch: and {len(lines) - MAX_DIFFERENCES} more lines"] if len(lines) > MAX_DIFFERENCES else []
    return [*(f"patch: {line}" for line in lines[:MAX_DIFFERENCES]), *more]


def _compare_verifications(before: Verification | None, now: Verification | None) -> list[str]:
    """The differences in decisions, reasons, notes and outcomes; durations and output vary from run to run."""
    if before is None or now is None:
        return [] if before is now else [f"verification: {_decision(before)} → {_decision(now)}"]
    lines = [] if before.decision == now.decision else [f"verification: {before.decision} → {now.decision}"]
    old, new = _facts(before), _facts(now)
    lines += [f"verification: no longer {fact}" for fact in old if fact not in new]
    return [*lines, *(f"verification: now also {fact}" for fact in new if fact not in old)]


def _decision(verification: Verification | None) -> str:
    return verification.decision if verification else "none"


def _facts(verification: Verification) -> list[str]:
    runs = {
        "on the deployed version": verification.reproduction_deployed,
        "before the fix": verification.reproduction_before,
        "after the fix": verification.reproduction_after,
    }
    facts = [f"reproduction {when}: {run.outcome}" for when, run in runs.items() if run]
    facts += [f"reason {reason.kind.value}" for reason in verification.reasons]
    return facts + [f"note {note}" for note in verification.notes]


def _answers(recorded: Recorded) -> str:
    counts = {role: sum(call.is_complete for call in calls.calls) for role, calls in recorded.calls.items()}
    return ", ".join(f"{count} of the {role}" for role, count in counts.items())


def _caveats(recorded: Recorded) -> list[str]:
    altered = sum(call.is_altered for calls in recorded.calls.values() for call in calls.calls)
    return (
        [f"secrets are redacted in {altered} of the answers, so the patch may differ there"]
        if altered
        else []
    )
