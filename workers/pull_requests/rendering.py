"""The text of a pull request: the fault, its cause, the change, the verification and how to undo it. Pure.

In a repository that is not private, only the cause, the files and the test results are shown: figures, logs, hosts
and the link to the incident would disclose the installation to the public.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from workers.models import Evidence, Fix, Incident, Plan, PlanCause, Run, Verdict, Verification, describe_gap
from workers.pull_requests.deploy_notes import deploy_notes
from workers.pull_requests.markdown import LINE_LIMIT, block, cell_code, code, inline, plain
from workers.pull_requests.marker import Marker, render_marker
from workers.runtime.text import plural, safe_line

TITLE_LIMIT = 90  # characters: GitHub's list of pull requests shows about that many on one line
COMMIT_LINE_LIMIT = 200
MAX_POINTS = 8  # points of one list: a reviewer reads the rest on the incident's page
MAX_SYMPTOMS = 3
MAX_FILES = 20
SUSPECT_MESSAGE_LIMIT = 120
MIN_HOST_LENGTH = 4  # shorter names are too common as words to be removed from a sentence
ADDRESSES = re.compile(
    r"\b[a-z][a-z0-9+.-]*://[^\s)\]>\"'`]+|\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b"
    r"|\b(?:[a-z0-9-]+\.)+(?:railway\.internal|railway\.app)(?::\d+)?\b",
    re.I,
)
FIGURES = re.compile(
    r"\b\d[\d.,]*\s?(?:%|(?:percent|requests?|errors?|times|users?|customers?|orders?|ms|[kMG]i?B|rps)\b)",
    re.I,
)
"""Numbers with a unit that discloses traffic or load."""


def render_pull_request(
    incident: Incident, evidence: Evidence, verdict: Verdict, plan: Plan, fix: Fix, verification: Verification, *,
    private: bool, digests: Sequence[str], patch_digest: str, link: str = "",
) -> tuple[str, str]:  # fmt: skip
    """Title and description. Equal values give equal text, so a repeated run proposes the same pull request.

    Args:
        private: False hides everything that only the owner of the repository may know.
        digests: digests of the reserved fault locations, for the marker.
        link: address of the incident's page; empty leaves it out.
    """
    service = incident.service.name if incident.service else incident.subject.name
    if private:
        title = f"{service}: {plan.cause.summary}"
        parts = [
            *_fault_section(incident, evidence, verdict, link), *_cause_section(plan.cause, evidence, plan.evidence),
            *_fix_section(plan, fix), *_verification_section(verification, fix, private=True),
            *_unknown_section(plan, evidence, verdict), *_deployment_section(incident, fix),
            *_undo_section(plan, incident),
        ]  # fmt: skip
    else:
        summary = redact_for_public(plan.cause.summary, incident, evidence)
        cause = plan.cause.model_copy(update={"summary": summary})
        title = cause.summary
        parts = [*_cause_section(cause, evidence, ()), "### Fix", _file_list(fix)]
        parts += [*_verification_section(verification, fix, private=False)]
        parts += ["### Undo", "Revert this pull request."]
    marker = Marker(incident=incident.id, digests=tuple(digests), patch=patch_digest)
    return plain(title, TITLE_LIMIT), "\n\n".join([*parts, render_marker(marker)]) + "\n"


def commit_message(title: str, plan: Plan, *, private: bool) -> str:
    """The message of the commit. Equal plans give equal messages and so the same commit hash.

    Args:
        private: False leaves out the steps of the plan, which may name hosts and figures.
    """
    place = f"{plan.cause.file}:{plan.cause.line}" if plan.cause.file else ""
    steps = [f"- {plain(step, COMMIT_LINE_LIMIT)}" for step in plan.change[:MAX_POINTS]] if private else []
    cause = f"Cause: {plain(place, COMMIT_LINE_LIMIT)}" if place else ""
    paragraphs = [title, cause, "\n".join(steps)]
    return "\n\n".join(part for part in paragraphs if part) + "\n"


def redact_for_public(text: str, incident: Incident, evidence: Evidence) -> str:
    """Text for a public repository: without addresses, figures, hosts from the evidence and the project's name."""
    text = FIGURES.sub("[figure]", ADDRESSES.sub("[address]", safe_line(text, LINE_LIMIT)))
    names = {upstream.host for upstream in evidence.upstreams} | {
        incident.project_name,
        incident.environment_id,
    }
    # Longest first: a name that contains another one is replaced as a whole.
    for name in sorted(names, key=len, reverse=True):
        if len(name) >= MIN_HOST_LENGTH:
            text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", "[left out]", text, flags=re.I)
    return text


# ---- sections ----


def _fault_section(incident: Incident, evidence: Evidence, verdict: Verdict, link: str) -> list[str]:
    window = incident.window
    period = f"{window.start:%Y-%m-%d %H:%M} to {window.end:%H:%M} UTC"
    environment = code(f"{incident.project_name}/{incident.environment_name}")
    intro = (
        f"Observed from {period} ({plural(round(window.minutes), 'minute')}) in {environment}, "
        f"severity {incident.severity.value}."
    )
    lines = [inline(finding.named_sentence) for finding in incident.findings]
    lines += [
        f"Also affected: {inline(finding.named_sentence)}" for finding in incident.symptoms[:MAX_SYMPTOMS]
    ]
    if suspect := evidence.suspect:
        commit = f", commit {code(suspect.commit[:12])}" if suspect.commit else ""
        message = f": {inline(suspect.message, SUSPECT_MESSAGE_LIMIT)}" if suspect.message else ""
        lines.append(
            f"Since deployment {code(suspect.deployment_id)} at {suspect.at:%Y-%m-%d %H:%M} UTC{commit}{message}"
        )
    summary = [inline(verdict.summary)] if verdict.summary else []
    page = [f"[All facts of {code(incident.id)}]({link})"] if link else []
    return ["### Fault", intro, _points(lines), *summary, *page]


def _cause_section(cause: PlanCause, evidence: Evidence, fact_ids: Iterable[str]) -> list[str]:
    place = f"{cause.file}:{cause.line}" if cause.file and cause.line else cause.file or ""
    facts = {fact.id: fact.text for fact in evidence.facts}
    points = [f"{code(fact_id)} {inline(facts[fact_id])}" for fact_id in fact_ids if fact_id in facts]
    location = f"\n\n{code(place)}" if place else ""
    return ["### Cause", f"{inline(cause.summary)}{location}", *([_points(points)] if points else [])]


def _fix_section(plan: Plan, fix: Fix) -> list[str]:
    summary = [inline(fix.summary)] if fix.summary else []
    steps = [_points([inline(step) for step in plan.change])] if plan.change else []
    risk = [f"Risk: {inline(plan.risk)}"] if plan.risk else []
    not_done = [_points([f"Not done: {inline(item)}" for item in fix.not_done])] if fix.not_done else []
    return ["### Fix", *summary, *steps, _file_list(fix), *risk, *not_done]


def _file_list(fix: Fix) -> str:
    more = f" and {len(fix.files) - MAX_FILES} more" if len(fix.files) > MAX_FILES else ""
    return "Files: " + ", ".join(code(file) for file in fix.files[:MAX_FILES]) + more


def _verification_section(verification: Verification, fix: Fix, *, private: bool) -> list[str]:
    draft = ["This is a draft: not everything could be verified."] if verification.decision == "draft" else []
    test = [f"New test: {code(fix.reproduction_path)}"] if fix.reproduction_path else []
    details = _verification_details(verification) if private else []
    return ["### Verification", *draft, _result_table(verification), *test, *details]


def _result_table(verification: Verification) -> str:
    deployed, before, after = (
        verification.reproduction_deployed, verification.reproduction_before, verification.reproduction_after,
    )  # fmt: skip
    rows: list[tuple[str, Run | None, Run | None]] = []
    if deployed:
        rows.append(("new test on the deployed commit", deployed, None))
    command = (after or before or deployed or Run(command="", outcome="not run")).command
    if before or after:
        rows.append((f"new test {cell_code(command)}", before, after))
    rows += [
        (f"check {cell_code(check.after.command)}", check.before, check.after)
        for check in verification.checks
    ]
    if not rows:
        return "No command could be run."
    return "| command | without the fix | with the fix |\n|---|---|---|\n" + "\n".join(
        f"| {name} | {_run_outcome(old)} | {_run_outcome(new)} |" for name, old, new in rows
    )


def _verification_details(verification: Verification) -> list[str]:
    """Reasons, notes and command output: they quote the repository, so only its owner may read them."""
    reasons = [inline(reason.text) for reason in verification.reasons]
    notes = [inline(note) for note in verification.notes]
    failing = verification.reproduction_before or verification.reproduction_deployed
    parts = ["Not verified:", _points(reasons)] if reasons else []
    parts += ["For the reviewer:", _points(notes)] if notes else []
    parts += [inline(verification.sandbox)] if verification.sandbox else []
    return [
        *parts,
        *([_collapsed("Output without the fix", failing.output)] if failing and failing.output else []),
    ]


def _run_outcome(run: Run | None) -> str:
    return run.outcome if run else "–"


def _unknown_section(plan: Plan, evidence: Evidence, verdict: Verdict) -> list[str]:
    facts = {fact.id: fact.text for fact in evidence.facts}
    points = [f"Ruled out: {inline(item)}" for item in plan.ruled_out]
    points += [
        f"Contradicting: {inline(facts[fact_id])}" for fact_id in verdict.contradicts if fact_id in facts
    ]
    points += [f"Unknown: {inline(item)}" for item in plan.unknown]
    points += [f"Not available: {inline(describe_gap(gap))}" for gap in evidence.failed_reads]
    return ["### Ruled out and unknown", _points(points, 2 * MAX_POINTS)] if points else []


def _deployment_section(incident: Incident, fix: Fix) -> list[str]:
    """The section about the reasons for which Railway may not deploy the merge."""
    notes = deploy_notes(incident.service, fix.files)
    return ["### Deployment", _points([inline(note) for note in notes])] if notes else []


def _undo_section(plan: Plan, incident: Incident) -> list[str]:
    """How to undo the merge: a revert, or a faster rollback if the deployment before the merge was running."""
    serving = incident.service.serving if incident.service else None
    points = ["Revert this pull request."]
    if serving and serving.status != "CRASHED":
        points.append(
            f"Faster, after the merge: roll back on Railway to the previous deployment {code(serving.id)} "
            "(while Railway retains it). A rollback restores its image and its variables."
        )
    return ["### Undo", _points(points + ([inline(plan.undo)] if plan.undo else []))]


def _points(lines: Sequence[str], limit: int = MAX_POINTS) -> str:
    more = [f"… and {len(lines) - limit} more"] if len(lines) > limit else []
    return "\n".join(f"- {line}" for line in [*lines[:limit], *more])


def _collapsed(summary: str, text: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{block(text)}\n\n</details>"
