"""The second line of an incident's messages: the work so far, with its link. Pure."""

from __future__ import annotations

from workers.clients.slack_text import code, escape, link
from workers.models import AnswerKind, Check, RollbackKind, RollbackState, Verification
from workers.notifications.follow_up_texts import format_follow_up
from workers.notifications.incident_state import IncidentState, Phase
from workers.notifications.presentation import Presentation
from workers.runtime.text import format_duration, plural, safe_line

MAX_LINE = 300  # characters of one line from an outcome
COMMIT_CHARACTERS = 7
MAX_NAME = 40  # of a person
MAX_LINES = 3  # lines of an outcome beside its headline
MAX_REASONS = 2  # unverified parts of a draft
LOOKING = "Looking into it."
FIXING = "Cause found. Writing and testing a fix."
CHRONIC = "Not new: reported once, until it is over."


def progress_lines(state: IncidentState, look: Presentation) -> list[str]:
    """The work that Trackwalker did or does, and why it waits, if it does."""
    lines = [*_done(state, look), *_rollback(state, look), *_relapse(state, look), *_checked(state, look)]
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
    if phase is Phase.RECOVERING:
        return _recovering(state)
    if phase is Phase.BLOCKED and state.outcome is not None and state.outcome.waits_for:
        proof = f" {describe_proof(state.verification)}" if state.verification else ""
        return [
            f"A fix is written and tested.{proof}",
            f"{_waits_for(state)} Then try again: the fix is kept.",
        ]
    if phase is Phase.DELAYED:
        return [f"The fix waits and is tried again by itself. {_waits_for(state)}".rstrip()]
    if phase is Phase.ROLLED_BACK:
        return []
    if phase is Phase.SYMPTOM:
        return [f"This looks like a symptom of {state.cause}"]
    if state.follow_up is not None:
        reference = f" · {link(state.pull.url, f'#{state.pull.number}')}" if state.pull else ""
        return [f"{escape(format_follow_up(state.follow_up))}{reference}", *_downtime(state, look)]
    return _outcome(state)


def _waits_for(state: IncidentState) -> str:
    """The permission or the service that the fix waits for, as a sentence; "" if it is not known."""
    reason = safe_line(state.outcome.waits_for if state.outcome else "", MAX_LINE).rstrip(".")
    return f"{escape(reason[:1].upper() + reason[1:])}." if reason else ""


def _downtime(state: IncidentState, look: Presentation) -> list[str]:
    """`Down 03:36–03:46 (10 min); 848 of 900 requests failed then`, once a fix is verified."""
    follow_up = state.follow_up
    if follow_up is None or not follow_up.is_recovered or follow_up.deployed_at is None:
        return []
    onset = min(finding.since for finding in state.incident.findings)
    if follow_up.deployed_at <= onset:
        return []
    text = f"Down {look.clock.span(onset, follow_up.deployed_at, state.incident.opened_at)}"
    if follow_up.requests_before:
        failed = f"{follow_up.failed_requests_before:,} of {plural(follow_up.requests_before, 'request')}"
        text += f"; {failed} failed when it was found"
    return [text]


def _outcome(state: IncidentState) -> list[str]:
    """The outcome's own words; a headline that repeats the verdict is left to the line of the cause."""
    outcome = state.outcome
    if outcome is None or state.phase is Phase.NOT_A_PROBLEM:
        return []
    lines = [] if outcome.states_verdict else [escape(safe_line(outcome.headline, MAX_LINE))]
    if state.phase is Phase.APPROVAL:
        lines = ["Automatic fix needs approval."]
    # A failed investigation lists the findings, which stand above already.
    findings = {finding.named_sentence for finding in state.incident.findings}
    news = [line for line in outcome.lines if line not in findings]
    lines += [escape(safe_line(line, MAX_LINE)) for line in news[:MAX_LINES]]
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
    return [
        f"Draft of a fix: {name}, needs your decision.{proof}",
        *([f"Unproved: {unproved}"] if unproved else []),
    ]


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
    """`#2 merged by lea 03:44, deployed 03:46: 0 of 120 requests failed so far; watching until 04:16`."""
    pull, merge, reference = state.pull, state.merge, state.incident.opened_at
    name = link(pull.url, f"#{pull.number}") if pull else "The fix"
    if merge is None:
        return f"{name} is merged. Waiting for its deployment."
    who = f" by {escape(safe_line(merge.merged_by, MAX_NAME))}" if merge.merged_by else ""
    text = f"{name} merged{who} {look.clock.at(merge.merged_at, reference)}"
    if merge.deployed_at is None:
        status = merge.deployment_status.lower().replace("_", " ")
        return f"{text}; waiting for its deployment{f' ({escape(status)})' if status else ''}."
    text += f", deployed {look.clock.at(merge.deployed_at, reference)}"
    if merge.requests:
        text += f": {merge.failed_requests:,} of {plural(merge.requests, 'request')} failed so far"
    until = merge.watching_until
    return f"{text}; watching until {look.clock.at(until, reference)}" if until else text


def _recovering(state: IncidentState) -> list[str]:
    """`Healthy in 1 of 2 checks; in the last one 0 of 900 requests failed`, and the pull request that stays open."""
    recovery = state.recovery
    if recovery is None:
        return []
    checks = f"{min(recovery.clean_checks, recovery.required_checks)} of {recovery.required_checks} checks"
    text = f"The service was removed in {checks}" if recovery.removed else f"Healthy in {checks}"
    if recovery.requests:
        figures = f"{recovery.failed_requests:,} of {plural(recovery.requests, 'request')} failed"
        text += f"; in the last one {figures}"
    is_open = state.pull is not None and state.pull.state == "open"
    return [text, *(_pull_request(state) if is_open else [])]


def _rollback(state: IncidentState, look: Presentation) -> list[str]:
    """`dana rolled back to 1f2e3d4 at 03:50`, or why Railway did not."""
    rollback = state.rollback
    if rollback is None:
        return []
    person, at = escape(rollback.person.name), look.clock.at(rollback.at, state.incident.opened_at)
    commit = rollback.target.commit[:COMMIT_CHARACTERS]
    verb = "rolled back" if rollback.kind is RollbackKind.ROLLBACK else "undid the rollback, back"
    if rollback.state is RollbackState.REFUSED:
        reason = escape(safe_line(rollback.reason, MAX_LINE))
        return [f"Rollback refused ({person}, {at}): {reason}"]
    text = f"{person} {verb} to {code(commit) if commit else 'the deployment before'} at {at}"
    waiting = ". Railway has not confirmed it yet" if rollback.state is RollbackState.REQUESTED else ""
    return [f"{text}{waiting}. Watching its effect."]


def _checked(state: IncidentState, look: Presentation) -> list[str]:
    """`Checked for dana at 03:40: 0 of 900 requests failed`; [] if nobody asked for a check."""
    checked = state.checked
    if checked is None or state.follow_up is not None:
        return []
    answer = checked.answer
    result = "no problem found" if answer.kind is AnswerKind.NO_PROBLEM else "not healthy yet"
    if answer.requests:
        result += f", {answer.failed_requests:,} of {plural(answer.requests, 'request')} failed"
    at = look.clock.at(checked.at, state.incident.opened_at)
    return [f"Checked for {escape(checked.asked_by)} at {at}: {result}."]


def _relapse(state: IncidentState, look: Presentation) -> list[str]:
    """`#29 was confirmed 14:02 and does not cover this`; [] for trouble that is new."""
    relapse = state.incident.relapse
    if relapse is None:
        return []
    ended = look.clock.at(relapse.ended_at, state.incident.opened_at)
    number = relapse.pull_number
    name = link(relapse.pull_url, f"#{number}") if relapse.pull_url and number else f"#{number}"
    healthy = format_duration(60 * relapse.healthy_minutes)
    if number is None or relapse.result == "resolved":
        return [f"It was resolved at {ended} and healthy for {healthy}."]
    if relapse.result == "fix_failed":
        return [f"{name} is deployed and did not help."]
    return [f"{name} was confirmed at {ended}, {healthy} before it came back: it does not cover this case."]
