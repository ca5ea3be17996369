"""The plan, the patch and its verification. Pure."""

from __future__ import annotations

from workers.models import Fix, Plan, Run, Verification
from workers.runtime.text import safe_text
from workers.views.bounds import MAX_ITEMS, MAX_LABEL, MAX_RAW, first, line, lines, text
from workers.views.shapes import DiffView, PlanView, RunView, VerificationView

MAX_PATCH = 40_000  # characters: a page with a longer patch is slow to open on a phone
MAX_OUTPUT = 6_000  # characters of a command's output; its end holds the failure
MAX_RUNS = 12
MAX_FILES = 50


def plan_view(plan: Plan) -> PlanView:
    """The agent's plan for people."""
    place = f"{plan.cause.file}:{plan.cause.line}" if plan.cause.line else plan.cause.file
    reproduction = f"{plan.reproduction.kind} {plan.reproduction.path or ''}".strip()
    why = f": {plan.reproduction.why}" if plan.reproduction.why else ""
    return PlanView(
        summary=line(plan.cause.summary, 600),
        place=line(place),
        facts=plan.evidence[:MAX_ITEMS],
        reproduction=line(reproduction + why),
        steps=lines(plan.change),
        risk=line(plan.risk),
        undo=line(plan.undo),
        ruled_out=lines(plan.ruled_out),
        unknown=lines(plan.unknown),
        next_checks=lines(plan.next_checks),
    )


def diff_view(fix: Fix) -> DiffView:
    """The patch for people: redacted and cut, so it cannot be applied."""
    rows = fix.patch[:MAX_RAW].splitlines()
    shown = safe_text("\n".join(rows)[:MAX_PATCH])
    left_out = max(0, fix.patch.count("\n") - shown.count("\n") - 1)
    return DiffView(
        base_commit=fix.base_commit[:40],
        summary=line(fix.summary),
        files=lines(fix.files, MAX_FILES),
        added=sum(row.startswith("+") and not row.startswith("+++ ") for row in fix.patch.splitlines()),
        removed=sum(row.startswith("-") and not row.startswith("--- ") for row in fix.patch.splitlines()),
        patch=shown,
        lines_left_out=left_out,
        not_done=lines(fix.not_done),
    )


def verification_view(verification: Verification) -> VerificationView:
    """The runs that failed before and pass after. A second failing run before the fix is among the others."""
    before = verification.reproduction_before or verification.reproduction_deployed
    shown = [run for run in (before, verification.reproduction_after) if run is not None]
    deployed = verification.reproduction_deployed
    checks = [run for check in verification.checks for run in (check.before, check.after)]
    others = [deployed] if deployed is not None and deployed is not before else []
    others += [run for run in (*checks, *verification.runs) if run not in (*shown, *others)]
    unique = list(dict.fromkeys(others))
    listed, left_out = first(unique, MAX_RUNS)
    after = verification.reproduction_after
    return VerificationView(
        decision=verification.decision,
        before=_run(before, "without the fix") if before else None,
        after=_run(after, "with the fix") if after else None,
        others=tuple(_run(run, "check") for run in listed),
        others_left_out=left_out,
        reasons=lines(reason.text for reason in verification.reasons),
        notes=lines(verification.notes),
        sandbox=line(verification.sandbox, MAX_LABEL),
    )


def _run(run: Run, name: str) -> RunView:
    tail = run.output[-MAX_OUTPUT:]
    cut = "… the beginning is left out\n" if len(tail) < len(run.output) else ""
    return RunView(
        name=line(run.name or name, MAX_LABEL),
        command=line(run.command),
        outcome=run.outcome,
        seconds=run.seconds,
        passed=run.passed,
        failed=run.failed,
        output=text(cut + tail, MAX_OUTPUT + len(cut)),
    )
