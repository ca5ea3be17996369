"""Decides whether a request of the agent is allowed, and turns it into a call of the model's provider. Pure."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from workers.gateway.formats import FORMATS, Format, FormatName, NotAllowed, parse_request
from workers.gateway.request_reader import Request
from workers.gateway.upstream import Upstream

PASSED_HEADERS = ("anthropic-version",)
ANTHROPIC_BETAS = re.compile(
    r"(?:claude-code|interleaved-thinking|fine-grained-tool-streaming|prompt-caching|structured-outputs|effort)-[\w-]+"
)
"""Anthropic's beta features that change no price and run nothing at the provider. Others are left out."""

PATHS: Mapping[str, FormatName] = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
    "/v1/messages": "messages",
}
GEMINI_PATH = re.compile(r"/v1(?:beta)?/models/([\w.:/%@+-]{1,200}):(generateContent|streamGenerateContent)")


@dataclass
class Call:
    """A checked request, as it is sent to the provider."""

    api: Format
    request: dict[str, Any]
    target: str
    headers: dict[str, str]
    is_stream: bool
    body: bytes
    max_output: int


class CallRefused(Exception):
    """The request is answered with this status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def admit(request: Request, upstream: Upstream, token: str) -> Call:
    """The call that the request asks for, as it goes to the provider.

    Raises:
        CallRefused: the token, the address, the model or anything in the request is not allowed.
    """
    if not request.target.startswith("/"):
        raise CallRefused(404, "only paths of Trackwalker's model gateway are served")
    parts = urlsplit("http://gateway" + request.target)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    _check_token(request.headers, query, token)
    api, path, model = _route(request.method, parts.path, upstream)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise CallRefused(415, "the content type must be application/json")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise CallRefused(415, "compressed requests are not accepted")
    try:
        body = parse_request(api, request.body)
        if api.name != "gemini":
            model = body.get("model")
        if model != upstream.model:
            raise CallRefused(403, f"only the model {upstream.model} may be used in this run")
        maximum = api.clamp(body, upstream.max_output_tokens)
    except NotAllowed as error:
        raise CallRefused(403, f"not allowed by Trackwalker's model gateway: {error}") from None
    is_stream = path.endswith(":streamGenerateContent") or body.get("stream") is True
    if api.name == "chat" and is_stream and upstream.asks_for_usage:
        body["stream_options"] = {"include_usage": True}  # without it a stream has no usage
    sse = {"alt": "sse"} if api.name == "gemini" and is_stream else {}
    headers = upstream.request_headers() | _passed_headers(request.headers)
    headers["accept"] = "text/event-stream" if is_stream else "application/json"
    data = json.dumps(body, separators=(",", ":")).encode()
    target = upstream.target(path, sse)
    return Call(api, body, target, headers, is_stream, data, maximum)


def _check_token(headers: Mapping[str, str], query: Mapping[str, str], token: str) -> None:
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    given = [headers[name] for name in ("x-api-key", "x-goog-api-key", "api-key") if name in headers]
    given += [query["key"]] if "key" in query else []
    given += [bearer.strip() if scheme.lower() == "bearer" else ""] if "authorization" in headers else []
    right = [hmac.compare_digest(value.encode(), token.encode()) for value in given]
    if not right or not all(right):
        raise CallRefused(401, "the token does not belong to this run")


def _route(method: str, path: str, upstream: Upstream) -> tuple[Format, str, Any]:
    """The format, the path below the provider's base URL, and the model that the path names."""
    match = GEMINI_PATH.fullmatch(path)
    name: FormatName | None = "gemini" if match else PATHS.get(path)
    if method != "POST" or name is None or name not in upstream.formats:
        raise CallRefused(404, f"{method} {path[:100]} is not served by Trackwalker's model gateway")
    if match:
        model = quote(upstream.model, safe="/:@+")
        requested_model = upstream.model if match[1] in (upstream.model, model) else match[1]
        return FORMATS[name], f"/models/{model}:{match[2]}", requested_model
    return FORMATS[name], path.removeprefix("/v1"), None


def _passed_headers(headers: Mapping[str, str]) -> dict[str, str]:
    passed = {name: headers[name] for name in PASSED_HEADERS if name in headers}
    betas = [beta.strip() for beta in headers.get("anthropic-beta", "").split(",")]
    allowed = [beta for beta in betas if ANTHROPIC_BETAS.fullmatch(beta)]
    return passed | ({"anthropic-beta": ",".join(allowed)} if allowed else {})
