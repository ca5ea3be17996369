"""Checks Slack: the token and its scopes, the channel, and what the buttons need."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx

from workers.doctor.check_context import Context
from workers.doctor.http_requests import body_of, quote, send
from workers.doctor.results import error, passed, warning
from workers.errors import SlackBusy
from workers.models.check_results import CheckResult
from workers.runtime.text import safe_line

AREA = "Slack"
APPS_PAGE = "https://api.slack.com/apps"
SCOPES_HEADER = "x-oauth-scopes"
MAX_PAGES = 10  # of channels; Slack limits conversations.list to 20 requests a minute
PER_PAGE = 200
CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{6,}")
SIGNING_SECRET = re.compile(r"[0-9a-f]{32}")
TEST_TEXT = (
    "Trackwalker is connected to this channel. This is the test message of `trackwalker doctor --post`."
)
REINSTALL = f"add it at {APPS_PAGE} → OAuth & Permissions, then reinstall the app"
NEEDED_SCOPES: Mapping[str, str] = {
    "chat:write": "post messages",
    "channels:read": "find the channel by its name",
    "channels:history": "find its own messages again after a crash",
}
"""The scopes for a public channel. A private channel needs `groups:…` in place of `channels:…`."""
TOKEN_KINDS = {
    "xapp-": "an app-level token", "xoxp-": "a user token", "xoxe": "a configuration token", "https:": "an address",
}  # fmt: skip
"""How a token of another kind begins."""
INVALID_TOKEN = {
    "invalid_auth": "is wrong", "not_authed": "is empty", "account_inactive": "belongs to a removed app or user",
    "token_revoked": "was revoked", "token_expired": "has expired",
}  # fmt: skip
WEBHOOK_ERRORS = {
    "no_service": "was deleted in Slack", "invalid_token": "is wrong", "no_team": "is wrong",
    "team_disabled": "belongs to a workspace that is closed", "channel_not_found": "posts to a channel that is gone",
    "channel_is_archived": "posts to an archived channel", "action_prohibited": "may not post there",
    "posting_to_general_channel_denied": "may not post to #general",
}  # fmt: skip


def check_slack(context: Context) -> Iterator[CheckResult]:
    """Whether messages reach the channel, and whether the buttons work."""
    config = context.settings
    if config.slack_bot_token and config.slack_channel:
        yield from _check_bot(context, config.slack_channel.lstrip("#"))
    elif config.slack_webhook_url:
        yield from _check_webhook(context)
    else:
        yield warning(AREA, "not set: findings are only logged", f"create an app at {APPS_PAGE}")


# ---- a bot token -----------------------------------------------------------------------------


def _check_bot(context: Context, channel: str) -> Iterator[CheckResult]:
    response, answer = _call(context, "auth.test")
    if not answer.get("ok"):
        yield _refused_token(context, str(answer.get("error") or ""))
        return
    header = response.headers.get(SCOPES_HEADER)
    scopes = {scope.strip() for scope in header.split(",")} if header is not None else None
    team = safe_line(str(answer.get("team") or "the workspace"), 60)
    problems = [*_scope_problems(scopes), *_channel_problems(context, channel, scopes)]
    if not any(problem.status.value == "error" for problem in problems):
        yield passed(AREA, f"#{channel} in {team}: the bot may post")
    yield from problems
    if context.post_test and not problems:
        yield from _post(context, channel)
    yield from _check_buttons(context)


def _refused_token(context: Context, code: str) -> CheckResult:
    token = context.settings.slack_bot_token
    value = token.get_secret_value() if token else ""
    kind = next((kind for start, kind in TOKEN_KINDS.items() if value.startswith(start)), "")
    if kind:
        what = f"SLACK_BOT_TOKEN holds {kind}"
    else:
        what = f"SLACK_BOT_TOKEN {INVALID_TOKEN.get(code, 'is refused')} ({safe_line(code, 60)})"
    return error(AREA, what, f"copy the Bot User OAuth Token (xoxb-…) from {APPS_PAGE} → OAuth & Permissions")


def _scope_problems(scopes: set[str] | None) -> Iterator[CheckResult]:
    """The scopes that are missing, if Slack names those that the token has."""
    for scope, purpose in NEEDED_SCOPES.items() if scopes is not None else ():
        alternatives = {scope, scope.replace("channels:", "groups:")}
        if not (alternatives & (scopes or set())):
            result = error if scope == "chat:write" else warning
            yield result(AREA, f"the bot lacks the scope {scope}: it cannot {purpose}", REINSTALL)


def _channel_problems(context: Context, channel: str, scopes: set[str] | None) -> Iterator[CheckResult]:
    listed: dict[str, Any] | None = None
    channel_id = channel
    if not CHANNEL_ID.fullmatch(channel):
        outcome = _find_channel(context, channel)
        if isinstance(outcome, CheckResult):
            yield outcome
            return
        listed, channel_id = outcome, str(outcome.get("id") or "")
    if listed is not None and listed.get("is_archived"):
        yield error(AREA, f"#{channel} is archived", "unarchive it, or set SLACK_CHANNEL to another one")
        return
    if (
        listed is not None
        and listed.get("is_member") is False
        and "chat:write.public" not in (scopes or set())
    ):
        yield _not_a_member(channel)
        return
    _, answer = _call(context, "conversations.history", params={"channel": channel_id, "limit": 1})
    code = str(answer.get("error") or "")
    if answer.get("ok"):
        return
    if code == "not_in_channel":
        yield _not_a_member(channel)
    elif code == "channel_not_found":
        yield error(
            AREA,
            f"the bot does not see the channel {channel}",
            "invite it: /invite @trackwalker in that channel, and check SLACK_CHANNEL",
        )
    elif code == "is_archived":
        yield error(AREA, f"#{channel} is archived", "unarchive it, or set SLACK_CHANNEL to another one")
    elif code == "missing_scope" and scopes is None:
        needed = safe_line(str(answer.get("needed") or "channels:history"), 60)
        yield warning(
            AREA,
            f"the bot lacks the scope {needed}: it cannot find its own messages again after a crash",
            REINSTALL,
        )
    elif code != "missing_scope":
        yield warning(AREA, f"Slack refused to show #{channel}: {safe_line(code, 60)}")


def _not_a_member(channel: str) -> CheckResult:
    return error(AREA, f"#{channel}: the bot is not in it", f"/invite @trackwalker in #{channel}")


def _find_channel(context: Context, name: str) -> dict[str, Any] | CheckResult:
    """The channel of this name as conversations.list describes it, or why it cannot be found."""
    names: list[str] = []
    for types in ("public_channel,private_channel", "public_channel"):
        outcome = _search(context, name, types, names)
        if outcome is not None:
            return outcome
    close = [other for other in names if other.casefold() == name.casefold()]
    hint = f"; there is #{close[0]}" if close else ""
    return error(
        AREA,
        f"the bot does not see a channel #{safe_line(name, 80)}{hint}",
        "create it, or invite the bot to it: /invite @trackwalker",
    )


def _search(context: Context, name: str, types: str, names: list[str]) -> dict[str, Any] | CheckResult | None:
    cursor = ""
    for _ in range(MAX_PAGES):
        params: dict[str, str | int] = {"types": types, "limit": PER_PAGE}
        _, answer = _call(
            context, "conversations.list", params=params | ({"cursor": cursor} if cursor else {})
        )
        if answer.get("error") == "missing_scope":
            if types == "public_channel":
                return warning(
                    AREA,
                    f"#{name} cannot be looked up without the scope channels:read",
                    "set SLACK_CHANNEL to the channel's id, or add the scope",
                )
            return None
        for channel in answer.get("channels") or ():
            if isinstance(channel, dict):
                names.append(str(channel.get("name")))
                if name in (channel.get("name"), channel.get("id")):
                    return channel
        metadata = answer.get("response_metadata")
        cursor = str(metadata.get("next_cursor") or "") if isinstance(metadata, dict) else ""
        if not cursor:
            return None
    return None


def member_channels(context: Context) -> list[str] | None:
    """The names of the channels that the bot is in, as far as its scopes let it see them; None for a refused token.

    Raises:
        NotAvailable: Slack does not answer, or limits our rate.
    """
    names: list[str] = []
    if not _call(context, "auth.test")[1].get("ok"):
        return None
    for types in ("public_channel,private_channel", "public_channel"):
        answer = _list_channels(context, types, lambda channel: names.append(str(channel.get("name"))))
        if answer.get("ok"):
            break
    return sorted(names)


def _list_channels(context: Context, types: str, take: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Pass on each channel that the bot is in; the last answer."""
    cursor = ""
    answer: dict[str, Any] = {}
    for _ in range(MAX_PAGES):
        params: dict[str, str | int] = {"types": types, "limit": PER_PAGE, "exclude_archived": "true"}
        _, answer = _call(
            context, "conversations.list", params=params | ({"cursor": cursor} if cursor else {})
        )
        for channel in answer.get("channels") or ():
            if isinstance(channel, dict) and channel.get("is_member") and not channel.get("is_archived"):
                take(channel)
        metadata = answer.get("response_metadata")
        cursor = str(metadata.get("next_cursor") or "") if isinstance(metadata, dict) else ""
        if not cursor:
            break
    return answer


def _post(context: Context, channel: str) -> Iterator[CheckResult]:
    _, answer = _call(context, "chat.postMessage", json={"channel": channel, "text": TEST_TEXT})
    if answer.get("ok"):
        yield passed(AREA, f"test message posted to #{channel}")
    else:
        code = safe_line(str(answer.get("error") or "no reason given"), 60)
        yield error(AREA, f"the test message was refused: {code}", f"/invite @trackwalker in #{channel}")


def _check_buttons(context: Context) -> Iterator[CheckResult]:
    secret = context.settings.slack_signing_secret
    where = f"{APPS_PAGE} → Basic Information → Signing Secret"
    if secret is None:
        yield warning(
            AREA,
            "SLACK_SIGNING_SECRET is not set: buttons are links to the incident page",
            f"copy it from {where}",
        )
    elif not SIGNING_SECRET.fullmatch(secret.get_secret_value()):
        yield warning(
            AREA, "SLACK_SIGNING_SECRET is not 32 hexadecimal digits, as Slack's are", f"copy it from {where}"
        )
    else:
        yield passed(AREA, f"buttons: their request URL has to be {context.settings.url}/slack/actions")


def _call(
    context: Context, method: str, *, params: Mapping[str, str | int] | None = None, json: object = None
) -> tuple[httpx.Response, dict[str, Any]]:
    token = context.settings.slack_bot_token
    headers = {"Authorization": f"Bearer {token.get_secret_value() if token else ''}"}
    url = f"{context.settings.slack_api_url}/{method}"
    verb = "GET" if json is None else "POST"
    response = send(context, verb, url, name="Slack", headers=headers, params=params, json=json)
    answer = body_of(response)
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.get("error") in (
        "ratelimited",
        "rate_limited",
    ):
        raise SlackBusy("Slack limits our rate: try again in a minute")
    if "ok" not in answer:
        raise SlackBusy(f"Slack answered {response.status_code} to {method}: check SLACK_API_URL")
    return response, answer


# ---- an incoming webhook ---------------------------------------------------------------------


def _check_webhook(context: Context) -> Iterator[CheckResult]:
    """Slack refuses a message without text, and says before whether it knows the webhook. Nothing is posted."""
    url = context.settings.slack_webhook_url
    assert url is not None  # noqa: S101 (the caller has looked)
    body = {"text": TEST_TEXT} if context.post_test else {}
    response = send(context, "POST", url.get_secret_value(), name="Slack", json=body)
    code = response.text.strip()[:60]
    if response.is_success and context.post_test:
        yield passed(AREA, "incoming webhook: test message posted")
    elif code in ("no_text", "invalid_payload", "missing_text_or_fallback_or_attachments"):
        yield passed(
            AREA, "incoming webhook: accepted (messages cannot be edited: at most three posts an incident)"
        )
    elif code in WEBHOOK_ERRORS or response.status_code in (403, 404, 410):
        what = WEBHOOK_ERRORS.get(code, f"is not accepted ({quote(response) or response.status_code})")
        yield error(AREA, f"SLACK_WEBHOOK_URL {what}", f"create a webhook at {APPS_PAGE} → Incoming Webhooks")
    elif response.is_success:
        yield warning(
            AREA,
            "SLACK_WEBHOOK_URL accepts a message without text, as no webhook of Slack does",
            "check the address",
        )
    else:
        yield warning(AREA, f"SLACK_WEBHOOK_URL answered {response.status_code}", "try again")
