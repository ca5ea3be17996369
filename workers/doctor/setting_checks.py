"""Checks the settings: what cannot be read, is misspelt, was copied wrongly, or is missing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from workers.errors import SettingsError
from workers.models.check_results import CheckResult, CheckStatus
from workers.runtime import environment, settings, store
from workers.runtime.dotenv_file import DotenvFile, read_dotenv
from workers.runtime.misspelt_settings import setting_names, similar_names, unknown_names, wrongly_copied
from workers.runtime.private_hosts import is_private_host
from workers.runtime.settings import Settings
from workers.runtime.settings_check import missing
from workers.runtime.text import join_names, plural

AREA = "Settings"
MIN_PASSWORD_CHARS = 12  # the page limits tries, and still a short password is found in days
DRAINING = "RAILWAY_DEPLOYMENT_DRAINING_SECONDS"  # read by Railway; its default is 0
MIN_DRAINING_SECONDS = 20  # more than `supervise.DRAIN_SECONDS`
SLACK_USER = re.compile(r"[UW][A-Z0-9]{2,}")


@dataclass(frozen=True)
class PresentSettings:
    """The settings that can be read, and what is wrong with the others."""

    settings: Settings
    environ: Mapping[str, str]
    folder: Path
    """The data folder."""
    dotenv: Path | None
    """The `.env` that was read; None if there is none."""
    file: DotenvFile
    malformed: tuple[tuple[str, str], ...]
    """Settings and what is wrong with each."""


def read_present(environ: Mapping[str, str] | None = None, home: Path | None = None) -> PresentSettings:
    """The settings of the environment and of `.env`, read as far as possible.

    Args:
        environ: the environment; None takes that of the process.
        home: the project folder, which may hold a `.env`; None takes that of the process.
    """
    home = home or environment.project_folder()
    path = home / environment.DOTENV
    file = read_dotenv(path) if path.is_file() else DotenvFile({})
    present = environment.merged(file.values, os.environ if environ is None else environ)
    config, malformed = settings.read_valid(present)
    folder = home / (present.get(environment.DATA_DIR) or environment.DEFAULT_DATA_DIR)
    dotenv = path.absolute() if path.is_file() else None
    return PresentSettings(config, present, folder.absolute(), dotenv, file, malformed)


def check_settings(present: PresentSettings, *, with_optional: bool = True) -> tuple[CheckResult, ...]:
    """Where the settings come from, and their problems.

    Args:
        with_optional: name missing settings of areas that other checks report, such as Slack.
    """
    problems = (*_unreadable(present), *_doubtful(present), *_missing(present, with_optional=with_optional))
    where = f"{present.dotenv} and the environment" if present.dotenv else "the environment, no .env here"
    if any(problem.status is CheckStatus.ERROR for problem in problems):
        read_from = CheckResult(area=AREA, status=CheckStatus.SKIPPED, what=f"read from {where}")
        return (*problems, read_from)
    number = len(setting_names() & present.environ.keys())
    text = f"{plural(number, 'setting')} in {where}, none unknown"
    return (CheckResult(area=AREA, status=CheckStatus.OK, what=text), *problems)


def _unreadable(present: PresentSettings) -> Iterator[CheckResult]:
    for place, reason in present.file.problems:
        what, _, repair = reason.partition(": ")
        yield _error(f"{place} {what}", repair)
    for name, reason in present.malformed:
        default = "the default, full" if name == "TRACKWALKER_MODE" else "the default"
        yield _error(f"{name} {reason}", f"correct {name}, or remove it to use {default}")
    for unknown in unknown_names(present.environ):
        repair = f"rename it to {unknown.closest}" if unknown.closest else "remove it"
        yield _error(str(unknown), repair)
    if present.settings.redis_url:
        try:
            store.connect(present.settings)
        except SettingsError as malformed:
            yield from (
                _error(f"{name} {reason}", "correct REDIS_URL") for name, reason in malformed.problems
            )
    for name, reason in wrongly_copied(present.environ):
        what, _, repair = reason.partition(": ")
        yield _error(f"{name} {what}", repair)


def _doubtful(present: PresentSettings) -> Iterator[CheckResult]:
    for similar in similar_names(present.environ):
        yield _warning(str(similar), f"rename it to {similar.closest} if you meant that")
    for name in present.file.repeated:
        yield _warning(f"{name} stands more than once in {present.dotenv}; the last value counts", "keep one")
    yield from _halves(present.settings)
    yield from _page_problems(present.settings)
    yield from _draining_problem(present.environ)
    wrong = [name for name, user in present.settings.slack_users.items() if not SLACK_USER.fullmatch(user)]
    if wrong:
        what = f"TRACKWALKER_SLACK_USERS: the value for {join_names(wrong, 3)} is no id of a Slack user"
        yield _warning(what, "copy it in Slack: profile → ⋮ → Copy member ID, for example U012AB3CD")


def _halves(config: Settings) -> Iterator[CheckResult]:
    """Settings that work only together with another one."""
    pairs = (
        (config.slack_bot_token, "SLACK_BOT_TOKEN", config.slack_channel, "SLACK_CHANNEL, for example #on-call"),
        (config.slack_channel, "SLACK_CHANNEL", config.slack_bot_token or config.slack_webhook_url, "SLACK_BOT_TOKEN"),
        (config.github_app_id, "GITHUB_APP_ID", config.github_app_private_key, "GITHUB_APP_PRIVATE_KEY"),
        (config.github_app_private_key, "GITHUB_APP_PRIVATE_KEY", config.github_app_id, "GITHUB_APP_ID"),
        (config.trusted_user_header, "TRACKWALKER_TRUSTED_USER_HEADER", config.trusted_proxies,
         "TRACKWALKER_TRUSTED_PROXIES to the addresses of the proxy"),
        (config.trusted_proxies, "TRACKWALKER_TRUSTED_PROXIES", config.trusted_user_header,
         "TRACKWALKER_TRUSTED_USER_HEADER to the header that names the user"),
    )  # fmt: skip
    for value, name, other, other_name in pairs:
        if value and not other:
            yield _warning(
                f"{name} is set and {other_name.split(' to ')[0].split(',')[0]} is not", f"set {other_name}"
            )


def _draining_problem(environ: Mapping[str, str]) -> Iterator[CheckResult]:
    """On Railway: too little time between SIGTERM and SIGKILL for a worker to hand its work over."""
    seconds = environ.get(DRAINING, "0")
    is_enough = seconds.isdigit() and int(seconds) >= MIN_DRAINING_SECONDS
    if "RAILWAY_SERVICE_ID" in environ and not is_enough:
        what = f"{DRAINING} is {seconds if DRAINING in environ else 'not set'}: each deployment kills work under way"
        yield _warning(what, f"set {DRAINING}={MIN_DRAINING_SECONDS} in the variables of the service")


def _page_problems(config: Settings) -> Iterator[CheckResult]:
    """A page that nobody can open, or whose password can be guessed."""
    is_public = not is_private_host(urlsplit(config.url).hostname or "localhost")
    password = config.page_password.get_secret_value() if config.page_password else ""
    if is_public and not (password or config.trusted_user_header):
        yield _warning(
            "the incident page opens on this machine only: its links in Slack cannot be opened elsewhere",
            "set TRACKWALKER_PAGE_PASSWORD",
        )  # fmt: skip
    if password and len(password) < MIN_PASSWORD_CHARS:
        what = f"TRACKWALKER_PAGE_PASSWORD has fewer than {MIN_PASSWORD_CHARS} characters"
        yield _warning(what, "set a longer one, for example: openssl rand -base64 18")


def _missing(present: PresentSettings, *, with_optional: bool) -> Iterator[CheckResult]:
    malformed = dict(present.malformed)
    for setting in missing(present.settings):
        if not (setting.is_required or with_optional):
            continue
        if malformed.keys() & set(setting.names):
            continue  # it is set, and named above
        result = _error if setting.is_required else _warning
        yield result(f"{setting.label}: not set; it {setting.purpose}", setting.how)


def _error(what: str, repair: str = "") -> CheckResult:
    return CheckResult(area=AREA, status=CheckStatus.ERROR, what=what, repair=repair)


def _warning(what: str, repair: str = "") -> CheckResult:
    return CheckResult(area=AREA, status=CheckStatus.WARNING, what=what, repair=repair)
