"""Checks the way of Railway's alerts to this installation: the webhook's rule, and the public address from outside."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import TimeoutError as NotInTime

from pydantic import SecretStr

from workers.clients.railway.api_errors import InvalidToken, Unauthorized
from workers.doctor import railway_webhook
from workers.doctor.check_context import Context
from workers.doctor.http_requests import host_of, send
from workers.doctor.railway_check import client
from workers.doctor.railway_webhook import AddressProblem, Difference, Registration, TestResult
from workers.doctor.results import error, passed, skipped, warning
from workers.engine.journal_store import JournalStore
from workers.errors import NotAvailable, RailwayBusy, RailwayRefused, SettingsError
from workers.incidents import intake
from workers.models.check_results import CheckResult, CheckStatus
from workers.runtime import store

WEBHOOK, ADDRESS = "Webhook", "Public address"
DASHBOARD = "https://railway.com/project/{}/settings/webhooks"
INSTALL = "run `trackwalker install`"
SET_ADDRESS = "set TRACKWALKER_PUBLIC_URL to the https address of this installation"
WAIT_SECONDS = 10.0  # for the check of Railway, which names the watched projects
ARRIVAL_SECONDS = 2.0  # until the receiver has noted a test that Railway says was accepted
ARRIVAL_POLL_SECONDS = 0.1
UNAUTHORIZED, NOT_FOUND, METHOD_NOT_ALLOWED = 401, 404, 405
NO_RECEIVER = (502, 503, 504)

ADDRESS_PROBLEMS = {
    AddressProblem.NOT_HTTPS: "is not https, and the secret would travel in the clear",
    AddressProblem.PRIVATE: "is an address of this machine or a private network: Railway cannot reach it",
    AddressProblem.MALFORMED: "is no address",
}


def check_webhook(context: Context) -> Iterator[CheckResult]:
    """Whether each watched project sends its alerts to this installation."""
    try:
        watched = context.watched.result(WAIT_SECONDS)
    except NotInTime:
        yield skipped(WEBHOOK, "Railway did not answer in time")
        return
    projects = {item.environment.project_id: item.label.partition(" / ")[0] for item in watched}
    if not projects:
        yield skipped(WEBHOOK, "no watched environment can be read yet")
        return
    polling = f"alerts are found by polling, within {context.settings.ping_minutes:g} min"
    if railway_webhook.address_problem(context.settings.url):
        yield warning(WEBHOOK, f"Railway has no address to send to; {polling}", SET_ADDRESS)
        return
    for project_id, name in projects.items():
        yield _check_project(context, project_id, name, polling)


def _check_project(context: Context, project_id: str, name: str, polling: str) -> CheckResult:
    page = DASHBOARD.format(project_id)
    if not context.settings.railway_api_token:
        return warning(
            WEBHOOK, f"{name}: a project token may not read webhooks; without one, {polling}",
            f"set RAILWAY_API_TOKEN and {INSTALL}, or see {page}",
        )  # fmt: skip
    try:
        registration = railway_webhook.find_rule(client(context).rules, project_id, context.settings.url)
    except (Unauthorized, InvalidToken):
        return warning(WEBHOOK, f"{name}: the token may not read webhooks", f"see {page}")
    except (RailwayBusy, RailwayRefused) as failure:
        return warning(WEBHOOK, f"{name}: {failure}", f"see {page}")
    return _judge(context, registration, polling)


def _judge(context: Context, registration: Registration, polling: str) -> CheckResult:
    name, rule = registration.project_name, registration.rule
    if rule is None:
        others = f" (it sends to {', '.join(registration.other_hosts)})" if registration.other_hosts else ""
        return warning(WEBHOOK, f"{name}: no webhook sends here{others}; {polling}", INSTALL)
    if registration.duplicates:
        count = len(registration.duplicates) + 1
        return warning(
            WEBHOOK,
            f"{name}: {count} webhooks send here",
            f"delete all but one: {DASHBOARD.format(registration.project_id)}",
        )
    differences = railway_webhook.differences(rule, context.settings.url)
    if Difference.EVENTS in differences:
        lacking = ", ".join(railway_webhook.missing_events(rule))
        return warning(WEBHOOK, f"{name}: the webhook leaves out {lacking}", INSTALL)
    if Difference.SEVERITIES in differences:
        return warning(WEBHOOK, f"{name}: the webhook sends some severities only", INSTALL)
    if Difference.ADDRESS in differences:
        return warning(
            WEBHOOK,
            f"{name}: the secret stands in the webhook's address, where everybody in the project sees it",
            INSTALL,
        )
    return passed(WEBHOOK, f"{name}: registered, with all {len(railway_webhook.EVENTS)} events")


# ---- the address from outside ----------------------------------------------------------------


def check_address(context: Context) -> Iterator[CheckResult]:
    """Whether Railway reaches the receiver at its public address."""
    url = context.settings.url
    if problem := railway_webhook.address_problem(url):
        is_set = context.settings.public_url or context.settings.railway_public_domain
        shown = host_of(url) if problem is not AddressProblem.MALFORMED else "TRACKWALKER_PUBLIC_URL"
        what = f"{shown} {ADDRESS_PROBLEMS[problem]}" if is_set else "not set, so Railway cannot send alerts"
        repair = (
            "give the service a domain: Settings → Networking"
            if "RAILWAY_SERVICE_ID" in context.environ
            else SET_ADDRESS
        )
        yield warning(ADDRESS, what, repair)
        return
    if context.is_quick or not (context.settings.railway_api_token and context.settings.secrets):
        yield _check_from_here(context, url)
        return
    try:
        result = _test_from_outside(context, url)
    except (Unauthorized, InvalidToken):
        yield _check_from_here(context, url)
        return
    except (RailwayBusy, RailwayRefused) as failure:
        yield _unreachable(context, url, str(failure))
        return
    yield _judge_test(result, host_of(url))


def _check_from_here(context: Context, url: str) -> CheckResult:
    """The address as seen from this machine, where Railway does not test it for us."""
    response = send(context, "GET", f"{url}/health", name="the public address")
    if response.status_code == 200 and response.text.strip() == "ok":
        return passed(ADDRESS, f"{host_of(url)} answers this machine")
    return _judge_status(response.status_code, host_of(url))


def _unreachable(context: Context, url: str, failure: str) -> CheckResult:
    """Railway's test failed: whether the address answers at all says what to repair."""
    try:
        from_here = _check_from_here(context, url)
    except NotAvailable as unreachable:
        return error(
            ADDRESS, str(unreachable), "correct TRACKWALKER_PUBLIC_URL, and start `trackwalker up` there"
        )
    if from_here.status is not CheckStatus.OK:
        return from_here
    what = f"{host_of(url)} answers this machine, and Railway's test failed ({failure})"
    return warning(ADDRESS, what, "open the address to the internet: firewall, proxy or tunnel")


def _test_from_outside(context: Context, url: str) -> TestResult:
    config, nonce = context.settings, secrets.token_hex(16)
    return railway_webhook.send_test(
        client(context).rules, url, SecretStr(config.secrets[0]), nonce,
        arrived=lambda: _has_arrived(context, nonce), now=context.now,
    )  # fmt: skip


def _has_arrived(context: Context, nonce: str) -> bool | None:
    """Whether the receiver has noted the test; None if its Redis is not the one that this process reaches."""
    until = time.monotonic() + ARRIVAL_SECONDS
    try:
        journals = JournalStore(store.connect(context.settings, context.folder))
        while not intake.has_probe_arrived(journals, nonce):
            if time.monotonic() > until:
                return False
            time.sleep(ARRIVAL_POLL_SECONDS)
    except (NotAvailable, SettingsError):
        return None
    return True


def _judge_test(result: TestResult, host: str) -> CheckResult:
    if not result.is_accepted:
        return _judge_status(result.status, host)
    if result.arrived is False:
        return error(
            ADDRESS,
            f"{host} accepts alerts, and they do not arrive here: another installation answers",
            "correct TRACKWALKER_PUBLIC_URL",
        )
    return passed(ADDRESS, f"{host} answers Railway in {result.seconds:.1f} s")


def _judge_status(status: int, host: str) -> CheckResult:
    if status == UNAUTHORIZED:
        return error(
            ADDRESS,
            f"the receiver at {host} has another TRACKWALKER_SECRET",
            "set the same one here and there, and restart it",
        )
    if status in (NOT_FOUND, METHOD_NOT_ALLOWED):
        return error(
            ADDRESS,
            f"another server answers at {host} ({status})",
            "correct TRACKWALKER_PUBLIC_URL, or start `trackwalker up` there",
        )
    if status in NO_RECEIVER:
        return error(
            ADDRESS,
            f"the proxy at {host} reaches no receiver ({status})",
            "start `trackwalker up`, and check the port of the proxy",
        )
    if 300 <= status < 400:
        return error(
            ADDRESS, f"{host} redirects ({status})", "set TRACKWALKER_PUBLIC_URL to the final address"
        )
    return error(ADDRESS, f"{host} answered {status}", "see the receiver's log")
