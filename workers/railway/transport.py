"""How a question reaches Railway, and what its refusals mean. The only place that knows HTTP."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from workers.errors import RailwayBusy, RailwayRefused
from workers.railway.wire import Complaint, Envelope

log = logging.getLogger(__name__)
M = TypeVar("M", bound=BaseModel)

TIMEOUT = httpx.Timeout(20.0, connect=5.0)
"""Seconds for each part of a call."""
PATIENCE = ("problem processing request", "rate limit", "too many requests", "timed out", "timeout")
"""Railway's words, with status 200, for trouble that passes."""
DENIED = ("not authorized", "project token not found")
SETTING = "check RAILWAY_API_TOKEN (account or workspace token) or RAILWAY_TOKEN (project token)"
LONGEST_WAIT = 3600.0
"""Seconds: Railway's limits are counted by the hour."""
TRIES = 2
"""A connection that was kept and has been closed meanwhile is no answer; reads may be sent again."""
SHORT_WAIT = 2.0
"""Seconds worth waiting for in place: Railway also limits by the second, and a sweep asks side by side."""
TOO_MANY = 429
WORDS = 300


class Denied(RailwayRefused):
    """Railway refused parts of a question. `places`: the numbers at the end of the refused aliases."""

    def __init__(self, message: str, words: str, places: frozenset[int]) -> None:
        super().__init__(message)
        self.words, self.places = words, places


class Transport:
    """Sends documents with a token to one address."""

    def __init__(
        self, url: str, token: SecretStr | None, project_token: SecretStr | None, http: httpx.Client | None
    ) -> None:
        self._url, self._token, self._project_token = url, token, project_token
        self._http = http or httpx.Client()

    def close(self) -> None:
        self._http.close()

    def ask(
        self, shape: type[M], document: str, variables: Mapping[str, object], *, as_project: bool = False
    ) -> tuple[M, tuple[str, ...]]:
        """The answer in its shape, and a sentence for each part that came as null beside an error."""
        envelope = self._envelope(self._send(document, variables, as_project))
        words = [self._clean(one.message) for one in envelope.errors]
        if envelope.empty:
            raise self._refusal(envelope.errors, words)
        if words:
            log.warning("railway_partial_answer", extra={"words": words[:5]})
        try:
            answer = shape.model_validate(envelope.data)
        except ValidationError as error:
            if words:
                raise self._refusal(envelope.errors, words) from error
            places = ", ".join(".".join(map(str, item["loc"])) for item in error.errors()[:3])
            raise RailwayRefused(f"Railway's answer has another shape than expected: {places}") from error
        return answer, tuple(
            f"{_path(one)}: {said}" for one, said in zip(envelope.errors, words, strict=True)
        )

    def _send(self, document: str, variables: Mapping[str, object], as_project: bool) -> httpx.Response:
        """One answer. A cut connection, and a short wait that Railway asks for, are tried once more."""
        body = {"query": document, "variables": dict(variables)}
        headers = self._credential(as_project)
        for attempt in range(1, TRIES + 1):
            try:
                response = self._http.post(self._url, json=body, headers=headers, timeout=TIMEOUT)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as error:
                if attempt == TRIES:
                    raise self._unreachable(error) from error
                continue
            except httpx.RequestError as error:
                raise self._unreachable(error) from error
            wait = _retry_after(response.headers) if response.status_code == TOO_MANY else None
            if attempt == TRIES or wait is None or wait > SHORT_WAIT:
                return response
            time.sleep(wait)
        raise AssertionError("every attempt returns or raises")

    def _credential(self, as_project: bool) -> dict[str, str]:
        if self._token and not as_project:
            return {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        if self._project_token:
            return {"Project-Access-Token": self._project_token.get_secret_value()}
        raise RailwayRefused("no token for Railway: set RAILWAY_API_TOKEN or RAILWAY_TOKEN")

    def _unreachable(self, error: httpx.RequestError) -> RailwayBusy:
        return RailwayBusy(f"Railway cannot be reached: {self._clean(str(error)) or type(error).__name__}")

    def _envelope(self, response: httpx.Response) -> Envelope:
        """The answer as GraphQL. Raises for every status that carries none."""
        status = response.status_code
        if status in (408, 425, 429) or status >= 500:
            raise RailwayBusy(f"Railway answered {status}", retry_after=_retry_after(response.headers))
        if status in (401, 403):
            raise RailwayRefused(f"Railway answered {status}: {SETTING}")
        try:
            envelope = Envelope.model_validate_json(response.content)
        except ValidationError as error:
            if response.is_success:
                raise RailwayBusy("Railway answered with something that is not GraphQL") from error
            raise RailwayRefused(f"Railway answered {status}") from error
        if not response.is_success and not envelope.errors:
            raise RailwayRefused(f"Railway answered {status}")
        return envelope

    def _refusal(self, complaints: list[Complaint], words: list[str]) -> RailwayRefused | RailwayBusy:
        if not words:
            return RailwayBusy("Railway answered nothing")
        said = "; ".join(dict.fromkeys(words))[: 2 * WORDS]
        if any(hint in said.lower() for hint in PATIENCE):
            return RailwayBusy(f"Railway: {said}")
        hint = f" ({SETTING})" if any(word in said.lower() for word in DENIED) else ""
        places = frozenset(place for one in complaints if (place := _place(one)) is not None)
        return Denied(f"Railway: {said}{hint}", said, places)

    def _clean(self, words: str) -> str:
        """Railway's words on one line, short, and without our tokens should it echo them."""
        for secret in (self._token, self._project_token):
            if secret and secret.get_secret_value():
                words = words.replace(secret.get_secret_value(), "***")
        return " ".join(words.split())[:WORDS]


def _place(complaint: Complaint) -> int | None:
    """The number at the end of the alias that failed."""
    found = re.search(r"(\d+)$", str(complaint.path[0])) if complaint.path else None
    return int(found[1]) if found else None


def _path(complaint: Complaint) -> str:
    """Names only: places in lists say nothing to a person."""
    return ".".join(part for part in complaint.path or [] if isinstance(part, str)) or "answer"


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds, from either form of the header."""
    said = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", said):
        return min(float(said), LONGEST_WAIT)
    try:
        wait = (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(wait, 0.0), LONGEST_WAIT)
