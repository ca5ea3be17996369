"""A fake Slack: the methods that we call, with the real validation, and an incoming webhook.

slack = FakeSlack()
with serve(slack.app, slack.faults) as running:
    Slack(bot_token=SecretStr(slack.token), channel=slack.channel, api_url=f"{running.url}/api")
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.support.block_kit_limits import message_problems, view_problems
from tests.support.fakes.serving import Faults

HOOK = "/services/T0000001/B0000001/webhook-secret"


@dataclass(frozen=True)
class Message:
    """A message in its current state. `key` comes from our metadata."""

    ts: str
    channel: str
    text: str
    thread_ts: str = ""
    broadcast: bool = False
    metadata: dict[str, Any] | None = None
    blocks: tuple[dict[str, Any], ...] = ()
    edits: int = 0
    posted_as: str = ""
    """The key in the message's metadata; an edit may replace it."""

    @property
    def key(self) -> str:
        return str((self.metadata or {}).get("event_payload", {}).get("key", ""))

    @property
    def rings(self) -> bool:
        """True if the channel shows the message as unread."""
        return not self.thread_ts or self.broadcast


@dataclass
class FakeSlack:
    """One workspace with one channel that has the bot as a member. `messages` are visible, `deleted` are not."""

    token: str = "xoxb-stand-in"
    channel: str = "C0123456789"
    channel_name: str = "on-call"
    member: bool = True
    is_archived: bool = False
    scopes: frozenset[str] = frozenset({"chat:write", "channels:history", "channels:read"})
    page: int = 100
    faults: Faults = field(default_factory=Faults)
    messages: list[Message] = field(default_factory=list)
    deleted: list[Message] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """The request bodies of all posts and edits, with the fields that decide which words Slack links by itself."""
    blind: bool = False
    """If True, the history omits the messages' metadata."""
    views: list[dict[str, Any]] = field(default_factory=list)
    """The modals that were opened."""
    replies: list[dict[str, Any]] = field(default_factory=list)
    """The answers to people who pressed a button."""
    refusals: list[str] = field(default_factory=list)
    """The faults of the messages and modals that were refused."""
    errors: list[str] = field(default_factory=list)
    """Error codes of the next calls, one each."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(100)
        methods = ["GET", "POST"]
        self.app = Starlette(
            routes=[
                Route("/api/{method}", self._answer, methods=methods),
                Route(HOOK, self._hook, methods=methods),
                Route("/actions/{path:path}", self._reply, methods=["POST"]),
            ]
        )

    # -- what a test does -------------------------------------------------------------------------

    @property
    def texts(self) -> list[str]:
        """The texts of the visible messages, oldest first."""
        return [message.text for message in self.messages]

    @property
    def channel_texts(self) -> list[str]:
        """The texts of the messages that the channel shows, which ring; replies in a thread do not."""
        return [message.text for message in self.messages if message.rings]

    def say(self, text: str, **fields: Any) -> Message:
        """A person posts a message in the channel."""
        with self._lock:
            ts = f"{int(time.time())}.{next(self._numbers):06d}"
            message = Message(ts, fields.pop("channel", self.channel), text, **fields)
            message = replace(message, posted_as=message.key)
            self.messages.append(message)
        return message

    def remove(self, ts: str) -> None:
        """A person deletes a message."""
        self.deleted += [message for message in self.messages if message.ts == ts]
        self.messages = [message for message in self.messages if message.ts != ts]

    async def _reply(self, request: Request) -> Response:
        """A reply to a person who pressed a button."""
        body = await request.json()
        if body.get("response_type") not in ("ephemeral", "in_channel") or not body.get("text"):
            return PlainTextResponse("invalid_payload", 400)
        self.replies.append(body)
        return PlainTextResponse("ok")

    # -- what the wire does -----------------------------------------------------------------------

    async def _hook(self, request: Request) -> Response:
        self.calls.append("webhook")
        try:
            body = await request.json()
        except ValueError:
            return PlainTextResponse("invalid_payload", 400)
        if not isinstance(body, dict) or not (body.get("text") or body.get("blocks")):
            return PlainTextResponse("no_text", 400)
        if "metadata" in body or "thread_ts" in body:
            return PlainTextResponse("invalid_payload", 400)
        if trouble := self._invalid(body):
            return PlainTextResponse(trouble, 400)
        self.bodies.append(body)
        self.say(str(body.get("text", "")), blocks=tuple(body.get("blocks", ())))
        return PlainTextResponse("ok")

    async def _answer(self, request: Request) -> Response:
        answer = await self._judge(request)
        if request.headers.get("authorization") == f"Bearer {self.token}":
            # As the real one, on every answer to a valid token.
            answer.headers["x-oauth-scopes"] = ",".join(sorted(self.scopes))
        return answer

    async def _judge(self, request: Request) -> Response:
        method = request.path_params["method"]
        self.calls.append(method)
        doer = _DOERS.get(method)
        if doer is None:
            return JSONResponse({"ok": False, "error": "unknown_method"})
        arguments: dict[str, Any] = dict(request.query_params)
        if request.method == "POST":
            if not request.headers.get("content-type", "").startswith("application/json"):
                return JSONResponse({"ok": False, "error": "invalid_post_type"})
            arguments |= await request.json()
            self.bodies.append(arguments)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({"ok": False, "error": "invalid_auth"})
        if self.errors:
            return JSONResponse({"ok": False, "error": self.errors.pop(0)})
        scope, run = doer
        if scope and scope not in self.scopes:
            return JSONResponse({"ok": False, "error": "missing_scope", "needed": scope})
        answer = run(self, arguments)
        return JSONResponse(
            {"ok": False, "error": answer} if isinstance(answer, str) else {"ok": True} | answer
        )

    def _channel_trouble(self, arguments: dict[str, Any], *, by_name: bool = False) -> str | None:
        names = {self.channel, self.channel_name, f"#{self.channel_name}"} if by_name else {self.channel}
        if arguments.get("channel") not in names:
            return "channel_not_found"
        if self.is_archived and not by_name:
            return None  # an archived channel can still be read
        if self.is_archived:
            return "is_archived"
        return None if self.member else "not_in_channel"

    def _post(self, arguments: dict[str, Any]) -> dict[str, Any] | str:
        if trouble := self._channel_trouble(arguments, by_name=True):
            return trouble
        if trouble := self._invalid(arguments):
            return trouble
        metadata = arguments.get("metadata")
        under = arguments.get("thread_ts", "")
        if under and not any(other.ts == under for other in self.messages):
            return "thread_not_found"
        message = self.say(
            arguments.get("text", ""), thread_ts=under, broadcast=bool(under and arguments.get("reply_broadcast")),
            metadata=metadata, blocks=tuple(arguments.get("blocks", ())),
        )  # fmt: skip
        return {
            "channel": self.channel,
            "ts": message.ts,
            "message": self._shown(message, with_metadata=False),
        }

    def _invalid(self, body: dict[str, Any]) -> str | None:
        """The error code for a message that breaks a limit; what is wrong with it is kept in `refusals`."""
        problems = message_problems(body)
        if not problems:
            return None
        self.refusals += problems
        code = problems[0].partition(":")[0]
        return (
            code
            if code in ("no_text", "msg_too_long")
            else ("invalid_metadata_format" if code == "invalid_metadata" else "invalid_blocks")
        )

    def _open_view(self, arguments: dict[str, Any]) -> dict[str, Any] | str:
        if problems := view_problems(arguments.get("view")):
            self.refusals += problems
            return "invalid_arguments"
        if not arguments.get("trigger_id"):
            return "invalid_trigger_id"
        self.views.append(arguments["view"])
        return {"view": {"id": f"V{len(self.views)}"}}

    def _update(self, arguments: dict[str, Any]) -> dict[str, Any] | str:
        """An edit replaces text and metadata; blocks only if it names them."""
        if trouble := self._channel_trouble(arguments) or self._invalid(arguments):
            return trouble
        for place, message in enumerate(self.messages):
            if message.ts == arguments.get("ts"):
                changed = replace(
                    message, text=arguments.get("text", ""), metadata=arguments.get("metadata"),
                    blocks=tuple(arguments.get("blocks", message.blocks)), edits=message.edits + 1,
                )  # fmt: skip
                self.messages[place] = changed
                return {"channel": self.channel, "ts": message.ts, "text": changed.text}
        return "message_not_found"

    def _delete(self, arguments: dict[str, Any]) -> dict[str, Any] | str:
        if trouble := self._channel_trouble(arguments):
            return trouble
        if not any(other.ts == arguments.get("ts") for other in self.messages):
            return "message_not_found"
        self.remove(arguments["ts"])
        return {"channel": self.channel, "ts": arguments["ts"]}

    def _history(self, arguments: dict[str, Any]) -> dict[str, Any] | str:
        """Newest first. Includes only those replies that were also sent to the channel."""
        if trouble := self._channel_trouble(arguments):
            return trouble
        chosen = [
            message
            for message in reversed(self.messages)
            if message.rings and self._in_time(message, arguments)
        ]
        return self._paged(chosen, arguments)

    def _replies(self, arguments: dict[str, Any]) -> dict[str, Any] | str:
        """The parent, then its replies, oldest first. The parent is included even if it is older than `oldest`."""
        if trouble := self._channel_trouble(arguments):
            return trouble
        parent = [message for message in self.messages if message.ts == arguments.get("ts")]
        if not parent:
            return "thread_not_found"
        replies = [
            message
            for message in self.messages
            if message.thread_ts == arguments["ts"] and self._in_time(message, arguments)
        ]
        return self._paged(parent + replies, arguments)

    def _in_time(self, message: Message, arguments: dict[str, Any]) -> bool:
        latest = arguments.get("latest")
        return float(message.ts) > float(arguments.get("oldest", 0)) and not (
            latest and float(message.ts) >= float(latest)
        )

    def _paged(self, chosen: list[Message], arguments: dict[str, Any]) -> dict[str, Any]:
        start = int(arguments.get("cursor") or 0)
        size = min(int(arguments.get("limit", 100)), self.page)
        with_metadata = str(arguments.get("include_all_metadata", "")).lower() in ("true", "1")
        more = start + size < len(chosen)
        page = [self._shown(message, with_metadata=with_metadata) for message in chosen[start : start + size]]
        cursor = {"next_cursor": str(start + size) if more else ""}
        return {"messages": page, "has_more": more, "response_metadata": cursor}

    def _shown(self, message: Message, *, with_metadata: bool) -> dict[str, Any]:
        entry: dict[str, Any] = {"type": "message", "user": "U1", "bot_id": "B1"}
        entry |= {"ts": message.ts, "text": message.text}
        entry |= {"thread_ts": message.thread_ts} if message.thread_ts else {}
        entry |= {"subtype": "thread_broadcast"} if message.broadcast else {}
        if self.blind:
            return entry
        if with_metadata and message.metadata:
            entry["metadata"] = message.metadata
        elif message.metadata:
            # The real one names the type but keeps the payload back.
            entry["metadata"] = {"event_type": message.metadata["event_type"]}
        return entry

    def _list(self, arguments: dict[str, Any]) -> dict[str, Any] | str:
        """The configured channel is on the last page."""
        if "private_channel" in arguments.get("types", "") and "groups:read" not in self.scopes:
            return "missing_scope"
        others = [{"id": f"C000000{number:04d}", "name": f"other-{number}"} for number in range(3)]
        own = {"id": self.channel, "name": self.channel_name, "is_member": self.member}
        channels = [*others, own | {"is_archived": self.is_archived}]
        start = int(arguments.get("cursor") or 0)
        cursor = str(start + 2) if start + 2 < len(channels) else ""
        return {"channels": channels[start : start + 2], "response_metadata": {"next_cursor": cursor}}

    def _test(self, arguments: dict[str, Any]) -> dict[str, Any] | str:
        return {"user": "trackwalker", "team": "Acme", "bot_id": "B1"}


_DOERS: dict[str, tuple[str, Callable[[FakeSlack, dict[str, Any]], dict[str, Any] | str]]] = {
    "auth.test": ("", FakeSlack._test),
    "chat.postMessage": ("chat:write", FakeSlack._post),
    "chat.update": ("chat:write", FakeSlack._update),
    "chat.delete": ("chat:write", FakeSlack._delete),
    "conversations.history": ("channels:history", FakeSlack._history),
    "conversations.replies": ("channels:history", FakeSlack._replies),
    "views.open": ("", FakeSlack._open_view),
    "conversations.list": ("channels:read", FakeSlack._list),
}
