"""The sentences of `install`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from workers.cli.webhook_plan import Step, StepKind
from workers.doctor.railway_webhook import (
    EVENTS,
    SECRET_HEADER,
    AddressProblem,
    Difference,
    TestResult,
    hook_url,
    missing_events,
)

DASHBOARD = "https://railway.com/project/{}/settings/webhooks"
ADDRESS_PROBLEMS = {
    AddressProblem.NOT_HTTPS: "it is not https, and the secret would travel in the clear",
    AddressProblem.PRIVATE: "it is an address of this machine or of a private network, which Railway cannot reach",
    AddressProblem.MALFORMED: "it is not an address",
}
DIFFERENCES = {
    Difference.SEVERITIES: "it sends only some severities",
    Difference.ADDRESS: "the secret is part of its address, where everybody in the project can read it",
}
HTTP_UNAUTHORIZED = 401
HTTP_MISSING = (404, 405)
HTTP_UNAVAILABLE = (502, 503, 504)


def address_lines(public_url: str, problem: AddressProblem) -> list[str]:
    """Why the webhook cannot be registered with this public address, and what to do."""
    return [
        f"Railway cannot send webhooks to {public_url}: {ADDRESS_PROBLEMS[problem]}.",
        "Set TRACKWALKER_PUBLIC_URL to the https address under which this installation is reached:",
        "  on Railway   nothing to set: give the service a domain (Settings → Networking → Generate Domain)",
        "  elsewhere    the https address of your reverse proxy",
        "  on a laptop  a tunnel, for example: cloudflared tunnel --url http://127.0.0.1:8000",
        "Without a webhook Trackwalker still checks every TRACKWALKER_PING_MINUTES.",
    ]


def plan_lines(steps: Sequence[Step], public_url: str) -> list[str]:
    """The exact changes that would be made, and what stays."""
    return [line for step in steps for line in _step_lines(step, public_url)]


def _step_lines(step: Step, public_url: str) -> Iterator[str]:
    name, rule_id = _name(step), step.rule.id if step.rule else ""
    if step.kind is StepKind.CREATE:
        yield f"{name}: create a webhook"
        yield from _content(public_url)
    elif step.kind is StepKind.UPDATE:
        yield f"{name}: update the webhook (rule {rule_id}){_reasons(step)}"
        yield from _content(public_url)
    elif step.kind is StepKind.DELETE:
        yield f"{name}: delete the webhook to {hook_url(public_url)} (rule {rule_id}){_scope(step)}"
    elif step.kind is StepKind.KEEP:
        yield f"{name}: the webhook to {hook_url(public_url)} is registered (rule {rule_id}){_scope(step)}"
        if not step.is_secret_known:
            yield "  Railway does not show its secret; if TRACKWALKER_SECRET changed: `trackwalker install --renew`"
    elif step.kind is StepKind.NOTHING:
        yield f"{name}: no webhook sends to {hook_url(public_url)}; nothing to delete"
    elif step.kind is StepKind.NO_WORKSPACE:
        yield f"{name}: Railway names no workspace for this project, and webhooks belong to one"
    else:
        yield f"{name}: rule {rule_id} sends to other addresses too, so it is left alone"
        yield f"  Change it by hand: {dashboard(step)}"
    if step.kind is not StepKind.DELETE:
        yield from _neighbours(step)


def _neighbours(step: Step) -> Iterator[str]:
    duplicates = step.registration.duplicates
    if duplicates:
        ids = ", ".join(rule.id for rule in duplicates)
        yield f"  Also registered: rule {ids}, so each event arrives {len(duplicates) + 1} times"
        yield f"  Delete what is too much: {dashboard(step)}"
    for host in step.registration.other_hosts:
        yield f"  Another webhook sends to {host}: an old address, or another installation. {dashboard(step)}"


def _content(public_url: str) -> list[str]:
    return [
        f"  address  {hook_url(public_url)}",
        f"  header   {SECRET_HEADER}: the value of TRACKWALKER_SECRET (not shown)",
        *_event_lines("  events   "),
        "  scope    all environments of the project but those of pull requests",
    ]


def _event_lines(label: str) -> list[str]:
    deployments = ", ".join(event for event in EVENTS if event.startswith("Deployment."))
    others = ", ".join(event for event in EVENTS if not event.startswith("Deployment."))
    return [f"{label}{deployments},", f"{' ' * len(label)}{others}"]


def _reasons(step: Step) -> str:
    reasons = [DIFFERENCES[item] for item in step.differences if item in DIFFERENCES]
    if step.rule and Difference.EVENTS in step.differences:
        reasons.insert(0, f"it lacks {', '.join(missing_events(step.rule))}")
    return f": {'; '.join(reasons)}" if reasons else ": its secret is written again"


def _scope(step: Step) -> str:
    is_shared = step.rule is not None and step.rule.project_id is None
    return ", for all projects of the workspace" if is_shared else ""


def _name(step: Step) -> str:
    return f"Project {step.registration.project_name}"


def dashboard(step: Step) -> str:
    """The page of Railway on which a person edits the project's webhooks."""
    return DASHBOARD.format(step.registration.project_id)


def done_line(step: Step) -> str:
    """The changes that were made."""
    verbs = {StepKind.CREATE: "created", StepKind.UPDATE: "updated", StepKind.DELETE: "deleted"}
    return f"{_name(step)}: webhook {verbs[step.kind]}"


def refused_lines(step: Step, reason: str) -> list[str]:
    """Railway refused a change, and what a person can do."""
    if step.kind is StepKind.CREATE:
        return [f"{_name(step)}: Railway refused to create the webhook ({reason})."]
    return [
        f"{_name(step)}: Railway refused to {step.kind} the webhook ({reason}).",
        "A workspace token may create webhooks, but neither change nor delete them. Set RAILWAY_API_TOKEN to an",
        f"account token of a member, or do it by hand: {dashboard(step)}",
    ]


def manual_lines(project_ids: Sequence[str], public_url: str) -> list[str]:
    """How a person registers the webhook in Railway's dashboard."""
    return [
        "To register the webhook by hand:",
        *(f"  1. Open {DASHBOARD.format(project_id)}" for project_id in project_ids),
        f"  2. Enter the URL {hook_url(public_url)}",
        f"  3. Add the header {SECRET_HEADER} with the value of TRACKWALKER_SECRET, which is in .env.",
        f"     If there is no field for headers, use the URL {hook_url(public_url)}/<TRACKWALKER_SECRET>",
        *_event_lines("  4. Select "),
        "  5. Save, then run `trackwalker doctor`",
    ]


def unreadable_lines(reason: str) -> list[str]:
    """The watched projects cannot be read."""
    return [
        f"{reason}.",
        "Check TRACKWALKER_ENVIRONMENTS: `trackwalker doctor --only railway` lists what the token sees.",
    ]


PROJECT_TOKEN_LINES = (
    "RAILWAY_TOKEN is a project token, and Railway lets only account and workspace tokens register webhooks.",
    "Set RAILWAY_API_TOKEN (https://railway.com/account/tokens) and run `trackwalker install` again, or:",
)


def test_lines(result: TestResult, public_url: str) -> list[str]:
    """The result of the test webhook."""
    seconds = f"{result.seconds:.1f} s"
    address = hook_url(public_url)
    if result.is_accepted and result.arrived is not False:
        received = "received" if result.arrived else f"answered with {result.status}"
        return [f"Webhook registered and {received} in {seconds}. Remove it: `trackwalker install --remove`"]
    if result.is_accepted:
        return [
            f"Railway's test was answered with {result.status}, but it did not reach this installation.",
            f"Another program answers at {address}. Check TRACKWALKER_PUBLIC_URL.",
        ]
    return [
        f"The webhook is registered, but Railway's test got {result.status} from {address}.",
        _remedy(result.status),
    ]


def _remedy(status: int) -> str:
    if status == HTTP_UNAUTHORIZED:
        return "The installation there has another TRACKWALKER_SECRET: give both the same one."
    if status in HTTP_MISSING:
        return "Something else answers there: check TRACKWALKER_PUBLIC_URL and the paths that your proxy forwards."
    if status in HTTP_UNAVAILABLE:
        return (
            "Trackwalker is not running there, or its Redis is away: start it, then run `trackwalker doctor`."
        )
    return "Run `trackwalker doctor` to see what is wrong."


def unreachable_lines(reason: str, public_url: str) -> list[str]:
    """Railway could not deliver the test at all."""
    return [
        f"The webhook is registered, but Railway could not send its test to {hook_url(public_url)} ({reason}).",
        "Check that `trackwalker up` runs and that this address is reachable from the internet, then run",
        "`trackwalker doctor`.",
    ]
