"""Slack's error codes, and the exceptions for them.

Slack answers HTTP 200 with `ok: false` and a code. https://docs.slack.dev/reference/methods lists the codes of each
method.
"""

from __future__ import annotations

from workers.errors import SlackBusy, SlackRefused

DEFAULT_WAIT_SECONDS = 30.0
"""Wait before the next attempt if Slack is busy and names no time."""
MAX_CODE_CHARS = 100
"""Length of an unknown code or of a scope's name in our errors."""

BUSY_CODES = {
    "ratelimited", "rate_limited", "internal_error", "service_unavailable", "fatal_error", "request_timeout",
    "team_added_to_org", "rollup_error", "accesslimited",
}  # fmt: skip
"""The same request may succeed later."""
INVALID_TOKEN_CODES = {
    "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "ekm_access_denied",
    "org_login_required",
}  # fmt: skip
"""Every request with this token fails."""
MISSING_SCOPE = "missing_scope"
PERMISSION_CODES = {MISSING_SCOPE, "no_permission", "not_allowed_token_type", "access_denied"}
"""This request fails, others with the same token may succeed."""
CHANNEL_HINTS = {
    "channel_not_found": "the bot cannot see it. Invite it with /invite @trackwalker",
    "not_in_channel": "the bot is not a member. Invite it with /invite @trackwalker",
    "is_archived": "it is archived",
    "restricted_action": "the bot may not post there",
}
"""Code of a problem with the channel → what to do about it."""
INVALID_BLOCKS_CODES = {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"}
"""The layout of a message is not valid; its plain text may be."""
MESSAGE_GONE_CODES = {
    "message_not_found", "thread_not_found", "cannot_reply_to_message", "cant_update_message",
    "cant_delete_message", "edit_window_closed",
}  # fmt: skip
"""A person deleted the message, or Slack no longer allows the bot to change it."""


class MessageGone(SlackRefused):
    """The message was deleted or can no longer be changed."""


class InvalidBlocks(SlackRefused):
    """Slack does not accept the blocks of a message."""


class MissingScope(SlackRefused):
    """The Slack app lacks a scope."""


class InvalidBotToken(SlackRefused):
    """Slack does not accept the bot token at all."""


def error_for(
    code: str, method: str, *, channel: str, scope: str, retry_after: float | None
) -> SlackBusy | SlackRefused:
    """The exception for an answer with `ok: false`.

    Args:
        channel: the configured channel.
        scope: the scope that the app lacks; "" if Slack names none.
        retry_after: seconds; None takes DEFAULT_WAIT_SECONDS.
    """
    if code in BUSY_CODES:
        return SlackBusy(f"Slack: {code}", retry_after=retry_after or DEFAULT_WAIT_SECONDS)
    if code in MESSAGE_GONE_CODES:
        return MessageGone(f"Slack: {code} ({method})")
    if code in INVALID_BLOCKS_CODES:
        return InvalidBlocks(f"Slack: {code} ({method})")
    if code in CHANNEL_HINTS:
        return SlackRefused(f"SLACK_CHANNEL {channel}: {code}, {CHANNEL_HINTS[code]}")
    if code in INVALID_TOKEN_CODES | PERMISSION_CODES:
        needed = f", the app needs the scope {scope[:MAX_CODE_CHARS]}" if scope else ""
        kind: type[SlackRefused] = InvalidBotToken if code in INVALID_TOKEN_CODES else SlackRefused
        kind = MissingScope if code == MISSING_SCOPE else kind
        return kind(f"SLACK_BOT_TOKEN is not accepted for {method}: {code}{needed}")
    return SlackRefused(f"Slack refused {method}: {code[:MAX_CODE_CHARS] or 'no reason given'}")
