"""The paragraphs of a pull request that tell about its incident: cause, effect, undo and footer. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple
from urllib.parse import quote

from workers.models import Evidence, Finding, FindingKind, Incident, PlanCause, Suspect, alerting_findings
from workers.pull_requests.markdown import code, inline
from workers.runtime.text import format_duration

SHORT_COMMIT = 7  # characters, as git and GitHub show them
SUSPECT_MESSAGE_LIMIT = 80
AUTHOR_LIMIT = 60
MAX_OTHER_FINDINGS = 2
MAX_SYMPTOMS = 3
NEAR_ONSET = timedelta(hours=1)  # from a deployment to an onset, within which its time is worth naming
MIN_IDENTICAL = 2  # equal log records that are worth counting
BEFORE_LIVE_KINDS: frozenset[FindingKind] = frozenset({"failed_deployment", "stuck_deployment"})
"""Trouble of a deployment that never served: what runs before the merge is healthy."""


class Page(NamedTuple):
    """Addresses and figures around the incident; an empty one is left out.

    Attributes:
        incident: address of the incident's page.
        repository: address of the repository on GitHub, for links to lines and commits.
        model: the model that made the fix.
        cost_usd: what the model cost; 0 if unknown.
    """

    incident: str = ""
    repository: str = ""
    model: str = ""
    cost_usd: float = 0.0


def cause_paragraph(cause: PlanCause, evidence: Evidence, page: Page) -> str:
    """The cause in a sentence, with its place as a link to the line at the deployed commit."""
    place = f"{cause.file}:{cause.line}" if cause.file and cause.line else cause.file or ""
    if not place:
        return inline(cause.summary)
    deployed = evidence.repository.deployed if evidence.repository else ""
    if not (page.repository and deployed and cause.file):
        return f"{inline(cause.summary)} ({code(place)})"
    line = f"#L{cause.line}" if cause.line else ""
    address = f"{page.repository}/blob/{quote(deployed, safe='')}/{quote(cause.file)}{line}"
    return f"{inline(cause.summary)} ([{code(place)}]({address}))"


def effect_paragraph(incident: Incident, evidence: Evidence, page: Page) -> str:
    """The effect in figures, its beginning, and the deployment before it with its author."""
    findings = sorted(alerting_findings(incident.findings), key=lambda item: item.kind != "server_errors")
    findings = findings or list(incident.findings)
    if not findings:
        return ""
    first, others = findings[0], findings[1 : 1 + MAX_OTHER_FINDINGS]
    sentences = [f"**{_headline(first)}**{_deployment(first, evidence.suspect, page)}."]
    sentences += [f"Also: {inline(finding.sentence)}." for finding in others]
    if incident.symptoms:
        names = dict.fromkeys(finding.service for finding in incident.symptoms)
        sentences.append(f"Also affected: {', '.join(inline(name) for name in list(names)[:MAX_SYMPTOMS])}.")
    count = max((pattern.count for pattern in evidence.patterns if pattern.exception), default=0)
    sentences += [f"{count:,} log records with the same error."] if count >= MIN_IDENTICAL else []
    return " ".join(sentences)


def _headline(finding: Finding) -> str:
    numbers, service = finding.numbers, inline(finding.service)
    if finding.kind == "server_errors" and numbers.get("requests"):
        share = 100 * numbers["failed"] / numbers["requests"]
        counts = f"{numbers['failed']:,.0f} of {numbers['requests']:,.0f}"
        return (
            f"{share:.2g} % of requests to {service} fail ({counts}) since {finding.since:%H:%M} UTC".replace(
                "1e+02", "100"
            )
        )
    return f"{service}: {inline(finding.sentence)}"


def _deployment(finding: Finding, suspect: Suspect | None, page: Page) -> str:
    """`, 5 s after [5a4f3f3](…) "tidy the total" by dana was deployed`; "" without a deployment near the onset."""
    if suspect is None or not timedelta(0) <= finding.since - suspect.at <= NEAR_ONSET:
        return ""
    commit = code(suspect.commit[:SHORT_COMMIT]) if suspect.commit else ""
    if commit and suspect.commit and page.repository:
        commit = f"[{commit}]({page.repository}/commit/{quote(suspect.commit, safe='')})"
    message = f' "{inline(suspect.message, SUSPECT_MESSAGE_LIMIT)}"' if suspect.message else ""
    author = f" by {inline(suspect.author, AUTHOR_LIMIT)}" if suspect.author else ""
    what = f"{commit}{message}{author}".strip() or f"deployment {code(suspect.deployment_id)}"
    return f", {format_duration((finding.since - suspect.at).total_seconds())} after {what} was deployed"


def undo_line(incident: Incident) -> str:
    """How to undo the merge, and what a rollback in Railway would return to."""
    kinds = {finding.kind for finding in incident.opening_findings}
    serving = incident.service.serving if incident.service else None
    if serving is None or serving.status == "CRASHED":
        return "To undo: revert this pull request."
    if kinds and kinds <= BEFORE_LIVE_KINDS:
        return (
            "To undo: revert this pull request, or roll back in Railway to the deployment before the merge."
        )
    return (
        "To undo: revert this pull request. (Rolling back in Railway instead returns to the failing build.)"
    )


def footer(incident: Incident, page: Page) -> str:
    """The product, the incident with a link to its page, and the model with its cost."""
    name = f"incident {code(incident.fingerprint[:SHORT_COMMIT])}"
    parts = ["Trackwalker", f"[{name}]({page.incident})" if page.incident else name]
    parts += [f"model {inline(page.model)}"] if page.model else []
    parts += [f"{page.cost_usd:.2f} USD"] if page.cost_usd else []
    return f"<sub>{' · '.join(parts)}</sub>"
