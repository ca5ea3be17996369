"""The text of a pull request: its cause, who is affected since when, the change, the proof and how to undo it. Pure.

In a repository that is not private, only the cause, the files and the test results are shown: figures, logs, hosts
and the link to the incident would disclose the installation to the public.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from workers.models import Evidence, Fix, Incident, Plan, Run, Verification
from workers.pull_requests.deploy_notes import deploy_notes
from workers.pull_requests.incident_paragraphs import (
    Page,
    cause_paragraph,
    effect_paragraph,
    footer,
    undo_line,
)
from workers.pull_requests.markdown import LINE_LIMIT, block, cell_code, code, inline, plain
from workers.pull_requests.marker import Marker, render_marker
from workers.runtime.text import safe_line

TITLE_LIMIT = 90  # characters: GitHub's list of pull requests shows about that many on one line
COMMIT_LINE_LIMIT = 200
MAX_POINTS = 8  # points of one list: a reviewer reads the rest on the incident's page
MAX_FILES = 20
MIN_RISK_WORDS = 4  # of a risk that says why
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
    incident: Incident, evidence: Evidence, plan: Plan, fix: Fix, verification: Verification, *,
    private: bool, digests: Sequence[str], patch_digest: str, page: Page,
) -> tuple[str, str]:  # fmt: skip
    """Title and description. Equal values give equal text, so a repeated run proposes the same pull request.

    Args:
        private: False hides everything that only the owner of the repository may know.
        digests: digests of the reserved fault locations, for the marker.
    """
    if private:
        name = incident.service.name if incident.service else incident.subject.name
        # The only service of a repository needs no name in its titles.
        shares_repository = bool(incident.service and incident.service.root_directory)
        title = f"{name}: {plan.cause.summary}" if shares_repository else plan.cause.summary
        parts = [
            cause_paragraph(plan.cause, evidence, page), effect_paragraph(incident, evidence, page),
            *_change(plan, fix), *_proof(verification, fix, private=True), *_reviewer_notes(plan, verification),
            *_deployment_notes(incident, fix), undo_line(incident), footer(incident, page),
        ]  # fmt: skip
    else:
        summary = redact_for_public(plan.cause.summary, incident, evidence)
        title, cause = summary, plan.cause.model_copy(update={"summary": summary})
        parts = [cause_paragraph(cause, Evidence(), Page()), f"Files: {_file_list(fix)}"]
        parts += [*_proof(verification, fix, private=False), "To undo: revert this pull request."]
    marker = render_marker(Marker(incident=incident.id, digests=tuple(digests), patch=patch_digest))
    return plain(title, TITLE_LIMIT), "\n\n".join([*filter(None, parts), marker]) + "\n"


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


def _change(plan: Plan, fix: Fix) -> list[str]:
    """The change that the patch makes, with the part of the plan that it leaves out."""
    steps = [inline(step) for step in plan.change] or ([inline(fix.summary)] if fix.summary else [])
    if not steps:
        return [f"**Change:** {_file_list(fix)}"]
    change = f"**Change:** {steps[0]}" if len(steps) == 1 else f"**Change:**\n\n{_points(steps)}"
    not_done = [f"Not done: {inline(item)}" for item in fix.not_done]
    return [change, *([_points(not_done)] if not_done else [])]


def _file_list(fix: Fix) -> str:
    more = f" and {len(fix.files) - MAX_FILES} more" if len(fix.files) > MAX_FILES else ""
    return ", ".join(code(file) for file in fix.files[:MAX_FILES]) + more


def _proof(verification: Verification, fix: Fix, *, private: bool) -> list[str]:
    """The runs before and after, and the output that shows the fault."""
    draft = ["This is a draft: not everything could be verified."] if verification.decision == "draft" else []
    failing = verification.reproduction_before or verification.reproduction_deployed
    output = [_collapsed("Failing output", failing.output)] if private and failing and failing.output else []
    return [*draft, _result_table(verification, fix), *output]


def _result_table(verification: Verification, fix: Fix) -> str:
    before, after = verification.reproduction_before, verification.reproduction_after
    deployed = verification.reproduction_deployed
    rows: list[tuple[str, str, str]] = []
    if before or after or deployed:
        command = (after or before or deployed or Run(command="", outcome="not run")).command
        name = f"new test {cell_code(fix.reproduction_path or command)}"
        rows.append((name, _before_outcome(before, deployed), _run_outcome(after)))
    rows += [
        (cell_code(check.after.command), _run_outcome(check.before), _run_outcome(check.after))
        for check in verification.checks
    ]
    if not rows:
        return "No command could be run."
    lines = [f"| {name} | {old} | {new} |" for name, old, new in rows]
    return "\n".join(["| | before | after |", "|---|---|---|", *lines])


def _before_outcome(before: Run | None, deployed: Run | None) -> str:
    """The outcome on the base branch, and on the deployed commit as far as that was run."""
    if before is None:
        return f"{_run_outcome(deployed)} on the deployed commit" if deployed else "not run"
    if deployed is None:
        return _run_outcome(before)
    if deployed.outcome == before.outcome:
        return f"{_run_outcome(before)} (also on the deployed commit)"
    return f"{_run_outcome(before)} ({_run_outcome(deployed)} on the deployed commit)"


def _run_outcome(run: Run | None) -> str:
    return {"passed": "passes", "failed": "fails"}.get(run.outcome, run.outcome) if run else "not run"


def _reviewer_notes(plan: Plan, verification: Verification) -> list[str]:
    """The points that a reviewer has to check. They quote the repository, so only its owner may read them."""
    notes = [f"Not verified: {inline(reason.text)}" for reason in verification.reasons]
    notes += [inline(note) for note in verification.notes]
    # A bare "low" says nothing; a sentence names what to look at.
    notes += [f"Risk: {inline(plan.risk)}"] if len(plan.risk.split()) >= MIN_RISK_WORDS else []
    notes += [f"Unknown: {inline(item)}" for item in plan.unknown]
    return ["**Check before merging:**", _points(notes)] if notes else []


def _deployment_notes(incident: Incident, fix: Fix) -> list[str]:
    """The reasons for which Railway may not deploy the merge."""
    notes = deploy_notes(incident.service, fix.files)
    return [_points([inline(note) for note in notes])] if notes else []


def _points(lines: Sequence[str], limit: int = MAX_POINTS) -> str:
    more = [f"… and {len(lines) - limit} more"] if len(lines) > limit else []
    return "\n".join(f"- {line}" for line in [*lines[:limit], *more])


def _collapsed(summary: str, text: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{block(text)}\n\n</details>"
