"""What was done about an incident, with the link: the second line of its messages. Pure."""

from __future__ import annotations

from workers.clients.slack_text import escape, link
from workers.models import Check, Verification
from workers.notifications.follow_up_texts import format_follow_up
from workers.notifications.incident_state import IncidentState, Phase
from workers.notifications.presentation import Presentation
from workers.runtime.text import plural, safe_line

MAX_LINE = 300  # characters of one line from an outcome
MAX_LINES = 3  # lines of an outcome beside its headline
MAX_REASONS = 2  # unverified parts of a draft
LOOKING = "Looking into it."
FIXING = "Cause found. Writing and testing a fix."
CHRONIC = "Not new: reported once, until it is over."


def progress_lines(state: IncidentState, look: Presentation) -> list[str]:
    """What Trackwalker did or does, first; why it waits, if it does."""
    lines = _done(state, look)
    return [*lines, CHRONIC] if state.incident.is_chronic and state.follow_up is None else lines


def _done(state: IncidentState, look: Presentation) -> list[str]:
    phase = state.phase
    if phase in (Phase.LOOKING, Phase.FIXING):
        if state.reason:
            return [f"Waiting: {escape(safe_line(state.reason, MAX_LINE))}"]
        return [LOOKING if phase is Phase.LOOKING else FIXING]
    if phase is Phase.PULL_REQUEST:
        return _pull_request(state)
    if phase is Phase.WATCHING:
        return [_merged(state, look)]
    if phase is Phase.SYMPTOM:
        return [f"This looks like a symptom of {state.cause}"]
    if state.follow_up is not None:
        reference = f" {link(state.pull.url, f'#{state.pull.number}')}" if state.pull else ""
        return [f"{escape(format_follow_up(state.follow_up))}{reference}"]
    return _outcome(state)


def _outcome(state: IncidentState) -> list[str]:
    """The outcome's own words; a headline that repeats the verdict is left to the line of the cause."""
    outcome = state.outcome
    if outcome is None or state.phase is Phase.NOT_A_PROBLEM:
        return []
    lines = [] if outcome.states_verdict else [escape(safe_line(outcome.headline, MAX_LINE))]
    if state.phase is Phase.APPROVAL:
        lines = ["Automatic fix needs approval."]
    lines += [escape(safe_line(line, MAX_LINE)) for line in outcome.lines[:MAX_LINES]]
    if outcome.link:
        lines[:1] = [f"{lines[0] if lines else 'See'} {link(outcome.link)}"]
    return lines


def _pull_request(state: IncidentState) -> list[str]:
    """`Fix is ready: #41. New test fails without it, passes with it; 212 other tests as before`."""
    pull, outcome, verification = state.pull, state.outcome, state.verification
    if pull is None:
        return _outcome(state)
    name = link(pull.url, f"#{pull.number}")
    proof = f" {describe_proof(verification)}" if verification else ""
    is_draft = pull.draft or (verification is not None and verification.decision == "draft")
    if not is_draft:
        return [f"Fix is ready: {name}.{proof}", *_notes(outcome_lines(outcome))]
    reasons = verification.reasons[:MAX_REASONS] if verification else ()
    unproved = "; ".join(escape(safe_line(reason.text, MAX_LINE)) for reason in reasons)
    return [f"Draft of a fix: {name}, needs your decision.{proof}", *([f"Unproved: {unproved}"] if unproved else [])]


def outcome_lines(outcome: object) -> tuple[str, ...]:
    """Lines of a pull request's outcome after its cause and its proof: notes about the deployment."""
    return getattr(outcome, "lines", ())[2:]


def _notes(lines: tuple[str, ...]) -> list[str]:
    return [escape(safe_line(line, MAX_LINE)) for line in lines[:MAX_LINES]]


def describe_proof(verification: Verification) -> str:
    """The runs without and with the fix, in a sentence."""
    before = verification.reproduction_before or verification.reproduction_deployed
    after = verification.reproduction_after
    if before is None or after is None or "not run" in (before.outcome, after.outcome):
        test = "The fault was not reproduced here"
    else:
        test = "New test fails without it, passes with it"
    return f"{test}; {_describe_checks(verification.checks)}."


def _describe_checks(checks: tuple[Check, ...]) -> str:
    outcomes = {check.after.outcome for check in checks}
    tests = sum(check.after.passed for check in checks)
    if outcomes == {"passed"}:
        return f"{plural(tests, 'other test')} as before" if tests else "existing tests pass"
    # A check that is worse with the patch rejects the fix, so these failed before as well.
    return "existing tests fail as before" if "failed" in outcomes else "existing tests could not be run"


def _merged(state: IncidentState, look: Presentation) -> str:
    pull = state.pull
    name = link(pull.url, f"#{pull.number}") if pull else "The fix"
    when = f" {look.clock.at(state.merged_at, state.incident.opened_at)}" if state.merged_at else ""
    waiting = f" {escape(safe_line(state.reason, MAX_LINE))}." if state.reason else ""
    return f"{name} is merged{f' since{when}' if when else ''}. Watching its deployment and effect.{waiting}"
