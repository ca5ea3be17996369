"""How a question reaches Railway, and what its refusals mean. The only place that knows HTTP."""

from __future__ import annotations

import copy
import logging
import math
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from workers.clients import deadline
from workers.clients.railway.graphql_types import Envelope, ErrorEntry
from workers.clients.railway.quota import RateLimit, merge_rate_limits, parse_rate_limit, parse_retry_after
from workers.clients.railway.rate_limiter import RateLimiter
from workers.errors import RailwayBusy, RailwayRefused
from workers.runtime.text import one_line

log = logging.getLogger(__name__)
M = TypeVar("M", bound=BaseModel)

TIMEOUT = httpx.Timeout(20.0, connect=5.0)
"""Seconds for each part of a call."""
WHOLE_SECONDS = 60.0
"""For a call as a whole, however its answer trickles; the largest answers take a few seconds."""
TRANSIENT_MESSAGES = ("problem processing request", "rate limit", "too many requests", "timed out", "timeout")
"""Railway's words, with status 200, for trouble that passes."""
UNAUTHORIZED_MESSAGES = ("not authorized", "project token not found")
SETTINGS_HINT = "check RAILWAY_API_TOKEN (account or workspace token) or RAILWAY_TOKEN (project token)"
MAX_ATTEMPTS = 2
"""A connection that was kept and has been closed meanwhile is no answer; reads may be sent again."""
MAX_INLINE_WAIT_SECONDS = 2.0
"""Seconds worth waiting for in place: Railway also limits by the second, and a sweep asks side by side."""
TOO_MANY_REQUESTS = 429
REFUSAL_TTL_SECONDS = 3600.0
MAX_MESSAGE_CHARS = 300


class GraphQLError(NamedTuple):
    """One complaint: the alias of the part it is about ("" for none), the path to it, Railway's words."""

    alias: str
    path: str
    message: str


class InvalidToken(RailwayRefused):
    """The token is none: whatever else is asked with it is refused as well."""


class FieldsRefused(RailwayRefused):
    """Railway refused parts of a question: its words, by the parts' aliases."""

    def __init__(self, message: str, aliases: Mapping[str, str]) -> None:
        super().__init__(message)
        self.aliases = aliases


class Unauthorized(FieldsRefused):
    """The token may not see it, or nothing at all: Railway says the same of both."""


class FieldsUnavailable(RailwayBusy):
    """Railway could not answer parts of a question just now: its words, by the parts' aliases."""

    def __init__(self, message: str, aliases: Mapping[str, str]) -> None:
        super().__init__(message)
        self.aliases = aliases


class ServerError(RailwayBusy):
    """Railway answered 5xx: it is away, or the question was too much for it."""


class Answer(NamedTuple):
    """What came, by alias, as it came; and what Railway complained of beside it."""

    data: dict[str, Any]
    errors: tuple[GraphQLError, ...]


class RateLimitState:
    """What all threads of a client share: the newest allowance, the pace, and what the token may not see."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: RateLimit | None = None
        self._forbidden: dict[tuple[str, object], tuple[float, Unauthorized]] = {}
        self.pace = RateLimiter()

    @property
    def rate_limit(self) -> RateLimit | None:
        return self._known

    def update(self, headers: httpx.Headers) -> None:
        said = parse_rate_limit(headers, datetime.now(UTC))
        with self._lock:
            self._known = merge_rate_limits(self._known, said) if said else self._known

    def remember_refusal(self, part: str, of: object, error: Unauthorized) -> None:
        """For an hour the part need not be asked for again."""
        with self._lock:
            self._forbidden[part, of] = (time.monotonic() + REFUSAL_TTL_SECONDS, error)

    def refusal(self, part: str, of: object) -> Unauthorized | None:
        until, error = self._forbidden.get((part, of), (0.0, None))
        return error if time.monotonic() < until else None


class Transport:
    """Sends documents with a token to one address. `sent`: the requests that went out."""

    _until = math.inf
    """On the monotonic clock: from then on nothing is asked or waited for."""

    def __init__(
        self, url: str, token: SecretStr | None, project_token: SecretStr | None, http: httpx.Client | None
    ) -> None:
        self._url, self._token, self._project_token = url, token, project_token
        self._http = http or deadline.client()
        self._counting = threading.Lock()
        self.tally, self.requests_sent = RateLimitState(), 0

    def with_own_count(self, seconds: float = math.inf) -> Transport:
        """The same connections and allowance, with a count of its own that begins at 0, for so long."""
        apart = copy.copy(self)
        apart._counting, apart.requests_sent = threading.Lock(), 0
        apart._until = time.monotonic() + seconds
        return apart

    def close(self) -> None:
        self._http.close()

    def query(self, document: str, variables: Mapping[str, object], *, as_project: bool = False) -> Answer:
        """What Railway answered. Raises RailwayBusy (Troubled) or RailwayRefused (Denied) where that is nothing."""
        envelope = self._envelope(self._send(document, variables, as_project))
        said = tuple(
            GraphQLError(_alias(one), _path(one), self._clean(one.message)) for one in envelope.errors
        )
        if envelope.data is None or envelope.empty:
            raise self._refusal(said)
        if said:
            log.warning("railway_partial_answer", extra={"words": [one.message for one in said[:5]]})
        return Answer(envelope.data, said)

    def query_as(
        self, shape: type[M], document: str, variables: Mapping[str, object], *, as_project: bool = False
    ) -> M:
        """The answer, validated as `shape`."""
        data, said = self.query(document, variables, as_project=as_project)
        try:
            return shape.model_validate(data)
        except ValidationError as error:
            if said:
                raise self._refusal(said) from error
            raise unexpected_shape(error) from error

    def _send(self, document: str, variables: Mapping[str, object], as_project: bool) -> httpx.Response:
        """One answer. A cut connection, and a short wait that Railway asks for, are tried once more."""
        body = {"query": document, "variables": dict(variables)}
        headers = self._credential(as_project)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            self.tally.pace.wait(self.tally.rate_limit)
            timeout = self._timeout()
            with self._counting:
                self.requests_sent += 1
            try:
                with deadline.within(min(WHOLE_SECONDS, self._left())):
                    response = self._http.post(self._url, json=body, headers=headers, timeout=timeout)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as error:
                if attempt == MAX_ATTEMPTS:
                    raise self._unreachable(error) from error
                continue
            except httpx.RequestError as error:
                raise self._unreachable(error) from error
            if not (as_project and self._token):  # another token has another allowance
                self.tally.update(response.headers)
            wait = _patience(response) if response.status_code == TOO_MANY_REQUESTS else None
            if attempt == MAX_ATTEMPTS or wait is None or wait > MAX_INLINE_WAIT_SECONDS:
                return response
            time.sleep(wait)
        raise AssertionError("every attempt returns or raises")

    def _left(self) -> float:
        return self._until - time.monotonic()

    def _timeout(self) -> httpx.Timeout:
        left = self._left()
        if left <= 0:
            raise RailwayBusy("no time is left to ask Railway")
        each = TIMEOUT.as_dict().items()
        return httpx.Timeout(**{part: min(seconds or left, left) for part, seconds in each})

    def _credential(self, as_project: bool) -> dict[str, str]:
        if self._token and not as_project:
            return {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        if self._project_token:
            return {"Project-Access-Token": self._project_token.get_secret_value()}
        raise InvalidToken("no token for Railway: set RAILWAY_API_TOKEN or RAILWAY_TOKEN")

    def _unreachable(self, error: httpx.RequestError) -> RailwayBusy:
        return RailwayBusy(f"Railway cannot be reached: {self._clean(str(error)) or type(error).__name__}")

    def _envelope(self, response: httpx.Response) -> Envelope:
        """The answer as GraphQL. Raises for every status that carries none."""
        status = response.status_code
        if status in (408, 425, 429) or status >= 500:
            raise (ServerError if status >= 500 else RailwayBusy)(
                f"Railway answered {status}", retry_after=_patience(response)
            )
        if status in (401, 403):
            raise InvalidToken(f"Railway answered {status}: {SETTINGS_HINT}")
        try:
            envelope = Envelope.model_validate_json(response.content)
        except ValidationError as error:
            if response.is_success:
                raise RailwayBusy("Railway answered with something that is not GraphQL") from error
            raise RailwayRefused(f"Railway answered {status}") from error
        if not response.is_success and not envelope.errors:
            raise RailwayRefused(f"Railway answered {status}")
        return envelope

    def _refusal(self, complaints: Sequence[GraphQLError]) -> RailwayRefused | RailwayBusy:
        words = list(dict.fromkeys(one.message for one in complaints))
        if not words:
            return RailwayBusy("Railway answered nothing")
        said = "; ".join(words)[: 2 * MAX_MESSAGE_CHARS]
        aliases = {one.alias: one.message for one in complaints if one.alias}
        if any(hint in said.lower() for hint in TRANSIENT_MESSAGES):
            return FieldsUnavailable(f"Railway: {said}", aliases)
        if not any(word in said.lower() for word in UNAUTHORIZED_MESSAGES):
            return FieldsRefused(f"Railway: {said}", aliases)
        return Unauthorized(f"Railway: {said} ({SETTINGS_HINT})", aliases)

    def _clean(self, words: str) -> str:
        """Railway's words on one line, short, and without our tokens should it echo them."""
        for secret in (self._token, self._project_token):
            if secret and secret.get_secret_value():
                words = words.replace(secret.get_secret_value(), "***")
        return one_line(words)[:MAX_MESSAGE_CHARS]


def unexpected_shape(error: ValidationError, within: str = "") -> RailwayRefused:
    places = [
        ".".join(map(str, (*([within] if within else []), *item["loc"]))) for item in error.errors()[:3]
    ]
    return RailwayRefused(f"Railway's answer has another shape than expected: {', '.join(places)}")


def _alias(complaint: ErrorEntry) -> str:
    return complaint.path[0] if complaint.path and isinstance(complaint.path[0], str) else ""


def _path(complaint: ErrorEntry) -> str:
    """Names only: places in lists say nothing to a person."""
    return ".".join(part for part in complaint.path or [] if isinstance(part, str))


def _patience(response: httpx.Response) -> float | None:
    return parse_retry_after(response.headers, datetime.now(UTC))
