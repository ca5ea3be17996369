"""Client for one Slack channel: post, edit, find and delete messages.

A bot token can do all of these; an incoming webhook can only post.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx
from pydantic import Field, SecretStr, ValidationError

from workers.clients import deadline
from workers.clients.slack_errors import (
    DEFAULT_WAIT_SECONDS,
    InvalidBlocks,
    InvalidBotToken,
    MessageGone,
    MissingScope,
    error_for,
)
from workers.clients.slack_text import escape
from workers.errors import SlackBusy, SlackRefused
from workers.models import Exact, Model, SlackMessage, digest
from workers.runtime.text import truncate

TIMEOUT = httpx.Timeout(10.0)
"""Seconds for connecting and for each read and write."""
LINE_TIMEOUT = httpx.Timeout(1.0)
"""Seconds for connecting and for reading in `post_line`. Together two: the sender of a webhook may wait for it."""
VIEW_TIMEOUT = httpx.Timeout(1.2)
"""The same for `open_view`: together under the 3 s for which a trigger is valid."""
TOTAL_TIMEOUT_FACTOR = 2
"""Upper bound of a whole request, as a multiple of its read timeout."""
MAX_WAIT_SECONDS = 3600.0
"""Upper bound of a wait that Slack asks for."""
NO_KEEPALIVE = httpx.Limits(max_keepalive_connections=0)
"""Requests are minutes apart. The server closes an idle connection sooner, and a retry costs more than a new one."""
MAX_TEXT_CHARS = 3900
"""Length of a message. Slack recommends at most 4,000 characters and may split or truncate a longer text."""
MAX_LAST_LINE_CHARS = 500
"""A longer last line is not the link that `truncate_message` keeps."""
PER_PAGE = 200
"""Items per page; Slack recommends at most 200."""
MAX_PAGES = 20
"""4,000 messages or channels. An incident's time holds fewer, and Slack limits these methods to 20-50 a minute."""
NO_PARSING: dict[str, Any] = {"parse": "none", "link_names": False}
"""Slack links nothing by itself: no address, no name of a channel or user. Ours are written as `<https://…>`."""
AS_WRITTEN: dict[str, Any] = {**NO_PARSING, "unfurl_links": False, "unfurl_media": False}
"""The same, and no preview of a link. `chat.update` has no previews to switch off."""
METADATA_EVENT_TYPE = "trackwalker"
"""Type of the metadata that marks our messages; `event_payload.key` identifies each of them."""
# Ids of channels are upper case; names of channels are lower case.
CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]+")

Blocks = Sequence[Mapping[str, Any]]
"""Blocks of Slack's Block Kit, as JSON values."""

log = logging.getLogger("trackwalker.slack")


# Exact: ids and words that code compares. A secret of the settings may by chance be a part of one.


class _Metadata(Model):
    event_type: Exact = ""
    event_payload: dict[str, Any] = Field(default_factory=dict)


class _Message(Model):
    ts: Exact
    metadata: _Metadata | None = None


class _Channel(Model):
    id: Exact
    name: Exact = ""


class _Cursor(Model):
    next_cursor: Exact = ""


class _Answer(Model):
    ok: bool
    error: Exact = ""
    needed: str = ""
    ts: Exact = ""
    channel: Exact = ""
    messages: tuple[_Message, ...] = ()
    channels: tuple[_Channel, ...] = ()
    response_metadata: _Cursor | None = None


def truncate_message(text: str) -> str:
    """The text in at most MAX_TEXT_CHARS characters. Keeps the beginning and the last line, which holds the link."""
    if len(text) <= MAX_TEXT_CHARS:
        return text
    start, _, last = text.rpartition("\n")
    if len(last) > MAX_LAST_LINE_CHARS:
        return truncate(text, MAX_TEXT_CHARS)
    return f"{start[: MAX_TEXT_CHARS - len(last) - 3]}…\n{last}"


class Slack:
    """One Slack channel.

    Every method raises SlackBusy if Slack cannot answer now, and SlackRefused if Slack refuses the request.

    Args:
        bot_token: token of the Slack app; needs `channel`.
        channel: id of the channel, or its name with or without `#`.
        webhook_url: incoming webhook, used without a bot token.
        api_url: address of the Web API.
        http: HTTP client to use; tests pass one with a mock transport.
    """

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
        self._history_refused = self._channel_unresolved = False

    @property
    def can_read_history(self) -> bool:
        """False with a webhook, without the right to read the channel, or while the channel's id is unknown.

        An unknown id becomes known with the first post, whose answer contains it.
        """
        return self._token is not None and not self._history_refused and not self._channel_unresolved

    @property
    def can_edit(self) -> bool:
        """False behind an incoming webhook, which can only post."""
        return self._token is not None

    def post(
        self, text: str, *, key: str, thread: SlackMessage | None = None, broadcast: bool = False,
        blocks: Blocks = (), thread_only: bool = False,
    ) -> SlackMessage:  # fmt: skip
        """Post a message.

        Args:
            text: the message; what comes from others in it is escaped. With blocks, notifications show only this.
            blocks: Slack's layout blocks. A message whose blocks Slack refuses is posted as plain text.
            key: identifies the message for `find`.
            thread: message to reply to. If a person deleted it, the reply becomes a message of the channel.
            broadcast: show a reply in the channel as well.
            thread_only: raise MessageGone instead if the message to reply to is gone.

        Returns:
            The message. A webhook answers without `ts`, which stays empty then.
        """
        body: dict[str, Any] = {"text": truncate_message(text), **AS_WRITTEN}
        body |= {"blocks": list(blocks)} if blocks else {}
        if self._token is None:
            self._post_to_webhook(body, TIMEOUT)
            return SlackMessage(digest=digest(text))
        body |= {"channel": self._channel, "metadata": _metadata(key)}
        reply = {"thread_ts": thread.ts, "reply_broadcast": broadcast} if thread and thread.ts else {}
        try:
            answer = self._send_message("chat.postMessage", body | reply)
        except MessageGone:
            if thread_only:
                raise
            answer = self._send_message("chat.postMessage", body)
        if not answer.ts:
            raise SlackBusy("Slack accepted a message without returning its ts")
        return SlackMessage(ts=answer.ts, channel=self._learn_channel(answer.channel), digest=digest(text))

    def update(self, posted: SlackMessage, text: str, key: str, blocks: Blocks = ()) -> SlackMessage:
        """Replace a message. A message that a person deleted stays deleted, without an error."""
        # An empty list removes blocks; without the field they would stay. Metadata that is left out is removed, too.
        body = {
            "channel": self._channel_id(posted),
            "ts": posted.ts,
            "text": truncate_message(text),
            "blocks": list(blocks),
            "metadata": _metadata(key),
            **NO_PARSING,
        }
        with contextlib.suppress(MessageGone):
            self._send_message("chat.update", body)
        return posted.model_copy(update={"digest": digest(text)})

    def open_view(self, trigger_id: str, view: Mapping[str, Any]) -> None:
        """Open a modal for the person who pressed a button, within VIEW_TIMEOUT: the trigger expires after 3 s."""
        self._call("views.open", json={"trigger_id": trigger_id, "view": view}, timeout=VIEW_TIMEOUT)

    def delete(self, posted: SlackMessage) -> None:
        """Delete a message. A message that is gone already is no error."""
        with contextlib.suppress(MessageGone):
            self._call("chat.delete", json={"channel": self._channel_id(posted), "ts": posted.ts})

    def find(self, key: str, *, oldest: datetime, thread: SlackMessage | None = None) -> list[SlackMessage]:
        """Our messages with this key, oldest first.

        Args:
            oldest: earlier messages are not searched.
            thread: search the replies to this message; None searches the channel.

        Raises:
            SlackBusy: also if the bot may not read the channel. From then on `can_read_history` is False, and the
                next attempt can post without a search.
        """
        try:
            self._channel_id(thread)
        except InvalidBotToken:
            raise
        except SlackRefused as error:
            self._channel_unresolved = True
            raise _history_unavailable(error) from error
        try:
            return self._find(key, f"{oldest.timestamp():.6f}", thread)
        except InvalidBotToken:
            raise
        except SlackRefused as error:
            self._history_refused = True
            raise _history_unavailable(error) from error

    def _find(self, key: str, oldest: str, thread: SlackMessage | None) -> list[SlackMessage]:
        params: dict[str, str | int] = {"channel": self._channel_id(thread), "oldest": oldest}
        if thread is not None and thread.ts:
            with contextlib.suppress(MessageGone):
                return self._matching("conversations.replies", params | {"ts": thread.ts}, key)
        return self._matching("conversations.history", params, key)

    def post_line(self, text: str) -> None:
        """Post one line of untrusted text, within about two seconds. For the receiver when Redis is unavailable."""
        body: dict[str, Any] = {"text": truncate_message(escape(text)), **AS_WRITTEN}
        if self._token is None:
            self._post_to_webhook(body, LINE_TIMEOUT)
        else:
            self._call("chat.postMessage", json=body | {"channel": self._channel}, timeout=LINE_TIMEOUT)

    # -- the channel ------------------------------------------------------------------------------

    def _channel_id(self, posted: SlackMessage | None) -> str:
        """The id of the message's channel, else of the configured one. Only posting accepts a channel's name."""
        if posted is not None and posted.channel:
            return posted.channel
        if not CHANNEL_ID.fullmatch(self._channel):
            self._learn_channel(self._look_up_channel())
        return self._channel

    def _learn_channel(self, channel: str) -> str:
        if channel:
            self._channel, self._channel_unresolved = channel, False
        return self._channel

    def _look_up_channel(self) -> str:
        name = self._channel  # read once: another thread may replace it by the id in the meantime
        # Private channels need the scope groups:read, which an app for public channels does not have.
        with contextlib.suppress(MissingScope):
            return self._listed_channel(name, "public_channel,private_channel")
        return self._listed_channel(name, "public_channel")

    def _listed_channel(self, name: str, types: str) -> str:
        for answer in self._pages("conversations.list", {"types": types, "exclude_archived": "true"}):
            for channel in answer.channels:
                if name in (channel.name, channel.id):
                    return channel.id
        raise SlackRefused(
            f"SLACK_CHANNEL: the bot does not see a channel {name}. Invite it with /invite @trackwalker"
        )

    def _matching(self, method: str, params: Mapping[str, str | int], key: str) -> list[SlackMessage]:
        by_ts = {}
        for answer in self._pages(method, {**params, "include_all_metadata": "true"}):
            for message in answer.messages:
                mark = message.metadata
                if mark and mark.event_type == METADATA_EVENT_TYPE and mark.event_payload.get("key") == key:
                    # By ts, because pages overlap if messages arrive between two requests.
                    by_ts[message.ts] = SlackMessage(ts=message.ts, channel=str(params["channel"]))
        return [by_ts[ts] for ts in sorted(by_ts, key=_ts_order)]

    # -- HTTP -------------------------------------------------------------------------------------

    def _pages(self, method: str, params: Mapping[str, str | int]) -> Iterator[_Answer]:
        cursor = ""
        for _ in range(MAX_PAGES):
            page = {**params, "limit": PER_PAGE} | ({"cursor": cursor} if cursor else {})
            answer = self._call(method, params=page)
            yield answer
            cursor = answer.response_metadata.next_cursor if answer.response_metadata else ""
            if not cursor:
                return

    def _send_message(self, method: str, body: Mapping[str, Any]) -> _Answer:
        """Post or edit. A message must arrive even if Slack refuses its blocks, whatever made them invalid."""
        try:
            return self._call(method, json=body)
        except InvalidBlocks as error:
            log.error("slack refused the blocks of a message", extra={"reason": str(error)})
            return self._call(method, json={**body, "blocks": []})

    def _call(
        self, method: str, *, json: object = None, params: Mapping[str, str | int] | None = None,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> _Answer:  # fmt: skip
        """The answer of a Web API method, if it is `ok`."""
        if self._token is None:
            raise SlackRefused(f"an incoming webhook can only post: {method} needs SLACK_BOT_TOKEN")
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        verb = "POST" if json is not None else "GET"
        response = self._send(verb, f"{self._api}/{method}", json, params, headers, timeout)
        try:
            answer = _Answer.model_validate_json(response.content)
        except ValidationError as error:
            if response.is_client_error:
                raise SlackRefused(f"Slack answered {response.status_code} to {method}") from error
            raise SlackBusy(f"Slack's answer to {method} cannot be read") from error
        if not answer.ok:
            raise error_for(
                answer.error, method, channel=self._channel, scope=answer.needed,
                retry_after=_retry_after(response),
            )  # fmt: skip
        return answer

    def _post_to_webhook(self, body: Mapping[str, Any], timeout: httpx.Timeout) -> None:
        if self._webhook is None:
            raise SlackRefused(
                "Slack is not configured: set SLACK_BOT_TOKEN and SLACK_CHANNEL, or SLACK_WEBHOOK_URL"
            )
        response = self._send("POST", self._webhook.get_secret_value(), dict(body), None, {}, timeout)
        if response.is_client_error and "invalid_blocks" in response.text and body.get("blocks"):
            log.error("slack refused the blocks of a message", extra={"reason": response.text[:100]})
            plain = {name: value for name, value in body.items() if name != "blocks"}
            response = self._send("POST", self._webhook.get_secret_value(), plain, None, {}, timeout)
        if not response.is_success:
            reason = response.text[:100] or response.status_code
            raise SlackRefused(f"SLACK_WEBHOOK_URL is not accepted: {reason}")

    def _send(
        self, verb: str, address: str, json: object, params: Mapping[str, str | int] | None,
        headers: Mapping[str, str], timeout: httpx.Timeout,
    ) -> httpx.Response:  # fmt: skip
        """The response, unless it is 429 or 5xx. No error names the address: a webhook's address is a secret."""
        try:
            with deadline.within(TOTAL_TIMEOUT_FACTOR * (timeout.read or 0.0)):
                response = self._http.request(
                    verb, address, json=json, params=params, headers=headers, timeout=timeout
                )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SlackBusy(f"Slack cannot be reached ({type(error).__name__})") from None
        limited = response.status_code == 429
        if limited or response.status_code >= 500:
            wait = _retry_after(response) or (DEFAULT_WAIT_SECONDS if limited else None)
            raise SlackBusy(f"Slack answered {response.status_code}", retry_after=wait)
        return response


def _history_unavailable(error: SlackRefused) -> SlackBusy:
    log.warning("slack channel history unavailable, duplicates possible", extra={"reason": str(error)})
    return SlackBusy(f"posting without reading the channel's history: {error}", retry_after=1)


def _metadata(key: str) -> dict[str, Any]:
    return {"event_type": METADATA_EVENT_TYPE, "event_payload": {"key": key}}


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("retry-after", "")
    return min(float(value), MAX_WAIT_SECONDS) if value.isdigit() else None


def _ts_order(ts: str) -> tuple[int, str]:
    """Sort key of a `ts` such as `1700000000.000100`: seconds, then the fraction."""
    seconds, _, fraction = ts.partition(".")
    return (int(seconds) if seconds.isdigit() else 0, fraction)
