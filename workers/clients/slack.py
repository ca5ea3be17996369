"""Slack: post, edit, look back, delete. A bot token can do all of it, an incoming webhook can only post.

Slack answers 200 and `ok: false`: `_call` turns that into SlackBusy (tried again) or SlackRefused (told).
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import httpx
from pydantic import Field, SecretStr, ValidationError

from workers.clients import deadline
from workers.errors import SlackBusy, SlackRefused
from workers.models import Model, SlackMessage, digest
from workers.runtime.text import truncate

TIMEOUT = httpx.Timeout(10.0)
TOTAL_TIMEOUT_FACTOR = 2
"""A call as a whole takes no longer than so many of its parts may, however its answer trickles."""
LINE_TIMEOUT = httpx.Timeout(1.0)
"""Seconds for connecting, and again for the answer: together the two that the door allows."""
NO_KEEPALIVE = httpx.Limits(max_keepalive_connections=0)
"""Calls are minutes apart: an idle connection would be found dead, which costs more than a new one."""
MAX_TEXT_CHARS = 3900
"""Characters; Slack asks for at most 4000 and may split or cut what is longer."""
PER_PAGE = 200
MAX_PAGES = 20
METADATA_EVENT_TYPE = "trackwalker"
CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]+")
"""Names of channels are lower case."""
DEFAULT_WAIT_SECONDS = 30.0
"""Where Slack is busy and does not say for how long."""

BUSY_CODES = {
    "ratelimited", "rate_limited", "internal_error", "service_unavailable", "fatal_error", "request_timeout",
    "team_added_to_org", "rollup_error", "accesslimited",
}  # fmt: skip
INVALID_TOKEN_CODES = {
    "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "ekm_access_denied",
    "org_login_required",
}  # fmt: skip
"""Whatever is asked with it."""
TOKEN_CODES = INVALID_TOKEN_CODES | {
    "missing_scope",
    "no_permission",
    "not_allowed_token_type",
    "access_denied",
}
CHANNEL_CODES = {
    "channel_not_found": "the bot cannot see it", "not_in_channel": "invite the bot into it",
    "is_archived": "it is archived", "restricted_action": "the bot may not post there",
}  # fmt: skip
MESSAGE_GONE_CODES = {
    "message_not_found", "thread_not_found", "cannot_reply_to_message", "cant_update_message",
    "cant_delete_message", "edit_window_closed",
}  # fmt: skip
"""A person deleted the message, or it was never ours to edit."""


log = logging.getLogger("trackwalker.slack")


class _Metadata(Model):
    event_type: str = ""
    event_payload: dict[str, Any] = Field(default_factory=dict)


class _Message(Model):
    ts: str
    metadata: _Metadata | None = None


class _Channel(Model):
    id: str
    name: str = ""


class _Cursor(Model):
    next_cursor: str = ""


class _Answer(Model):
    ok: bool
    error: str = ""
    needed: str = ""
    ts: str = ""
    channel: str = ""
    messages: tuple[_Message, ...] = ()
    channels: tuple[_Channel, ...] = ()
    response_metadata: _Cursor | None = None


class _GoneError(SlackRefused):
    """The message that was meant is not there any more."""


class _NoScopeError(SlackRefused):
    """The app was not given a right."""


class _NoTokenError(SlackRefused):
    """The token is good for nothing."""


def escape(text: str) -> str:
    """Foreign text as text: it cannot mention anybody, forge a link or start markup of Slack's own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def truncate_message(text: str) -> str:
    """At most LONGEST_TEXT characters; the first lines and the last one (the link) stay."""
    if len(text) <= MAX_TEXT_CHARS:
        return text
    start, _, last = text.rpartition("\n")
    if len(last) > 500:
        return truncate(text, MAX_TEXT_CHARS)
    return f"{start[: MAX_TEXT_CHARS - len(last) - 3]}…\n{last}"


class Slack:
    """One channel. Every method raises SlackBusy when Slack cannot answer now and SlackRefused when it says no."""

    def __init__(
        self,
        bot_token: SecretStr | None = None,
        channel: str | None = None,
        webhook_url: SecretStr | None = None,
        api_url: str = "https://slack.com/api",
        http: httpx.Client | None = None,
    ) -> None:
        self._token = bot_token if channel else None
        self._channel = (channel or "").lstrip("#")
        self._webhook = webhook_url
        self._api = api_url.rstrip("/")
        self._http = http or deadline.client(limits=NO_KEEPALIVE)
        self._blind = self._nameless = False

    @property
    def can_read_history(self) -> bool:
        """Whether posts can be found again; not behind a webhook, nor without the right to read the channel.

        Where the channel's name cannot be looked up, only once a post has told its id.
        """
        return self._token is not None and not self._blind and not self._nameless

    def post(
        self, text: str, blocks: list[dict[str, Any]] | None = None, *, key: str,
        thread: SlackMessage | None = None, broadcast: bool = False,
    ) -> SlackMessage:  # fmt: skip
        """Post, under `thread` if given; `broadcast` shows a reply in the channel too. `key` finds it again.

        Under a message that a person deleted it becomes a post of its own. Behind a webhook `ts` stays empty.
        """
        body: dict[str, Any] = {"text": truncate_message(text), "unfurl_links": False, "unfurl_media": False}
        body |= {"blocks": blocks} if blocks else {}
        if self._token is None:
            self._hook(body, TIMEOUT)
            return SlackMessage(digest=digest(text))
        body |= {"channel": self._channel, "metadata": _metadata(key)}
        under = {"thread_ts": thread.ts, "reply_broadcast": broadcast} if thread and thread.ts else {}
        try:
            answer = self._call("chat.postMessage", json=body | under)
        except _GoneError:
            answer = self._call("chat.postMessage", json=body)
        if not answer.ts:
            raise SlackBusy("Slack took a message and named no ts")
        return SlackMessage(ts=answer.ts, channel=self._learn(answer.channel), digest=digest(text))

    def update(self, posted: SlackMessage, text: str, key: str) -> SlackMessage:
        """Make the post show this text. One that a person deleted stays deleted."""
        asked = {"channel": self._where(posted), "ts": posted.ts, "text": truncate_message(text)}
        with contextlib.suppress(_GoneError):
            self._call("chat.update", json=asked | {"metadata": _metadata(key)})
        return posted.model_copy(update={"digest": digest(text)})

    def delete(self, posted: SlackMessage) -> None:
        """Take a post back; one that is gone already is no error."""
        with contextlib.suppress(_GoneError):
            self._call("chat.delete", json={"channel": self._where(posted), "ts": posted.ts})

    def find(self, key: str, *, oldest: datetime, thread: SlackMessage | None = None) -> list[SlackMessage]:
        """Our posts with this key since `oldest` (of the channel, or of the thread), oldest first.

        Where the bot may not look back, SlackBusy says so once; from then on `can_look_back` is False.
        """
        try:
            self._where(thread)
        except _NoTokenError:
            raise
        except SlackRefused as error:
            self._nameless = True
            raise _blindly(error) from error
        try:
            return self._find(key, f"{oldest.timestamp():.6f}", thread)
        except _NoTokenError:
            raise
        except SlackRefused as error:
            self._blind = True
            raise _blindly(error) from error

    def _find(self, key: str, oldest: str, thread: SlackMessage | None) -> list[SlackMessage]:
        asked: dict[str, str | int] = {"channel": self._where(thread), "oldest": oldest}
        if thread is not None and thread.ts:
            with contextlib.suppress(_GoneError):
                return self._matching("conversations.replies", asked | {"ts": thread.ts}, key)
        return self._matching("conversations.history", asked, key)

    def post_line(self, text: str) -> None:
        """One raw line of foreign text, within about two seconds: the door's last resort."""
        body = {"text": escape(truncate_message(text))}
        if self._token is None:
            self._hook(body, LINE_TIMEOUT)
        else:
            self._call("chat.postMessage", json=body | {"channel": self._channel}, timeout=LINE_TIMEOUT)

    # -- the channel ------------------------------------------------------------------------------

    def _where(self, posted: SlackMessage | None) -> str:
        """The channel's id, which only posting can do without."""
        if posted is not None and posted.channel:
            return posted.channel
        if not CHANNEL_ID.fullmatch(self._channel):
            self._learn(self._resolve())
        return self._channel

    def _learn(self, channel: str) -> str:
        if channel:
            self._channel, self._nameless = channel, False
        return self._channel

    def _resolve(self) -> str:
        wanted = self._channel  # another thread may learn the id while we ask
        with contextlib.suppress(_NoScopeError):  # private ones need a scope of their own
            return self._listed(wanted, "public_channel,private_channel")
        return self._listed(wanted, "public_channel")

    def _listed(self, wanted: str, types: str) -> str:
        for answer in self._pages("conversations.list", {"types": types, "exclude_archived": "true"}):
            for channel in answer.channels:
                if wanted in (channel.name, channel.id):
                    return channel.id
        raise SlackRefused(f"SLACK_CHANNEL {wanted} is not among the channels the bot can see: invite it")

    def _matching(self, method: str, asked: Mapping[str, str | int], key: str) -> list[SlackMessage]:
        found = []
        for answer in self._pages(method, {**asked, "include_all_metadata": "true"}):
            for message in answer.messages:
                marked = message.metadata
                if (
                    marked
                    and marked.event_type == METADATA_EVENT_TYPE
                    and marked.event_payload.get("key") == key
                ):
                    found.append(SlackMessage(ts=message.ts, channel=str(asked["channel"])))
        unique = {posted.ts: posted for posted in found}
        return [unique[ts] for ts in sorted(unique, key=_order)]

    # -- HTTP -------------------------------------------------------------------------------------

    def _pages(self, method: str, asked: Mapping[str, str | int]) -> Iterator[_Answer]:
        cursor = ""
        for _ in range(MAX_PAGES):
            answer = self._call(
                method, params={**asked, "limit": PER_PAGE} | ({"cursor": cursor} if cursor else {})
            )
            yield answer
            cursor = answer.response_metadata.next_cursor if answer.response_metadata else ""
            if not cursor:
                return

    def _call(
        self, method: str, *, json: object = None, params: Mapping[str, str | int] | None = None,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> _Answer:  # fmt: skip
        if self._token is None:
            raise SlackRefused(f"an incoming webhook can only post: {method} needs SLACK_BOT_TOKEN")
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        verb = "POST" if json is not None else "GET"
        answer = self._send(verb, f"{self._api}/{method}", json, params, headers, timeout)
        try:
            said = _Answer.model_validate_json(answer.content)
        except ValidationError as error:
            if answer.is_client_error:
                raise SlackRefused(f"Slack answered {answer.status_code} to {method}") from error
            raise SlackBusy(f"Slack's answer to {method} cannot be read") from error
        if not said.ok:
            raise self._failure(method, said, answer)
        return said

    def _failure(self, method: str, said: _Answer, answer: httpx.Response) -> SlackBusy | SlackRefused:
        code = said.error
        if code in BUSY_CODES:
            return SlackBusy(f"Slack: {code}", retry_after=_wait(answer) or DEFAULT_WAIT_SECONDS)
        if code in MESSAGE_GONE_CODES:
            return _GoneError(f"Slack: {code} ({method})")
        if code in CHANNEL_CODES:
            return SlackRefused(f"SLACK_CHANNEL {self._channel}: {code}, {CHANNEL_CODES[code]}")
        if code in TOKEN_CODES:
            needed = f", the app needs the scope {said.needed[:100]}" if said.needed else ""
            kind: type[SlackRefused] = _NoTokenError if code in INVALID_TOKEN_CODES else SlackRefused
            kind = _NoScopeError if code == "missing_scope" else kind
            return kind(f"SLACK_BOT_TOKEN is not accepted for {method}: {code}{needed}")
        return SlackRefused(f"Slack refused {method}: {code[:100] or 'no reason given'}")

    def _hook(self, body: Mapping[str, Any], timeout: httpx.Timeout) -> None:
        if self._webhook is None:
            raise SlackRefused(
                "nobody can be told: set SLACK_BOT_TOKEN and SLACK_CHANNEL, or SLACK_WEBHOOK_URL"
            )
        address = self._webhook.get_secret_value()
        answer = self._send("POST", address, dict(body), None, {}, timeout)
        if not answer.is_success:
            raise SlackRefused(
                f"SLACK_WEBHOOK_URL is not accepted: {answer.text[:100] or answer.status_code}"
            )

    def _send(
        self, verb: str, address: str, json: object, params: Mapping[str, str | int] | None,
        headers: Mapping[str, str], timeout: httpx.Timeout,
    ) -> httpx.Response:  # fmt: skip
        """One call. Errors name no address: a webhook's is a secret."""
        try:
            with deadline.within(TOTAL_TIMEOUT_FACTOR * (timeout.read or 0.0)):
                answer = self._http.request(
                    verb, address, json=json, params=params, headers=headers, timeout=timeout
                )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SlackBusy(f"Slack cannot be reached ({type(error).__name__})") from None
        if answer.status_code == 429 or answer.status_code >= 500:
            wait = _wait(answer) or (DEFAULT_WAIT_SECONDS if answer.status_code == 429 else None)
            raise SlackBusy(f"Slack answered {answer.status_code}", retry_after=wait)
        return answer


def _blindly(error: SlackRefused) -> SlackBusy:
    log.warning("cannot look back in Slack", extra={"why": str(error)})
    return SlackBusy(f"posting without looking back: {error}", retry_after=1)


def _metadata(key: str) -> dict[str, Any]:
    return {"event_type": METADATA_EVENT_TYPE, "event_payload": {"key": key}}


def _wait(answer: httpx.Response) -> float | None:
    after = answer.headers.get("retry-after", "")
    return min(float(after), 3600.0) if after.isdigit() else None


def _order(ts: str) -> tuple[int, str]:
    """`1700000000.000100` as something that sorts: seconds, then the fraction."""
    seconds, _, fraction = ts.partition(".")
    return (int(seconds) if seconds.isdigit() else 0, fraction)
