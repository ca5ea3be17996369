"""The words of a pull request: what broke, why, what was changed, what was proved, how to undo it. Pure.

In a repository that is not private only cause, file and test result are said: figures, logs, hosts and the incident's
link are nobody's business there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from pydantic import ValidationError

from workers.models import (
    Evidence,
    Fix,
    Incident,
    Model,
    Plan,
    PlanCause,
    Run,
    Verdict,
    Verification,
    describe_gap,
)
from workers.pull_requests.markdown import block, code, inline, one_line, plain

LONGEST_TITLE = 90
MOST_POINTS = 8
MOST_SYMPTOMS = 3
ESCAPED_BAR = "\\|"
"""In a table even code needs it."""
MARKER = re.compile(r"<!-- trackwalker (\{[^\n]*\}) -->")
HOSTS = re.compile(
    r"\b[a-z][a-z0-9+.-]*://[^\s)\]>\"'`]+|\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b"
    r"|\b(?:[a-z0-9-]+\.)+(?:railway\.internal|railway\.app)(?::\d+)?\b",
    re.I,
)
"""Addresses, by their shape."""
FIGURES = re.compile(
    r"\b\d[\d.,]*\s?(?:%|(?:percent|requests?|errors?|times|users?|customers?|orders?|ms|[kMG]i?B|rps)\b)",
    re.I,
)
"""Numbers that tell of traffic and load."""


class Marker(Model):
    """What a pull request of ours says of itself, unseen, at the end of its description."""

    incident: str
    digests: tuple[str, ...] = ()
    patch: str


def parse_marker(body: str) -> Marker | None:
    """The marker of a pull request's description; others may have written below it. None: not one of ours."""
    found = MARKER.findall(body)
    try:
        return Marker.model_validate_json(found[-1]) if found else None
    except ValidationError:
        return None


def render_pull_request(
    incident: Incident, evidence: Evidence, verdict: Verdict, plan: Plan, fix: Fix, certificate: Verification, *,
    private: bool, digests: Sequence[str], patch_digest: str, link: str = "",
) -> tuple[str, str]:  # fmt: skip
    """Title and description; the same for the same values. `link` leads to the incident's page, if there is one."""
    where = incident.service.name if incident.service else incident.subject.name
    if private:
        title = f"{where}: {plan.cause.summary}"
        parts = [
            *_broken(incident, evidence, verdict, link), *_cause(plan.cause, evidence, plan.evidence),
            *_change(plan, fix), *_proof(certificate, fix, outputs=True), *_doubts(plan, evidence, verdict),
            *_undo(plan, incident),
        ]  # fmt: skip
    else:
        cause = plan.cause.model_copy(update={"summary": discreet(plan.cause.summary, incident, evidence)})
        title = cause.summary
        parts = [*_cause(cause, evidence, ()), *_files(fix), *_proof(certificate, fix, outputs=False)]
        parts += ["### Undo", "Revert this pull request."]
    mark = Marker(incident=incident.id, digests=tuple(digests), patch=patch_digest)
    return plain(title, LONGEST_TITLE), "\n\n".join([*parts, hidden(mark)]) + "\n"


def commit_message(title: str, plan: Plan, *, private: bool) -> str:
    """The message of the one commit; the same for the same plan."""
    place = f"{plan.cause.file}:{plan.cause.line}" if plan.cause.file else ""
    steps = [f"- {plain(step, 200)}" for step in plan.change[:MOST_POINTS]] if private else []
    paragraphs = [title, f"Cause: {plain(place, 200)}" if place else "", "\n".join(steps)]
    return "\n\n".join(part for part in paragraphs if part) + "\n"


def hidden(mark: Marker) -> str:
    """The marker as an HTML comment that nothing in it can end."""
    text = json.dumps(mark.model_dump(), sort_keys=True).replace("--", "-\\u002d").replace(">", "\\u003e")
    return f"<!-- trackwalker {text} -->"


def discreet(text: str, incident: Incident, evidence: Evidence) -> str:
    """Text for everybody's eyes: no address, no figure, no host that the evidence names, no name of the project."""
    text = FIGURES.sub("[figure]", HOSTS.sub("[address]", one_line(text)))
    hosts = {upstream.host for upstream in evidence.upstreams}
    for host in sorted(hosts | {incident.project_name, incident.environment_id}, key=len, reverse=True):
        if len(host) > 3:
            text = re.sub(rf"(?<![\w.-]){re.escape(host)}(?![\w-])", "[left out]", text, flags=re.I)
    return text


# ---- the parts -------------------------------------------------------------------------------


def _broken(incident: Incident, evidence: Evidence, verdict: Verdict, link: str) -> list[str]:
    window, zone = incident.window, "UTC"
    seen = (
        f"Seen from {window.start:%Y-%m-%d %H:%M} to {window.end:%H:%M} {zone} ({window.minutes:.0f} minutes)"
    )
    where = f"in {code(f'{incident.project_name}/{incident.environment_name}')}, severity {incident.severity.value}."
    lines = [f"{inline(one.named_sentence)} (since {one.since:%H:%M} {zone})" for one in incident.findings]
    lines += [f"Suffers from it: {inline(one.named_sentence)}" for one in incident.symptoms[:MOST_SYMPTOMS]]
    if suspect := evidence.suspect:
        commit = f", commit {code(suspect.commit[:12])}" if suspect.commit else ""
        words = f": {inline(suspect.message, 120)}" if suspect.message else ""
        since = f"{suspect.at:%Y-%m-%d %H:%M} {zone}{commit}{words}"
        lines.append(f"Since deployment {code(suspect.deployment_id)} of {since}")
    more = [f"Verdict: **{verdict.category.value}**. {inline(verdict.summary)}"] if verdict.summary else []
    more += [f"{code(incident.id)} [with all its facts]({link})"] if link else []
    return ["### What broke", f"{seen} {where}", _points(lines), *more]


def _cause(cause: PlanCause, evidence: Evidence, names: Iterable[str]) -> list[str]:
    place = f"{cause.file}:{cause.line}" if cause.file and cause.line else cause.file or ""
    facts = {fact.id: fact.text for fact in evidence.facts}
    points = [f"{code(name)} {inline(facts[name])}" for name in names if name in facts]
    at = f"\n\n{code(place)}" if place else ""
    return ["### Cause", f"{inline(cause.summary)}{at}", *([_points(points)] if points else [])]


def _change(plan: Plan, fix: Fix) -> list[str]:
    steps = [inline(step) for step in plan.change]
    summary = [inline(fix.summary)] if fix.summary else []
    risk = [f"Risk: {inline(plan.risk)}"] if plan.risk else []
    left = [f"Not done: {inline(one)}" for one in fix.not_done]
    body = [_points(steps)] if steps else []
    return ["### Fix", *summary, *body, *_files(fix)[1:], *risk, *([_points(left)] if left else [])]


def _files(fix: Fix) -> list[str]:
    more = f" and {len(fix.files) - 20} more" if len(fix.files) > 20 else ""
    return ["### Fix", "Files: " + ", ".join(code(file) for file in fix.files[:20]) + more]


def _proof(certificate: Verification, fix: Fix, *, outputs: bool) -> list[str]:
    deployed, before, after = (
        certificate.reproduction_deployed, certificate.reproduction_before, certificate.reproduction_after,
    )  # fmt: skip
    rows = [("reproduction on the deployed commit", _said(deployed), "")] if deployed else []
    command = (after or before or deployed or Run(command="", outcome="not run")).command
    if before or after:
        rows.append((f"reproduction {code(command)}", _said(before), _said(after)))
    rows += [
        (f"check {code(one.after.command)}", _said(one.before), _said(one.after))
        for one in certificate.checks
    ]
    table = ["| what was run | before | after |\n|---|---|---|\n" + "\n".join(
        f"| {what.replace('|', ESCAPED_BAR)} | {old} | {new} |" for what, old, new in rows
    )] if rows else ["Nothing could be run here."]  # fmt: skip
    test = [f"The reproduction is {code(fix.reproduction_path)}."] if fix.reproduction_path else []
    open_ends = [inline(reason) for reason in certificate.reasons] if outputs else []
    unproved = ["Not proved here:", _points(open_ends)] if open_ends else []
    notes = [inline(note) for note in certificate.notes] if outputs else []
    unproved += ["Worth a look:", _points(notes)] if notes else []
    draft = ["A draft: not everything could be proved here."] if certificate.decision == "draft" else []
    shown = before or deployed
    failed = [_folded("Output before the fix", shown.output)] if outputs and shown and shown.output else []
    return ["### Proof", *draft, *table, *test, *unproved, *failed]


def _said(run: Run | None) -> str:
    return run.outcome if run else "–"


def _doubts(plan: Plan, evidence: Evidence, verdict: Verdict) -> list[str]:
    facts = {fact.id: fact.text for fact in evidence.facts}
    points = [f"Ruled out: {inline(one)}" for one in plan.ruled_out]
    points += [f"Against: {inline(facts[name])}" for name in verdict.contradicts if name in facts]
    points += [f"Unknown: {inline(one)}" for one in plan.unknown]
    points += [f"Not seen: {inline(describe_gap(gap))}" for gap in evidence.failed_reads]
    return ["### Ruled out and unknown", _points(points, 2 * MOST_POINTS)] if points else []


def _undo(plan: Plan, incident: Incident) -> list[str]:
    """Back to how it was before the merge: by a revert, or faster where a deployment of then still ran."""
    serving = incident.service.serving if incident.service else None
    points = ["Revert this pull request."]
    if serving and serving.status != "CRASHED":
        target = f"what ran before it, deployment {code(serving.id)}"
        points.append(
            f"Faster, after the merge: roll back on Railway to {target}, as long as it keeps its image."
        )
    return ["### Undo", _points(points + ([inline(plan.undo)] if plan.undo else []))]


def _points(lines: Sequence[str], most: int = MOST_POINTS) -> str:
    more = [f"… and {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join(f"- {line}" for line in [*lines[:most], *more])


def _folded(summary: str, text: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{block(text)}\n\n</details>"
