"""Adds up the usage of a run, and decides which errors and limits end it. Pure.

The bounds are here because opencode has none: it retries a busy model without limit, starts the next turn at once
when a stream breaks off (84 requests in 15 s were seen), and treats `agent.steps` as a hint.
"""

from __future__ import annotations

from collections.abc import Sequence

from workers.agent.opencode_schema import Message, ModelError, Status
from workers.errors import AgentBusy, AgentRefused
from workers.models import Usage

MAX_TOKENS = 5_000_000
"""Tokens of one run. It bounds models without a price, for which no cost limit works."""

FATAL_ERRORS = frozenset(
    ("ContextOverflowError", "ContentFilterError", "ProviderAuthError", "MessageOutputLengthError")
)
"""opencode's names of errors that the same prompt would cause again."""

TRANSIENT_CODES = frozenset((408, 409, 425, 429))
"""HTTP codes below 500 after which a request may be repeated: timeout, conflict, too early, too many requests."""


def total_usage(messages: Sequence[Message], price: tuple[float, float] | None, seconds: float) -> Usage:
    """The usage that the messages add up to.

    Args:
        messages: all messages of the session.
        price: US dollars per million input and output tokens, for steps without a cost of opencode's own.
        seconds: duration of the run so far.
    """
    cost = tokens = 0.0
    for part in (part for message in messages for part in message.parts if part.type == "step-finish"):
        tokens_in = part.tokens.input + part.tokens.cache.read + part.tokens.cache.write
        tokens_out = part.tokens.output + part.tokens.reasoning
        tokens += tokens_in + tokens_out
        rates = price or (0.0, 0.0)
        cost += part.cost or (tokens_in * rates[0] + tokens_out * rates[1]) / 1e6
    calls = sum(message.info.role == "assistant" for message in messages)
    return Usage(cost_usd=round(cost, 6), tokens=int(tokens), calls=calls, seconds=round(seconds, 1))


def check_limits(
    usage: Usage,
    messages: Sequence[Message],
    status: Status | None,
    *,
    cost_limit_usd: float,
    calls_limit: int,
    deadline_seconds: float,
) -> None:
    """End a run that has used up a limit.

    Raises:
        AgentRefused: the agent reached a limit by its own work, so another run would too.
        AgentBusy: the model did not answer, or its answers broke off; another run may succeed.
    """
    if usage.cost_usd >= cost_limit_usd:
        raise AgentRefused(f"the run reached its limit of {cost_limit_usd:g} USD")
    if usage.tokens >= MAX_TOKENS:
        raise AgentRefused(f"the run reached its limit of {MAX_TOKENS:,} tokens")
    if usage.calls >= calls_limit:
        answers = [message for message in messages if message.info.role == "assistant"]
        broken = [message for message in answers if message.info.time.completed and not message.has_output]
        if len(broken) * 2 > usage.calls:
            raise AgentBusy("most of the model's answers break off")
        raise AgentRefused(f"the agent made {usage.calls} calls without a final answer")
    if usage.seconds >= deadline_seconds:
        if usage.tokens == 0:
            reason = f": {status.message}" if status and status.message else ""
            raise AgentBusy(f"the model did not answer within {deadline_seconds:g} s{reason}")
        raise AgentRefused(f"the agent gave no final answer within {deadline_seconds:g} s")


def model_failure(error: ModelError, text: str) -> AgentRefused | AgentBusy:
    """The error of a run whose model failed: refused if the model rejects the request, busy if it may work later.

    Args:
        error: opencode's error.
        text: the error's text, without secrets.
    """
    code = error.data.get("statusCode")
    if code in (401, 403):
        return AgentRefused(f"the model's provider rejects the key ({code}): {text}")
    if code == 402:
        return AgentRefused(f"the model's budget is used up (402): {text}")
    if isinstance(code, int) and 400 <= code < 500 and code not in TRANSIENT_CODES:
        return AgentRefused(f"the model rejects the request ({code}): {text}")
    if error.name in FATAL_ERRORS:
        return AgentRefused(f"{error.name}: {text}")
    return AgentBusy(f"the model failed: {text}")
