"""The model gateway: the only host that the agent's sandbox can reach, one gateway for each run.

It passes calls of one model on to one provider. The agent sends a random token of the run; the gateway replaces it by
the provider's key. Each call is checked, limited, charged to the run's budget and recorded.

The gateway handles the provider's faults. It repeats a call that the provider was too busy to answer, within bounds. It
resets the agent's connection if an answer breaks off, because opencode takes an orderly end without a finish reason for
a turn and starts the next one at once. A lasting fault becomes `problem`, which `check` raises to end the run, however
the agent reacts to the error.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections.abc import Mapping
from typing import Protocol

from workers.errors import AgentBusy, AgentRefused, TrackwalkerError
from workers.gateway.call_admission import Call, CallRefused, admit
from workers.gateway.call_budget import CallBudget, Reservation
from workers.gateway.call_outcome import CallLog, CallRecord, Failure, Outcome, billed_usage
from workers.gateway.formats import FORMATS, Format, TokenUsage
from workers.gateway.http_server import HttpServer, Listener, Reply
from workers.gateway.provider_errors import (
    MAX_REASON_CHARS,
    REJECTED,
    error_text,
    is_transient,
    message_of,
    retry_after,
)
from workers.gateway.request_reader import Disconnected, Request
from workers.gateway.streams import AnswerReader
from workers.gateway.upstream import Answer, Broken, Provider, Upstream
from workers.models import Usage
from workers.runtime.redaction import remember_secrets
from workers.runtime.text import safe_line

MAX_BODY_BYTES = 8 * 2**20  # of a request; a million tokens of code are about 4 MB
MAX_ANSWER_BYTES = 32 * 2**20  # of one answer; events spend some 200 bytes on a token
PROMPT_OVERHEAD_TOKENS = 2_000  # tokens that providers add to a request, for tools above all
SILENCE_SECONDS = 180.0  # until an answer, or its next part, must arrive; reasoning models think for minutes
MAX_ATTEMPTS = 4  # of one call, the first included
FIRST_WAIT_SECONDS = (
    1.0  # before the second attempt, unless the provider names a time; twice as long each time
)
MAX_WAIT_SECONDS = 30.0  # longest wait within a run; a provider that asks for more ends the run for now
POLL_SECONDS = 0.2  # between two checks that a waiting agent is still connected
CLOSE_SECONDS = 5.0  # for calls under way when the run ends
MAX_CUTS = 3  # answers that break off before the run is given back for a later retry

log = logging.getLogger("trackwalker.gateway")


class ModelProvider(Protocol):
    """The source of the model's answers: the provider, or a recording."""

    def post(
        self, target: str, headers: Mapping[str, str], body: bytes, silence_seconds: float
    ) -> Answer: ...

    def done(self, answer: Answer) -> None: ...

    def close(self) -> None: ...


class ModelGateway:
    """The gateway of one run.

    Args:
        upstream: the provider and its model.
        budget: decides before each call whether it may be made.
        transcript: gets every call that was made.
        deadline: on the monotonic clock; calls after it are answered with 504, calls under way are cut.
        provider: gives the answers; None stands for the provider itself.
        silence_seconds, first_wait_seconds: shorter in tests.
    """

    def __init__(
        self, upstream: Upstream, budget: CallBudget, transcript: CallLog, *, deadline: float,
        provider: ModelProvider | None = None, silence_seconds: float = SILENCE_SECONDS,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
    ) -> None:  # fmt: skip
        remember_secrets(upstream.secrets)  # the text of errors and transcripts is redacted
        self.token = secrets.token_urlsafe(32)
        self.problem: TrackwalkerError | None = None
        self._upstream, self._budget, self._transcript = upstream, budget, transcript
        self._deadline, self._silence, self._first_wait = deadline, silence_seconds, first_wait_seconds
        self._provider = provider or Provider(upstream)
        self._server = HttpServer(self._handle, MAX_BODY_BYTES, self._malformed, "application/json")
        self._closed = threading.Event()
        self._cuts = self._under_way = 0
        self._lock = threading.Lock()
        self._ended = threading.Condition(self._lock)

    def serve(self, accept: Listener) -> None:
        """Serve the connections that `accept` returns until it raises OSError. Blocks; run it in a thread."""
        self._server.serve(accept)

    @property
    def usage(self) -> Usage:
        """The run's usage so far, without calls that are under way."""
        return self._budget.usage

    @property
    def upstream(self) -> Upstream:
        """The provider, with the model and its formats."""
        return self._upstream

    def check(self) -> None:
        """Raise the problem that ends the run, if there is one.

        Raises:
            AgentBusy: the provider is away or its answers break off; another run may succeed.
            AgentRefused: the budget is used up, or the provider refuses every call.
        """
        if self.problem is not None:
            raise self.problem

    def close(self) -> None:
        """End all calls, and wait until each is settled and recorded. The token is invalid afterwards."""
        self._closed.set()
        self._provider.close()
        self._server.close()
        with self._ended:
            self._ended.wait_for(lambda: not self._under_way, CLOSE_SECONDS)

    # -- requests ---------------------------------------------------------------------------------

    def _malformed(self, status: int, message: str) -> bytes:
        return _error_body(FORMATS[self._upstream.formats[0]], status, message)

    def _handle(self, request: Request, reply: Reply) -> None:
        with self._lock:
            self._under_way += 1
        try:
            self._answer(request, reply)
        finally:
            with self._ended:
                self._under_way -= 1
                self._ended.notify_all()

    def _answer(self, request: Request, reply: Reply) -> None:
        api = FORMATS[self._upstream.formats[0]]
        try:
            call = admit(request, self._upstream, self.token)
            api = call.api
            self._make(call, reply)
        except CallRefused as error:
            log.warning("model call refused", extra={"status": error.status, "reason": str(error)})
            reply.send(error.status, JSON, _error_body(api, error.status, str(error)))
        except Disconnected:
            raise
        except TrackwalkerError as error:  # the claim is lost, for example: the run ends by it
            self._end_run(error)
        except Exception:
            # Nobody reads the error of a thread, and the agent would wait until its timeout.
            log.exception("model gateway failed")
            self._end_run(AgentBusy("the model gateway failed"))

    # -- one call ---------------------------------------------------------------------------------

    def _make(self, call: Call, reply: Reply) -> None:
        """Make the call, repeat it while the provider is busy, and answer the agent."""
        failure = Failure(503, "no attempt was made")
        for attempt in range(MAX_ATTEMPTS):
            failure = self._attempt(call, reply) or failure
            if reply.started or not failure.again:
                break
            doubled = self._first_wait * 2**attempt
            wait = doubled if failure.retry_after is None else failure.retry_after
            if attempt + 1 == MAX_ATTEMPTS or wait > MAX_WAIT_SECONDS or not self._in_time(wait):
                break
            log.warning("model call will be repeated", extra={"reason": failure.reason, "seconds": wait})
            self._wait(wait, reply)
        if not reply.started:
            self._give_up(call, failure, reply)

    def _attempt(self, call: Call, reply: Reply) -> Failure | None:
        """Send one request to the provider, charge and record it. None if the agent was answered."""
        self._check_open()
        reservation = self._reserve(call)
        reader, answer, usage, outcome = (
            AnswerReader(call.api, call.is_stream),
            None,
            TokenUsage(),
            Outcome(0),
        )
        try:
            answer = self._provider.post(call.target, call.headers, call.body, self._patience())
            is_billed = 200 <= answer.status < 300
            outcome = (self._pass_on if is_billed else self._reject)(call, answer, reader, reply)
        except Broken as error:
            # A request that was sent may be billed, although no answer came.
            is_billed = error.sent
            outcome = Outcome(0, str(error), failure=Failure(502, str(error)))
        except Disconnected:
            is_billed, outcome = True, Outcome(0, "the agent left")
            raise
        finally:
            if answer is not None:
                self._provider.done(answer)
            usage = billed_usage(call, reader) if is_billed else usage
            self._settle(reservation, usage)
            if outcome.failure is None:
                self._write_down(call, reader, outcome, usage)
        return outcome.failure

    def _check_open(self) -> None:
        if self.problem is not None:
            raise CallRefused(402 if isinstance(self.problem, AgentRefused) else 503, str(self.problem))
        if self._closed.is_set():
            raise CallRefused(503, "the run has ended")
        if time.monotonic() >= self._deadline:
            raise CallRefused(504, "the run's deadline has passed")

    def _reserve(self, call: Call) -> Reservation:
        tokens_in = len(call.body) + PROMPT_OVERHEAD_TOKENS  # a token is at least one byte
        price = self._upstream.price
        cost = price.upper_bound(tokens_in, call.max_output) if price else 0.0
        reservation = self._budget.reserve(cost, tokens_in + call.max_output, self._deadline)
        if isinstance(reservation, str):
            self._end_run(AgentRefused(reservation))
            raise CallRefused(402, reservation)
        return reservation

    def _settle(self, reservation: Reservation, usage: TokenUsage) -> None:
        cost = self._upstream.price.cost(usage) if self._upstream.price else 0.0
        self._budget.settle(reservation, cost, usage.total)

    def _pass_on(self, _call: Call, answer: Answer, reader: AnswerReader, reply: Reply) -> Outcome:
        """Pass the answer on, part by part. A failure before the first part may be repeated."""
        kind = answer.header("content-type") or "application/json"
        if "html" in kind.lower():
            reason = "the provider answers with a web page; check its baseURL"
            return Outcome(0, failure=Failure(502, reason, again=False))
        broken = ""
        try:
            for part in answer.parts():
                if not reply.started:
                    reply.start(answer.status, {"content-type": kind, "cache-control": "no-store"})
                reply.write(part)
                reader.feed(part)
                if reader.received > MAX_ANSWER_BYTES or time.monotonic() > self._deadline:
                    raise Broken("the answer is too long")
            reader.end()
        except Broken as error:
            broken = str(error)
        if not reply.started:
            return Outcome(0, failure=Failure(502, broken or "the answer is empty"))
        has_end = reader.finished or reader.error
        broken = broken or ("" if has_end else "the answer has no proper end")
        if broken or not reader.finished:
            # Before the agent gets the end: it may ask again at once.
            self._count_cut(broken or reader.error)
        if broken:
            reply.abort()
        else:
            reply.finish()
        return Outcome(0 if broken else answer.status, broken or reader.error)

    def _reject(self, call: Call, answer: Answer, _reader: AnswerReader, reply: Reply) -> Outcome:
        """Answer the agent with the provider's error, unless the call may be repeated."""
        status = answer.status
        if 300 <= status < 400:
            reason = "the provider redirects; set its baseURL to the final address"
            return Outcome(0, failure=Failure(502, reason, again=False))
        body = error_text(answer, self._upstream.secrets)
        text = message_of(body)
        if is_transient(status):
            reason, again = f"the provider answers {status}: {text}", "insufficient_quota" not in text
            return Outcome(0, failure=Failure(status, reason, retry_after(answer), again))
        if status in REJECTED:
            self._end_run(AgentRefused(f"{REJECTED[status]} ({status}): {text}"))
        is_json = answer.header("content-type").lower().startswith("application/json")
        reply.send(status, JSON, body.encode() if is_json else _error_body(call.api, status, text))
        return Outcome(status, text)

    def _give_up(self, call: Call, failure: Failure, reply: Reply) -> None:
        """End the run because of a lasting fault, and answer the agent."""
        reason, is_permanent = failure.reason, failure.status == 502 and not failure.again
        if is_permanent:
            self._end_run(AgentRefused(f"OPENCODE_CONFIG: {reason}"))
        else:
            busy = AgentBusy(f"the model does not answer: {reason}", retry_after=failure.retry_after)
            self._end_run(busy)
        # A status below 500 ends opencode's run at once; it repeats the others.
        status = 402 if is_permanent else failure.status
        self._write_down(call, None, Outcome(status, reason), TokenUsage())
        reply.send(status, JSON, _error_body(call.api, status, reason))

    # -- helpers ----------------------------------------------------------------------------------

    def _end_run(self, problem: TrackwalkerError) -> None:
        with self._lock:
            self.problem = self.problem or problem

    def _count_cut(self, reason: str) -> None:
        with self._lock:
            self._cuts += 1
            too_many = self._cuts >= MAX_CUTS
        log.warning("answer of the model broke off", extra={"reason": safe_line(reason, MAX_REASON_CHARS)})
        if too_many and not self._closed.is_set():
            self._end_run(AgentBusy(f"the model's answers break off: {safe_line(reason, MAX_REASON_CHARS)}"))

    def _write_down(
        self, call: Call, reader: AnswerReader | None, outcome: Outcome, usage: TokenUsage
    ) -> None:
        price = self._upstream.price
        record = CallRecord(
            call.api, call.request, call.is_stream, outcome.status, reader.events if reader else [],
            complete=bool(reader and reader.finished and outcome.status),
            cut=bool(reader and reader.cut), note=safe_line(outcome.note, MAX_REASON_CHARS),
            usage=usage, cost_usd=price.cost(usage) if price else 0.0,
        )  # fmt: skip
        self._transcript.add(record)

    def _patience(self) -> float:
        return max(0.1, min(self._silence, self._deadline - time.monotonic()))

    def _in_time(self, seconds: float) -> bool:
        return time.monotonic() + seconds < self._deadline

    def _wait(self, seconds: float, reply: Reply) -> None:
        """Wait. Raises Disconnected if the agent leaves or the gateway closes meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._closed.wait(min(POLL_SECONDS, left)) or reply.is_disconnected():
                raise Disconnected("the agent left while the provider was busy")


JSON: Mapping[str, str] = {"content-type": "application/json"}


def _error_body(api: Format, status: int, message: str) -> bytes:
    return json.dumps(api.error(status, message)).encode()
