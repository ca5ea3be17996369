"""Checks Railway: the token and its scope, the watched environments, and the requests that remain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from difflib import get_close_matches

from workers.clients.railway import Railway, VisibleEnvironment
from workers.clients.railway.api_errors import InvalidToken, Unauthorized
from workers.doctor.check_context import Context, WatchedEnvironment, WatchedService
from workers.doctor.results import error, passed, skipped, warning
from workers.errors import RailwayBusy, RailwayRefused
from workers.models import Environment, Window
from workers.models.check_results import CheckResult
from workers.runtime.settings import Settings
from workers.runtime.text import join_names, plural

AREA = "Railway"
SETTING = "TRACKWALKER_ENVIRONMENTS"
DEFAULT_URL = str(Settings.model_fields["railway_api_url"].default)
ACCOUNT_TOKENS = "https://railway.com/account/tokens"
NEW_ACCOUNT_TOKEN = f"create one at {ACCOUNT_TOKENS} and set RAILWAY_API_TOKEN"
NEW_PROJECT_TOKEN = "create one in Railway: project → Settings → Tokens, and set RAILWAY_TOKEN"  # noqa: S105 (advice)
MAX_LISTED = 10  # environments that a result lists; an account may see hundreds
SERVICES_PER_REQUEST = (
    20  # of the requests for HTTP metrics, the only ones whose number grows with the services
)
FIXED_REQUESTS = 4  # of a sweep: structure, usage, logs, events
SHARE_OF_LIMIT = 0.8  # that pings may use; the rest is for alerts, as in `incidents.request_quota`
MINUTES_PER_HOUR = 60


def check_railway(context: Context) -> Iterator[CheckResult]:
    """Whether the token is accepted, sees the watched environments, and has enough requests an hour."""
    watched: list[WatchedEnvironment] = []
    try:
        yield from _check(context, watched)
    finally:
        # In every case: the check of GitHub waits for it.
        context.watched.set_result(tuple(watched))


def client(context: Context) -> Railway:
    """A client with the configured tokens."""
    config = context.settings
    return Railway(
        config.railway_api_url, token=config.railway_api_token, project_token=config.railway_token,
        http=context.http,
    )  # fmt: skip


def _check(context: Context, watched: list[WatchedEnvironment]) -> Iterator[CheckResult]:
    config = context.settings
    if not (config.railway_api_token or config.railway_token):
        yield skipped(AREA, "no token", NEW_ACCOUNT_TOKEN)
        return
    railway = client(context)
    try:
        visible = railway.visible_environments()
    except RailwayBusy as failure:
        is_own_address = config.railway_api_url == DEFAULT_URL
        repair = (
            "try again; Trackwalker retries by itself"
            if is_own_address
            else f"check RAILWAY_API_URL; the usual one is {DEFAULT_URL}"
        )
        yield warning(AREA, f"{failure}", repair)
        return
    except (InvalidToken, Unauthorized):
        yield _refused_token(context)
        return
    except RailwayRefused as failure:
        yield error(AREA, f"{failure}", "check RAILWAY_API_URL")
        return
    environments = config.environments or tuple(_own(railway))
    if not environments:
        yield _nothing_watched(visible)
    by_id = {item.environment_id: item for item in visible}
    for environment in environments:
        item = by_id.get(environment.environment_id)
        if item is None or item.project_id != environment.project_id:
            yield _unknown_environment(environment, visible)
        else:
            yield from _check_environment(context, railway, environment, item.label, watched)
    yield from _check_service_map(context, watched)
    yield from _check_requests(context, railway, watched)


def _own(railway: Railway) -> list[Environment]:
    try:
        return railway.environments()
    except (RailwayBusy, RailwayRefused):
        return []


def _refused_token(context: Context) -> CheckResult:
    """Why Railway refuses the token: it is the other kind, or it is wrong."""
    config, url = context.settings, context.settings.railway_api_url
    account, project = config.railway_api_token, config.railway_token
    if account and _accepts(Railway(url, project_token=account, http=context.http)):
        return error(AREA, "RAILWAY_API_TOKEN holds a project token", "put it into RAILWAY_TOKEN instead")
    if not account and project and _accepts(Railway(url, token=project, http=context.http)):
        return error(
            AREA, "RAILWAY_TOKEN holds an account or workspace token", "put it into RAILWAY_API_TOKEN instead"
        )
    if account:
        return error(AREA, "RAILWAY_API_TOKEN is wrong or was revoked (Not Authorized)", NEW_ACCOUNT_TOKEN)
    return error(AREA, "RAILWAY_TOKEN is wrong or was revoked", NEW_PROJECT_TOKEN)


def _accepts(railway: Railway) -> bool:
    try:
        railway.visible_environments()
    except (RailwayBusy, RailwayRefused):
        return False
    return True


# ---- environments ----------------------------------------------------------------------------


def _nothing_watched(visible: Sequence[VisibleEnvironment]) -> CheckResult:
    if not visible:
        return error(
            AREA,
            "the token sees no environment",
            f"use a token of the workspace that owns the project: {ACCOUNT_TOKENS}",
        )
    return error(
        AREA, f"{SETTING} is not set. The token sees {summary(visible)}",
        "put one of these lines into .env", setting_lines(visible),
    )  # fmt: skip


def _unknown_environment(environment: Environment, visible: Sequence[VisibleEnvironment]) -> CheckResult:
    value = f"{environment.project_id}/{environment.environment_id}"
    if not visible:
        return error(
            AREA,
            f"{SETTING}: the token sees no environment, and so not {value}",
            f"use a token of the workspace that owns the project: {ACCOUNT_TOKENS}",
        )
    named = [item for item in visible if _is_named(item, environment)]
    if named:
        return error(
            AREA,
            f"{SETTING}={value} holds names; it needs ids",
            "put this line into .env",
            setting_lines(named),
        )
    swapped = [item for item in visible if item.environment_id == environment.project_id]
    if swapped:
        return error(
            AREA,
            f"{SETTING}={value} holds the environment first",
            "write project/environment",
            setting_lines(swapped),
        )
    same = [item for item in visible if item.environment_id == environment.environment_id]
    if same:
        return error(
            AREA,
            f"{SETTING}={value}: the environment belongs to another project",
            "put this line into .env",
            setting_lines(same),
        )
    close = _closest(value, visible)
    return error(
        AREA, f"{SETTING}: the token does not see {value}. It sees {summary(visible)}",
        "put one of these lines into .env, or use a token that sees the environment", setting_lines(close),
    )  # fmt: skip


def _is_named(item: VisibleEnvironment, environment: Environment) -> bool:
    """True if a part of the setting is a name in place of an id."""
    project = environment.project_id.casefold()
    name = environment.environment_id.casefold()
    return project in (item.project_name.casefold(), item.project_id) and name in (
        item.environment_name.casefold(), item.environment_id,
    )  # fmt: skip


def _closest(value: str, visible: Sequence[VisibleEnvironment]) -> Sequence[VisibleEnvironment]:
    """The environments, those whose names or ids are most similar first."""
    labels = {item.label.casefold(): item for item in visible} | {item.setting: item for item in visible}
    first = [labels[name] for name in get_close_matches(value.casefold(), labels, n=3)]
    return list(dict.fromkeys([*first, *visible]))


def summary(visible: Sequence[VisibleEnvironment]) -> str:
    """The environments by project: `acme (production, staging), shop (production)`."""
    by_project: dict[str, list[str]] = {}
    for item in visible[:MAX_LISTED]:
        by_project.setdefault(item.project_name, []).append(item.environment_name)
    text = ", ".join(f"{project} ({', '.join(names)})" for project, names in by_project.items())
    return text + (f" and {len(visible) - MAX_LISTED} more" if len(visible) > MAX_LISTED else "")


def setting_lines(visible: Sequence[VisibleEnvironment]) -> tuple[str, ...]:
    """A line of .env for each environment."""
    return tuple(f"{SETTING}={item.setting}   # {item.label}" for item in visible[:MAX_LISTED])


def _check_environment(
    context: Context, railway: Railway, environment: Environment, label: str,
    watched: list[WatchedEnvironment],
) -> Iterator[CheckResult]:  # fmt: skip
    now = context.now()
    window = Window(start=now - timedelta(minutes=1), end=now)
    name = " / ".join(label.split("/", 1))
    try:
        structure = railway.fetch_structure(environment, 1, window)
    except RailwayBusy as failure:
        yield warning(AREA, f"{name}: {failure}", "try again; Trackwalker retries by itself")
        return
    except RailwayRefused as failure:
        yield error(
            AREA,
            f"{name}: {failure}",
            f"give the token access to the project, or create one at {ACCOUNT_TOKENS}",
        )
        return
    services = tuple(WatchedService(service.id, service.name, service.repo) for service in structure.services)
    watched.append(WatchedEnvironment(environment, name, services))
    if not services:
        yield warning(AREA, f"{name} has no services", f"check {SETTING}")
        return
    connected = sum(service.repository is not None for service in services)
    text = f"{name}: {plural(len(services), 'service')}, {connected} with a GitHub repository"
    yield passed(AREA, f"{text} ({_token_kind(context)})")


def _token_kind(context: Context) -> str:
    return "account or workspace token" if context.settings.railway_api_token else "project token"


def _check_service_map(context: Context, watched: Sequence[WatchedEnvironment]) -> Iterator[CheckResult]:
    """Names in TRACKWALKER_SERVICE_MAP that are no watched service: alerts for them would find none."""
    names = {name for item in watched for service in item.services for name in (service.name, service.id)}
    unknown = sorted(set(context.settings.service_map.values()) - names) if watched else []
    if unknown:
        close = get_close_matches(unknown[0], names, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        yield warning(
            AREA, f"TRACKWALKER_SERVICE_MAP names {join_names(unknown, 3)}, which is no watched service{hint}",
            "use names or ids of watched services",
        )  # fmt: skip


# ---- requests --------------------------------------------------------------------------------


def requests_per_hour(services: int, environments: int, ping_minutes: float) -> float:
    """Requests that the pings cost: each one sweeps every environment."""
    sweep = FIXED_REQUESTS * environments + -(-services // SERVICES_PER_REQUEST)
    return sweep * MINUTES_PER_HOUR / ping_minutes


def _check_requests(
    context: Context, railway: Railway, watched: Sequence[WatchedEnvironment]
) -> Iterator[CheckResult]:
    limit = railway.rate_limit
    if limit is None or not watched:
        return
    services = sum(len(environment.services) for environment in watched)
    minutes = context.settings.ping_minutes
    needed = requests_per_hour(services, len(watched), minutes)
    left = f"{limit.remaining:,} of {limit.limit:,} requests left this hour"
    if needed <= limit.limit * SHARE_OF_LIMIT:
        yield passed(AREA, f"{left}; a check every {minutes:g} min needs about {needed:.0f}")
        return
    possible = -(-requests_per_hour(services, len(watched), 1) // (limit.limit * SHARE_OF_LIMIT))
    yield warning(
        AREA, f"{left}; a check every {minutes:g} min needs about {needed:.0f} an hour",
        f"set TRACKWALKER_PING_MINUTES={possible:.0f}, or use a plan with more requests",
    )  # fmt: skip
