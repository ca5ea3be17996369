"""Sends GraphQL documents to Railway and turns HTTP failures into our errors. No other module knows HTTP.

Tokens travel in a header only, never in an address, a log or an error.
"""

from __future__ import annotations

import copy
import logging
import math
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from workers.clients import deadline
from workers.clients.railway.api_errors import (
    SETTINGS_HINT,
    GraphQLError,
    InvalidToken,
    ServerError,
    Unauthorized,
    error_for,
    unexpected_shape,
)
from workers.clients.railway.api_model import Envelope, ErrorEntry
from workers.clients.railway.quota import RateLimit, merge_rate_limits, parse_rate_limit, parse_retry_after
from workers.clients.railway.rate_limiter import RateLimiter
from workers.errors import RailwayBusy, RailwayRefused
from workers.runtime.characters import without_half_pairs
from workers.runtime.text import safe_line

log = logging.getLogger(__name__)
M = TypeVar("M", bound=BaseModel)

TIMEOUT = httpx.Timeout(20.0, connect=5.0)
"""Seconds for connecting and for each read and write of a request."""
TOTAL_SECONDS = 60.0
"""Upper bound of a whole request. The largest answers take a few seconds; a trickling one would never end."""
MAX_ATTEMPTS = 2
"""Reads are repeated once: the server may have closed a kept-alive connection in the meantime."""
MAX_INLINE_WAIT_SECONDS = 2.0
"""A shorter Retry-After is slept through: Railway also limits requests per second, and a sweep sends several."""
REFUSAL_TTL_SECONDS = 3600.0
"""Time for which a part that the token may not see is not requested; then a changed permission takes effect."""
MAX_MESSAGE_CHARS = 300
"""Length of one message of Railway's."""

TOO_MANY_REQUESTS = 429
RETRYABLE_STATUSES = (408, 425, TOO_MANY_REQUESTS)
UNAUTHORIZED_STATUSES = (401, 403)


class GraphQLAnswer(NamedTuple):
    """The data of an answer by alias, not validated, and the errors beside it."""

    data: dict[str, Any]
    errors: tuple[GraphQLError, ...]


class RateLimitState:
    """State that all threads and copies of a client share: the rate limit, the limiter, remembered refusals."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rate_limit: RateLimit | None = None
        self._refusals: dict[tuple[str, object], tuple[float, Unauthorized]] = {}
        self.limiter = RateLimiter()

    @property
    def rate_limit(self) -> RateLimit | None:
        return self._rate_limit

    def update(self, headers: httpx.Headers) -> None:
        """Take over the rate limit that an answer reports."""
        reported = parse_rate_limit(headers, datetime.now(UTC))
        with self._lock:
            self._rate_limit = merge_rate_limits(self._rate_limit, reported) if reported else self._rate_limit

    def remember_refusal(self, part: str, environment: object, error: Unauthorized) -> None:
        """Remember that the token may not see this part of the environment."""
        with self._lock:
            self._refusals[part, environment] = (time.monotonic() + REFUSAL_TTL_SECONDS, error)

    def refusal(self, part: str, environment: object) -> Unauthorized | None:
        """The remembered error of the part, if it has not expired."""
        expires, error = self._refusals.get((part, environment), (0.0, None))
        return error if time.monotonic() < expires else None


class Transport:
    """Sends documents to one address with one credential; safe to use from several threads.

    Attributes:
        requests_sent: requests that went out, repeated ones included.
    """

    # A time on the monotonic clock. Once it has passed, no request is sent and no wait is slept through.
    _deadline = math.inf

    def __init__(
        self, url: str, token: SecretStr | None, project_token: SecretStr | None, http: httpx.Client | None
    ) -> None:
        self._url, self._token, self._project_token = url, token, project_token
        self._http = http or deadline.client()
        self._count_lock = threading.Lock()
        self.state, self.requests_sent = RateLimitState(), 0

    def with_own_count(self, seconds: float = math.inf) -> Transport:
        """The same connections and state, with a request count that starts at 0.

        Args:
            seconds: after this time every request raises RailwayBusy.
        """
        transport = copy.copy(self)
        transport._count_lock, transport.requests_sent = threading.Lock(), 0
        transport._deadline = time.monotonic() + seconds
        return transport

    def close(self) -> None:
        self._http.close()

    def query(
        self, document: str, variables: Mapping[str, object], *, as_project: bool = False, repeat: bool = True
    ) -> GraphQLAnswer:
        """The answer to a document, which may lack parts.

        Args:
            as_project: use the project token even if there is an account token.
            repeat: send once more if the connection breaks; False for a mutation that must not run twice.

        Raises:
            RailwayBusy, RailwayRefused: Railway answered without data.
        """
        envelope = self._envelope(self._send(document, variables, as_project, repeat))
        errors = tuple(self._graphql_error(entry) for entry in envelope.errors)
        if envelope.data is None or envelope.empty:
            raise error_for(errors)
        if errors:
            log.warning(
                "railway answered in part", extra={"messages": [error.message for error in errors[:5]]}
            )
        return GraphQLAnswer(envelope.data, errors)

    def query_as(
        self, shape: type[M], document: str, variables: Mapping[str, object], *, as_project: bool = False,
        repeat: bool = True,
    ) -> M:  # fmt: skip
        """The answer, validated as `shape`. Raises as `query`, and RailwayRefused if the data does not fit."""
        data, errors = self.query(document, variables, as_project=as_project, repeat=repeat)
        try:
            return shape.model_validate(data)
        except ValidationError as error:
            # A field is null because of an error that Railway reports: that error says more than ours.
            raise (error_for(errors) if errors else unexpected_shape(error)) from error

    def _send(
        self, document: str, variables: Mapping[str, object], as_project: bool, repeat: bool
    ) -> httpx.Response:
        """The response. Sends again once if the connection breaks or Railway asks for a short wait."""
        body = {"query": document, "variables": dict(variables)}
        headers = self._credential(as_project)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            self.state.limiter.wait(self.state.rate_limit)
            timeout = self._timeout()
            with self._count_lock:
                self.requests_sent += 1
            try:
                with deadline.within(min(TOTAL_SECONDS, self._remaining())):
                    response = self._http.post(self._url, json=body, headers=headers, timeout=timeout)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as error:
                if attempt == MAX_ATTEMPTS or not repeat:
                    raise self._unreachable(error) from error
                continue
            except httpx.RequestError as error:
                raise self._unreachable(error) from error
            # Railway counts per token: the project token's rate limit is not that of the account token.
            if not (as_project and self._token):
                self.state.update(response.headers)
            wait = _retry_after(response) if response.status_code == TOO_MANY_REQUESTS else None
            if attempt == MAX_ATTEMPTS or wait is None or wait > MAX_INLINE_WAIT_SECONDS:
                return response
            time.sleep(wait)
        raise AssertionError("every attempt returns or raises")

    def _remaining(self) -> float:
        return self._deadline - time.monotonic()

    def _timeout(self) -> httpx.Timeout:
        remaining = self._remaining()
        if remaining <= 0:
            raise RailwayBusy("the time for requests to Railway is used up")
        parts = TIMEOUT.as_dict().items()
        return httpx.Timeout(**{part: min(seconds or remaining, remaining) for part, seconds in parts})

    def _credential(self, as_project: bool) -> dict[str, str]:
        if self._token and not as_project:
            return {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        if self._project_token:
            return {"Project-Access-Token": self._project_token.get_secret_value()}
        raise InvalidToken("no Railway token: set RAILWAY_API_TOKEN or RAILWAY_TOKEN")

    def _unreachable(self, error: httpx.RequestError) -> RailwayBusy:
        return RailwayBusy(f"Railway cannot be reached: {self._clean(str(error)) or type(error).__name__}")

    def _envelope(self, response: httpx.Response) -> Envelope:
        """The response as GraphQL. Raises for every status without a GraphQL body.

        A document that fails validation is answered with 400 and a body that names the reason.
        """
        status = response.status_code
        if status in RETRYABLE_STATUSES or status >= 500:
            kind = ServerError if status >= 500 else RailwayBusy
            raise kind(f"Railway answered {status}", retry_after=_retry_after(response))
        if status in UNAUTHORIZED_STATUSES:
            raise InvalidToken(f"Railway answered {status}: {SETTINGS_HINT}")
        try:
            envelope = Envelope.model_validate_json(without_half_pairs(response.content))
        except ValidationError as error:
            if response.is_success:
                raise RailwayBusy("Railway answered with a body that is not GraphQL") from error
            raise RailwayRefused(f"Railway answered {status}") from error
        if not response.is_success and not envelope.errors:
            raise RailwayRefused(f"Railway answered {status}")
        return envelope

    def _graphql_error(self, entry: ErrorEntry) -> GraphQLError:
        path = entry.path or []
        alias = path[0] if path and isinstance(path[0], str) else ""
        names = ".".join(part for part in path if isinstance(part, str))
        return GraphQLError(alias, names, self._clean(entry.message))

    def _clean(self, message: str) -> str:
        """Railway's message as one short line, without our tokens: an error may echo a header."""
        for secret in (self._token, self._project_token):
            if secret and secret.get_secret_value():
                message = message.replace(secret.get_secret_value(), "***")
        return safe_line(message, MAX_MESSAGE_CHARS)


def _retry_after(response: httpx.Response) -> float | None:
    return parse_retry_after(response.headers, datetime.now(UTC))
