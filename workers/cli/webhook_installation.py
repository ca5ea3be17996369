"""Registers or removes our webhook in Railway: reads the rules, shows the plan, makes the confirmed changes, tests."""

from __future__ import annotations

import json
import secrets
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from workers.cli import webhook_text
from workers.cli.commands.shared import open_store
from workers.cli.console import Console
from workers.cli.webhook_plan import Step, StepKind, plan_registration, plan_removal, secret_digest
from workers.clients.railway import NotificationRules, Railway
from workers.clients.railway.api_errors import Unauthorized
from workers.doctor import railway_webhook
from workers.errors import NotAvailable, RailwayBusy, RailwayRefused, SettingsError
from workers.incidents import intake
from workers.runtime.environment import data_dir
from workers.runtime.settings import Settings

DONE, FAILED, NOT_CONFIRMED = 0, 1, 2  # exit codes
ARRIVAL_SECONDS = 3.0  # after Railway's answer; a proxy may answer before the receiver has stored the test
POLL_SECONDS = 0.1
MEMORY_FILE = (
    "webhook-secrets.json"  # in the data folder: digest of the secret by rule, as Railway returns no secret
)


@dataclass(frozen=True)
class InstallOptions:
    """The choices of the person.

    Args:
        yes: change without asking.
        dry_run: change nothing.
        remove: delete our rules instead.
        renew: write the rules again although nothing differs.
        test: have Railway send a test, which needs a running receiver.
    """

    yes: bool = False
    dry_run: bool = False
    remove: bool = False
    renew: bool = False
    test: bool = True


def install(settings: Settings, options: InstallOptions, console: Console) -> int:
    """Make the rules of every watched project right, and have Railway send a test. Returns the exit code.

    Raises:
        RailwayBusy, RailwayRefused: the rules cannot be read.
        SettingsError: TRACKWALKER_SECRET is not set.
    """
    if not settings.secrets:
        raise SettingsError(("TRACKWALKER_SECRET", "not set; `make setup` writes one to .env"))
    if problem := railway_webhook.address_problem(settings.url):
        console.show(webhook_text.address_lines(settings.url, problem))
        return FAILED
    railway = Railway(
        settings.railway_api_url, token=settings.railway_api_token, project_token=settings.railway_token
    )
    with closing(railway):
        project_ids = _projects(settings, railway)
        if not settings.railway_api_token:
            console.show(webhook_text.PROJECT_TOKEN_LINES)
            console.show(webhook_text.manual_lines(project_ids, settings.url))
            return FAILED
        try:
            steps = _plan(settings, railway.rules, project_ids, options)
        except Unauthorized as error:
            console.show([f"{error}.", *webhook_text.manual_lines(project_ids, settings.url)])
            return FAILED
        except RailwayRefused as error:
            console.show(webhook_text.unreadable_lines(str(error)))
            return FAILED
        return _carry_out(settings, railway.rules, steps, options, console)


def _projects(settings: Settings, railway: Railway) -> list[str]:
    environments = settings.environments or railway.environments()
    return list(dict.fromkeys(environment.project_id for environment in environments))


def _plan(
    settings: Settings, rules: NotificationRules, project_ids: list[str], options: InstallOptions
) -> list[Step]:
    registrations = [railway_webhook.find_rule(rules, project_id, settings.url) for project_id in project_ids]
    if options.remove:
        return [step for item in registrations for step in plan_removal(item, settings.url)]
    digest, registered = secret_digest(settings.secrets[0]), _read_memory()
    return [
        plan_registration(item, settings.url, digest, registered, renew=options.renew)
        for item in registrations
    ]


def _carry_out(
    settings: Settings, rules: NotificationRules, steps: list[Step], options: InstallOptions, console: Console
) -> int:
    console.show(webhook_text.plan_lines(steps, settings.url))
    changes = [step for step in steps if step.is_change]
    if options.dry_run:
        return DONE
    if changes and not _is_confirmed(options, console):
        console.show(["Nothing was changed. `trackwalker install --yes` does it without asking."])
        return DONE if console.is_interactive else NOT_CONFIRMED
    results = [_change(settings, rules, step, console) for step in changes]
    is_complete = all(results) and not any(step.is_blocked for step in steps)
    if options.remove or not options.test or not is_complete:
        return DONE if is_complete else FAILED
    return _test(settings, rules, console)


def _is_confirmed(options: InstallOptions, console: Console) -> bool:
    return options.yes or (console.is_interactive and console.confirm("Do this now?"))


def _change(settings: Settings, rules: NotificationRules, step: Step, console: Console) -> bool:
    try:
        rule_id = _apply(settings, rules, step)
    except RailwayRefused as error:
        console.show(webhook_text.refused_lines(step, str(error)))
        if step.kind is StepKind.CREATE:
            console.show(webhook_text.manual_lines([step.registration.project_id], settings.url))
        return False
    _remember(rule_id, None if step.kind is StepKind.DELETE else secret_digest(settings.secrets[0]))
    console.show([webhook_text.done_line(step)])
    return True


def _apply(settings: Settings, rules: NotificationRules, step: Step) -> str:
    """Make the change; the id of the rule."""
    address = railway_webhook.hook_url(settings.url)
    headers = {railway_webhook.SECRET_HEADER: SecretStr(settings.secrets[0])}
    registration = step.registration
    if step.rule is None:
        # A rule without a workspace is never planned.
        project = (registration.workspace_id or "", registration.project_id)
        return rules.create(project, railway_webhook.EVENTS, address, headers).id
    if step.kind is StepKind.DELETE:
        rules.delete(step.rule.id)
        return step.rule.id
    return rules.update(step.rule.id, railway_webhook.EVENTS, address, headers).id


def _test(settings: Settings, rules: NotificationRules, console: Console) -> int:
    nonce = secrets.token_hex(16)
    try:
        result = railway_webhook.send_test(
            rules, settings.url, SecretStr(settings.secrets[0]), nonce,
            arrived=lambda: _has_arrived(settings, nonce), now=lambda: datetime.now(UTC),
        )  # fmt: skip
    except (RailwayBusy, RailwayRefused) as error:
        console.show(webhook_text.unreachable_lines(str(error), settings.url))
        return FAILED
    console.show(webhook_text.test_lines(result, settings.url))
    return DONE if result.is_accepted and result.arrived is not False else FAILED


def _has_arrived(settings: Settings, nonce: str) -> bool | None:
    """Whether the receiver notes the test; None without its store, for example on the laptop of an administrator."""
    try:
        store = open_store(settings)
        ends = time.monotonic() + ARRIVAL_SECONDS
        while not (has_arrived := intake.has_probe_arrived(store, nonce)) and time.monotonic() < ends:
            time.sleep(POLL_SECONDS)
        return has_arrived
    except (NotAvailable, SettingsError):
        return None


def _read_memory() -> dict[str, str]:
    try:
        memory = json.loads((data_dir() / MEMORY_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in memory.items()} if isinstance(memory, dict) else {}


def _remember(rule_id: str, digest: str | None) -> None:
    """Keep the digest, or forget it. The data folder may be missing or read-only; then the next run asks Railway."""
    memory = {key: value for key, value in _read_memory().items() if key != rule_id}
    memory |= {rule_id: digest} if digest else {}
    path: Path = data_dir() / MEMORY_FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(memory), encoding="utf-8")
    except OSError:
        return
